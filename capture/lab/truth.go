package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"net/netip"
	"slices"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab/servers"
	"laserdisc/capture/lab/tcp"
)

// Truth is what is known of one service, or of one host whose every port is the same (Port 0).
type Truth struct {
	Address     netip.Addr `json:"addr"`
	Port        uint16     `json:"port,omitempty"` // 0: all of them
	Host        string     `json:"host"`           // its class
	Behaviour   string     `json:"behaviour"`
	Protocol    string     `json:"protocol"` // as in the population: what it speaks, or would if it could be reached
	Label       string     `json:"label"`    // what an ideal scanner calls it that tries everything; "" if it sends nothing
	ServerFirst bool       `json:"server_first,omitempty"`
	Late        bool       `json:"late,omitempty"`    // its first byte takes longer than 0.5 s
	Answers     []string   `json:"answers,omitempty"` // handshakes that make it send data
	Reveals     []string   `json:"reveals,omitempty"` // names in Content: what can be read from its data beyond its protocol
}

// At tells what the service at an address and port is; ok is false where there is none.
func (n *Network) At(at netip.AddrPort) (t Truth, ok bool) {
	s, ok := n.find(at)
	if !ok {
		return t, false
	}
	return n.truth(&s, n.words), true
}

// truth is what is known of a service, and what a scanner hears that says these words.
func (n *Network) truth(s *service, all []words) Truth {
	t := Truth{
		Address:     s.At.Addr(),
		Port:        s.At.Port(),
		Host:        s.host.class.name,
		Behaviour:   s.Behaviour.String(),
		Protocol:    s.Protocol.Name,
		ServerFirst: s.Protocol.First,
		Late:        s.Pace == servers.Late,
	}
	if s.Behaviour != tcp.Serves {
		return t
	}
	t.Reveals = s.Reveals()
	for _, w := range all {
		if b, label := s.Answer(w.kind, w.said); len(b) > 0 {
			t.Answers = append(t.Answers, w.name)
			t.Label = better(t.Label, listedLabel(label))
		}
	}
	return t
}

// Hosts iterates over the addresses that are hosts, in order. It visits every address of the
// prefixes, which takes too long for most of IPv6.
func (n *Network) Hosts() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for h := range n.hosts() {
			if !yield(h.address) {
				return
			}
		}
	}
}

type addressed struct {
	host
	address netip.Addr
}

func (n *Network) hosts() iter.Seq[addressed] {
	return func(yield func(addressed) bool) {
		for _, p := range n.prefixes {
			for a := p.Addr(); p.Contains(a); a = a.Next() {
				if h, ok := n.host(a); ok && !yield(addressed{h, a}) {
					return
				}
			}
		}
	}
}

// Services iterates over the services on the given ports, by address and then in the order of the
// ports; those of hosts whose every port is the same are among them.
func (n *Network) Services(ports []uint16) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		among := likely(ports)
		for h := range n.hosts() {
			for _, port := range among(h.class) {
				if h.serves(port) && !yield(netip.AddrPortFrom(h.address, port)) {
					return
				}
			}
		}
	}
}

// likely gives those of the ports that a class of hosts may serve at all: most have a few only.
func likely(ports []uint16) func(*class) []uint16 {
	of := map[*class][]uint16{}
	return func(k *class) []uint16 {
		if k.open == nil {
			return ports
		}
		few, ok := of[k]
		if !ok {
			for _, port := range ports {
				if k.open[port] > 0 {
					few = append(few, port)
				}
			}
			of[k] = few
		}
		return few
	}
}

// Truth iterates over all there is to know about the given ports (nil: all of them): one value
// for each service, and one for each host whose every port is the same.
func (n *Network) Truth(ports []uint16) iter.Seq[Truth] { return n.truths(ports, n.words) }

// TruthOf is Truth for a scanner that tries these handshakes alone: Answers and Label are of what they draw. Fewer take less time. It
// panics if this build does not have one of them.
func (n *Network) TruthOf(ports []uint16, handshakes []string) iter.Seq[Truth] {
	var some []words
	for _, name := range handshakes {
		some = append(some, n.wordsOf(name))
	}
	return n.truths(ports, some)
}

