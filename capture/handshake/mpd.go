package handshake

var mpd = Protocol{
	Name:        "mpd",
	ServerFirst: true,
	Ports:       []uint16{6600},
	Spec:        "Music Player Daemon, The Music Player Daemon protocol",
	Version:     1,
	First:       "nothing",
	Signature:   "OK MPD and a version",
	Leads:       "O",
	Match:       matchMPD,
	Details:     func(data []byte) []Detail { return details("version", show(firstLine(data)[7:])) },
}

// matchMPD reads the greeting, "OK MPD 0.23.5".
func matchMPD(data []byte) Match {
	line, rest, ended := cutLine(data)
	if !hasPrefix(line, "OK MPD ") || len(line) < 8 || !isDigit(line[7]) || !isPrintable(line) {
		return Match{}
	}
	return certainIf(ended, len(data)-len(rest))
}
