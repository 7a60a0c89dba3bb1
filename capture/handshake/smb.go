package handshake

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

var smb = Protocol{
	Name:      "smb",
	Ports:     []uint16{445},
	Spec:      "MS-SMB2, sections 2.1, 2.2.1 and 2.2.4; MS-CIFS, section 2.2.3.1",
	Version:   1,
	First:     "SMB1 negotiate that offers NT LM 0.12, SMB 2.002 and SMB 2.???",
	Signature: "length, FEh or FFh SMB, a negotiate response",
	Leads:     "\x00",
	Hello:     smbHello,
	Match:     matchSMB,
	Details:   smbDetails,
}

const (
	smbHeader  = 32 // of SMB1, MS-CIFS, section 2.2.3.1
	smb2Header = 64 // MS-SMB2, section 2.2.1.2
)

// smbHello is the multi-protocol negotiation of MS-SMB2, section 3.2.4.2.2.1: servers of any age answer it, the newer ones
// with SMB2. The header: command 72h, flags (case-insensitive, canonical paths), flags2 (Unicode, NT status, long names),
// process id 1; no parameters; dialects, each after a 2.
func smbHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	const dialects = "\x02NT LM 0.12\x00\x02SMB 2.002\x00\x02SMB 2.???\x00"
	b = append(b, 0, 0, 0, byte(smbHeader+3+len(dialects)))
	b = append(b, "\xffSMB\x72\x00\x00\x00\x00\x18\x01\xc8"...)
	b = append(b, make([]byte, 12)...)
	b = append(b, 0, 0, 1, 0, 0, 0, 0, 0)
	b = append(b, 0, byte(len(dialects)), 0)
	return append(b, dialects...)
}

// matchSMB reads the transport's header, MS-SMB2, section 2.1 (zero, length in 3 bytes), and then either
//   - SMB2: header size 64, command 0, the flag "to the client", and a body of 65 bytes with its size in it, or
//   - SMB1: command 72h and the reply bit of the flags.
func matchSMB(data []byte) Match {
	if len(data) < 8 || data[0] != 0 || string(data[5:8]) != "SMB" {
		return Match{}
	}
	size := int(data[1])<<16 | int(data[2])<<8 | int(data[3])
	message := data[4:min(len(data), 4+size)]
	whole := len(message) == size
	switch {
	case data[4] == 0xfe && size >= smb2Header+8 && len(message) >= smb2Header+2:
		if binary.LittleEndian.Uint16(message[4:]) != smb2Header || binary.LittleEndian.Uint16(message[12:]) != 0 || message[16]&1 == 0 {
			return Match{}
		}
		body := binary.LittleEndian.Uint16(message[smb2Header:])
		if body != 65 && body != 9 { // a response, or an error
			return Match{}
		}
	case data[4] == 0xff && size >= smbHeader+3 && len(message) >= smbHeader:
		if message[4] != 0x72 || message[9]&0x80 == 0 {
			return Match{}
		}
	default:
		return Match{}
	}
	return certainIf(whole, 4+len(message))
}

func smbDetails(data []byte) []Detail {
	if data[4] == 0xff {
		return details("version", "SMB1")
	}
	message := data[4:]
	if len(message) < smb2Header+6 || message[smb2Header] != 65 {
		return details("version", "SMB2")
	}
	return details("version", "SMB2", "dialect", fmt.Sprintf("0x%04x", binary.LittleEndian.Uint16(message[smb2Header+4:])))
}
