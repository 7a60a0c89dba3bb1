package session_test

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
)

// network is a Source and a Sink: a target that is probed, and the SSH server there, which answers each segment a tenth of
// a second later.
type network struct {
	target  netip.AddrPort
	probed  bool
	now     int64
	sent    []packet.Segment
	arrives packet.Segment
}

// Next probes the target, then lets the server answer what was sent, then lets time pass until nothing is left to do.
func (n *network) Next(deadline int64, e *session.Event) error {
	switch {
	case !n.probed:
		n.probed = true
		e.Time, e.Target = n.now, n.target
		return nil
	case len(n.sent) > 0:
		s := n.sent[0]
		n.sent = n.sent[1:]
		n.now += int64(100 * time.Millisecond)
		n.arrives = packet.Segment{Time: n.now, Src: s.Dst, Dst: s.Src, Seq: 1, Ack: s.End(), Window: 65160, TTL: 57}
		switch s.Flags {
		case packet.SYN:
			n.arrives.Flags = packet.SYN | packet.ACK
		case packet.ACK:
			n.arrives.Flags, n.arrives.Seq, n.arrives.Payload = packet.ACK|packet.FIN, 2, []byte("SSH-2.0-OpenSSH_9.2p1\r\n")
		}
		e.Time, e.Segment = n.now, &n.arrives
		return nil
	case deadline == session.Never:
		return io.EOF
	}
	n.now = deadline
	e.Time = deadline
	return nil
}

func (n *network) Asked(*packet.Segment) bool { return true }

func (n *network) Send(s *packet.Segment) error {
	fmt.Println("sends", s.Flags)
	if !s.Flags.Has(packet.RST) {
		n.sent = append(n.sent, *s)
	}
	return nil
}

func (n *network) Attempt(a *session.Attempt) error {
	fmt.Printf("attempt %d, %s: %s, %q\n", a.Number, a.Handshake.Name, a.State, a.Response)
	return nil
}

func (n *network) Service(s *session.Service) error {
	fmt.Printf("%s: %s, %s (%s)\n", s.Service, s.State, s.Label, s.Evidence)
	return nil
}

// A Machine runs over whatever gives it events and takes what it does: a link, a record, or this.
func ExampleMachine() {
	settings := session.Defaults()
	settings.CookieKey = session.KeyOf(1)
	settings.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	settings.Handshakes = []string{"wait", "http"}

	n := &network{target: netip.MustParseAddrPort("198.51.100.7:2222")}
	m, err := session.New(settings, 0, n)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Run(n); err != nil {
		fmt.Println(err)
	}
	// Output:
	// sends SYN
	// sends ACK
	// sends RST
	// attempt 0, wait: sends_data, "SSH-2.0-OpenSSH_9.2p1\r\n"
	// 198.51.100.7:2222: sends_data, ssh (certain)
}

// An Observer is shown the packets of both directions of somebody else's connection.
func ExampleObserver() {
	client, server := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("198.51.100.7:2222")
	var sum session.Summary
	o := session.NewObserver(1024, func(a *session.Attempt) error {
		sum.Add(a)
		fmt.Printf("attempt %d, %s: %s\n", a.Number, a.Handshake.Name, a.State)
		return nil
	})
	for i, s := range []packet.Segment{
		{Src: client, Dst: server, Seq: 100, Flags: packet.SYN},
		{Src: server, Dst: client, Seq: 500, Ack: 101, Flags: packet.SYN | packet.ACK, Window: 65160},
		{Src: client, Dst: server, Seq: 101, Ack: 501, Flags: packet.ACK},
		{Src: server, Dst: client, Seq: 501, Ack: 101, Flags: packet.ACK, Payload: []byte("SSH-2.0-OpenSSH_9.2p1\r\n")},
		{Src: client, Dst: server, Seq: 101, Ack: 524, Flags: packet.RST},
	} {
		s.Time = time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC).UnixNano()
		if err := o.Observe(&s); err != nil {
			fmt.Println(err)
		}
	}
	if err := o.End(); err != nil {
		fmt.Println(err)
	}
	if s, ok := sum.Service(); ok {
		fmt.Printf("%s: %s, %s (%s)\n", s.Service, s.State, s.Label, s.Evidence)
	}
	// Output:
	// attempt 0, wait: sends_data
	// 198.51.100.7:2222: sends_data, ssh (certain)
}

// A Policy can be asked what a scan with other settings would have done next.
func ExamplePolicy() {
	settings := session.Defaults()
	settings.Handshakes = []string{"wait", "http"}
	settings.Revisit = session.Duration(time.Minute)
	p, err := session.NewPolicy(&settings)
	if err != nil {
		fmt.Println(err)
		return
	}
	wait := p.First(netip.MustParseAddrPort("198.51.100.7:80"))
	http, _ := handshake.Lookup("http")
	fmt.Println("first", wait.Name)

	silent := session.Service{State: session.Silent}
	fmt.Println(p.Next(&silent, &session.Attempt{Number: 0, Handshake: wait, State: session.Silent}))
	deaf := session.Service{State: session.NoDataAck}
	fmt.Println(p.Next(&deaf, &session.Attempt{Number: 1, Handshake: http, State: session.NoDataAck}))
	fmt.Println(p.Next(&deaf, &session.Attempt{Number: 2, Visit: session.Again, Handshake: http, State: session.NoDataAck}))
	// Output:
	// first wait
	// connect first http
	// connect again http after 1m0s
	// connect fresh http
}
