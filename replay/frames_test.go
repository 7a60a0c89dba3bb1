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
			if err != nil || len(cut.Skipped) > 0 {
				t.Fatalf("%v, not read: %v", err, cut.Skipped)
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

// A run that a tunnel carried, or whose packets were fragmented on the way, shows what it shows without.
func TestObserveTunnels(t *testing.T) {
	number := uint16(0)
	outer := func(protocol byte, payload []byte) []byte { // an Ethernet frame of an IPv4 packet
		number++
		b := append(append(make([]byte, 12), 8, 0), 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+len(payload)))
		b = binary.BigEndian.AppendUint16(b, number)
		b = append(b, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
		return append(b, payload...)
	}
	vxlan := func(data []byte) []byte {
		b := binary.BigEndian.AppendUint16([]byte{0xc0, 0, 4789 >> 8, 4789 & 0xff}, uint16(16+len(data)))
		return outer(17, append(append(b, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0), data...))
	}
	for name, c := range map[string]struct {
		link uint32
		wrap func(data []byte) [][]byte
	}{
		"VXLAN":  {1, func(data []byte) [][]byte { return [][]byte{vxlan(data)} }},
		"ERSPAN": {1, func(data []byte) [][]byte { return [][]byte{outer(47, append([]byte{0, 0, 0x88, 0xbe}, data...))} }},
		"PPP":    {9, func(data []byte) [][]byte { return [][]byte{append([]byte{0xff, 3, 0, 0x21}, data[14:]...)} }},
		"802.11": {105, func(data []byte) [][]byte {
			b := append([]byte{8, 1}, make([]byte, 22)...)
			return [][]byte{append(append(b, 0xaa, 0xaa, 3, 0, 0, 0), data[12:]...)}
		}},
		"fragments": {1, func(data []byte) [][]byte {
			whole := vxlan(data)
			first, second := append([]byte(nil), whole[:14+20+48]...), append(append([]byte(nil), whole[:14+20]...), whole[14+20+48:]...)
			binary.BigEndian.PutUint16(first[16:], 20+48)
			binary.BigEndian.PutUint16(first[20:], 0x2000)
			binary.BigEndian.PutUint16(second[16:], uint16(len(second)-14))
			binary.BigEndian.PutUint16(second[20:], 48/8)
			return [][]byte{second, first}
		}},
	} {
		dir := scan(t, lossy(t), 3, 5*time.Millisecond, 200)
		want, err := observe(filepath.Join(dir, "packets-00000.pcapng"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := observe(rewritten(t, dir, c.link, func(f *record.Frame) [][]byte { return c.wrap(f.Data) }))
		if err != nil || len(got.Skipped) > 0 || len(got.Services) != len(want.Services) || len(want.Services) < 50 {
			t.Fatalf("%s: %v, %d services of %d, not read: %v", name, err, len(got.Services), len(want.Services), got.Skipped)
		}
		for i := range want.Services {
			a, b := *want.Services[i], *got.Services[i]
			a.Frame, b.Frame = 0, 0 // fragments are frames, too
			if a, b := facts(&a), facts(&b); a != b {
				t.Errorf("%s: %v is %s\nnot %s", name, want.Services[i].Service, b, a)
			}
		}
	}
}
