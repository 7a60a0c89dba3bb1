package handshake

import (
	"bytes"
	"strconv"
	"strings"
)

// cutLine splits off the first line, without its line end, which may be a bare LF; ended tells whether it was there.
func cutLine(b []byte) (line, rest []byte, ended bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return bytes.TrimSuffix(b, cr), nil, false
	}
	return bytes.TrimSuffix(b[:i], cr), b[i+1:], true
}

var cr = []byte("\r")

// lower returns the ASCII lower case of c.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// hasPrefixFold tells whether b begins with a word, whatever its case. The word is given in lower case.
func hasPrefixFold(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := range len(word) {
		if lower(b[i]) != word[i] {
			return false
		}
	}
	return true
}

// containsFold tells whether b contains a word, whatever its case. The word is given in lower case.
func containsFold(b []byte, word string) bool {
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]|0x20 == word[0]|0x20 && hasPrefixFold(b[i:], word) {
			return true
		}
	}
	return false
}

// hasPrefix tells whether b begins with s.
func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

// isText tells whether b has nothing but what belongs into lines of text, of ASCII or a superset of it.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\f' && c != 0x1b || c == 0x7f {
			return false
		}
	}
	return true
}

// isPrintable tells whether b is printable ASCII and not empty.
func isPrintable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(b) > 0
}

// details builds the list of sub-labels from keys and values, leaving out those without a value.
func details(pairs ...string) []Detail {
	var ds []Detail
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			ds = append(ds, Detail{pairs[i], pairs[i+1]})
		}
	}
	return ds
}

// show makes text from the wire fit to print: trimmed, at most 256 bytes, the unprintable as in a Go string literal.
func show(b []byte) string {
	b = bytes.TrimSpace(b)
	b = b[:min(len(b), 256)]
	if isPrintable(b) {
		return string(b)
	}
	quoted := strconv.QuoteToASCII(string(b))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// firstLine is the first line, without its end.
func firstLine(b []byte) []byte {
	line, _, _ := cutLine(b)
	return line
}

// firstWord is what comes before the first space.
func firstWord(b []byte) []byte {
	word, _, _ := bytes.Cut(b, []byte(" "))
	return word
}

// jsonString is what comes after a member's name and quote, up to the next quote.
func jsonString(b []byte, member string) []byte {
	_, value, _ := bytes.Cut(b, []byte(member))
	value, _, _ = bytes.Cut(value, []byte(`"`))
	return value
}
