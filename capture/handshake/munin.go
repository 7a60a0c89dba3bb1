package handshake

var munin = Protocol{
	Name:        "munin",
	ServerFirst: true,
	Ports:       []uint16{4949},
	Spec:        "Munin, Network Protocol",
	Version:     1,
	First:       "nothing",
	Signature:   "# munin node at and a name",
	Leads:       "#",
	Match:       matchMunin,
	Details:     func(data []byte) []Detail { return details("node", show(firstLine(data)[len(muninNode):])) },
}

const muninNode = "# munin node at "

// matchMunin reads the greeting, a comment with the node's name. What does not have the name, "# munin client at" of version 1,
// is like it.
func matchMunin(data []byte) Match {
	line, rest, ended := cutLine(data)
	if !hasPrefix(line, muninNode) || !isPrintable(line) {
		return Match{}
	}
	return certainIf(ended, len(data)-len(rest))
}
