package handshake

import "strconv"

var zmtp = Protocol{
	Name:        "zmtp",
	ServerFirst: true,
	Ports:       []uint16{5555},
	Spec:        "ZeroMQ RFC 23/ZMTP 3.1, greeting; RFC 15/ZMTP 2.0",
	Version:     1,
	First:       "nothing",
	Signature:   "FFh, seven zero bytes, one of any value, 7Fh",
	Leads:       "\xff",
	Match:       matchZMTP,
	Details:     zmtpDetails,
}

// matchZMTP reads the signature: FFh, 8 bytes of padding, 7Fh. To version 1 the padding is a length, which is why all
// implementations have the first seven bytes of it zero. The major version, 1 to 3, comes after it, at once or when the peer has
// said its own.
func matchZMTP(data []byte) Match {
	if len(data) < 10 || !hasPrefix(data, "\xff\x00\x00\x00\x00\x00\x00\x00") || data[9] != 0x7f {
		return Match{}
	}
	return certain(10)
}

func zmtpDetails(data []byte) []Detail {
	if len(data) < 11 {
		return nil
	}
	return details("version", strconv.Itoa(int(data[10])))
}
