package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// messageReaders read what gopacket knows of the protocols that TCP carries, by the name of a handshake or a label. Each returns a line
// for each message.
var messageReaders = map[string]func([]byte) ([]string, error){
	"tls": readTLS, "tls-legacy": readTLS, "tls12": readTLS, "dns": readDNS, "sip": readSIP, "modbus": readModbus,
}

// messagesIn says what is in the first bytes of one direction of a connection, a line for each message; nothing for a protocol that
// gopacket does not know. What cannot be read is told in the last line: a segment may end within a message.
func messagesIn(protocol string, data []byte) (lines []string) {
	read := messageReaders[protocol]
	if read == nil || len(data) == 0 {
		return nil
	}
	defer func() { // gopacket's decoders are not all safe from what others send
		if problem := recover(); problem != nil {
			lines = append(lines, fmt.Sprintf("%s: not to be read: %s", protocol, shown(fmt.Sprint(problem))))
		}
	}()
	lines, err := read(data)
	if err != nil {
		lines = append(lines, fmt.Sprintf("%s: not to be read further: %s", protocol, shown(err.Error())))
	}
	return lines
}

var errCut = errors.New("it ends within a message")

// readTLS goes through the records (RFC 8446, section 5.1).
func readTLS(data []byte) (lines []string, err error) {
	for len(data) > 0 {
		if first := layers.TLSType(data[0]); first < layers.TLSChangeCipherSpec || first > layers.TLSApplicationData {
			return lines, errors.New("it is no record")
		}
		if len(data) < 5 {
			return lines, errCut
		}
		length := 5 + int(binary.BigEndian.Uint16(data[3:]))
		if length > len(data) {
			return lines, errCut
		}
		var t layers.TLS
		if err := t.DecodeFromBytes(data[:length], gopacket.NilDecodeFeedback); err != nil {
			return lines, err
		}
		record := func(h layers.TLSRecordHeader, what string) {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%v %v, %d bytes %s", h.Version, h.ContentType, h.Length, what)))
		}
		for _, r := range t.Handshake {
			record(r.TLSRecordHeader, tlsMessages(data[5:length]))
		}
		for _, r := range t.Alert {
			record(r.TLSRecordHeader, fmt.Sprintf("%v %v", r.Level, r.Description))
		}
		for _, r := range t.ChangeCipherSpec {
			record(r.TLSRecordHeader, "")
		}
		for _, r := range t.AppData {
			record(r.TLSRecordHeader, "")
		}
		data = data[length:]
	}
	return lines, nil
}

// tlsMessages names the handshake messages of a record (RFC 8446, section 4; RFC 5246, section 7.4), which gopacket does not read.
func tlsMessages(data []byte) string {
	var names []string
	for len(data) >= 4 {
		name, known := map[byte]string{1: "ClientHello", 2: "ServerHello", 11: "Certificate", 12: "ServerKeyExchange",
			13: "CertificateRequest", 14: "ServerHelloDone"}[data[0]]
		if !known {
			break
		}
		names = append(names, name)
		data = data[min(len(data), 4+int(data[1])<<16|int(data[2])<<8|int(data[3])):]
	}
	return strings.Join(names, " ")
}

// readDNS reads a message with its length before it (RFC 1035, section 4.2.2).
func readDNS(data []byte) ([]string, error) {
	if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
		return nil, errCut
	}
	var d layers.DNS
	if err := d.DecodeFromBytes(data[2:2+int(binary.BigEndian.Uint16(data))], gopacket.NilDecodeFeedback); err != nil {
		return nil, err
	}
	what := "query"
	if d.QR {
		what = "response, " + d.ResponseCode.String()
	}
	lines := []string{fmt.Sprintf("DNS %s, id %d", what, d.ID)}
	for _, q := range d.Questions {
		lines = append(lines, fmt.Sprintf("  question %s %v %v", cmp.Or(shown(string(q.Name)), "."), q.Type, q.Class))
	}
	for _, section := range []struct {
		name    string
		records []layers.DNSResourceRecord
	}{{"answer", d.Answers}, {"authority", d.Authorities}, {"additional", d.Additionals}} {
		for _, r := range section.records {
			lines = append(lines, fmt.Sprintf("  %s %s", section.name, shown(r.String())))
		}
	}
	return lines, nil
}

// readSIP reads the first line of a message and names its headers.
func readSIP(data []byte) ([]string, error) {
	s := layers.NewSIP()
	if err := s.DecodeFromBytes(data, gopacket.NilDecodeFeedback); err != nil {
		return nil, err
	}
	if s.IsResponse {
		return []string{fmt.Sprintf("SIP response %d %s, %d headers", s.ResponseCode, shown(s.ResponseStatus), len(s.Headers))}, nil
	}
	return []string{fmt.Sprintf("SIP %v %s, %d headers", s.Method, shown(s.RequestURI), len(s.Headers))}, nil
}

// readModbus reads the header of a message, and its function code.
func readModbus(data []byte) ([]string, error) {
	var m layers.ModbusTCP
	if err := m.DecodeFromBytes(data, gopacket.NilDecodeFeedback); err != nil {
		return nil, err
	}
	line := fmt.Sprintf("Modbus transaction %d, unit %d, %d bytes", m.TransactionIdentifier, m.UnitIdentifier, m.Length)
	if pdu := m.BaseLayer.Payload; len(pdu) > 0 {
		line += fmt.Sprintf(", function %d", pdu[0])
	}
	return []string{line}, nil
}
