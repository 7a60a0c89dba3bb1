package servers

import "laserdisc/capture/lab/draw"

// unknownProtocols are those of services that no scanner identifies.
var unknownProtocols = []*Protocol{
	// It acknowledges everything and says nothing.
	{Name: "unknown", Label: "unknown", stays: true},
	// It says something nobody lists, unasked.
	{
		Name: "unlisted_first", Label: "unknown", First: true,
		answers: Answers{TLS: 1, Newlines: 1, HTTP: 1, Wait: 1},
		greet: func(b []byte, s *Service) []byte {
			return append(b, pick(s,
				"Asterisk Call Manager/5.0.2\r\n",
				"NBDMAGICIHAVEOPT\x00\x03",
				"\x00\x00\x00d\x00\x00\x00\x18", // OMAPI
				"PJLINK 0\r",
				"TS3\n\rWelcome to the TeamSpeak 3 ServerQuery interface, type \"help\" for a list of commands\n\r",
			)...)
		},
	},
	// It answers lines of text with something nobody lists.
	{
		Name: "unlisted", Label: "unknown",
		answers: Answers{TLS: 0.3, Newlines: 0.8, HTTP: 0.8},
		reply: func(b []byte, s *Service, _ Kind, _ []byte) ([]byte, string) {
			return append(b, pick(s, "Unknown command. Try help\n", "?Syntax error\r\n", "{\"error\":\"invalid request\"}\n", "\x00\x00\x00\x06\x10\x01nope")...), ""
		},
	},
	// It answers everything with bytes that mean nothing.
	{
		Name: "noise", Label: "unknown", answers: Answers{TLS: 1, Newlines: 1, HTTP: 1},
		reply: func(b []byte, s *Service, _ Kind, _ []byte) ([]byte, string) {
			return appendRandom(append(b, 0xee), s, 15+s.Below(draw.ForDetail, 100)), ""
		},
	},
	// It gives back what it gets (RFC 862).
	{Name: "echo", Label: "echo", stays: true, answers: Answers{TLS: 1, Newlines: 1, HTTP: 1}, reply: replyEcho},
}

func replyEcho(b []byte, _ *Service, _ Kind, said []byte) ([]byte, string) {
	if len(said) == 0 {
		said = []byte{0} // asked for the label alone
	}
	return append(b, said...), ""
}
