package handshake

import (
	"strconv"
	"strings"
)

// Explanation says why an answer has its label, for a person to check.
type Explanation struct {
	Label    string
	Evidence Evidence
	Rule     string // what identifies an answer of this label, in words
	Spec     string // where the bytes are fixed; "" unless the label is a protocol
	Version  int    // of the protocol's signature; 0 unless the label is a protocol
	Decided  []Run  // the bytes that decided, in order; empty for Unknown and for an answer without data
}

// Run is some consecutive bytes of an answer.
type Run struct {
	Offset int
	Bytes  []byte // a part of the answer itself
}

// Text is the run as the inside of a Go string literal, in ASCII.
func (r Run) Text() string {
	quoted := strconv.QuoteToASCII(string(r.Bytes))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// Explain classifies an answer, as [Classify] does, and finds the bytes that decided: with every other byte of the answer written
// over, it still has this label with this evidence. Where a signature is fulfilled twice, they are those that come first. Only the
// first 4,096 bytes are tried.
//
// It takes some hundred times as long as Classify.
func Explain(said, received []byte) Explanation {
	var v Verdict
	Classify(&v, said, received)
	e := Explanation{Label: v.Label, Evidence: v.Evidence}
	switch v.Label {
	case "":
		e.Rule = "the server sent nothing"
	case Unknown:
		e.Rule = "no signature matches"
	case Echo:
		e.Rule = "our own bytes came back: all, the first of them, or repeats"
		e.Decided = []Run{{0, received}}
	case AllOnes:
		e.Rule = "every byte is FFh"
		e.Decided = []Run{{0, received}}
	default:
		p := table[positions[v.Label]]
		e.Rule, e.Spec, e.Version = p.Signature, p.Spec, p.Version
		decided, _ := decide(&v, said, received)
		e.Decided = runs(received, decided)
	}
	return e
}

// decide tells which bytes an answer's verdict rests on, and gives the answer with all others written over.
func decide(v *Verdict, said, received []byte) (decided []bool, left []byte) {
	s := search{want: v, said: said, answer: append([]byte(nil), received...)}
	decided = make([]bool, min(len(received), 4096))
	read := min(v.Bytes, len(decided))
	s.try(decided, read, len(decided))
	s.try(decided, 0, read)
	return decided, s.answer
}

// fillers are what a byte is written over with. Text bears some of them and lengths others; what bears only one is a byte with few
// values that would do, such as a digit or a flag, and has a part in the decision.
var fillers = [...]byte{'~', 'z', 0x00, 0xff}

// search looks for the bytes of an answer that its verdict cannot do without.
type search struct {
	want   *Verdict
	got    Verdict
	said   []byte
	answer []byte // in which what is not needed has been written over
}

// try writes over as much of answer[from:to] as the verdict bears, halving what it does not bear at once: the later half first, so
// that of two places which would do the earlier is left.
func (s *search) try(decided []bool, from, to int) {
	switch {
	case from == to || s.fill(from, to):
	case to-from == 1:
		decided[from] = true
	default:
		middle := (from + to) / 2
		s.try(decided, middle, to)
		s.try(decided, from, middle)
	}
}

// fill writes over answer[from:to] if the verdict bears two of the fillers, and leaves the first of them there.
func (s *search) fill(from, to int) bool {
	before := append([]byte(nil), s.answer[from:to]...)
	first := -1
	for i, c := range fillers {
		for at := from; at < to; at++ {
			s.answer[at] = c
		}
		if Classify(&s.got, s.said, s.answer); s.got.Label != s.want.Label || s.got.Evidence != s.want.Evidence {
			continue
		}
		if first >= 0 {
			for at := from; at < to; at++ {
				s.answer[at] = fillers[first]
			}
			return true
		}
		first = i
	}
	copy(s.answer[from:to], before)
	return false
}

// runs puts what decided into pieces.
func runs(received []byte, decided []bool) (all []Run) {
	for i := 0; i < len(decided); i++ {
		from := i
		for i < len(decided) && decided[i] {
			i++
		}
		if i > from {
			all = append(all, Run{from, received[from:i]})
		}
	}
	return all
}
