package anonymize

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// dns replaces addresses and names in DNS messages (RFC 1035, sections 4.1 and 4.2.2), in which names have no dots, if the stream
// begins with one. Of a message that is cut off, what is there is replaced.
func (k *Key) dns(b []byte) {
	for len(b) > 2 {
		length := int(binary.BigEndian.Uint16(b))
		message := b[2:min(2+length, len(b))]
		if !k.message(message) {
			return
		}
		b = b[2+len(message):]
	}
}

// message replaces what is in one message; false: it is none.
func (k *Key) message(b []byte) bool {
	const header = 12
	if len(b) < header || b[2]>>3&15 > 6 || b[3]&0x40 != 0 { // operation; reserved bit
		return false
	}
	questions := int(binary.BigEndian.Uint16(b[4:]))
	records := int(binary.BigEndian.Uint16(b[6:])) + int(binary.BigEndian.Uint16(b[8:])) + int(binary.BigEndian.Uint16(b[10:]))
	if questions > 4 || questions == 0 && records == 0 {
		return false
	}
	m := dnsMessage{key: k, b: b, at: header, labels: make(map[int]string)}
	for range questions {
		if !m.name() || m.at+4 > len(b) {
			return false
		}
		m.at += 4 // type and class
	}
	for range records {
		if !m.name() || !m.record() {
			break // it is cut off
		}
	}
	for at, after := range m.labels {
		k.label(b[at+1:at+1+int(b[at])], after)
	}
	return true
}

// dnsMessage is a message that is being read.
type dnsMessage struct {
	key    *Key
	b      []byte
	at     int
	labels map[int]string // where labels are that are to be replaced, by their lengths, and what follows them
}

// name takes a name.
func (m *dnsMessage) name() bool {
	var starts []int
	var labels []string
	end := 0 // where to go on; valid behind a pointer
	for at := m.at; ; {
		if at >= len(m.b) || len(labels) > 127 {
			return false
		}
		switch n := int(m.b[at]); {
		case n == 0:
			if end == 0 {
				end = at + 1
			}
			m.at = end
			m.replace(starts, labels)
			return true
		case n < 64:
			if at+1+n > len(m.b) {
				return false
			}
			starts, labels = append(starts, at), append(labels, strings.ToLower(string(m.b[at+1:at+1+n])))
			at += 1 + n
		case n < 192:
			return false
		default: // a pointer, which must lead back
			if at+2 > len(m.b) {
				return false
			}
			to := int(binary.BigEndian.Uint16(m.b[at:]) & 0x3fff)
			if to >= at {
				return false
			}
			if end == 0 {
				end = at + 2
			}
			at = to
		}
	}
}

// replace notes the labels of a name that name replaces in text.
func (m *dnsMessage) replace(starts []int, labels []string) {
	text := strings.Join(labels, ".")
	if len(labels) < 2 || specified[text] || ownNames()[text] {
		return
	}
	suffix := icannSuffix(text)
	if suffix == "" {
		return
	}
	for i := range len(labels) - strings.Count(suffix, ".") - 1 {
		m.labels[starts[i]] = strings.Join(labels[i+1:], ".")
	}
}

// record takes what follows a record's name.
func (m *dnsMessage) record() bool {
	const fixed = 10 // type, class, time to live, length
	if m.at+fixed > len(m.b) {
		return false
	}
	kind, length := binary.BigEndian.Uint16(m.b[m.at:]), int(binary.BigEndian.Uint16(m.b[m.at+8:]))
	m.at += fixed
	end := m.at + length
	if end > len(m.b) {
		return false
	}
	switch kind {
	case 1, 28: // A, AAAA (RFC 3596)
		if a, ok := netip.AddrFromSlice(m.b[m.at:end]); ok {
			copy(m.b[m.at:end], m.key.Addr(a).AsSlice())
		}
	case 2, 5, 6, 12: // NS, CNAME, SOA, PTR begin with a name
		m.name()
	case 15: // MX
		if length > 2 {
			m.at += 2
			m.name()
		}
	case 33: // SRV (RFC 2782)
		if length > 6 {
			m.at += 6
			m.name()
		}
	}
	m.at = end
	return true
}
