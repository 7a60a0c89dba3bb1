package handshake

import (
	"strings"
	"testing"
)

func seed(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a.received))
	}
	for _, p := range table {
		f.Add(p.hello(1))
	}
}

// FuzzMatch runs every signature on anything: none panics, reads beyond the end, or matches an answer that the table of
// first bytes would have kept from it; and no sub-label of any label panics.
func FuzzMatch(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range table {
			Details(p.Name, data)
			if p.Match == nil {
				continue
			}
			m := p.Match(data)
			if m.Bytes < 0 || m.Bytes > len(data) || m.Evidence > Certain || (m.Evidence == None) != (m.Bytes == 0) {
				t.Errorf("%s of %q: %s at byte %d of %d", p.Name, data, m.Evidence, m.Bytes, len(data))
			}
			if m.Evidence != None && p.Leads != "" && !strings.Contains(p.Leads, string(data[:1])) {
				t.Errorf("%s matches %q, whose first byte is not among its leads", p.Name, data)
			}
		}
	})
}

// FuzzClassify: a verdict is consistent in itself, the same whatever was sent unless that came back, and for a certain
// label the bytes up to where it was reached are enough.
func FuzzClassify(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte(a.received))
	}
	var v, again Verdict
	f.Fuzz(func(t *testing.T, sent, received []byte) {
		Classify(&v, sent, received)
		if v.Bytes < 0 || v.Bytes > len(received) || (v.Label == "") != (len(received) == 0) {
			t.Errorf("%q: %+v", received, v)
		}
		if _, listed := Lookup(v.Label); listed != (v.Evidence != None) || listed != (len(v.Matches) > 0) {
			t.Errorf("%q: %+v", received, v)
		}
		if len(received) <= 64 {
			if e := Explain(sent, received); e.Label != v.Label || e.Evidence != v.Evidence || v.Evidence != None && len(e.Decided) == 0 {
				t.Errorf("%q: %+v is explained as %+v", received, v, e)
			}
		}
		if v.Label == Echo || isEcho(sent, received) {
			return
		}
		Classify(&again, nil, received)
		if again.Label != v.Label || again.Evidence != v.Evidence || again.Bytes != v.Bytes {
			t.Errorf("%q depends on what was sent: %+v, %+v", received, v, again)
		}
	})
}
