package handshake

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

var mongodb = Protocol{
	Name:      "mongodb",
	Ports:     []uint16{27017},
	Spec:      "MongoDB Wire Protocol; BSON 1.1",
	Version:   1,
	First:     "OP_QUERY isMaster, which servers of every age answer",
	Signature: "OP_REPLY or OP_MSG with a document that has ok, errmsg or maxBsonObjectSize; its answer to HTTP",
	Match:     matchMongoDB,
	Hello:     mongoHello,
	Details:   mongoDetails,
}

const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

// mongoHello is an OP_QUERY: header (length, request, response to, operation), flags, collection, skip 0, return 1, and the
// document {isMaster: 1}: length, type 16 (int32), name, value, zero.
func mongoHello(b []byte, _ netip.AddrPort, nonce uint64) []byte {
	const query = "\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\x01\x00\x00\x00" +
		"\x13\x00\x00\x00\x10isMaster\x00\x01\x00\x00\x00\x00"
	b = binary.LittleEndian.AppendUint32(b, 16+uint32(len(query)))
	b = binary.LittleEndian.AppendUint32(b, uint32(nonce)&0x7fffffff)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, opQuery)
	return append(b, query...)
}

func matchMongoDB(data []byte) Match {
	if hasPrefix(data, "H") {
		return matchMongoOverHTTP(data)
	}
	document, at := mongoDocument(data)
	if document == nil {
		return Match{}
	}
	size := int(binary.LittleEndian.Uint32(document))
	known, whole := bsonHas(document[:min(len(document), size)])
	if !known {
		return Match{}
	}
	return certainIf(whole && len(document) >= size, at+min(len(document), size))
}

// mongoDocument finds the first document: after 20 bytes of an OP_REPLY (flags, cursor, start, count), or after flags and
// a section of kind 0 in an OP_MSG.
func mongoDocument(data []byte) (document []byte, at int) {
	if len(data) < 26 {
		return nil, 0
	}
	size := int(binary.LittleEndian.Uint32(data))
	switch op := binary.LittleEndian.Uint32(data[12:]); {
	case op == opReply && len(data) >= 41:
		at = 36
	case op == opMsg && data[20] == 0:
		at = 21
	default:
		return nil, 0
	}
	document = data[at:]
	if length := int(binary.LittleEndian.Uint32(document)); length < 5 || at+length > size || size > 48<<20 {
		return nil, 0
	}
	return document, at
}

// bsonHas walks a document's elements (type, name, value) and tells whether it met a name that servers answer commands
// with, and whether it came to the end.
func bsonHas(document []byte) (known, whole bool) {
	for b := document[4:]; len(b) > 0; {
		kind := b[0]
		if kind == 0 {
			return known, len(b) == 1
		}
		name, value, ok := bytes.Cut(b[1:], []byte{0})
		if !ok {
			return known, false
		}
		n := bsonSize(kind, value)
		if n < 0 {
			return false, false
		}
		switch string(name) {
		case "ok", "errmsg", "$err", "ismaster", "isWritablePrimary", "maxBsonObjectSize", "helloOk":
			known = true
		}
		if n > len(value) {
			return known, false
		}
		b = value[n:]
	}
	return known, false
}

// bsonSize is the number of bytes of a value, BSON 1.1; -1 if there is no such type. A value that is cut is at least
// longer than what is there.
func bsonSize(kind byte, value []byte) int {
	length := func(more int) int {
		if len(value) < 4 {
			return len(value) + 1
		}
		n := binary.LittleEndian.Uint32(value)
		if n > 48<<20 {
			return -1
		}
		return int(n) + more
	}
	switch kind {
	case 0x01, 0x09, 0x11, 0x12: // double, date, timestamp, int64
		return 8
	case 0x02: // string: length, bytes
		return length(4)
	case 0x03, 0x04: // document, array: their length is in them
		return max(length(0), 4)
	case 0x05: // binary: length, kind, bytes
		return length(5)
	case 0x07: // object id
		return 12
	case 0x08: // boolean
		return 1
	case 0x0a: // null
		return 0
	case 0x10: // int32
		return 4
	}
	return -1
}

// mongoSays is the text that a server sends in an HTTP answer to whoever speaks HTTP to it (transport/session_workflow.cpp).
const mongoSays = "It looks like you are trying to access MongoDB over HTTP on the native driver port."

func matchMongoOverHTTP(data []byte) Match {
	if !hasPrefix(data, "HTTP/1.0 200") {
		return Match{}
	}
	if r, ok := parseResponse(data, "HTTP/1."); ok && hasPrefix(r.body, mongoSays) {
		return certain(r.size + len(mongoSays))
	}
	return Match{}
}

func mongoDetails(data []byte) []Detail {
	if hasPrefix(data, "H") {
		return details("note", "MongoDB port that got HTTP")
	}
	if binary.LittleEndian.Uint32(data[12:]) == opReply {
		return details("message", "OP_REPLY")
	}
	return details("message", "OP_MSG")
}
