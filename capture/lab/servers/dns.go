package servers

import (
	"encoding/binary"

	"laserdisc/capture/lab/draw"
)

// dnsProtocols is DNS over TCP (RFC 1035, RFC 7766), with a two-byte length before each message.
var dnsProtocols = []*Protocol{{
	Name: "dns", Label: "dns", own: []Kind{DNS},
	reply: func(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
		if k != DNS {
			return b, ""
		}
		const header = 2 + 12
		query := said
		if len(query) < header { // asked for the label alone
			query = make([]byte, header)
		}
		question := query[header:]
		// Response, recursion desired as asked; no error with an answer, refused, or failed.
		flags := uint16(0x8000) | binary.BigEndian.Uint16(query[4:])&0x7900
		refused := s.Unit(draw.ForVariant)
		var answer []byte
		switch {
		case refused < 0.4:
			flags |= 0x0080 | 5
		case refused < 0.5:
			flags |= 0x0080 | 2
		default:
			flags |= 0x0080
			// A pointer to the name, TXT CH or whatever was asked: type and class of the question.
			kind, class := uint16(16), uint16(3)
			if n := len(question); n >= 4 {
				kind, class = binary.BigEndian.Uint16(question[n-4:]), binary.BigEndian.Uint16(question[n-2:])
			}
			data := []byte("\x089.18.24\x00")[:8]
			if kind == 1 {
				data = []byte{192, 0, 2, byte(s.Below(draw.ForDetail, 255))}
			}
			answer = append(answer, 0xc0, 12)
			answer = binary.BigEndian.AppendUint16(answer, kind)
			answer = binary.BigEndian.AppendUint16(answer, class)
			answer = append(answer, 0, 0, 0, 60, 0, byte(len(data)))
			answer = append(answer, data...)
		}
		count := byte(0)
		if answer != nil {
			count = 1
		}
		b = binary.BigEndian.AppendUint16(b, uint16(12+len(question)+len(answer)))
		b = append(b, query[2], query[3])
		b = binary.BigEndian.AppendUint16(b, flags)
		b = append(b, query[6], query[7], 0, count, 0, 0, 0, 0)
		return append(append(b, question...), answer...), ""
	},
}}
