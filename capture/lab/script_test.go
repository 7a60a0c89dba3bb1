package lab_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/packet"
)

// client is a TCP client that does what a script says and nothing else.
type client struct {
	t     *testing.T
	link  *link.Memory
	to    netip.AddrPort
	from  netip.AddrPort
	iss   uint32 // ours
	irs   uint32 // the server's, from its last SYN-ACK
	next  uint32 // ours to send, relative to iss
	ack   uint32 // theirs expected, relative to irs
	queue []packet.Segment
}

// TestScripts runs testdata/tcp/*.txt. Each is a conversation with one service:
//
//	service BEHAVIOUR PROTOCOL             what is at the other end; the network takes no time
//	host CLOSED                            a host without services, and what it does with a SYN
//	client ADDR:PORT                       another client; the sequence numbers start again
//	> FLAGS [seq N] [ack N] [win N] ["x"]  the client sends; N is relative to the first number
//	+DURATION                              time passes
//	< FLAGS [key value]... ["x"]           the next segment that arrived; keys seq, ack, len, win, ttl, opt
//	< nothing                              none has arrived
//
// What has arrived and is not mentioned is an error.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/tcp/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &client{t: t}
			for i, line := range strings.Split(string(text), "\n") {
				line, _, _ = strings.Cut(line, "#")
				if fields := split(line); len(fields) > 0 {
					if err := c.run(fields); err != nil {
						t.Fatalf("%s:%d: %s: %v", file, i+1, strings.TrimSpace(line), err)
					}
				}
			}
			if len(c.queue) > 0 {
				t.Errorf("%s: left over: %s", file, c.describe(&c.queue[0]))
			}
		})
	}
}

// split cuts a line at spaces outside of quotes.
func split(line string) (fields []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			fields, line = append(fields, quoted), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		fields, line = append(fields, word), rest
	}
	return fields
}

func (c *client) run(f []string) error {
	switch {
	case f[0] == "service", f[0] == "host":
		if f[0] == "host" {
			c.live(lab.HostClass{Name: "it", Weight: 1, Closed: lab.Weights{{Name: f[1], Share: 1}}})
		} else {
			c.serve(f[1], f[2])
		}
		c.from, c.iss = netip.MustParseAddrPort("192.0.2.1:61000"), 1000
	case f[0] == "client":
		c.from, c.next, c.ack = netip.MustParseAddrPort(f[1]), 0, 0
		c.iss += 1 << 20
	case f[0] == ">":
		return c.send(f[1:])
	case f[0][0] == '+':
		d, err := time.ParseDuration(f[0][1:])
		if err != nil {
			return err
		}
		c.collect(c.link.Now() + int64(d))
	case f[0] == "<":
		c.collect(c.link.Now())
		return c.expect(f[1:])
	default:
		return fmt.Errorf("what is %q?", f[0])
	}
	return nil
}

// serve makes a network in which every port of every host is such a service.
func (c *client) serve(behaviour, protocol string) {
	mix := &lab.Mix{Acks: 1, Protocols: lab.Weights{{Name: protocol, Share: 1}}}
	var defence []lab.Defence
	if behaviour != "serves" {
		mix.Acks, mix.Defences = 0, "it"
		defence = []lab.Defence{{Name: "it", Behaviours: lab.Weights{{Name: behaviour, Share: 1}}}}
	}
	c.live(lab.HostClass{Name: "it", Weight: 1, EveryPort: mix}, defence...)
}

// live makes a network of such hosts alone.
func (c *client) live(class lab.HostClass, defences ...lab.Defence) {
	p := &lab.Population{
		Name: "script", Synthetic: "made for a test",
		Prefixes: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/24")},
		Density:  1,
		Hosts:    []lab.HostClass{class},
		Stacks:   lab.Weights{{Name: "linux", Share: 1}},
		Defences: defences,
		Pace:     lab.Weights{{Name: "prompt", Share: 1}},
	}
	c.link = link.NewMemory(lab.New(p, 5), 1e18)
	c.to = netip.MustParseAddrPort("198.18.0.7:80")
}

