package handshake

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
)

var ipp = Protocol{
	Name:      "ipp",
	Ports:     []uint16{631},
	Spec:      "RFC 8010, RFC 8011",
	Version:   1,
	First:     "POST / with Get-Printer-Attributes",
	Signature: "HTTP answer of type application/ipp; likely: a Server field with the product IPP",
	Leads:     "H",
	Hello:     ippHello,
	Match:     matchIPP,
	Details:   ippDetails,
}

// ippHello asks for one attribute of a printer that it names by the target's address. RFC 8010, section 3.1.1: version
// 1.1, operation 000Bh (RFC 8011, section 5.4.15), request id 1, operation attributes (1), end of attributes (3).
func ippHello(b []byte, to netip.AddrPort, _ uint64) []byte {
	body := []byte{1, 1, 0, 0x0b, 0, 0, 0, 1, 1}
	body = appendAttribute(body, 0x47, "attributes-charset", "utf-8")
	body = appendAttribute(body, 0x48, "attributes-natural-language", "en")
	body = appendAttribute(body, 0x45, "printer-uri", "ipp://"+to.String()+"/")
	body = appendAttribute(body, 0x44, "requested-attributes", "printer-make-and-model")
	body = append(body, 3)
	b = append(b, "POST / HTTP/1.1\r\nHost: "...)
	b = to.AppendTo(b)
	b = append(b, "\r\nUser-Agent: "+UserAgent+"\r\nContent-Type: application/ipp\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\nConnection: close\r\n\r\n"...)
	return append(b, body...)
}

// appendAttribute appends a tag, and name and value with their lengths before them (RFC 8010, section 3.1.4).
func appendAttribute(b []byte, tag byte, name, value string) []byte {
	b = append(b, tag)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

func matchIPP(data []byte) Match {
	r, ok := parseResponse(data, "HTTP/1.")
	if !ok {
		return Match{}
	}
	if media, _, _ := bytes.Cut(r.field("content-type"), []byte(";")); string(bytes.TrimSpace(media)) == "application/ipp" {
		return certainIf(r.ended, r.size)
	}
	if hasProduct(r.field("server"), "IPP/") {
		return likely(r.size)
	}
	return Match{}
}

// hasProduct looks for a product in a Server field: words separated by spaces, RFC 9110, section 10.2.4.
func hasProduct(server []byte, product string) bool {
	for len(server) > 0 {
		if hasPrefix(server, product) {
			return true
		}
		_, server, _ = bytes.Cut(server, []byte(" "))
	}
	return false
}

func ippDetails(data []byte) []Detail {
	ds := httpDetails(data)
	r, _ := parseResponse(data, "HTTP/1.")
	if string(r.field("content-type")) == "application/ipp" && len(r.body) >= 4 {
		ds = append(ds, Detail{"version", strconv.Itoa(int(r.body[0])) + "." + strconv.Itoa(int(r.body[1]))},
			Detail{"ipp-status", "0x" + strconv.FormatUint(uint64(binary.BigEndian.Uint16(r.body[2:])), 16)})
	}
	return ds
}
