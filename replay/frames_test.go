package replay_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// rewritten writes the frames of a run to a pcap of a link type, as change makes them: a frame that becomes nil is left out.
// What change cuts off a frame was there on the wire, as for tcpdump -s.
func rewritten(t testing.TB, dir string, link uint32, change func(f *record.Frame) [][]byte) string {
	t.Helper()
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0)
	b = binary.LittleEndian.AppendUint32(b, link)
	var f record.Frame
	for r.Next(&f) == nil {
		for _, data := range change(&f) {
			for _, n := range []int64{f.Time / 1e9, f.Time % 1e9, int64(len(data)), int64(max(len(f.Data), len(data)))} {
				b = binary.LittleEndian.AppendUint32(b, uint32(n))
			}
			b = append(b, data...)
		}
	}
	path := filepath.Join(t.TempDir(), "rewritten.pcap")
	if err := errors.Join(r.Close(), os.WriteFile(path, b, 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

// attemptsOf keys the attempts of a result by what identifies them.
func attemptsOf(r *result) map[string]*session.Attempt {
	found := map[string]*session.Attempt{}
	for _, a := range r.Attempts {
		found[fmt.Sprintf("%v from %v, SYN at %v", a.Service, a.Source, time.Unix(0, a.SYNTime).UTC())] = a
	}
	return found
}

// A capture of the first bytes of each frame shows the states of all that there is, and what was said as far as that goes.
func TestObserveCut(t *testing.T) {
	shorter, labels := 0, 0
	for seed := range uint64(40) {
		dir := scan(t, lossy(t), seed, 5*time.Millisecond, 40)
		whole, err := observe(filepath.Join(dir, "packets-00000.pcapng"))
		if err != nil {
			t.Fatal(err)
		}
		for _, length := range []int{54, 60, 96, 128} { // no TCP options, not all of them, 30 and 62 bytes of payload behind 12 bytes of options
			cut, err := observe(rewritten(t, dir, packet.LinkEthernet, func(f *record.Frame) [][]byte {
				keep := length
				if f.Data[23] == 1 { // ICMP, whose errors are about the ports behind a second IP header
					keep = max(length, 70)
				}
				return [][]byte{f.Data[:min(len(f.Data), keep)]}
			}))
			if err != nil || cut.Unread > 0 {
				t.Fatalf("%v, %d frames unread, the first: %v", err, cut.Unread, cut.FirstUnread)
			}
			found := attemptsOf(cut)
			for at, want := range attemptsOf(whole) {
				got := found[at]
				if got == nil {
					t.Errorf("seed %d, %d bytes: %s is not found", seed, length, at)
					continue
				}
				if a, b := told(want), told(got); a != b {
					t.Errorf("seed %d, %d bytes: %s is\n%s, not\n%s", seed, length, at, b, a)
				}
				if !strings.HasPrefix(string(want.Response), string(got.Response)) || got.Truncated != (want.Truncated || len(got.Response) < len(want.Response)) {
					t.Errorf("seed %d, %d bytes: %s said %q, truncated %v, not %q", seed, length, at, got.Response, got.Truncated, want.Response)
				}
				if len(got.Response) < len(want.Response) {
					shorter++
				}
				if len(want.Response) > 0 && want.Verdict.Bytes <= len(got.Response) {
					labels++
					if want.Verdict.Label != got.Verdict.Label {
						t.Errorf("seed %d, %d bytes: %s is %s by %d bytes, not %s", seed, length, at, got.Verdict.Label, want.Verdict.Bytes, want.Verdict.Label)
					}
				}
				delete(found, at)
			}
			for at := range found {
				t.Errorf("seed %d, %d bytes: only there is %s", seed, length, at)
			}
		}
	}
	t.Logf("%d responses are shorter, %d labels are told", shorter, labels)
	if shorter < 500 || labels < 500 {
		t.Error("too few to prove anything")
	}
}

// told is what the headers alone tell of an attempt whose TCP options are not there.
func told(a *session.Attempt) string {
	return fmt.Sprint(a.State, a.FIN, a.RST, a.SYNACKs, a.Retransmits, a.SentBytes, a.AckedBytes, a.Window, a.ICMP, a.Reporter,
		a.SYNACKTime, a.AckTime, a.DataTime, a.End)
}
