package handshake

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

var kerberos = Protocol{
	Name:      "kerberos",
	Ports:     []uint16{88},
	Spec:      "RFC 4120, sections 5.4.2, 5.9.1 and 7.2.2",
	Version:   2,
	First:     "nothing: there is no handshake",
	Signature: "length, and in DER of that length a KRB-ERROR, AS-REP or TGS-REP",
	Leads:     "\x00",
	Match:     matchKerberos,
	Details:   kerberosDetails,
}

// matchKerberos reads four bytes of length (section 7.2.2), then what answers anything that is no request, KRB-ERROR (5.9.1), or a
// request, AS-REP and TGS-REP (5.4.2): application 30, 11 or 13, a sequence (30h), in it pvno, 5, and msg-type, the same number.
func matchKerberos(data []byte) Match {
	if len(data) < 8 || data[0] != 0 || data[1] != 0 {
		return Match{}
	}
	kind := data[4] & 0x1f
	if kind != 30 && kind != 11 && kind != 13 {
		return Match{}
	}
	size := 4 + int(binary.BigEndian.Uint32(data))
	message, ok := cutDER(data[4:], 0x60|kind, size-4)
	if !ok {
		return Match{}
	}
	sequence, ok := cutDER(message, 0x30, -1)
	if !ok || len(sequence) < 10 || !hasPrefix(sequence, "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01") || sequence[9] != kind {
		return Match{}
	}
	return certainIf(len(data) >= size, min(len(data), size))
}

// cutDER cuts off the tag and the length of an element, X.690, section 8.1, of up to 65,535 bytes. If size is not negative it is
// what they and the content must come to.
func cutDER(data []byte, tag byte, size int) (content []byte, ok bool) {
	if len(data) < 2 || data[0] != tag {
		return nil, false
	}
	head, length := 2, int(data[1])
	switch {
	case length == 0x81 && len(data) > 2:
		head, length = 3, int(data[2])
	case length == 0x82 && len(data) > 3:
		head, length = 4, int(binary.BigEndian.Uint16(data[2:]))
	case length >= 0x80:
		return nil, false
	}
	if size >= 0 && head+length != size {
		return nil, false
	}
	return data[head:], true
}

// kerberosDetails gives an error's number, element 6 of the sequence.
func kerberosDetails(data []byte) []Detail {
	if data[4] != 0x7e {
		return nil
	}
	i := bytes.Index(data, []byte("\xa6\x03\x02\x01"))
	if i < 0 || i+4 >= len(data) {
		return nil
	}
	return details("error", strconv.Itoa(int(data[i+4])))
}
