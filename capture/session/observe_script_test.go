package session

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/packet"
)

// The scripts in testdata/observed are captures of what other clients do, in the notation of those that a machine plays:
//
//	with ongoing                  or clients=PREFIX, timeless (no packet has a time), epoch (the first is at 0)
//	+0   #0 > S 0:0(0) win 1024   the client's, in connection 0: from 192.0.2.1, and from 10 on from 192.0.2.2
//	+.1  #0 < S. 0:0(0) ack 1     the service's
//	= left 1                      how many connections that began before the capture were left out
//	= attempt 0 wait half_open    the attempts, at the end, by their numbers
//	= service half_open of 1      what they make, of so many attempts
//
// What the frames tell they tell as well if each is there twice.
func TestObservedScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/observed/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			once, wanted, err := observeScript(string(text), 1)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, want := range wanted {
				if !slices.ContainsFunc(once.found, func(found string) bool { return inOrder(found, want) }) {
					t.Errorf("%s: want %s\nfound %s", file, want, strings.Join(once.found, "\n      "))
				}
			}
			if len(wanted) != len(once.found) {
				t.Errorf("%s: %d things found, not %d: %s", file, len(once.found), len(wanted), strings.Join(once.found, "\n      "))
			}
			twice, _, err := observeScript(string(text), 2)
			if err != nil || !slices.Equal(once.facts, twice.facts) {
				t.Errorf("%s: %v\nonce  %q\ntwice %q", file, err, once.facts, twice.facts)
			}
		})
	}
}

// inOrder reports whether all words of want stand in found, in their order. The quoted one has the rest of the line.
func inOrder(found, want string) bool {
	fields := strings.Fields(found)
	for _, w := range strings.Fields(want) {
		i := slices.Index(fields, w)
		if i < 0 {
			return false
		}
		fields = fields[i+1:]
	}
	return true
}

// told is what a script's capture tells: all of it, and what does not depend on how often a frame is there.
type told struct{ found, facts []string }

// observeScript has an observer see each frame of a script so many times.
func observeScript(text string, times int) (told told, wanted []string, err error) {
	o := observe(64)
	now, timeless := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), false
	number := uint64(0)
	for n, line := range strings.Split(text, "\n") {
		switch verb, rest, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case verb == "" || verb == "#":
		case verb == "=":
			wanted = append(wanted, rest)
		case verb == "with":
			for _, word := range strings.Fields(rest) {
				switch name, value, _ := strings.Cut(word, "="); name {
				case "ongoing":
					o.Ongoing = true
				case "clients":
					o.Clients = append(o.Clients, netip.MustParsePrefix(value))
				case "timeless":
					timeless = true
				case "epoch":
					now = 0
				default:
					return told, nil, fmt.Errorf("line %d: what is %q?", n+1, word)
				}
			}
		default:
			seconds, bad := strconv.ParseFloat(strings.TrimPrefix(verb, "+"), 64)
			s, failed := scriptSegment(strings.TrimSpace(rest))
			if bad != nil || failed != nil {
				return told, nil, fmt.Errorf("line %d: %s: %w", n+1, line, failed)
			}
			if now += int64(math.Round(seconds * 1e9)); !timeless {
				s.Time = now
			}
			for range times {
				number++
				s.Number = number
				o.Observe(s)
			}
		}
	}
	attempts, services := o.results()
	for _, a := range attempts {
		facts := fmt.Sprintf("attempt %d %s %s %s %s %s", a.Number, a.Handshake.Name, a.Handshake.Answer, a.State, a.Verdict.Label, a.Seen)
		counts := fmt.Sprintf(" synacks=%d retransmits=%d", a.SYNACKs, a.Retransmits)
		more := fmt.Sprintf(" sent=%d acked=%d truncated=%v fin=%v rst=%v response=%q", a.SentBytes, a.AckedBytes, a.Truncated, a.FIN, a.RST, a.Response)
		told.found, told.facts = append(told.found, facts+counts+more), append(told.facts, facts+more)
	}
	for _, s := range services {
		told.found = append(told.found, fmt.Sprintf("service %s %s of %d", s.State, s.Label, s.Attempts))
		told.facts = append(told.facts, told.found[len(told.found)-1])
	}
	if o.Left() > 0 {
		told.found = append(told.found, fmt.Sprintf("left %d", o.Left()))
	}
	return told, wanted, nil
}

// scriptSegment reads a frame: "#0 < S. 0:0(0) ack 1".
func scriptSegment(text string) (*packet.Segment, error) {
	words := strings.SplitN(text, " ", 3)
	if len(words) < 3 || !strings.HasPrefix(words[0], "#") {
		return nil, fmt.Errorf("not a frame")
	}
	connection, err := strconv.Atoi(words[0][1:])
	m := segmentLine.FindStringSubmatch(words[2])
	if err != nil || m == nil {
		return nil, fmt.Errorf("not a segment")
	}
	client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + connection/10)}), uint16(40000+connection))
	own, other := uint32(0xfffffffa), uint32(serverISS)
	s := &packet.Segment{Src: client, Dst: scriptTarget, Window: 65160, TTL: 55}
	if words[1] == "<" {
		s.Src, s.Dst, own, other = s.Dst, s.Src, other, own
	}
	for _, letter := range m[1] {
		s.Flags |= flagLetters[letter]
	}
	number := func(text string) uint32 {
		n, _ := strconv.ParseUint(text, 10, 32)
		return uint32(n)
	}
	s.Seq = own + number(m[2])
	if m[5] != "" {
		s.Ack = other + number(m[5])
	}
	if m[6] != "" {
		s.Window = uint16(number(m[6]))
	}
	if m[8] != "" {
		data, err := strconv.Unquote(m[8])
		if err != nil {
			return nil, err
		}
		s.Payload = []byte(data)
	}
	if number(m[3])-number(m[2]) != uint32(len(s.Payload)) {
		return nil, fmt.Errorf("the data has %d bytes", len(s.Payload))
	}
	return s, nil
}
