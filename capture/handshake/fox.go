package handshake

import (
	"bytes"
	"net/netip"
)

var fox = Protocol{
	Name:      "fox",
	Ports:     []uint16{1911},
	Spec:      "Niagara Fox, as in Nmap's fox-info.nse",
	Version:   1,
	First:     "fox a 1 -1 fox hello, and what a client has to say of itself",
	Signature: "fox a 0 -1 fox hello",
	Leads:     "f",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		return append(b, "fox a 1 -1 fox hello\n{\nfox.version=s:1.0\nid=i:1\nhostName=s:laserdisc\napp.name=s:laserdisc\nlang=s:en\n};;\n"...)
	},
	Match:   matchFox,
	Details: foxDetails,
}

// matchFox wants the first line of a frame to have its kind, its number, the number of the frame that it answers (0, where ours
// has 1), and its name.
func matchFox(data []byte) Match {
	line, rest, ended := cutLine(data)
	if string(line) != "fox a 0 -1 fox hello" {
		return Match{}
	}
	return certainIf(ended && hasPrefix(rest, "{"), len(line))
}

func foxDetails(data []byte) []Detail {
	field := func(key string) string {
		_, value, _ := bytes.Cut(data, []byte("\n"+key+"=s:"))
		value, _, _ = cutLine(value)
		return show(value)
	}
	return details("version", field("fox.version"), "host", field("hostName"), "application", field("app.name"), "release", field("app.version"))
}
