package session

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/packet"
)

// The scripts in testdata are written in packetdrill's notation, and read like a capture:
//
//	handshakes wait,http         what is tried; "all" after it: whatever comes back
//	+0    probe                  seconds since the line before, then what happens
//	+0    > S 0:0(0) win 64240 <MSTNW>
//	+.05  < S. 0:0(0) ack 1 win 65160 <MSTNW>
//	+0    > . 1:1(0) ack 1       sent at that time, and nothing else before it
//	+1    > P. 1:H(hello) ack 1  the handshake's first bytes; H is the number after them
//	+0    < . 1:1(0) ack H
//	+0    < P. 1:5(4) ack H "+OK\n"
//	+.1   < icmp 3/1 about 1     type and code, and the number of what it quotes
//	+0    = attempt 0 wait silent
//	+0    = service sends_data pop3
//	+9    nothing                sent or found, in that time
//	with ephemeral=2 revisit=30s sources=2 followup=0s,5s random seed=1 push adopt liveness timeout=3s wait=2s
//
// "with", before "handshakes", sets what is not the default.
// Sequence numbers are relative to each side's first. "#N" before "<" addresses the N-th
// connection, from 0, instead of the latest. Fields that a line leaves out are not compared.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := play{T: t, iss: map[netip.AddrPort]uint32{}, observer: observe(64)}
			for i, line := range strings.Split(string(text), "\n") {
				line, _, _ = strings.Cut(line, "#!")
				if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "# ") {
					continue
				}
				if err := p.line(line); err != nil {
					t.Fatalf("%s:%d: %s\n%v", file, i+1, line, err)
				}
			}
			if err := p.quiet(); err != nil {
				t.Errorf("%s: at the end: %v", file, err)
			}
			p.compare()
		})
	}
}

const serverISS = 0xfffffff0 // so that every script crosses the end of the sequence space

var scriptTarget = netip.MustParseAddrPort("198.18.7.9:80")

// connection is one that a SYN began.
type connection struct{ source, target netip.AddrPort }

// play is a script being played.
type play struct {
	*testing.T
	machine *Machine
	now     int64
	sent    []packet.Segment
	found   []string
	with    string
	conns   []connection
	iss     map[netip.AddrPort]uint32 // by source
	hello   int

	observer *observed // of the same packets
	services []string
}

func (p *play) Send(s *packet.Segment) error {
	c := *s
	c.Options, c.Payload = append([]byte(nil), s.Options...), append([]byte(nil), s.Payload...)
	p.sent = append(p.sent, c)
	p.observer.Observe(&c)
	return nil
}

func (p *play) Asked(*packet.Segment) bool { return true }

func (p *play) Attempt(a *Attempt) error {
	p.found = append(p.found, fmt.Sprintf("attempt %d %s %s %s %s synacks=%d retransmits=%d acked=%d response=%q", a.Number, a.Visit, a.Handshake.Name, a.State,
		a.Verdict.Label, a.SYNACKs, a.Retransmits, a.AckedBytes, a.Response))
	return nil
}

func (p *play) Service(s *Service) error {
	service := fmt.Sprintf("service %s %s", s.State, s.Label)
	p.found, p.services = append(p.found, service), append(p.services, service)
	return nil
}

// compare has the observer tell what the machine has found.
func (p *play) compare() {
	if p.machine.settings.EphemeralProbes > 0 || p.machine.settings.Adopt {
		return // what only the scan knows
	}
	_, services := p.observer.results()
	var observed []string
	for _, s := range services {
		observed = append(observed, fmt.Sprintf("service %s %s", s.State, s.Label))
	}
	if !slices.Equal(observed, p.services) {
		p.Errorf("observed %q, found %q", observed, p.services)
	}
}

