// Package dissect finds the TCP segment in a frame of anybody's capture: behind the headers of any link, in tunnels, in
// fragments of IP packets, and in what a snapshot length has left of a frame.
//
// packet.Segment's own decoder reads what scanners send and get. What that does not read comes here. gopacket's layers are
// not used: they read no frame that is cut, panic on short ones, and lack many of these headers; docs/captures.md lists
// what is read. Each header here is a few lines, with the document that says them.
package dissect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"laserdisc/capture/packet"
)

// Dissector takes the frames of one capture, in their order. It holds the fragments of packets of which it has not seen
// all, 4 MiB of them at most.
type Dissector struct {
	segment   *packet.Segment // that is being filled
	linkType  uint32          // of its frame
	depth     int             // of headers of Ethernet, PPP and IP
	whole     bool            // whether a header around the one that is read says that all of it is there
	packet    []byte          // from the innermost IP header on
	fragments fragments
	skipped   map[reason]*Skipped
}

// Skipped counts frames that could not be read, for one cause.
type Skipped struct {
	LinkType uint32 `json:"link_type"` // LINKTYPE_ number
	Cause    string `json:"cause"`
	Frames   uint64 `json:"frames"`
	First    uint64 `json:"first_frame"` // number of the first of them
}

// String is one line of a summary, but for the number of frames.
func (s Skipped) String() string {
	link := strconv.FormatUint(uint64(s.LinkType), 10)
	if name := LinkName(s.LinkType); name != "" {
		link += " (" + name + ")"
	}
	return fmt.Sprintf("of link type %s: %s, first frame %d", link, s.Cause, s.First)
}

type reason struct {
	link  uint32
	cause string
}

// What is behind a header that is read, and is not read itself.
var (
	errLink        = errors.New("the link type is not read")
	errDepth       = errors.New("too many headers in each other")
	errParts       = errors.New("IP fragments without the rest")
	errOverlap     = errors.New("IP fragments that overlap")
	errESP         = errors.New("encrypted by IPsec")
	errWLAN        = errors.New("encrypted 802.11 frame")
	errWLANPart    = errors.New("fragment of an 802.11 frame")
	errWLANMany    = errors.New("802.11 frame of several packets")
	errWLANDamaged = errors.New("802.11 frame with a wrong checksum")
	errPPP         = errors.New("PPP that is compressed or encrypted")
	errPPPPart     = errors.New("fragment of a PPP frame")
	errL2TP3       = errors.New("L2TPv3, whose header has no length")
)

// mostCauses bounds what a capture of very many link types can have counted one by one.
const mostCauses = 256

// New returns a Dissector for a capture.
func New() *Dissector {
	return &Dissector{skipped: make(map[reason]*Skipped)}
}

// Decode fills s, of which Time and Number are the frame's, with the innermost segment of TCP that the frame carries or
// completes, or with the innermost ICMP error about one: addresses and TTL are those of the IP header right before it.
//
// Errors: packet.ErrOther for other traffic, packet.ErrFragment for a fragment of a packet that may be completed yet. Any other
// is one that End counts.
func (d *Dissector) Decode(link uint32, frame []byte, s *packet.Segment) error {
	d.packet = frame[max(0, packet.NetworkOffset(link, frame)):]
	err := s.DecodeCut(link, frame)
	if err != nil {
		d.segment, d.linkType, d.depth, d.whole = s, link, 0, false
		err = d.link(link, frame)
		d.segment = nil
	}
	switch {
	case err == nil && isPadding(s):
		s.Payload = nil
	case err != nil && err != packet.ErrOther && err != packet.ErrFragment:
		d.skip(link, err, s.Number, 1)
	}
	return err
}

// Packet returns what the segment was in that Decode has found last: from the innermost IP header on, with what may follow the
// packet. It is valid as long as the frame, or until the next call of Decode.
func (d *Dissector) Packet() []byte { return d.packet }

// isPadding reports whether a payload is Ethernet's padding, which some middleboxes count in the IP header's length: two to six
// zeros of a bare acknowledgement without options, which a frame of least length has behind 40 bytes of headers. (One zero is
// a keep-alive's.)
func isPadding(s *packet.Segment) bool {
	n := len(s.Payload)
	return n >= 2 && n <= 6 && s.Flags == packet.ACK && s.Cut == 0 && len(s.Options) == 0 && bytes.Count(s.Payload, []byte{0}) == n
}

// End ends the capture, and returns what could not be read, by link type and then cause.
func (d *Dissector) End() []Skipped {
	for _, g := range d.fragments.order {
		d.fragments.close(g, d.lost)
	}
	var all []Skipped
	for _, s := range d.skipped {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.LinkType, b.LinkType), cmp.Compare(a.Cause, b.Cause))
	})
	return all
}

// skip counts so many frames that have not been read.
func (d *Dissector) skip(link uint32, err error, first, frames uint64) {
	r := reason{link, strings.TrimPrefix(err.Error(), "packet: ")}
	s := d.skipped[r]
	if s == nil && len(d.skipped) >= mostCauses {
		r = reason{link: 0, cause: "more link types and causes"}
		s = d.skipped[r]
	}
	if s == nil {
		s = &Skipped{LinkType: r.link, Cause: r.cause, First: first}
		d.skipped[r] = s
	}
	s.First = min(s.First, first)
	s.Frames += frames
}
