package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// maxZMapLine bounds a line of ZMap's, in bytes.
const maxZMapLine = 1 << 16

// number is one of 32 bits. ZMap 2 writes those from 2^31 on as negative.
type number uint32

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || v < math.MinInt32 || v > math.MaxUint32 {
		return fmt.Errorf("%s is no number of 32 bits", text)
	}
	*n = number(v)
	return nil
}

// zmapLine is what a line of `zmap -O json` has to say; fields that a scan of ZMap's may leave out
// are pointers or may be empty.
type zmapLine struct {
	Source  netip.Addr `json:"saddr"` // of the host that answered
	Dest    netip.Addr `json:"daddr"`
	Port    uint16     `json:"sport"`
	OwnPort uint16     `json:"dport"`
	Seq     *number    `json:"seqnum"`
	Ack     *number    `json:"acknum"`
	Window  *uint16    `json:"window"`
	TTL     uint8      `json:"ttl"`
	Class   string     `json:"classification"`
}

// synack is the segment that ZMap saw. ok is false if it was no SYN-ACK.
func (l *zmapLine) synack() (s packet.Segment, ok bool, err error) {
	switch {
	case !l.Source.IsValid() || !l.Dest.IsValid() || l.Port == 0 || l.OwnPort == 0 || l.Seq == nil || l.Ack == nil || l.Window == nil:
		return s, false, errors.New("not all of saddr, daddr, sport, dport, seqnum, acknum, window are there: run zmap with -f saddr,daddr,sport,dport,seqnum,acknum,window")
	case l.Source.Is4() != l.Dest.Is4() || l.Source.Zone() != "" || l.Source.Is4In6():
		return s, false, fmt.Errorf("%v cannot answer %v", l.Source, l.Dest)
	}
	return packet.Segment{
		Src: netip.AddrPortFrom(l.Source, l.Port), Dst: netip.AddrPortFrom(l.Dest, l.OwnPort),
		Seq: uint32(*l.Seq), Ack: uint32(*l.Ack), Window: *l.Window, TTL: l.TTL, Flags: packet.SYN | packet.ACK,
	}, l.Class == "" || l.Class == "synack", nil
}

// zmapReader reads SYN-ACKs from ZMap. It implements capture.SYNACKs.
type zmapReader struct {
	manifest *record.Manifest
	out      chan packet.Segment
	err      error // what it ended with; to be read once out is closed
}

// readZMap reads until the end, the first line that is none of ZMap's, or ctx is done.
func readZMap(ctx context.Context, r io.Reader, m *record.Manifest) *zmapReader {
	z := &zmapReader{manifest: m, out: make(chan packet.Segment, 1<<12)}
	go func() {
		defer close(z.out)
		z.err = z.read(ctx, r)
	}()
	return z
}

// Next implements capture.SYNACKs.
func (z *zmapReader) Next() (s packet.Segment, ok bool, err error) {
	select {
	case s, ok = <-z.out:
		if !ok {
			return s, false, z.err
		}
		return s, true, nil
	default:
		return s, false, nil
	}
}

func (z *zmapReader) read(ctx context.Context, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxZMapLine)
	number := 1
	for ; lines.Scan(); number++ {
		var l zmapLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("--from zmap: line %d: %w: want one JSON object a line, as of zmap -O json", number, err)
		}
		s, ok, err := l.synack()
		if err == nil {
			err = z.ours(&s)
		}
		if err != nil {
			return fmt.Errorf("--from zmap: line %d: %w", number, err)
		}
		if !ok {
			continue
		}
		select {
		case z.out <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("--from zmap: line %d: longer than %d bytes", number, maxZMapLine)
	} else if err != nil {
		return fmt.Errorf("--from zmap: line %d: %w", number, err)
	}
	return io.EOF
}

// ours checks that what the service sends next comes to us and not to the kernel.
func (z *zmapReader) ours(s *packet.Segment) error {
	if ports := z.manifest.SourcePorts; s.Dst.Port() < ports.First || s.Dst.Port() > ports.Last {
		return fmt.Errorf("dport %d is outside %d-%d: give zmap and laserdisc the same --source-port", s.Dst.Port(), ports.First, ports.Last)
	}
	if !slices.Contains(z.manifest.Sources, s.Dst.Addr()) {
		return fmt.Errorf("daddr %v is not one of %v: give zmap and laserdisc the same --source-ip", s.Dst.Addr(), z.manifest.Sources)
	}
	return nil
}

