package handshake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
)

var tls = Protocol{
	Name:      "tls",
	Ports:     []uint16{443},
	Spec:      "RFC 8446, RFC 5246",
	Version:   2,
	First:     "ClientHello of TLS 1.3 that also accepts 1.2, 1.1 and 1.0; no server name",
	Signature: "record with a ServerHello or an alert; SSL 2.0's SERVER-HELLO; likely: an HTTP page saying that the port wants TLS",
	Leads:     "\x15\x16H" + sslv2Leads,
	Hello: func(b []byte, _ netip.AddrPort, nonce uint64) []byte {
		return appendClientHello(b, 0x0303, modernCiphers, modernExtensions(nonce), nonce)
	},
	Match:   matchTLS,
	Details: tlsDetails,
}

var tls12 = Protocol{
	Name:   "tls12",
	Spec:   "RFC 5246, section 7.4",
	First:  "that of tls without TLS 1.3, in which the certificate comes encrypted",
	Answer: "tls",
	Hello: func(b []byte, _ netip.AddrPort, nonce uint64) []byte {
		return appendClientHello(b, 0x0303, modernCiphers[3:], anyVersionExtensions(), nonce)
	},
}

var tlsLegacy = Protocol{
	Name:   "tls-legacy",
	Spec:   "RFC 2246, appendix A.5",
	First:  "ClientHello of TLS 1.0 with export-grade ciphers alone",
	Answer: "tls",
	Hello: func(b []byte, _ netip.AddrPort, nonce uint64) []byte {
		return appendClientHello(b, 0x0301, exportCiphers, nil, nonce)
	},
}

// These are record types (RFC 8446, section 5.1) and handshake types (section 4).
const (
	tlsAlert     = 21
	tlsHandshake = 22

	helloRequest = 0
	clientHello  = 1
	serverHello  = 2
	certificate  = 11
)

// modernCiphers are those of TLS 1.3 (RFC 8446, appendix B.4), then of 1.2 with forward secrecy, then the older ones
// that servers without those still have.
var modernCiphers = []uint16{
	0x1301, 0x1302, 0x1303,
	0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f,
	0xc009, 0xc013, 0xc00a, 0xc014, 0x0033, 0x0039,
	0x009c, 0x009d, 0x002f, 0x0035, 0x000a,
	0x00ff, // TLS_EMPTY_RENEGOTIATION_INFO_SCSV, RFC 5746, section 3.3
}

// exportCiphers are the suites of RFC 2246, appendix A.5, with "EXPORT" in their names, and 56-bit export (RFC draft).
var exportCiphers = []uint16{
	0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014, 0x0017, 0x0019, 0x0062, 0x0063, 0x0064, 0x0065,
}

// These are extension types (RFC 8446, section 4.2, and the registry).
const (
	extGroups        = 10
	extPointFormats  = 11
	extSignatures    = 13
	extMasterSecret  = 23
	extVersions      = 43
	extPSKModes      = 45
	extKeyShare      = 51
	groupX25519      = 0x001d
	x25519KeyLength  = 32
	helloRandomBytes = 32
)

// anyVersionExtensions are what a server needs to choose its parameters, of whatever version. There is no server name: RFC 6066,
// section 3, forbids IP addresses there.
func anyVersionExtensions() []byte {
	b := appendExtension(nil, extMasterSecret, nil)
	b = appendExtension(b, extGroups, u16List(groupX25519, 0x0017, 0x0018, 0x0019, 0x0100))
	b = appendExtension(b, extPointFormats, []byte{1, 0})
	return appendExtension(b, extSignatures, u16List(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806, 0x0601, 0x0807, 0x0203, 0x0201))
}

// modernExtensions are these, and what TLS 1.3 needs: without supported_versions a server must not choose it (RFC 8446, section
// 4.2.1).
func modernExtensions(nonce uint64) []byte {
	b := appendExtension(anyVersionExtensions(), extVersions, append([]byte{8}, 3, 4, 3, 3, 3, 2, 3, 1))
	b = appendExtension(b, extPSKModes, []byte{1, 1})
	// Any 32 bytes are a public key of X25519, RFC 7748, section 5.
	share := binary.BigEndian.AppendUint16(nil, groupX25519)
	share = binary.BigEndian.AppendUint16(share, x25519KeyLength)
	share = appendNoise(share, ^nonce, x25519KeyLength)
	return appendExtension(b, extKeyShare, append(binary.BigEndian.AppendUint16(nil, uint16(len(share))), share...))
}

func appendExtension(b []byte, kind uint16, body []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// u16List is a vector of 16-bit values with its length in bytes before it, RFC 8446, section 3.4.
func u16List(values ...uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(2*len(values)))
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// appendClientHello appends a record with a ClientHello, RFC 8446, section 4.1.2. An old hello has neither session nor
// extensions. The record's version is 3.1, as section 5.1 asks for the sake of old servers.
func appendClientHello(b []byte, version uint16, ciphers []uint16, extensions []byte, nonce uint64) []byte {
	hello := binary.BigEndian.AppendUint16(nil, version)
	hello = appendNoise(hello, nonce, helloRandomBytes)
	if extensions == nil {
		hello = append(hello, 0)
	} else {
		hello = append(hello, helloRandomBytes)
		hello = appendNoise(hello, nonce+1, helloRandomBytes)
	}
	hello = append(hello, u16List(ciphers...)...)
	hello = append(hello, 1, 0) // one compression method: null
	if extensions != nil {
		hello = binary.BigEndian.AppendUint16(hello, uint16(len(extensions)))
		hello = append(hello, extensions...)
	}
	b = append(b, tlsHandshake, 3, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(hello)))
	b = append(b, clientHello, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(hello)))
	return append(b, hello...)
}

func matchTLS(data []byte) Match {
	if hasPrefix(data, "H") {
		return matchWantsTLS(data)
	}
	if len(data) > 0 && data[0] >= 0x80 {
		return matchSSLv2(data)
	}
	kind, body, length, ok := cutRecord(data)
	switch {
	case !ok:
		return Match{}
	case kind == tlsAlert:
		return matchAlert(body, length)
	case length < 4:
		return Match{}
	}
	return matchServerHello(body, length)
}

// cutRecord reads the header of a record, RFC 8446, section 5.1: type, version 3.0 to 3.4, length of at most 2^14+256.
// The body is as much as there is of it.
func cutRecord(data []byte) (kind byte, body []byte, length int, ok bool) {
	if len(data) < 5 || data[0] != tlsAlert && data[0] != tlsHandshake || data[1] != 3 || data[2] > 4 {
		return 0, nil, 0, false
	}
	length = int(binary.BigEndian.Uint16(data[3:]))
	if length == 0 || length > 1<<14+256 {
		return 0, nil, 0, false
	}
	return data[0], data[5:min(len(data), 5+length)], length, true
}

// matchAlert reads an alert, RFC 8446, section 6: a level of 1 or 2 and a description.
func matchAlert(body []byte, length int) Match {
	if length != 2 || len(body) < 2 || body[0] < 1 || body[0] > 2 || alerts[body[1]] == "" {
		return Match{}
	}
	return certain(7)
}

// matchServerHello reads a ServerHello, RFC 8446, section 4.1.3 and RFC 5246, section 7.4.1.3: version, 32 random bytes,
// session of at most 32, cipher suite, compression, extensions to the end. A HelloRequest (RFC 5246, section 7.4.1.1),
// which is empty, may come instead.
func matchServerHello(body []byte, length int) Match {
	if len(body) < 4 {
		return Match{}
	}
	size := int(body[1])<<16 | int(body[2])<<8 | int(body[3])
	if body[0] == helloRequest && size == 0 && length == 4 {
		return likely(9)
	}
	if body[0] != serverHello || size < 38 || size > 1<<14 {
		return Match{}
	}
	hello, whole := body[4:], len(body)-4 >= size
	if len(hello) < 2 || !isDraft(hello) && (hello[0] != 3 || hello[1] > 4) {
		return Match{}
	}
	if !whole {
		return likely(11)
	}
	if !isServerHello(hello[:size]) {
		return Match{}
	}
	return certain(9 + size)
}

// isDraft tells the ServerHello of a draft of TLS 1.3 (draft-ietf-tls-tls13-18, section 4.1.3): until the 21st its version was 7Fh and
// the draft's number, and it had neither session nor compression. Later ones have the number in supported_versions alone.
func isDraft(hello []byte) bool { return hello[0] == 0x7f && hello[1] >= 1 && hello[1] <= 21 }

func isServerHello(hello []byte) bool {
	at := 2 + helloRandomBytes
	if isDraft(hello) {
		at += 2
		return at+2 <= len(hello) && at+2+int(binary.BigEndian.Uint16(hello[at:])) == len(hello)
	}
	session := int(hello[at])
	at += 1 + session + 3
	if session > 32 || at > len(hello) || hello[at-1] > 1 { // compression: null, or the DEFLATE of RFC 3749
		return false
	}
	return at == len(hello) || at+2 <= len(hello) && at+2+int(binary.BigEndian.Uint16(hello[at:])) == len(hello)
}

// sslv2Leads are the first bytes of records of up to 8 KiB without padding: bit 7, and the upper bits of the length.
const sslv2Leads = "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f" +
	"\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f"

// matchSSLv2 reads a SERVER-HELLO (The SSL Protocol, version 0.2, section 1.2; RFC 6101, appendix E): length with bit 15 set, type 4,
// whether the session is an old one, type of certificate, version 2, and the lengths of the certificate, of the ciphers, three bytes
// each, and of the connection's number, which come to the record's. An ERROR, type 0, has a code of two bytes and no more.
func matchSSLv2(data []byte) Match {
	if len(data) == 5 && string(data[:3]) == "\x80\x03\x00" {
		switch binary.BigEndian.Uint16(data[3:]) {
		case 1, 2, 4, 6:
			return likely(5)
		}
	}
	if len(data) < 13 || data[0] > 0x9f || data[2] != 4 || data[3] > 1 || data[4] > 1 || data[5] != 0 || data[6] != 2 {
		return Match{}
	}
	size := int(data[0]&0x7f)<<8 | int(data[1])
	certificate, ciphers, connection := binary.BigEndian.Uint16(data[7:]), binary.BigEndian.Uint16(data[9:]), binary.BigEndian.Uint16(data[11:])
	if size != 11+int(certificate)+int(ciphers)+int(connection) || ciphers%3 != 0 || connection > 32 {
		return Match{}
	}
	return certainIf(len(data) >= 2+size, min(len(data), 2+size))
}

