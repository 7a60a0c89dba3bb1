package handshake

var clamd = Protocol{
	Name:      "clamd",
	Ports:     []uint16{3310},
	Spec:      "ClamAV, clamd(8); execute_or_dispatch_command in clamd/session.c",
	Version:   1,
	First:     "nothing: there is no handshake",
	Signature: "likely: UNKNOWN COMMAND and a newline, no more",
	Leads:     "U",
	Match:     matchClamd,
}

// matchClamd wants the answer to whatever is no command, to the letter: beanstalkd, for one, says UNKNOWN_COMMAND.
func matchClamd(data []byte) Match {
	if len(data) == 16 && string(data) == "UNKNOWN COMMAND\n" {
		return likely(16)
	}
	return Match{}
}
