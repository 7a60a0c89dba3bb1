package handshake

import (
	"net/netip"
	"strconv"
)

var mqtt = Protocol{
	Name:      "mqtt",
	Ports:     []uint16{1883},
	Spec:      "OASIS MQTT 3.1.1 and 5.0, section 3",
	Version:   1,
	First:     "CONNECT 3.1.1, clean session, no client identifier",
	Signature: "CONNACK: 20h, length, flags 0 or 1, a defined code",
	Leads:     " ",
	Hello:     mqttHello,
	Match:     matchMQTT,
	Details:   mqttDetails,
}

// mqttHello is a CONNECT, MQTT 3.1.1, section 3.1: type 1, length, name, level 4, clean session (bit 1), keep-alive of
// 10 s, and an empty client identifier, which section 3.1.3.1 allows with a clean session: nothing stays behind.
func mqttHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	return append(b, "\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"...)
}

// matchMQTT reads a CONNACK, MQTT 3.1.1, section 3.2: type 2 without flags, length 2, session present in bit 0, code 0 to
// 5. In 5.0 a longer one follows: reason 0 or from 128, and properties that fill the rest.
func matchMQTT(data []byte) Match {
	if len(data) < 4 || data[0] != 0x20 || data[2] > 1 {
		return Match{}
	}
	size, code := 2+int(data[1]), data[3]
	switch {
	case size == 4 && code <= 5:
		return certain(4)
	case size >= 5 && size < 130 && len(data) >= 5 && (code == 0 || code >= 0x80 && code <= 0x9f) && int(data[4]) == size-5:
		return certainIf(len(data) >= size, min(len(data), size))
	}
	return Match{}
}

func mqttDetails(data []byte) []Detail { return details("code", strconv.Itoa(int(data[3]))) }
