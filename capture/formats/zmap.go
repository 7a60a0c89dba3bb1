package formats

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

	"laserdisc/capture/packet"
)

// maxZMapLine is the length of the longest line of ZMap's that is read, in bytes.
const maxZMapLine = 1 << 16

// ZMap reads SYN-ACKs from ZMap's output while ZMap writes it. It implements capture.SYNACKs.
type ZMap struct {
	sources     []netip.Addr
	first, last uint16 // the range of source ports
	out         chan packet.Segment
	err         error // Valid only after out is closed: what the reading ended with, io.EOF at the end of the output.
}

// ReadZMap begins to read the output of `zmap -O json` in a goroutine of its own, which ends at the end of r, at the first
// line that ZMap did not write, or when ctx is done. Only SYN-ACKs to one of the sources, at a port from first to last, are
// taken: what a service sends next would otherwise go to the kernel and not to the scan.
func ReadZMap(ctx context.Context, r io.Reader, sources []netip.Addr, first, last uint16) *ZMap {
	z := &ZMap{sources: sources, first: first, last: last, out: make(chan packet.Segment, 1<<12)}
	go func() {
		defer close(z.out)
		z.err = z.read(ctx, r)
	}()
	return z
}

// Next returns the next SYN-ACK, without waiting: ok is false if there is none yet. The error is io.EOF after the last one;
// any other names the line, by its number from 1, that could not be read.
func (z *ZMap) Next() (s packet.Segment, ok bool, err error) {
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

func (z *ZMap) read(ctx context.Context, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxZMapLine)
	number := 1
	for ; lines.Scan(); number++ {
		s, ok, err := parseZMap(lines.Bytes())
		if err == nil {
			err = z.ours(&s)
		}
		if err != nil {
			return fmt.Errorf("zmap: line %d: %w", number, err)
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
		return fmt.Errorf("zmap: line %d: longer than %d bytes", number, maxZMapLine)
	} else if err != nil {
		return fmt.Errorf("zmap: line %d: %w", number, err)
	}
	return io.EOF
}

// ours checks that what the service sends next comes to the scan and not to the kernel.
func (z *ZMap) ours(s *packet.Segment) error {
	if s.Dst.Port() < z.first || s.Dst.Port() > z.last {
		return fmt.Errorf("dport %d is outside %d-%d: give zmap and laserdisc the same --source-port", s.Dst.Port(), z.first, z.last)
	}
	if !slices.Contains(z.sources, s.Dst.Addr()) {
		return fmt.Errorf("daddr %v is not one of %v: give zmap and laserdisc the same --source-ip", s.Dst.Addr(), z.sources)
	}
	return nil
}

// zmapLine is what a line of `zmap -O json` says. Fields that ZMap may have been told to leave out are pointers, or may be
// empty.
type zmapLine struct {
	Source  netip.Addr `json:"saddr"` // the host that answered
	Dest    netip.Addr `json:"daddr"`
	Port    uint16     `json:"sport"`
	OwnPort uint16     `json:"dport"`
	Seq     *number    `json:"seqnum"`
	Ack     *number    `json:"acknum"`
	Window  *uint16    `json:"window"`
	TTL     uint8      `json:"ttl"`
	Class   string     `json:"classification"`
}

// parseZMap returns the segment that ZMap saw. ok is false if that was no SYN-ACK.
func parseZMap(line []byte) (s packet.Segment, ok bool, err error) {
	var l zmapLine
	if err := json.Unmarshal(line, &l); err != nil {
		return s, false, fmt.Errorf("%w: want one JSON object a line, as of zmap -O json", err)
	}
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