func (c *client) send(f []string) error {
	flags, err := parseFlags(f[0])
	if err != nil {
		return err
	}
	if flags.Has(packet.SYN) {
		c.next = 0
	}
	s := packet.Segment{Src: c.from, Dst: c.to, Flags: flags, TTL: 64, Window: 64240}
	seq, ack := c.next, c.ack
	for f = f[1:]; len(f) > 0; {
		if text, err := strconv.Unquote(f[0]); err == nil {
			s.Payload, f = []byte(text), f[1:]
			continue
		}
		n, err := strconv.Atoi(f[1])
		if err != nil {
			return err
		}
		switch f[0] {
		case "seq":
			seq = uint32(n)
		case "ack":
			ack = uint32(n)
		case "win":
			s.Window = uint16(n)
		}
		f = f[2:]
	}
	s.Seq = c.iss + seq
	if flags.Has(packet.ACK) {
		s.Ack = c.irs + ack
	}
	if flags.Has(packet.SYN) {
		s.Options = packet.AppendSYNOptions(nil, 1460, 7, 0, 7)
	}
	if !flags.Has(packet.RST) {
		c.next = max(c.next, s.End()-c.iss)
	}
	info := c.link.Info()
	if err := c.link.Send(s.AppendFrame(nil, info.SourceMAC, info.GatewayMAC)); err != nil {
		return err
	}
	return c.link.Flush()
}

func parseFlags(text string) (flags packet.Flags, err error) {
	for _, name := range strings.Split(text, "|") {
		i := slices.Index([]string{"FIN", "SYN", "RST", "PSH", "ACK"}, name)
		if i < 0 {
			return 0, fmt.Errorf("no flag is called %q", name)
		}
		flags |= 1 << i
	}
	return flags, nil
}

// collect takes in what arrives until then.
func (c *client) collect(until int64) {
	for {
		f, ok, err := c.link.Receive(until)
		if err != nil {
			c.t.Fatal(err)
		}
		if !ok {
			return
		}
		var s packet.Segment
		if err := s.Decode(packet.LinkEthernet, slices.Clone(f.Data)); err != nil {
			c.t.Fatal(err)
		}
		c.queue = append(c.queue, s)
	}
}

func (c *client) describe(s *packet.Segment) string {
	return fmt.Sprintf("%s seq %d ack %d win %d len %d opt %s %q", s.Flags, s.Seq-c.irs, s.Ack-c.iss, s.Window, len(s.Payload), packet.Layout(s.Options), s.Payload)
}

func (c *client) expect(f []string) error {
	if f[0] == "nothing" {
		if len(c.queue) > 0 {
			return fmt.Errorf("got %s", c.describe(&c.queue[0]))
		}
		return nil
	}
	if len(c.queue) == 0 {
		return fmt.Errorf("got nothing")
	}
	s := c.queue[0]
	c.queue = c.queue[1:]
	if s.ICMP != 0 {
		if want := fmt.Sprintf("ICMP %d %d", s.ICMP>>8, s.ICMP&255); strings.Join(f, " ") != want {
			return fmt.Errorf("got %s", want)
		}
		return nil
	}
	if s.Flags.Has(packet.SYN | packet.ACK) {
		c.irs = s.Seq
	}
	got := c.describe(&s)
	if s.Flags.String() != f[0] {
		return fmt.Errorf("got %s", got)
	}
	for f = f[1:]; len(f) > 0; {
		if text, err := strconv.Unquote(f[0]); err == nil {
			if !strings.HasPrefix(string(s.Payload), text) {
				return fmt.Errorf("got %s", got)
			}
			f = f[1:]
			continue
		}
		if !strings.Contains(got+" ", f[0]+" "+f[1]+" ") {
			return fmt.Errorf("got %s", got)
		}
		f = f[2:]
	}
	if !s.Flags.Has(packet.RST) {
		c.ack = max(c.ack, s.End()-c.irs)
	}
	return nil
}
