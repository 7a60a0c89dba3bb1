package handshake

import (
	"net/netip"
	"strconv"
)

var modbus = Protocol{
	Name:      "modbus",
	Spec:      "MODBUS Application Protocol V1.1b3, sections 6.21 and 7; MODBUS Messaging on TCP/IP V1.0b, section 3.1.3",
	Version:   1,
	First:     "Read Device Identification (2Bh/0Eh)",
	Signature: "MBAP header whose length is right, function 2Bh with its objects or ABh with an exception; likely: other reads",
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
	case function >= 0x81 && function <= 0x98 && isException(body): // the same for the other functions, to 18h
		return likely(size)
	case function >= 1 && function <= 4 && len(body) > 1 && int(body[0]) == len(body)-1 && (function < 3 || body[0]%2 == 0):
		return likely(size)
	}
	return Match{}
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
