package handshake

var rsync = Protocol{
	Name:        "rsync",
	ServerFirst: true,
	Ports:       []uint16{873},
	Spec:        "rsync, start_daemon in clientserver.c",
	Version:     1,
	First:       "nothing",
	Signature:   "@RSYNCD: and the version, a number or two with a point",
	Leads:       "@",
	Match:       matchRsync,
	Details:     rsyncDetails,
}

// matchRsync reads the greeting of the daemon, "@RSYNCD: 31.0" and, since version 32, names of digests.
func matchRsync(data []byte) Match {
	line, rest, ended := cutLine(data)
	if !hasPrefix(line, "@RSYNCD: ") || len(line) < 10 || !isDigit(line[9]) || !isPrintable(line) {
		return Match{}
	}
	return certainIf(ended, len(data)-len(rest))
}

func rsyncDetails(data []byte) []Detail {
	line, _, _ := cutLine(data)
	return details("version", show(firstWord(line[9:])))
}
