package handshake

import (
	"bytes"
	"net/netip"
)

var ssh = Protocol{
	Name:        "ssh",
	ServerFirst: true,
	Ports:       []uint16{22},
	Spec:        "RFC 4253, section 4.2",
	Version:     2,
	First:       "our own identification",
	Signature:   "a line SSH-version-software; other lines may come before it; likely: OpenSSH's words to those it turns away",
	Hello:       func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "SSH-2.0-laserdisc_0.1\r\n"...) },
	Match:       matchSSH,
	Details:     sshDetails,
}

// matchSSH looks for the identification, RFC 4253, section 4.2: "SSH-protoversion-softwareversion", ended by CR LF, at
// most 255 bytes. A server may send other lines before it, which do not begin with "SSH-".
func matchSSH(data []byte) Match {
	at := identification(data)
	if at < 0 {
		for _, words := range turnedAway {
			if hasPrefix(data, words) {
				return likely(len(words))
			}
		}
		return Match{}
	}
	line, rest, ended := cutLine(data[at:])
	version, software, ok := bytes.Cut(line[4:], []byte("-"))
	if !ok || !isSSHVersion(version) || len(line) > 255 || !isPrintable(software) {
		return Match{}
	}
	return certainIf(ended && at == 0, len(data)-len(rest))
}

// turnedAway is all that an OpenSSH server says to those whom it does not let in, by MaxStartups or, since version 9.8, by
// PerSourcePenalties (sshd.c).
var turnedAway = []string{"Exceeded MaxStartups\r\n", "Not allowed at this time\r\n"}

// identification finds the line that begins with "SSH-", or gives -1. The lines before it are text.
func identification(data []byte) int {
	if hasPrefix(data, "SSH-") {
		return 0
	}
	if !isText(data[:min(len(data), 16)]) { // spares the search in what is binary
		return -1
	}
	i := bytes.Index(data, sshLine)
	if i < 0 || !isText(data[:i]) {
		return -1
	}
	return i + 1
}

var sshLine = []byte("\nSSH-")

// isSSHVersion takes 2.0, 1.99 for both (RFC 4253, section 5.1), and the 1.x of before.
func isSSHVersion(v []byte) bool {
	return len(v) >= 3 && len(v) <= 4 && (v[0] == '1' || v[0] == '2') && v[1] == '.' && isDigit(v[2]) && isDigit(v[len(v)-1])
}

func sshDetails(data []byte) []Detail {
	at := identification(data)
	if at < 0 {
		return details("note", show(firstLine(data)))
	}
	line, _, _ := cutLine(data[at:])
	version, software, _ := bytes.Cut(line[4:], []byte("-"))
	software, comment, _ := bytes.Cut(software, []byte(" "))
	return details("version", show(version), "software", show(software), "comment", show(comment))
}
