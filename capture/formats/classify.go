package formats

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"laserdisc/capture/handshake"
)

// MaxLine is the length of the longest line that is read, in bytes.
const MaxLine = 16 << 20

// Classify labels responses that were saved as JSON lines: by hand, by laserdisc, by LZR, by ZGrab2. It reads a line of r at a
// time, of at most [MaxLine] bytes, and writes it to w as it was, with what [handshake.Classify] makes of the response behind
// its fields:
//
//	label     name of a protocol, "unknown", "echo", "all-ones"; "" if the server sent nothing
//	evidence  "certain", "likely", "weak", "none"
//	bytes     how much of the response it took
//	matches   every signature that matched: [{"label":..., "evidence":..., "bytes":...}]
//	details   sub-labels, such as {"status":"404"}
//
// With explain, there is one more, which [handshake.Explain] fills:
//
//	why       rule, spec and version of the signature, and decided, the bytes that made the difference:
//	          [{"offset":0,"hex":"5353482d","text":"SSH-"}]
//
// Fields with these names that the line has already are replaced; nothing else of it changes, not even a space.
//
// Classify passes each line that it cannot read, by its number from 1, to unreadable, leaves it out, and goes on. The error is
// one of r or w.
func Classify(w io.Writer, r io.Reader, explain bool, unreadable func(line int, err error)) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	out := bufio.NewWriterSize(w, 1<<16)
	c := newClassifier()
	c.explain = explain
	var line []byte
	for n := 1; ; n++ {
		var err, end error
		line, err, end = readLine(lines, line[:0])
		if err == nil && len(bytes.TrimSpace(line)) > 0 {
			err = c.classify(out, line)
		}
		if _, full := out.Write(nil); full != nil { // which is not the line's fault
			return full
		}
		if err != nil {
			unreadable(n, err)
		}
		if errors.Is(end, io.EOF) {
			return out.Flush()
		}
		if end != nil {
			return errors.Join(end, out.Flush())
		}
	}
}

// readLine appends a line to b, without its newline. err is about the line, which is then skipped; end is what keeps one
// from reading on.
func readLine(r *bufio.Reader, b []byte) (line []byte, err, end error) {
	for {
		part, end := r.ReadSlice('\n')
		if len(b)+len(part) > MaxLine+1 {
			err = fmt.Errorf("longer than %d MiB", MaxLine>>20)
			b = b[:0]
		}
		if err == nil {
			b = append(b, part...)
		}
		if !errors.Is(end, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(b, []byte("\n")), err, end
		}
	}
}

// response is what a server sent, as far as a line still has it.
type response struct {
	sent, received []byte
	lost           int // where the first byte is whose value was lost on the way into the line, or -1
}

// finding is what is added to a line.
type finding struct {
	Label    string            `json:"label"`
	Evidence string            `json:"evidence"`
	Bytes    int               `json:"bytes"`
	Matches  []match           `json:"matches"`
	Details  map[string]string `json:"details"`
	Why      *why              `json:"why,omitempty"`
}

// why is an explanation of a label.
type why struct {
	Rule    string    `json:"rule"`
	Spec    string    `json:"spec"`
	Version int       `json:"version"`
	Decided []decided `json:"decided"`
}

// decided is some of the bytes that decided.
type decided struct {
	Offset int    `json:"offset"`
	Hex    string `json:"hex"`
	Text   string `json:"text"` // what is not printable as in a Go string literal
}

func explain(r *response) *why {
	e := handshake.Explain(r.sent, r.received)
	w := why{Rule: e.Rule, Spec: e.Spec, Version: e.Version, Decided: []decided{}}
	for _, run := range e.Decided {
		w.Decided = append(w.Decided, decided{run.Offset, hex.EncodeToString(run.Bytes), run.Text()})
	}
	return &w
}

type match struct {
	Label    string `json:"label"`
	Evidence string `json:"evidence"`
	Bytes    int    `json:"bytes"`
}

// classifier holds what is used again from line to line.
type classifier struct {
	explain bool
	verdict handshake.Verdict
	fields  []field
	matches []match
	out     []byte
	added   bytes.Buffer
	encoder *json.Encoder // into added
}

func newClassifier() *classifier {
	c := &classifier{matches: []match{}}
	c.encoder = json.NewEncoder(&c.added)
	c.encoder.SetEscapeHTML(false)
	return c
}

// classify writes one line with its finding to w; the error says why the line cannot be read.
func (c *classifier) classify(w io.Writer, line []byte) error {
	fields, err := objectFields(c.fields[:0], line)
	c.fields = fields
	if err != nil {
		return err
	}
	responses, err := find(fields)
	if err != nil {
		return err
	}
	return c.write(w, line, c.best(responses))
}

// best is the finding about the response with the best evidence, of several the first: ZGrab2 tries several protocols.
func (c *classifier) best(responses []response) finding {
	c.matches = c.matches[:0]
	best := finding{Evidence: handshake.None.String(), Details: map[string]string{}}
	evidence := handshake.None
	of := &responses[0] // the response that the finding is about
	for i := range responses {
		r := &responses[i]
		v := &c.verdict
		handshake.Classify(v, r.sent, r.received)
		e := r.limit(v.Evidence, v.Bytes)
		if e < evidence || e == evidence && (best.Label != "" || v.Label == "") {
			continue
		}
		evidence, of = e, r
		best = finding{Label: v.Label, Evidence: e.String(), Bytes: v.Bytes, Details: map[string]string{}}
		c.matches = c.matches[:0]
		for _, m := range v.Matches {
			c.matches = append(c.matches, match{m.Protocol.Name, r.limit(m.Evidence, m.Bytes).String(), m.Bytes})
		}
		for _, d := range handshake.Details(v.Label, r.received) {
			best.Details[d.Key] = d.Value
		}
	}
	best.Matches = c.matches
	if c.explain {
		best.Why = explain(of)
	}
	return best
}

// limit makes evidence that rests on a lost byte at most likely.
func (r *response) limit(e handshake.Evidence, read int) handshake.Evidence {
	if r.lost >= 0 && r.lost < read {
		return min(e, handshake.Likely)
	}
	return e
}

// write writes the line's fields, without those of an earlier finding, and then this one.
func (c *classifier) write(w io.Writer, line []byte, found finding) error {
	c.added.Reset()
	if err := c.encoder.Encode(found); err != nil {
		return err
	}
	added := bytes.TrimSuffix(c.added.Bytes(), []byte("\n"))
	end := bytes.LastIndexByte(line, '}')
	b := append(c.out[:0], line[:bytes.IndexByte(line, '{')+1]...)
	for _, f := range c.fields {
		if !isFinding(f.key) {
			b = append(append(b, f.whole...), ',')
		}
	}
	b = append(b, added[1:len(added)-1]...)
	b = append(append(b, line[end:]...), '\n')
	c.out = b
	_, err := w.Write(b)
	return err
}

func isFinding(key []byte) bool {
	switch string(key) {
	case "label", "evidence", "bytes", "matches", "details", "why":
		return true
	}
	return false
}
