package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var modbus = Protocol{
	Name:      "modbus",
	Ports:     []uint16{502},
	Spec:      "MODBUS Application Protocol V1.1b3, sections 6.21 and 7; MODBUS Messaging on TCP/IP V1.0b, section 3.1.3",
	Version:   2,
	First:     "Read Device Identification (2Bh/0Eh)",
	Signature: "MBAP header whose length is right, function 2Bh with its objects or ABh with an exception; likely: exceptions, reads and writes of other functions",
	Hello:     modbusHello,
	Match:     matchModbus,
	Details:   modbusDetails,
}

// modbusHello asks for the device identification: MBAP header (transaction, protocol 0, length 5, unit 0) and function 2Bh,
// MEI type 0Eh, basic objects (1) from the first (0).
func modbusHello(b []byte, _ netip.AddrPort, nonce uint64) []byte {
	return append(b, byte(nonce>>8), byte(nonce), 0, 0, 0, 5, 0, 0x2b, 0x0e, 1, 0)
}

func matchModbus(data []byte) Match {
	if len(data) < 9 || data[2] != 0 || data[3] != 0 || data[4] != 0 {
		return Match{}
	}
	size := 6 + int(data[5])
	if len(data) != size {
		return Match{}
	}
	function, body := data[7], data[8:]
	switch {
	case function == 0xab && isException(body):
		return certain(size)
	case function == 0x2b && isIdentification(body):
		return certain(size)
	case function >= 0x80 && isException(body): // to whatever was in the function's place; section 7 adds 80h to it
		return likely(size)
	case isWritten(function, body):
		return likely(size)
	case function >= 1 && function <= 4 && len(body) > 1 && int(body[0]) == len(body)-1 && (function < 3 || body[0]%2 == 0):
		return likely(size)
	}
	return Match{}
}

// isWritten reports whether it answers a write: address and value of one coil (5; section 6.5: FF00h or 0) or register (6), address
// and count of several coils (15, at most 7B0h) or registers (16, at most 7Bh), or address and two masks (22).
func isWritten(function byte, body []byte) bool {
	if function == 22 {
		return len(body) == 6
	}
	if len(body) != 4 {
		return false
	}
	value := binary.BigEndian.Uint16(body[2:])
	switch function {
	case 5:
		return value == 0xff00 || value == 0
	case 6:
		return true
	case 15:
		return value >= 1 && value <= 0x7b0
	case 16:
		return value >= 1 && value <= 0x7b
	}
	return false
}

// isException reports whether a body is an exception's: one byte, a code of section 7.
func isException(body []byte) bool {
	return len(body) == 1 && body[0] >= 1 && body[0] <= 11 && body[0] != 9
}

// isIdentification reports whether a body is that of section 6.21: MEI type 0Eh, kind of access, conformity, more follows
// (0 or FFh), next object, number of objects, and each object with its id, length and value.
func isIdentification(body []byte) bool {
	if len(body) < 6 || body[0] != 0x0e || body[1] < 1 || body[1] > 4 || body[3] != 0 && body[3] != 0xff {
		return false
	}
	objects := body[6:]
	for range body[5] {
		if len(objects) < 2 || len(objects) < 2+int(objects[1]) {
			return false
		}
		objects = objects[2+int(objects[1]):]
	}
	return len(objects) == 0
}

// modbusDetails gives the objects of a device identification, vendor, product and revision; else the function, which is
// above 127 in an exception.
func modbusDetails(data []byte) []Detail {
	if data[7] != 0x2b {
		return details("function", strconv.Itoa(int(data[7])))
	}
	var values [3]string
	for objects := data[14:]; len(objects) >= 2; objects = objects[2+int(objects[1]):] {
		if id := int(objects[0]); id < len(values) {
			values[id] = show(objects[2 : 2+int(objects[1])])
		}
	}
	return details("vendor", values[0], "product", values[1], "revision", values[2])
}