func (p *play) line(line string) error {
	if with, ok := strings.CutPrefix(line, "with "); ok {
		p.with = with
		return nil
	}
	if list, ok := strings.CutPrefix(line, "handshakes "); ok {
		list, all := strings.CutSuffix(list, " all")
		return p.start(list, all)
	}
	if !strings.HasPrefix(line, "+") {
		return fmt.Errorf("no time")
	}
	after, what, _ := strings.Cut(line, " ")
	seconds, err := strconv.ParseFloat(after[1:], 64)
	if err != nil {
		return err
	}
	p.now += int64(math.Round(seconds * 1e9))
	if err := p.machine.Step(&Event{Time: p.now}); err != nil {
		return err
	}
	return p.do(strings.TrimSpace(what))
}

func (p *play) start(list string, all bool) error {
	s := Defaults()
	s.Sources = []netip.Addr{netip.MustParseAddr("198.18.0.1")}
	s.Handshakes, s.AllHandshakes, s.ResponseLimit = strings.Split(list, ","), all, 64
	if err := configure(&s, p.with); err != nil {
		return err
	}
	p.now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	var err error
	p.machine, err = New(s, 0, p)
	return err
}

// configure sets what a "with" line asks for.
func configure(s *Settings, with string) (err error) {
	for _, word := range strings.Fields(with) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "ephemeral":
			s.EphemeralProbes, err = strconv.Atoi(value)
		case "skip":
			s.SkipAllPorts = true
		case "pause":
			err = s.Pause.UnmarshalText([]byte(value))
		case "revisit":
			err = s.Revisit.UnmarshalText([]byte(value))
		case "sources":
			s.Sources = append(s.Sources, netip.MustParseAddr("198.18.0.2"))
		case "push":
			s.Push = true
		case "followup":
			for _, text := range strings.Split(value, ",") {
				var d time.Duration
				if d, err = time.ParseDuration(text); err != nil {
					break
				}
				s.Followup = append(s.Followup, Duration(d))
			}
		case "random":
			s.RandomOrder = true
		case "seed":
			var seed uint64
			seed, err = strconv.ParseUint(value, 10, 64)
			s.CookieKey = KeyOf(seed)
		case "adopt":
			s.Adopt = true
		case "timeout":
			err = s.Timeout.UnmarshalText([]byte(value))
		case "wait":
			err = s.Wait.UnmarshalText([]byte(value))
		case "liveness":
			s.Liveness, s.Retransmits, s.RetransmitAfter, s.Timeout = true, 8, Duration(200*time.Millisecond), Duration(102200*time.Millisecond)
		default:
			return fmt.Errorf("what is %q?", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *play) do(what string) error {
	connection := -1
	if strings.HasPrefix(what, "#") {
		number, rest, _ := strings.Cut(what[1:], " ")
		var err error
		if connection, err = strconv.Atoi(number); err != nil {
			return err
		}
		what = rest
	}
	verb, rest, _ := strings.Cut(what, " ")
	switch verb {
	case "probe":
		return p.machine.Step(&Event{Time: p.now, Target: scriptTarget})
	case "nothing":
		return p.quiet()
	case "<":
		return p.arrive(connection, rest)
	case ">":
		return p.expectSent(rest)
	case "=":
		return p.expectFound(rest)
	}
	return fmt.Errorf("what is %q?", verb)
}

func (p *play) quiet() error {
	if len(p.sent) > 0 {
		return fmt.Errorf("sent, but not in the script: %s", describe(&p.sent[0]))
	}
	if len(p.found) > 0 {
		return fmt.Errorf("found, but not in the script: %s", p.found[0])
	}
	return nil
}

func (p *play) expectFound(want string) error {
	if len(p.found) == 0 {
		return fmt.Errorf("nothing was found")
	}
	got := p.found[0]
	p.found = p.found[1:]
	fields := strings.Fields(got)
	for _, w := range strings.Fields(want) {
		i := 0
		for i < len(fields) && fields[i] != w {
			i++
		}
		if i == len(fields) {
			return fmt.Errorf("found %s", got)
		}
		fields = fields[i+1:]
	}
	return nil
}

var segmentLine = regexp.MustCompile(`^([SFRP.]+) (\d+|H):(\d+|H)\((\d+|hello)\)(?: ack (\d+|H))?(?: win (\d+))?(?: <(\w*)>)?(?: (".*"))?$`)

var errorLine = regexp.MustCompile(`^icmp (\d+)/(\d+) about (\d+|H)$`)

var flagLetters = map[rune]packet.Flags{'S': packet.SYN, 'F': packet.FIN, 'R': packet.RST, 'P': packet.PSH, '.': packet.ACK}

func (p *play) number(text string) uint32 {
	if text == "H" {
		return uint32(1 + p.hello)
	}
	n, _ := strconv.ParseUint(text, 10, 32)
	return uint32(n)
}

func (p *play) expectSent(want string) error {
	if len(p.sent) == 0 {
		return fmt.Errorf("nothing was sent")
	}
	s := p.sent[0]
	p.sent = p.sent[1:]
	m := segmentLine.FindStringSubmatch(want)
	if m == nil {
		return fmt.Errorf("not a segment")
	}
	if s.Flags.Has(packet.SYN) && p.iss[s.Src] == 0 {
		p.conns = append(p.conns, connection{s.Src, s.Dst})
		p.iss[s.Src] = s.Seq
	}
	if m[4] == "hello" && m[2] == "1" {
		p.hello = len(s.Payload)
	}
	var flags packet.Flags
	for _, letter := range m[1] {
		flags |= flagLetters[letter]
	}
	iss := p.iss[s.Src]
	switch {
	case s.Time != p.now:
		return fmt.Errorf("sent %v earlier: %s", time.Duration(p.now-s.Time), describe(&s))
	case s.Flags != flags, s.Seq-iss != p.number(m[2]), s.Seq-iss+uint32(len(s.Payload)) != p.number(m[3]):
	case m[4] == "hello" && len(s.Payload) == 0:
	case m[5] != "" && s.Ack-serverISS != p.number(m[5]):
	case m[6] != "" && strconv.Itoa(int(s.Window)) != m[6]:
	case m[7] != "" && packet.Layout(s.Options) != m[7]:
	default:
		return nil
	}
	return fmt.Errorf("sent %s %d:%d ack %d", describe(&s), s.Seq-iss, s.Seq-iss+uint32(len(s.Payload)), s.Ack-serverISS)
}

func (p *play) arrive(number int, text string) error {
	if number < 0 {
		number = len(p.conns) - 1
	}
	s := packet.Segment{Time: p.now, Src: p.conns[number].target, Dst: p.conns[number].source, TTL: 55}
	if m := errorLine.FindStringSubmatch(text); m != nil {
		s.ICMP, s.Seq = packet.ICMP(p.number(m[1])<<8|p.number(m[2])), p.iss[s.Dst]+p.number(m[3])
		p.observer.Observe(&s)
		return p.machine.Step(&Event{Time: p.now, Segment: &s})
	}
	m := segmentLine.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("not a segment")
	}
	s.Window = 65160
	for _, letter := range m[1] {
		s.Flags |= flagLetters[letter]
	}
	s.Seq = serverISS + p.number(m[2])
	if m[5] != "" {
		s.Ack = p.iss[s.Dst] + p.number(m[5])
	}
	if m[6] != "" {
		s.Window = uint16(p.number(m[6]))
	}
	if m[7] == "MSTNW" {
		s.Options = packet.AppendSYNOptions(nil, 1460, 1, p.machine.clock(p.machine.id.of(scriptTarget, 0, false))-30, 7)
	}
	if m[8] != "" {
		data, err := strconv.Unquote(m[8])
		if err != nil {
			return err
		}
		s.Payload = []byte(data)
		if p.number(m[3])-p.number(m[2]) != uint32(len(data)) {
			return fmt.Errorf("the data has %d bytes", len(data))
		}
	}
	p.observer.Observe(&s)
	return p.machine.Step(&Event{Time: p.now, Segment: &s})
}

func describe(s *packet.Segment) string {
	return fmt.Sprintf("%v seq %d win %d <%s> %q", s.Flags, s.Seq, s.Window, packet.Layout(s.Options), s.Payload)
}
