// Package link is the wire: frames out, frames in, and the clock that goes with them.
//
// A link is either a network interface seen through AF_PACKET ([Open] for the
// scanner, [Serve] for the lab that answers it) or memory with a virtual clock
// ([NewMemory]). What it carries are whole Ethernet frames without the frame
// check sequence.
//
// Received frames are as the kernel hands them over, which is not always as they
// were on the wire: segments merged by GRO or LRO arrive as one frame larger than
// the MTU, and the TCP checksum of a frame from a veth peer, or from this very
// machine, is not filled in. So nothing here verifies checksums, and a receiver
// must not either. [Info.Offloads] says which offloads were on.
package link

import (
	"errors"
	"net"
	"net/netip"
)

// ErrClosed is returned by the methods of a link after Close.
var ErrClosed = errors.New("link: closed")

// Source ports for [Config] that no Linux machine gives to its own connections
// unless told to: they lie above the default net.ipv4.ip_local_port_range.
const (
	DefaultFirstPort = 61000
	DefaultLastPort  = 65535
)

// Link is one end of a wire, with its clock. It is not safe for concurrent use.
type Link interface {
	// Now is the time in nanoseconds since the Unix epoch, as the wall clock had it
	// when the link was opened: setting that changes nothing. On a memory link it is
	// the virtual time, which moves in Receive, and in Send when the batch is full.
	Now() int64

	// Receive returns the next frame that arrived, waiting for it until the
	// given time; ok is false when none did. With until <= Now() it does not
	// wait. Frame.Data is valid until the next Receive or Close. Frames
	// still queued by Send are not flushed.
	Receive(until int64) (f Frame, ok bool, err error)

	// Send queues a copy of the frame, and flushes when the batch is full.
	Send(frame []byte) error

	// Flush hands all queued frames to the wire, in order, waiting for the
	// interface to have room. A frame that the kernel refuses is an error, which
	// every later Send and Flush returns too.
	Flush() error

	// Stats returns the counters since the link was opened; after Close, those
	// at Close. Of a link that a scan has opened it is an error if the network of
	// this machine is no longer as it was then: the interface, its MTU and MAC
	// address, the source addresses, the gateway's MAC address. Call it each second:
	// nothing else notices that.
	Stats() (Stats, error)

	// Info returns what is known about the link; it does not change.
	Info() Info

	// Close flushes, and gives back what the link holds in the kernel even when
	// that fails.
	Close() error
}

// Frame is one received Ethernet frame.
type Frame struct {
	Time int64  // when the kernel captured it, by the clock of Now; may be earlier than the frame before
	Data []byte // from the destination MAC on; may be larger than the MTU
}

// Stats counts frames since the link was opened.
type Stats struct {
	Sent           uint64 `json:"sent"`            // accepted by the interface
	Received       uint64 `json:"received"`        // returned by Receive
	KernelDrops    uint64 `json:"kernel_drops"`    // passed the filter, but Receive was not called often enough
	InterfaceDrops uint64 `json:"interface_drops"` // rx_dropped and rx_missed of the interface, whosever the frames were
	SendRetries    uint64 `json:"send_retries"`    // times the interface had no room, and the frame was sent again
	SendErrors     uint64 `json:"send_errors"`     // queued but never accepted by the interface
}

// Info says what a link is.
type Info struct {
	Kind       string     // "packet" or "memory"
	Interface  string     // its name; "" for memory
	MTU        int        // largest IP packet that can be sent, bytes
	SourceMAC  [6]byte    // of our interface
	GatewayMAC [6]byte    // where frames for the targets go; zero at a serving end, which answers the sender
	Source4    netip.Addr // first source address of each family; the zero Addr when there is none
	Source6    netip.Addr
	Offloads   []string // that are on: of gro, gso, lro, rx-checksum, tso, tx-checksum; sorted
}

// Config says what to open.
type Config struct {
	// Interface to use; "" takes that of the route to the first target.
	Interface string

	// Targets holds one address to be scanned of each address family. Their
	// routes decide interface, source address and gateway.
	Targets []netip.Addr

	// Sources are the addresses to send from; a family that has a target but no
	// source gets that of the route. An address that this machine does not have
	// is allowed: someone else must then direct the answers here.
	Sources []netip.Addr

	// FirstPort to LastPort are the source ports. While the link is open, no TCP
	// segment to them and to Sources reaches the kernel of this machine. So ports
	// are refused that a program has in use on such an address, or that the
	// kernel may give to its connections (net.ipv4.ip_local_port_range without
	// net.ipv4.ip_local_reserved_ports).
	FirstPort, LastPort uint16

	// GatewayMAC is where to send frames to; nil asks the kernel for that of the
	// gateway. Needed where targets are on the local network, with no gateway.
	GatewayMAC net.HardwareAddr
}
