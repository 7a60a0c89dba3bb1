package main

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/gopacket/layers"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

const (
	storyWidth = 80  // columns
	mostShown  = 256 // bytes of a payload that are printed
)

// storyPrinter prints a story, as text or as JSON lines, and may cut its packets out. It implements replay.Teller.
type storyPrinter struct {
	w       *bufio.Writer
	remarks io.Writer
	service netip.AddrPort
	json    bool
	cut     io.Writer // where the packets go, too; nil: nowhere

	capture *record.CaptureWriter
	packets int
	first   int64                        // time of the first packet
	client  netip.AddrPort               // whose connection was told of last
	initial map[netip.AddrPort][2]uint32 // by client: the first sequence number to the service, and from it
	found   *session.Service             // the last that was told of, or nil
}

// Manifest implements replay.Teller.
func (p *storyPrinter) Manifest(m *record.Manifest) (err error) {
	p.initial = make(map[netip.AddrPort][2]uint32)
	if m != nil {
		whole := *m
		whole.Chunk = nil // what is cut out is none
		m = &whole
	}
	if p.cut != nil {
		if p.capture, err = record.NewCaptureWriter(p.cut, m); err != nil {
			return err
		}
	}
	if m != nil && m.Synthetic != "" && !p.json {
		p.line(0, "synthetic population "+m.Synthetic+": no measurement of the Internet")
	}
	return nil
}

// Packet implements replay.Teller.
func (p *storyPrinter) Packet(f *record.Frame, s *packet.Segment, a *session.Attempt) error {
	if p.packets++; p.packets == 1 {
		p.first = s.Time
	}
	state := "-"
	switch {
	case a != nil:
		state = a.State.String()
	case s.Flags&(packet.SYN|packet.ACK) == packet.SYN:
		state = session.NoAnswer.String()
	}
	if p.capture != nil {
		if err := p.capture.Comment(f, fmt.Sprintf("frame %d, then %s", f.Number, state)); err != nil {
			return err
		}
	}
	if p.json {
		return p.packetLine(s, a)
	}
	client, to, direction := s.Src, 0, ">"
	if s.Src == p.service {
		client, to, direction = s.Dst, 1, "<"
	}
	at := time.Unix(0, s.Time).UTC()
	if client != p.client {
		p.client = client
		fmt.Fprintf(p.w, "\n%v, %s (UTC)\n", client, at.Format(time.DateOnly))
	}
	flags := s.Flags.String()
	if s.ICMP != 0 {
		flags = "ICMP"
	}
	fmt.Fprintf(p.w, "%7d  %s %+12.6f  %s %-11s  %s\n", f.Number, at.Format("15:04:05.000000000"), float64(s.Time-p.first)/1e9, direction, flags, state)
	initial := p.initial[client]
	if s.Flags.Has(packet.SYN) && s.ICMP == 0 {
		initial[to] = s.Seq
		p.initial[client] = initial
	}
	p.line(9, describeSegment(s, initial[to], initial[1-to]))
	if len(s.Payload) == 0 {
		return nil
	}
	if direction == ">" && a != nil {
		p.lines(9, messagesIn(a.Handshake.Name, s.Payload))
	}
	if direction == "<" && a != nil && a.Verdict.Label != "" {
		p.line(9, "so far: "+labelled(a.Verdict.Label, a.Verdict.Evidence))
	}
	p.dump(s.Payload)
	return nil
}

// describeSegment says in words what a header has, with sequence numbers from those given: the sender's first, and the receiver's.
// An ICMP error is about a segment of the receiver's.
func describeSegment(s *packet.Segment, mine, others uint32) string {
	if s.ICMP != 0 {
		var kind fmt.Stringer = layers.CreateICMPv4TypeCode(uint8(s.ICMP>>8), uint8(s.ICMP))
		if s.Src.Addr().Is6() {
			kind = layers.CreateICMPv6TypeCode(uint8(s.ICMP>>8), uint8(s.ICMP))
		}
		return fmt.Sprintf("%v from %v, ttl %d, about seq %d", kind, s.Reporter, s.TTL, s.Seq-others)
	}
	text := fmt.Sprintf("seq %d", s.Seq-mine)
	if s.Flags.Has(packet.ACK) {
		text += fmt.Sprintf(", ack %d", s.Ack-others)
	}
	text += fmt.Sprintf(", window %d, ttl %d", s.Window, s.TTL)
	if n := len(s.Payload); n > 0 {
		text += fmt.Sprintf(", %d bytes", n)
	}
	for _, o := range tcpOptions(s.Options) {
		text += ", " + o
	}
	return text
}

// tcpOptions names the options of a TCP header, in their order, without those that pad.
func tcpOptions(b []byte) (list []string) {
	for len(b) > 0 && b[0] != 0 {
		if b[0] == layers.TCPOptionKindNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return append(list, fmt.Sprintf("malformed option %x", b))
		}
		kind, value, o := layers.TCPOptionKind(b[0]), b[2:b[1]], packet.ParseOptions(b[:b[1]])
		switch {
		case o.MSS != 0:
			list = append(list, fmt.Sprintf("mss %d", o.MSS))
		case o.HasScale:
			list = append(list, fmt.Sprintf("scale %d", o.Scale))
		case o.SACK:
			list = append(list, "sack permitted")
		case o.Timestamps:
			list = append(list, fmt.Sprintf("timestamps %d %d", o.TSVal, o.TSEcr))
		default:
			list = append(list, strings.TrimSpace(fmt.Sprintf("option %v %x", kind, value)))
		}
		b = b[b[1]:]
	}
	return list
}

