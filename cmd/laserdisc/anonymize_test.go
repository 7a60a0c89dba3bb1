package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"laserdisc/analysis"
	"laserdisc/capture/anonymize"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// Anonymized, the packets of a scan of the lab show the services that they showed before, at other addresses, with the same states
// and labels; the same as the anonymized tables. No address is left in any file.
func TestAnonymize(t *testing.T) {
	text, err := datasets.Population(datasets.DefaultPopulation)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ family, prefix, scanned string }{
		{"IPv4", "198.18.0.0/15", "198.18.81.0/25"},
		{"IPv6", "2001:db8:7::/112", "2001:db8:7::5180/121"},
	} {
		t.Run(c.family, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			population := bytes.Replace(text, []byte(`"prefixes": ["198.18.0.0/15"]`), fmt.Appendf(nil, `"prefixes": ["%s"]`, c.prefix), 1)
			if err := os.WriteFile(at("population.json"), population, 0o644); err != nil {
				t.Fatal(err)
			}
			carryOut(t, "scan", c.scanned, "--open", c.prefix, "--lab", at("population.json"), "--ports", "paper", "--seed", "1",
				"--all-handshakes", "--handshakes", "wait,newlines,tls,http,http-options,ipp,sip,dns,redis,socks5", "--out", at("run"))
			testAnonymize(t, at("run"), at("run/packets-00000.pcapng"), at)
		})
	}
}