// matchWantsTLS recognises what HTTPS servers answer to plain HTTP. It is an HTTP message, and what it says of the port is
// that it speaks TLS.
func matchWantsTLS(data []byte) Match {
	if len(data) < 12 || string(data[9:12]) != "400" {
		return Match{}
	}
	r, ok := parseResponse(data, "HTTP/1.")
	if !ok || !r.ended {
		return Match{}
	}
	for _, said := range wantsTLS {
		if i := bytes.Index(r.body, said); i >= 0 {
			return likely(r.size + i + len(said))
		}
	}
	return Match{}
}

var wantsTLS = [][]byte{
	[]byte("The plain HTTP request was sent to HTTPS port"),             // nginx
	[]byte("Client sent an HTTP request to an HTTPS server."),           // Go net/http
	[]byte("You're speaking plain HTTP to an SSL-enabled server port."), // Apache httpd
	[]byte("This combination of host and port requires TLS."),           // Apache Tomcat
}

// handshakeMessage returns the body of the first handshake message of a type, as far as its record holds it, and where in
// data it begins.
func handshakeMessage(data []byte, kind byte) (body []byte, at int) {
	for at < len(data) {
		record, fragment, length, ok := cutRecord(data[at:])
		if !ok || record != tlsHandshake {
			return nil, 0
		}
		for next := 0; next+4 <= len(fragment); {
			size := int(fragment[next+1])<<16 | int(fragment[next+2])<<8 | int(fragment[next+3])
			if fragment[next] == kind {
				return fragment[next+4 : min(len(fragment), next+4+size)], at + 5 + next + 4
			}
			next += 4 + size
		}
		at += 5 + length
	}
	return nil, 0
}

func tlsDetails(data []byte) []Detail {
	if hasPrefix(data, "H") {
		return append([]Detail{{"note", "TLS port that got plain HTTP"}}, httpDetails(data)...)
	}
	if data[0] >= 0x80 {
		return details("version", "SSL 2.0")
	}
	kind, body, _, ok := cutRecord(data)
	if !ok {
		return nil
	}
	if kind == tlsAlert && len(body) >= 2 {
		return details("message", "alert", "version", versionName(binary.BigEndian.Uint16(data[1:])), "alert", alertName(body[1]))
	}
	hello, _ := handshakeMessage(data, serverHello)
	if len(hello) < 38 || !isServerHello(hello) {
		return nil
	}
	cipher := hello[34:]
	if !isDraft(hello) {
		cipher = hello[35+int(hello[34]):]
	}
	message := "server hello"
	if bytes.Equal(hello[2:34], helloRetry) {
		message = "hello retry request"
	}
	return details("message", message, "version", versionName(helloVersion(hello)), "cipher", fmt.Sprintf("0x%02x%02x", cipher[0], cipher[1]))
}

// helloVersion is that of the supported_versions extension, RFC 8446, section 4.2.1, else the hello's own.
func helloVersion(hello []byte) uint16 {
	if isDraft(hello) {
		return binary.BigEndian.Uint16(hello)
	}
	for ext := hello[min(len(hello), 40+int(hello[34])):]; len(ext) >= 4; {
		kind, size := binary.BigEndian.Uint16(ext), int(binary.BigEndian.Uint16(ext[2:]))
		if kind == extVersions && size == 2 && len(ext) >= 6 {
			return binary.BigEndian.Uint16(ext[4:])
		}
		ext = ext[min(len(ext), 4+size):]
	}
	return binary.BigEndian.Uint16(hello)
}

// helloRetry is the random value of a HelloRetryRequest, RFC 8446, section 4.1.3.
var helloRetry = []byte("\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" +
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")

func versionName(v uint16) string {
	switch v {
	case 0x0300:
		return "SSL 3.0"
	case 0x0301, 0x0302, 0x0303, 0x0304:
		return "TLS 1." + strconv.Itoa(int(v&0xff)-1)
	}
	if v>>8 == 0x7f {
		return "TLS 1.3 draft " + strconv.Itoa(int(v&0xff))
	}
	return fmt.Sprintf("0x%04x", v)
}

func alertName(code byte) string { return fmt.Sprintf("%s (%d)", alerts[code], code) }

// alerts are the descriptions of RFC 8446, section 6, and of the registry that older versions filled.
var alerts = [256]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
	30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
	43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
	47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
	60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
	86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
	110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
	113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
	116: "certificate_required", 120: "no_application_protocol", 121: "ech_required",
}