// Attempt implements replay.Teller.
func (p *storyPrinter) Attempt(a *session.Attempt) error {
	if p.json {
		return p.encode(attemptLine(a))
	}
	var text string
	switch {
	case a.Visit == session.Ephemeral && a.Service != p.service:
		text = fmt.Sprintf("its host on random port %d: %v", a.Service.Port(), a.State)
	case !a.State.Connected():
		text = fmt.Sprintf("attempt %d: %v", a.Number, a.State)
	default:
		text = fmt.Sprintf("attempt %d, %v, said %s: %v", a.Number, a.Visit, a.Handshake.Name, a.State)
	}
	if a.Verdict.Label != "" {
		text += ", " + labelled(a.Verdict.Label, a.Verdict.Evidence)
	}
	if a.Source != p.client && a.Service == p.service { // others' packets came in between
		text = fmt.Sprintf("from %v: %s", a.Source, text)
	}
	fmt.Fprintf(p.w, "      =  ")
	p.hanging(9, text)
	if n := len(a.Response); n > 0 {
		cut := ""
		if a.Truncated {
			cut = ", cut there"
		}
		p.line(9, fmt.Sprintf("response of %d bytes%s", n, cut))
		p.lines(9, messagesIn(a.Verdict.Label, a.Response))
	}
	return nil
}

// row prints an attempt of which no packet is at hand.
func (p *storyPrinter) row(a *session.Attempt) error {
	if p.json {
		return p.encode(attemptLine(a))
	}
	if a.Source != p.client {
		p.client = a.Source
		fmt.Fprintf(p.w, "\n%v\n", a.Source)
	}
	for _, moment := range []struct {
		what string
		at   int64
	}{{"SYN sent", a.SYNTime}, {"SYN-ACK received", a.SYNACKTime}, {"data acknowledged", a.AckTime}, {"data received", a.DataTime}, {"over", a.End}} {
		if moment.at != 0 {
			p.line(9, time.Unix(0, moment.at).UTC().Format("2006-01-02 15:04:05.000000000 ")+moment.what)
		}
	}
	p.line(9, fmt.Sprintf("%d of %d bytes acknowledged, SYN-ACK's window %d, options %s; frames %d to %d of the record",
		a.AckedBytes, a.SentBytes, a.Window, cmp.Or(a.Layout, "none"), a.FirstFrame, a.LastFrame))
	if err := p.Attempt(a); err != nil {
		return err
	}
	if len(a.Response) > 0 {
		p.dump(a.Response)
	}
	return nil
}

// Service implements replay.Teller.
func (p *storyPrinter) Service(s *session.Service) error {
	p.found = s.Clone()
	return nil
}

// Resumed implements replay.Teller.
func (p *storyPrinter) Resumed(unfinished []netip.AddrPort) {
	if slices.Contains(unfinished, p.service) && !p.json {
		p.line(0, "\nThe scan ended here and was resumed: the attempts so far do not count.")
	}
}

// end tells what the service is, and why.
func (p *storyPrinter) end() error {
	if p.capture != nil {
		if err := p.capture.Flush(); err != nil {
			return err
		}
	}
	switch {
	case p.json && p.found != nil:
		return p.encode(struct {
			Service *session.Service `json:"service"`
		}{p.found})
	case p.json:
		return nil
	case p.found == nil:
		p.line(0, fmt.Sprintf("\n%v is no service: there is no SYN-ACK of it.", p.service))
		return nil
	}
	p.why(p.found)
	return nil
}

// why says what a service is, and which bytes say so.
func (p *storyPrinter) why(s *session.Service) {
	text := fmt.Sprintf("\n%v %v", s.Service, s.State)
	if s.Label != "" {
		text += ", " + labelled(s.Label, s.Evidence)
	}
	p.line(0, text)
	p.fact("handshake", s.Handshake)
	p.fact("attempts", fmt.Sprint(s.Attempts))
	if len(s.Response) == 0 {
		p.fact("label", "none: it sent no data")
		return
	}
	deciding := s.Response
	switch s.Label {
	case handshake.Echo:
		p.fact("echo", "it sent back what it had been sent")
	default:
		var v handshake.Verdict
		handshake.Classify(&v, nil, s.Response)
		deciding = s.Response[:v.Bytes]
		if v.Label != s.Label || v.Evidence != s.Evidence {
			p.fact("now", "this laserdisc labels its response "+labelled(v.Label, v.Evidence))
		}
		if proto, ok := handshake.Lookup(v.Label); ok {
			p.fact("signature", proto.Identified())
			p.fact("specification", cmp.Or(proto.Spec, "none"))
		}
		for _, m := range v.Matches {
			if m.Protocol.Name != v.Label {
				p.fact("also matches", labelled(m.Protocol.Name, m.Evidence))
			}
		}
	}
	for _, d := range handshake.Details(s.Label, s.Response) {
		p.fact(d.Key, d.Value)
	}
	p.fact("decided by", fmt.Sprintf("the first %d of %d bytes of its response:", len(deciding), len(s.Response)))
	p.dump(deciding)
}

