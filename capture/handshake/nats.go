package handshake

import "bytes"

var nats = Protocol{
	Name:        "nats",
	ServerFirst: true,
	Ports:       []uint16{4222},
	Spec:        "NATS Client Protocol, INFO",
	Version:     1,
	First:       "nothing",
	Signature:   "INFO and an object in JSON with a server_id",
	Leads:       "I",
	Match:       matchNATS,
	Details:     natsDetails,
}

// matchNATS reads INFO, which a server sends as soon as it is connected to: an object of which server_id is always a member.
func matchNATS(data []byte) Match {
	line, rest, ended := cutLine(data)
	i := bytes.Index(line, natsServer)
	if !hasPrefixFold(line, "info {") || i < 0 {
		return Match{}
	}
	if ended && bytes.HasSuffix(bytes.TrimRight(line, " "), []byte("}")) {
		return certain(len(data) - len(rest))
	}
	return likely(i + len(natsServer))
}

var natsServer = []byte(`"server_id":`)

func natsDetails(data []byte) []Detail {
	return details("version", show(jsonString(data, `"version":"`)))
}