// testAnonymize anonymizes the packets of a run or a capture, and the tables of its capture.
func testAnonymize(t *testing.T, packets, capture string, at func(string) string) {
	if err := os.WriteFile(at("key"), []byte(strings.Repeat("0123456789abcdef", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	carryOut(t, "replay", capture, "--out", at("observed"))
	carryOut(t, "dataset", "anonymize", at("observed"), "--key", at("key"), "--out", at("tables"))
	carryOut(t, "dataset", "anonymize", packets, "--key", at("key"), "--out", at("packets"))
	carryOut(t, "replay", at("packets/capture.pcapng"), "--out", at("again"))
	carryOut(t, "dataset", "verify", at("tables"), at("again"))
	key, made, err := anonymize.LoadKey(at("key"))
	if err != nil || made {
		t.Fatal(made, err)
	}

	before, tables, again := openedDataset(t, at("observed")), openedDataset(t, at("tables")), openedDataset(t, at("again"))
	if tables.Digest() != again.Digest() {
		t.Errorf("the anonymized tables have the digest %s, those of the anonymized packets %s", tables.Digest(), again.Digest())
	}
	if a := again.Manifest().Anonymized; before.Manifest().Synthetic != "" && (a == nil || a.Key != key.Fingerprint()) {
		t.Errorf("the manifest says %v of the key %s", a, key.Fingerprint())
	}
	type known struct{ state, label, evidence, handshake string }
	of := func(s *session.Service) known {
		return known{s.State.String(), s.Label, s.Evidence.String(), s.Handshake}
	}
	want := make(map[netip.AddrPort]known)
	originals := make(map[netip.Addr]bool)
	if err := before.EachService(t.Context(), func(s *session.Service, _ int) error {
		want[key.AddrPort(s.Service)] = of(s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := before.EachAttempt(t.Context(), func(a *session.Attempt, _ int) error {
		originals[a.Service.Addr()], originals[a.Source.Addr()] = true, true
		if a.Reporter.IsValid() {
			originals[a.Reporter] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	found := 0
	if err := again.EachService(t.Context(), func(s *session.Service, _ int) error {
		if found++; want[s.Service] != of(s) {
			t.Errorf("%v is %v, not %v", s.Service, of(s), want[s.Service])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if found != len(want) || found < 50 {
		t.Errorf("%d services, not %d", found, len(want))
	}

	l := leaks{originals: originals}
	for _, name := range []string{"packets/capture.pcapng", "tables/dataset.json", "again/dataset.json"} {
		content, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		l.find(t, name, content, false) // in sequence numbers there is any address
	}
	eachSegment(t, at("packets/capture.pcapng"), func(s *packet.Segment) {
		l.find(t, "a frame", fmt.Appendf(nil, "%v %v %v\n", s.Src, s.Dst, s.Reporter), false)
		l.find(t, "a frame", s.Payload, true)
	})
	for name, d := range map[string]*analysis.Dataset{"tables": tables, "again": again} {
		if err := d.EachAttempt(t.Context(), func(a *session.Attempt, _ int) error {
			l.find(t, name, fmt.Appendf(nil, "%v %v %v\n", a.Service, a.Source, a.Reporter), false)
			l.find(t, name, a.Response, true)
			l.find(t, name, a.ResetText, true)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := d.EachService(t.Context(), func(s *session.Service, _ int) error {
			l.find(t, name, fmt.Appendf(nil, "%v\n", s.Service), false)
			l.find(t, name, s.Response, true)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if l.looked < 100_000 || len(originals) < 50 {
		t.Errorf("only %d bytes were searched for %d addresses", l.looked, len(originals))
	}
	// The search finds what there was.
	text, binary := 0, 0
	eachSegment(t, capture, func(s *packet.Segment) {
		text += l.count(fmt.Appendf(nil, "%v %v\n", s.Src, s.Dst), false)
		text += l.count(s.Payload, false)
		src := s.Src.Addr().AsSlice()
		binary += l.count(src, true)
	})
	if text < 1000 || binary < 1000 {
		t.Errorf("the search finds %d addresses as text and %d in binary in the packets as they were", text, binary)
	}
}

// eachSegment passes on the segments of a capture.
func eachSegment(t *testing.T, path string, segment func(*packet.Segment)) {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var f record.Frame
	for {
		if err = r.Next(&f); err != nil {
			break
		}
		var s packet.Segment
		if s.Decode(f.LinkType, f.Data) == nil {
			segment(&s)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// leaks finds original addresses.
type leaks struct {
	originals map[netip.Addr]bool
	looked    int
}

var (
	quad   = regexp.MustCompile(`\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}`)
	colons = regexp.MustCompile(`[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*`)
)

func (l *leaks) find(t *testing.T, name string, content []byte, binary bool) {
	t.Helper()
	l.looked += len(content)
	l.each(content, binary, func(at int, a netip.Addr) {
		t.Errorf("%s has %v: %q", name, a, content[max(0, at-40):min(len(content), at+40)])
	})
}

func (l *leaks) count(content []byte, binary bool) (n int) {
	l.each(content, binary, func(int, netip.Addr) { n++ })
	return n
}

func (l *leaks) each(content []byte, binary bool, found func(at int, a netip.Addr)) {
	for _, r := range []*regexp.Regexp{quad, colons} {
		for _, at := range r.FindAllIndex(content, -1) {
			text := strings.Trim(string(content[at[0]:at[1]]), ":")
			if a, err := netip.ParseAddr(text); err == nil && l.originals[a] {
				found(at[0], a)
			}
		}
	}
	for i := 0; binary && i+4 <= len(content); i++ {
		if a := netip.AddrFrom4([4]byte(content[i:])); l.originals[a] {
			found(i, a)
		}
		if i+16 <= len(content) {
			if a := netip.AddrFrom16([16]byte(content[i:])); l.originals[a] {
				found(i, a)
			}
		}
	}
}

// carryOut runs a command line, which must succeed.
func carryOut(t *testing.T, args ...string) {
	t.Helper()
	if code := run(args); code != 0 {
		t.Fatalf("laserdisc %v: exit code %d", args, code)
	}
}

// A seed that can be guessed gives away the addresses of a real scan.
func TestWarnSeed(t *testing.T) {
	for _, c := range []struct {
		m    record.Manifest
		warn bool
	}{
		{record.Manifest{Seed: 1}, true},
		{record.Manifest{Seed: 1 << 63}, false},
		{record.Manifest{Seed: 1, Synthetic: "a lab"}, false},
		{record.Manifest{Observed: &record.Observed{}}, false},
		{record.Manifest{Seed: 1 << 63, Shards: []*record.Manifest{{Seed: 1 << 63}, {Seed: 7}}}, true},
	} {
		var out bytes.Buffer
		if warnSeed(&out, &c.m); (out.Len() > 0) != c.warn {
			t.Errorf("of the seed %d it says %q", c.m.Seed, &out)
		}
	}
}