func labelled(label string, evidence handshake.Evidence) string {
	if evidence == handshake.None {
		return label
	}
	return fmt.Sprintf("%s (%v)", label, evidence)
}

// fact prints one thing that is known.
func (p *storyPrinter) fact(name, value string) {
	fmt.Fprintf(p.w, "  %-14s ", name)
	p.hanging(17, value)
}

// dump prints bytes in hexadecimal and as text.
func (p *storyPrinter) dump(data []byte) {
	for line := range strings.Lines(hex.Dump(data[:min(mostShown, len(data))])) {
		fmt.Fprint(p.w, "  ", line)
	}
	if more := len(data) - mostShown; more > 0 {
		fmt.Fprintf(p.w, "  and %d bytes more, which --json and --pcap have\n", more)
	}
}

func (p *storyPrinter) lines(indent int, list []string) {
	for _, text := range list {
		p.line(indent, text)
	}
}

func (p *storyPrinter) line(indent int, text string) {
	fmt.Fprint(p.w, strings.Repeat(" ", indent))
	p.hanging(indent, text)
}

// hanging prints a text behind what the line has already, so many columns, and breaks it between words.
func (p *storyPrinter) hanging(indent int, text string) {
	column := indent
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
		case column+1+len(word) > storyWidth:
			fmt.Fprint(p.w, "\n", strings.Repeat(" ", indent))
			column = indent
		default:
			fmt.Fprint(p.w, " ")
			column++
		}
		fmt.Fprint(p.w, word)
		column += len(word)
	}
	fmt.Fprintln(p.w)
}

// encode prints a JSON line.
func (p *storyPrinter) encode(line any) error {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	return e.Encode(line)
}

// packetLine prints a packet as JSON. Numbers are as in its header.
func (p *storyPrinter) packetLine(s *packet.Segment, a *session.Attempt) error {
	type line struct {
		Frame    uint64    `json:"frame"`
		Time     time.Time `json:"time"`
		From     string    `json:"from"`
		To       string    `json:"to"`
		Flags    string    `json:"flags,omitempty"`
		Seq      uint32    `json:"seq"`
		Ack      uint32    `json:"ack"`
		Window   uint16    `json:"window"`
		TTL      uint8     `json:"ttl"`
		Options  []string  `json:"options,omitempty"`
		Payload  []byte    `json:"payload,omitempty"` // in base64
		ICMP     []int     `json:"icmp,omitempty"`    // type and code; Seq is then what it is about
		Reporter string    `json:"icmp_reporter,omitempty"`
		State    string    `json:"state,omitempty"`
		Label    string    `json:"label,omitempty"`
		Evidence string    `json:"evidence,omitempty"`
	}
	l := line{
		Frame: s.Number, Time: time.Unix(0, s.Time).UTC(), From: s.Src.String(), To: s.Dst.String(), Flags: s.Flags.String(),
		Seq: s.Seq, Ack: s.Ack, Window: s.Window, TTL: s.TTL, Options: tcpOptions(s.Options), Payload: s.Payload,
	}
	if s.ICMP != 0 {
		l.ICMP, l.Reporter = []int{int(s.ICMP >> 8), int(s.ICMP & 0xff)}, s.Reporter.String()
	}
	if a != nil {
		l.State = a.State.String()
		if a.Verdict.Label != "" {
			l.Label, l.Evidence = a.Verdict.Label, a.Verdict.Evidence.String()
		}
	}
	return p.encode(struct {
		Packet line `json:"packet"`
	}{l})
}

// attemptLine is an attempt as JSON.
func attemptLine(a *session.Attempt) any {
	type line struct {
		Service   string `json:"service"`
		Source    string `json:"source"`
		Attempt   int    `json:"attempt"`
		Visit     string `json:"visit"`
		Handshake string `json:"handshake"`
		State     string `json:"state"`
		Label     string `json:"label,omitempty"`
		Evidence  string `json:"evidence,omitempty"`
		Response  []byte `json:"response,omitempty"` // in base64
		Truncated bool   `json:"truncated,omitempty"`
		First     uint64 `json:"first_frame"`
		Last      uint64 `json:"last_frame"`
	}
	l := line{
		Service: a.Service.String(), Source: a.Source.String(), Attempt: a.Number, Visit: a.Visit.String(), Handshake: a.Handshake.Name,
		State: a.State.String(), Response: a.Response, Truncated: a.Truncated, First: a.FirstFrame, Last: a.LastFrame,
	}
	if a.Verdict.Label != "" {
		l.Label, l.Evidence = a.Verdict.Label, a.Verdict.Evidence.String()
	}
	return struct {
		Attempt line `json:"attempt"`
	}{l}
}
