package record

import (
	"encoding/json"
	"io"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// testStart is the start of all records of these tests.
var testStart = time.Date(2026, 11, 22, 10, 30, 0, 123456789, time.UTC)

// testManifest has a value in every field that Create does not set.
func testManifest() *Manifest {
	return &Manifest{
		Format: ManifestFormat, Laserdisc: "0.1.0", Revision: "4d522bc+dirty", Go: "go1.26.8", GOARCH: "amd64",
		Synthetic: "paper-mix", Start: testStart, Interrupted: true,
		Arguments: []string{"laserdisc", "scan", "10.0.0.0/8", "--comment", "<a&b>"},
		Seed:      1<<64 - 1,
		CookieKey: Key{0: 1, 15: 0xff},
		Targets:   json.RawMessage(`{"prefixes":["10.0.0.0/8"],"ports":[80,443]}`), TargetDigest: "ab12", TargetCount: 33554432,
		Lists:      []ListDigest{{Path: "block.txt", SHA256: "cd34", Entries: 12}},
		Handshakes: []string{"wait", "tls", "http"}, AllHandshakes: true,
		Timeout: Duration(5 * time.Second), Wait: Duration(1500 * time.Millisecond), RetransmitAfter: Duration(time.Second),
		Retransmits: 1, Gather: Duration(200 * time.Millisecond), ResponseLimit: 8192,
		Rate:        10000,
		Sources:     []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		SourcePorts: PortRange{First: 32768, Last: 61000},
		Link: Link{Kind: "packet", Interface: "eth0", MTU: 1500, SourceMAC: "02:00:00:00:00:01",
			GatewayMAC: "02:00:00:00:00:02", Offloads: []string{"generic-receive-offload", "tx-checksumming"}},
		Counters: Counters{Launched: 3, Sent: 2, SentSYN: 1, Received: 3, Services: 1},
		Drops:    Drops{Kernel: 7, Interface: 2},
	}
}

// readAll reads until an error, which is io.EOF at a clean end. It copies data.
func readAll(r *Reader) ([]Frame, error) {
	var frames []Frame
	for {
		var f Frame
		if err := r.Next(&f); err != nil {
			return frames, err
		}
		f.Data = append([]byte(nil), f.Data...)
		frames = append(frames, f)
	}
}

// mustRead reads a capture that must be whole.
func mustRead(t *testing.T, path string) ([]Frame, *Reader) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	frames, err := readAll(r)
	if err != io.EOF {
		t.Fatalf("%s: after %d frames: %v", path, len(frames), err)
	}
	return frames, r
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "one")
	m := testManifest()
	w, err := Create(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	var want []Frame
	for i := range 5 {
		f := Frame{Number: uint64(i + 1), Time: testStart.UnixNano() + int64(i), Direction: Direction(i % 2),
			LinkType: 1, Length: uint32(60 + i), Data: make([]byte, 60+i)}
		f.Data[0] = byte(i)
		number, err := w.Packet(f.Direction, f.Time, f.Data)
		if err != nil || number != f.Number {
			t.Fatal(number, err)
		}
		want = append(want, f)
	}
	end := testStart.Add(time.Minute)
	if err := w.Close(m, end.UnixNano()); err != nil {
		t.Fatal(err)
	}
	got, r := mustRead(t, dir)
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Frame{}, "Offset")); d != "" {
		t.Error(d)
	}
	m.End = end
	if d := cmp.Diff(m, r.Manifest(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
	if ns, ok := r.End(); !ok || ns != end.UnixNano() {
		t.Error(ns, ok)
	}
}