func (n *Network) truths(ports []uint16, all []words) iter.Seq[Truth] {
	if ports == nil {
		for port := 1; port <= math.MaxUint16; port++ {
			ports = append(ports, uint16(port))
		}
	}
	return func(yield func(Truth) bool) {
		among := likely(ports)
		for h := range n.hosts() {
			if h.class.open == nil {
				s := n.service(h.host, netip.AddrPortFrom(h.address, ports[0]))
				t := n.truth(&s, all)
				t.Port = 0
				if !yield(t) {
					return
				}
				continue
			}
			for _, port := range among(h.class) {
				if !h.serves(port) {
					continue
				}
				s := n.service(h.host, netip.AddrPortFrom(h.address, port))
				if !yield(n.truth(&s, all)) {
					return
				}
			}
		}
	}
}

// WriteTruth writes it as JSON lines, after a first line that names the population and says that it
// is synthetic.
func (n *Network) WriteTruth(w io.Writer, ports []uint16) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	if err := e.Encode(struct {
		Population string `json:"population"`
		Synthetic  string `json:"synthetic"`
	}{n.population.Name, n.population.Synthetic}); err != nil {
		return err
	}
	for t := range n.Truth(ports) {
		if err := e.Encode(t); err != nil {
			return err
		}
	}
	return b.Flush()
}

// words are what a handshake says first, and what that looks like to a server.
type words struct {
	name string
	kind servers.Kind
	said []byte
}

// firstWords are those of every handshake that this build has; none says anything that depends on
// where it goes, as far as a server's answer is concerned.
func firstWords() (all []words) {
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 80)
	for _, p := range handshake.Table() {
		w := words{name: p.Name}
		if p.Hello != nil {
			w.said = p.Hello(nil, to, 1)
		}
		w.kind = servers.Recognise(w.said)
		all = append(all, w)
	}
	return all
}

// Expect tells what an ideal scanner without loss reports of a service, as names of session.State
// and labels of handshake.Verdict, when it tries the handshakes in this order (paper, section 5):
//
//   - the SYN-ACK has window 0: that is all;
//   - the first data that is not acknowledged ends the service;
//   - it acknowledges, and sends nothing: the next handshake;
//   - it sends data: that is its label, and the end unless all are to be tried;
//   - a handshake that says nothing proves nothing, and the next one follows.
//
// It knows nothing of what wrong handshakes spoil (Spoiled): where one drew data before the right one, a scan that tries all
// may find less.
//
// A label whose protocol this build's table does not have comes out as "unknown". ok is false
// where there is no service. It panics if the table does not have one of the handshakes.
func (n *Network) Expect(at netip.AddrPort, handshakes []string, all bool) (state, label string, ok bool) {
	s, ok := n.find(at)
	if !ok {
		return "", "", false
	}
	state = "silent"
	for i, name := range handshakes {
		w := n.wordsOf(name)
		listening := w.kind == servers.Wait
		got := s.outcome(listening, i > 0)
		if got == "serves" {
			b, heard := s.Answer(w.kind, w.said)
			switch {
			case len(b) > 0:
				state, label = "sends_data", better(label, listedLabel(heard))
				if !all {
					return state, label, true
				}
			case !listening && state != "sends_data":
				state = "acks_data"
			}
			continue
		}
		state = got
		if !listening || got == "zero_window" || got == "dropped_handshake" || got == "shunned" {
			return state, "", true
		}
	}
	return state, label, true
}

func (n *Network) wordsOf(handshake string) words {
	i := slices.IndexFunc(n.words, func(w words) bool { return w.name == handshake })
	if i < 0 {
		panic(fmt.Sprintf("lab: there is no handshake %q", handshake))
	}
	return n.words[i]
}

// outcome is the state of one connection with a service, as its client infers it; "serves" if data
// is acknowledged. listening: it says nothing; again: it is not the first.
func (s *service) outcome(listening, again bool) string {
	switch s.Behaviour {
	case tcp.Serves, tcp.ZeroWindow, tcp.DroppedHandshake, tcp.ResetAfterHandshake, tcp.ClosedAfterHandshake:
		return s.Behaviour.String()
	case tcp.Shunning:
		if again {
			return "shunned"
		}
	}
	if listening {
		return "silent"
	}
	return "no_data_ack"
}

// better is the label that counts of two, of an earlier and a later answer: the first that names
// a protocol.
func better(earlier, later string) string {
	if earlier == "" || (earlier == handshake.Unknown || earlier == handshake.Echo) && later != handshake.Unknown && later != handshake.Echo {
		return later
	}
	return earlier
}

// listedLabel is the label that this build's table can give.
func listedLabel(label string) string {
	if label == handshake.Echo || slices.ContainsFunc(handshake.Table(), func(p *handshake.Protocol) bool { return p.Name == label }) {
		return label
	}
	return handshake.Unknown
}
