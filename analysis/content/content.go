// Package content reads what the first bytes of a service reveal beyond its protocol (paper, sections 3.1, 3.3 and 4.1): whose
// certificate it shows and which key is in it, whether a page asks for a login, which software speaks SSH, whether a web server
// is one of UPnP, what a reset says of its sender.
//
// Every function is one of bytes alone. What is looked for may lie behind the end of a response that was cut, by the server or by
// the run's response limit: then the answer is Cut, and neither yes nor no.
package content

import (
	"bytes"
	"strings"

	"laserdisc/datasets"
)

// Found says whether a response has what was looked for.
type Found uint8

const (
	Absent  Found = iota // it has not: it is whole as far as that matters, or something else
	Cut                  // it ends before that can be told
	Present              // it has
)

// SSHSoftware gives the software version of an SSH banner, "" if there is none: SSH-protoversion-softwareversion, then a space and
// comments or the line's end. Other lines may come first (RFC 4253, section 4.2).
func SSHSoftware(response []byte) string {
	for line := range bytes.Lines(response) {
		if rest, ok := bytes.CutPrefix(line, []byte("SSH-")); ok {
			_, software, _ := bytes.Cut(bytes.TrimRight(rest, "\r\n"), []byte("-"))
			software, _, _ = bytes.Cut(software, []byte(" "))
			return string(software)
		}
	}
	return ""
}

// SSHMaker gives the maker of devices whose SSH software this is, "" if it is none's that datasets.Makers has.
func SSHMaker(software string) string { return makerOf(datasets.SSHSoftware, software) }

// IsUPnP reports whether a Server field is that of UPnP: OS/version UPnP/version product/version (UPnP Device Architecture 1.1,
// section 1.2.2).
func IsUPnP(server string) bool { return containsFold([]byte(server), "upnp/") }

// IsBIGIP reports whether the text in a reset is that of an F5 BIG-IP, which on some networks acknowledges data on every port
// (paper, section 3.1).
func IsBIGIP(reset []byte) bool { return bytes.Contains(reset, []byte("BIG-IP")) }

// HasWord reports whether a banner contains one of some words, in upper or lower case.
func HasWord(banner []byte, words []string) bool {
	for _, word := range words {
		if containsFold(banner, strings.ToLower(word)) {
			return true
		}
	}
	return false
}

// containsFold reports whether b contains ASCII text that is given in lower case.
func containsFold(b []byte, text string) bool {
	for i := 0; i+len(text) <= len(b); i++ {
		if (text == "" || lower(b[i]) == text[0]) && hasPrefixFold(b[i:], text) {
			return true
		}
	}
	return false
}

func hasPrefixFold[T string | []byte](b T, text string) bool {
	if len(b) < len(text) {
		return false
	}
	for i := range len(text) {
		if lower(b[i]) != text[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// makers are the words of each field.
var makers = func() map[datasets.MakerField][]datasets.Maker {
	by := make(map[datasets.MakerField][]datasets.Maker)
	for _, m := range datasets.Makers() {
		by[m.Field] = append(by[m.Field], m)
	}
	return by
}()

// makerOf gives the maker with whose words a text begins; a word does not end within another.
func makerOf(field datasets.MakerField, text string) string {
	for _, m := range makers[field] {
		if hasPrefixFold(text, m.BeginsWith) && (len(text) == len(m.BeginsWith) || !isLetter(m.BeginsWith[len(m.BeginsWith)-1]) || !isLetter(text[len(m.BeginsWith)])) {
			return m.Maker
		}
	}
	return ""
}

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }
