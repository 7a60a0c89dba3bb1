package handshake

var gpsd = Protocol{
	Name:        "gpsd",
	ServerFirst: true,
	Ports:       []uint16{2947},
	Spec:        "gpsd, gpsd_json(5), VERSION",
	Version:     1,
	First:       "nothing",
	Signature:   `an object in JSON of the class VERSION, with the release`,
	Leads:       "{",
	Match:       matchGPSD,
	Details:     func(data []byte) []Detail { return details("release", show(jsonString(data, `"release":"`))) },
}

// matchGPSD reads the greeting of version 3: one object, its class first.
func matchGPSD(data []byte) Match {
	line, rest, ended := cutLine(data)
	if !hasPrefix(line, `{"class":"VERSION","release":"`) {
		return Match{}
	}
	return certainIf(ended && line[len(line)-1] == '}', len(data)-len(rest))
}