// lzrLine is a service as LZR writes it; see docs/from-lzr.md.
type lzrLine struct {
	Source      netip.Addr `json:"saddr"` // the service
	Dest        netip.Addr `json:"daddr"` // us
	Port        uint16     `json:"sport"`
	OwnPort     uint16     `json:"dport"`
	Seq         uint32     `json:"seqnum"`
	Ack         uint32     `json:"acknum"`
	Window      uint16     `json:"window"`
	TTL         uint8      `json:"ttl"`
	ACK         bool
	ACKed       bool
	SYN         bool
	RST         bool
	FIN         bool
	PUSH        bool
	Number      int       `json:"HandshakeNum"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Timestamp   time.Time // when the attempt ended, by the packets' clock
	Expected    string    `json:"expectedRToLZR"` // what was waited for when the attempt ended, or came: ack, data
	Data        string    `json:"data,omitempty"` // as LZR's: bytes that are no UTF-8 become U+FFFD
	Raw         []byte    `json:"data_base64,omitempty"`
	Firewall    bool      `json:"ackingFirewall,omitempty"`
}

// lzrOf says what LZR would of a service that was tried with handshakes.
func lzrOf(s *session.Service, handshakes []string) *lzrLine {
	f := s.Last.Flags
	l := &lzrLine{
		Source: s.Service.Addr(), Port: s.Service.Port(), Dest: s.Source.Addr(), OwnPort: s.Source.Port(),
		Seq: s.Last.Seq, Ack: s.Last.Ack, Window: s.Last.Window, TTL: s.Last.TTL,
		ACK: f.Has(packet.ACK), SYN: f.Has(packet.SYN), RST: f.Has(packet.RST), FIN: f.Has(packet.FIN), PUSH: f.Has(packet.PSH),
		ACKed: s.Acked, Number: max(0, slices.Index(handshakes, s.Handshake)), Fingerprint: s.Label,
		Timestamp: time.Unix(0, s.End).UTC(), Data: string(s.Response), Raw: s.Response,
		Expected: "data", Firewall: s.State == session.AllPorts,
	}
	if s.State < session.DynamicBlocking && s.State != session.Silent {
		l.Expected = "ack"
	}
	return l
}

// printer writes services to w as they are found, in the format that the flags name; nil is none.
func (o *scanOptions) printer(w io.Writer, m *record.Manifest) (func(*session.Service) error, error) {
	w = reader{w, o.out}
	switch {
	case o.format != "" && o.feedZGrab:
		return nil, errors.New("--format and --feed-zgrab both write to standard output: choose one")
	case o.feedZGrab:
		return func(s *session.Service) error { return feedZGrab(w, s) }, nil
	case o.format == "lzr":
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		return func(s *session.Service) error {
			if o.onlyData && s.State != session.SendsData {
				return nil
			}
			return lines.Encode(lzrOf(s, m.Handshakes))
		}, nil
	case o.format != "":
		return nil, fmt.Errorf("--format %q: lzr is the only one", o.format)
	case o.onlyData:
		return nil, errors.New("--only-data is about what --format writes: give that too")
	}
	return nil, nil
}

// reader is who reads the services that a scan writes.
type reader struct {
	io.Writer
	record string
}

// Write implements io.Writer. What was found before the reader left is not lost.
func (r reader) Write(b []byte) (int, error) {
	n, err := r.Writer.Write(b)
	if errors.Is(err, unix.EPIPE) {
		err = fmt.Errorf("who read the services has left: %w; the record up to here is in %s", err, r.record)
	}
	return n, err
}

// feedZGrab writes what `zgrab2 multiple` reads: ip, domain, tag, port. What was not identified
// has no tag that it could have a module for.
func feedZGrab(w io.Writer, s *session.Service) error {
	if s.Evidence == handshake.None {
		return nil
	}
	_, err := fmt.Fprintf(w, "%v,,%s,%d\n", s.Service.Addr(), s.Label, s.Service.Port())
	return err
}
