package unknowns

import (
	"fmt"
	"go/format"
	"slices"
	"strconv"
	"strings"
)

// Signature is what the responses of a cluster have in common.
type Signature struct {
	Fixed []Bytes  // ascending by their places, apart from each other
	Words []string // that stand somewhere behind, in the order of the first response
}

// Bytes are bytes at a place.
type Bytes struct {
	At   int // from 0
	Data string
}

const (
	// mostFixed is how far into a response bytes are looked for that are the same in all.
	mostFixed = 32
	// enough is how many bytes a signature takes.
	enough = 3
	// mostWords is how many words are proposed.
	mostWords = 3
	// shortest is that of a word.
	shortest = 4
)

// Propose finds what all responses of a cluster have in common.
func Propose(c *Cluster) Signature {
	var s Signature
	first := c.Responses[0].Data
	end := min(mostFixed, len(first))
	for _, r := range c.Responses {
		end = min(end, len(r.Data))
	}
	for at := range end {
		same := !slices.ContainsFunc(c.Responses, func(r *Response) bool { return r.Data[at] != first[at] })
		if !same {
			continue
		}
		if n := len(s.Fixed); n > 0 && s.Fixed[n-1].At+len(s.Fixed[n-1].Data) == at {
			s.Fixed[n-1].Data += first[at : at+1]
			continue
		}
		s.Fixed = append(s.Fixed, Bytes{at, first[at : at+1]})
	}
	behind := 0
	if n := len(s.Fixed); n > 0 {
		behind = s.Fixed[n-1].At + len(s.Fixed[n-1].Data)
	}
	for _, word := range words(first[behind:]) {
		if len(s.Words) == mostWords {
			break
		}
		if !slices.Contains(s.Words, word) && !slices.ContainsFunc(c.Responses, func(r *Response) bool {
			return len(r.Data) < behind || !strings.Contains(r.Data[behind:], word)
		}) {
			s.Words = append(s.Words, word)
		}
	}
	return s
}

// words are the words of a text: letters in a row.
func words(text string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(text, func(c rune) bool { return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') }),
		func(w string) bool { return len(w) < shortest })
}

// Enough reports whether the signature is more than what any response might have.
func (s *Signature) Enough() bool {
	n := 0
	for _, b := range s.Fixed {
		n += len(b.Data)
	}
	return n >= enough || n > 0 && len(s.Words) > 0
}

// Match reports whether a response has it.
func (s *Signature) Match(data []byte) bool {
	behind := 0
	for _, b := range s.Fixed {
		behind = b.At + len(b.Data)
		if len(data) < behind || string(data[b.At:behind]) != b.Data {
			return false
		}
	}
	for _, w := range s.Words {
		if !strings.Contains(string(data[behind:]), w) {
			return false
		}
	}
	return true
}

// String says it in words: bytes as in a Go string, ".." for what differs.
func (s *Signature) String() string {
	var parts []string
	at := 0
	for _, b := range s.Fixed {
		if b.At > at {
			parts = append(parts, fmt.Sprintf("%d bytes", b.At-at))
		}
		parts = append(parts, strconv.Quote(b.Data))
		at = b.At + len(b.Data)
	}
	for _, w := range s.Words {
		parts = append(parts, ".. "+strconv.Quote(w))
	}
	return strings.Join(parts, " ")
}

// Go writes the signature as a file of package handshake, for a protocol that is to be named. Its evidence is likely: bytes alone do
// not show that a message is whole.
func (s *Signature) Go(name string, c *Cluster) ([]byte, error) {
	var b strings.Builder
	r := c.Responses[0]
	first, says := `the handshake `+r.Handshake+` draws it`, ""
	if r.Handshake == "wait" {
		first, says = "nothing", "\n\tServerFirst: true,"
	}
	leads := ""
	if len(s.Fixed) > 0 && s.Fixed[0].At == 0 {
		leads = fmt.Sprintf("\n\tLeads: %q,", s.Fixed[0].Data[:1])
	}
	fmt.Fprintf(&b, `package handshake
%s
// %s is what %d services on %d hosts said, the first of them %v. It was proposed by laserdisc unknowns.
var %s = Protocol{
	Name: %q,%s
	Spec: "none yet: proposed from what services said",
	First: %q,
	Signature: %q,%s
	Match: match%s,
}

// match%s looks for what all of them had in common.
func match%s(data []byte) Match {
`, imports(s), name, c.Services(), c.Hosts(), r.Services[0], name, name, says, first, s.String(), leads, name, name, name)
	end := 0
	var conditions []string
	for _, f := range s.Fixed {
		end = f.At + len(f.Data)
		conditions = append(conditions, fmt.Sprintf("string(data[%d:%d]) != %q", f.At, end, f.Data))
	}
	for _, w := range s.Words {
		conditions = append(conditions, fmt.Sprintf("!bytes.Contains(data[%d:], []byte(%q))", end, w))
	}
	conditions = slices.Insert(conditions, 0, fmt.Sprintf("len(data) < %d", end))
	fmt.Fprintf(&b, "\tif %s {\n\t\treturn Match{}\n\t}\n\treturn likely(%d)\n}\n", strings.Join(conditions, " ||\n\t\t"), max(1, end))
	return format.Source([]byte(b.String()))
}

func imports(s *Signature) string {
	if len(s.Words) == 0 {
		return ""
	}
	return "\nimport \"bytes\"\n"
}
