package servers

import "laserdisc/capture/lab/draw"

// industrialProtocols are those of control systems: Modbus, S7 over ISO-TSAP, DNP3, Fox, EtherNet/IP. Their servers answer
// their own clients alone.
var industrialProtocols = []*Protocol{
	{Name: "modbus", Label: "modbus", own: []Kind{Modbus}, reply: func(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
		if k != Modbus || len(said) < 8 {
			return b, ""
		}
		// MBAP header with the transaction and the unit asked for (Modbus over TCP, section 3.1.3).
		if s.Unit(draw.ForVariant) < 0.4 { // exception: illegal function
			return append(b, said[0], said[1], 0, 0, 0, 3, said[6], said[7]|0x80, 1), ""
		}
		name := pick(s, "Schneider Electric", "SE-ModiconM340", "WAGO 750-881")
		// Read device identification: basic, conformity 1, one object (application protocol, section 6.21).
		b = append(b, said[0], said[1], 0, 0, 0, byte(10+len(name)), said[6], said[7], 0x0e, 1, 1, 0, 0, 1, 0, byte(len(name)))
		return append(b, name...), ""
	}},
	{Name: "siemens", Label: "siemens", own: []Kind{Siemens}, reply: func(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
		if k == Siemens { // COTP connection confirm (RFC 1006, RFC 905), the parameters as asked
			return append(b, 3, 0, 0, 22, 17, 0xd0, 0, 1, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2), ""
		}
		if len(said) > 7 && said[0] == 3 && said[5] == 0xf0 && said[7] == 0x32 { // S7 set-up communication
			return append(b, 3, 0, 0, 27, 2, 0xf0, 0x80, 0x32, 3, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0xf0, 0, 0, 1, 0, 1, 0, 0xf0), ""
		}
		return b, ""
	}},
	{Name: "dnp3", Label: "dnp3", own: []Kind{DNP3}, reply: func(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
		if k != DNP3 || len(said) < 8 {
			return b, ""
		}
		// Link status from the outstation asked (IEEE 1815, section 9.2).
		head := []byte{5, 0x64, 5, 0x0b, said[6], said[7], said[4], said[5]}
		crc := crcDNP3(head)
		return append(append(b, head...), byte(crc), byte(crc>>8)), ""
	}},
	{Name: "fox", Label: "fox", own: []Kind{Fox}, reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
		if k != Fox {
			return b, ""
		}
		return append(b, "fox a 0 -1 fox hello\n{\nfox.version=s:1.0.1\nid=i:1\nhostName=s:"+s.hostName()+"\napp.name=s:Station\napp.version=s:3.8.38\n};;\n"...), ""
	}},
	{Name: "enip", Label: "enip", own: []Kind{ENIP}, reply: func(b []byte, s *Service, k Kind, said []byte) ([]byte, string) {
		if k != ENIP || len(said) < 24 {
			return b, ""
		}
		head := append([]byte(nil), said[:24]...) // encapsulation header, as asked, status 0 (CIP vol. 2, 2-3)
		copy(head[8:12], "\x00\x00\x00\x00")
		if said[0] == 0x65 { // RegisterSession: a handle
			head[4], head[2] = byte(1+s.Below(draw.ForDetail, 255)), 4
			return append(append(b, head...), 1, 0, 0, 0), ""
		}
		item := "\x01\x00\x00\x02\xaf\x12\xc6\x12\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x0e\x00\x36\x00\x14\x0b\x60\x31\x1a\x06\x6c\x00\x0b1769-L32E/A\x03"
		body := append([]byte{1, 0, 0x0c, 0, byte(len(item)), 0}, item...)
		head[2], head[3] = byte(len(body)), 0
		return append(append(b, head...), body...), ""
	}},
}

// crcDNP3 is the CRC of IEEE 1815, section 9.2.4: x^16+x^13+x^12+x^11+x^10+x^8+x^6+x^5+x^2+1, reflected, inverted.
func crcDNP3(b []byte) uint16 {
	crc := uint16(0)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa6bc
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}
