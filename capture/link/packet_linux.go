package link

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// packetLink is a link through AF_PACKET.
type packetLink struct {
	info   Info
	ring   *ring
	sender *sender
	guard  *guard
	clock  clock
	watch  *watch // nil at a serving end
	broken error  // what it has found, or the first failure of a socket: the link is at its end

	netlink  *netlink.Handle
	index    int
	received uint64
	before   uint64 // frames the interface had dropped when the link was opened
	final    Stats  // once closed
	closed   bool
}

// Open opens an interface for scanning: frames sent go to the gateway, and what
// arrives is TCP to the source ports and ICMP errors, both to the sources.
//
// It needs Linux 4.20 or later, and root or the capabilities CAP_NET_RAW and
// CAP_NET_ADMIN. The errors say what is missing and what to do. What laserdisc
// left behind in this network namespace, when it was killed, is cleaned up first.
//
// Frames sent bypass the queueing discipline, and with it the taps: tcpdump on
// this machine shows only what is received.
func Open(cfg Config) (Link, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, explain("open netlink", err)
	}
	l, err := openPath(handle, cfg)
	if err != nil {
		handle.Close()
		return nil, err
	}
	return l, nil
}

func openPath(handle *netlink.Handle, cfg Config) (*packetLink, error) {
	p, err := findPath(handle, cfg)
	if err != nil {
		return nil, err
	}
	if err := checkPorts(handle, p.sources, cfg.FirstPort, cfg.LastPort); err != nil {
		return nil, err
	}
	s := scope{first: cfg.FirstPort, last: cfg.LastPort}
	for _, source := range p.sources {
		s.prefixes = append(s.prefixes, netip.PrefixFrom(source, source.BitLen()))
	}
	l, err := openPacket(handle, p.device, s)
	if err != nil {
		return nil, err
	}
	if l.watch, err = newWatch(handle, p); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.info.GatewayMAC = p.gateway
	l.info.Source4 = ofFamily(p.sources, true)
	l.info.Source6 = ofFamily(p.sources, false)
	return l, nil
}

// Serve opens an interface for answering in place of hosts in the prefixes: what
// arrives is every IPv4 and IPv6 packet to them, except IPv6 neighbour
// discovery. The kernel of this machine sees none of it, even if it has such an
// address or forwards. ARP and neighbour discovery remain the kernel's: the
// prefixes are to be routed to an address that it has, or to a fixed MAC address.
//
// It needs what [Open] needs.
func Serve(device string, prefixes []netip.Prefix) (Link, error) {
	if len(prefixes) == 0 {
		return nil, errors.New("link: no prefix to answer for")
	}
	for _, p := range prefixes {
		if !p.IsValid() || p.Addr().Is4In6() {
			return nil, fmt.Errorf("link: %v is not an IPv4 or IPv6 prefix", p)
		}
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, explain("open netlink", err)
	}
	found, err := openDevice(handle.LinkByName(device))
	if err == nil {
		var l *packetLink
		if l, err = openPacket(handle, found, scope{prefixes: prefixes}); err == nil {
			return l, nil
		}
	}
	handle.Close()
	return nil, err
}

// openPacket first keeps the scope from the kernel, then receives it.
func openPacket(handle *netlink.Handle, device netlink.Link, s scope) (_ *packetLink, err error) {
	a := device.Attrs()
	l := &packetLink{netlink: handle, index: a.Index, clock: newClock()}
	l.info = Info{Kind: "packet", Interface: a.Name, MTU: a.MTU, SourceMAC: [6]byte(a.HardwareAddr)}
	if l.info.Offloads, err = offloads(a.Name); err != nil {
		return nil, err
	}
	if l.before, err = l.interfaceDrops(); err != nil {
		return nil, err
	}
	if l.guard, err = newGuard(a.Name, s); err != nil {
		return nil, err
	}
	if l.ring, err = openRing(a.Index, s.filter()); err != nil {
		return nil, errors.Join(err, l.guard.close())
	}
	if l.sender, err = openSender(a.Index); err != nil {
		l.ring.close()
		return nil, errors.Join(err, l.guard.close())
	}
	return l, nil
}

func (l *packetLink) Now() int64 { return l.clock.now() }

func (l *packetLink) Receive(until int64) (Frame, bool, error) {
	if l.closed {
		return Frame{}, false, ErrClosed
	}
	for {
		if f, ok := l.ring.next(l.clock.look); ok {
			l.received++
			f.Time = l.clock.at(f.Time)
			return f, true, nil
		}
		left := until - l.Now()
		if left <= 0 {
			return Frame{}, false, nil
		}
		if err := l.ring.wait(time.Duration(left)); err != nil {
			return Frame{}, false, l.fail(err)
		}
	}
}

func (l *packetLink) Send(frame []byte) error {
	if l.closed {
		return ErrClosed
	}
	if err := checkLength(frame, l.info.MTU); err != nil {
		return err
	}
	return l.fail(l.sender.add(frame))
}

func (l *packetLink) Flush() error {
	if l.closed {
		return ErrClosed
	}
	return l.fail(l.sender.flush())
}

// fail makes of the first failure of a socket one that says what of the network has changed, if anything has, and returns that
// from then on.
func (l *packetLink) fail(err error) error {
	if err == nil || l.broken != nil {
		return l.broken
	}
	l.broken = err
	if l.watch != nil {
		if changed := l.watch.look(); changed != nil {
			l.broken = fmt.Errorf("%w (%w)", changed, err)
		}
	}
	return l.broken
}

// look finds out whether the network is still as it was, and asks the gateway.
func (l *packetLink) look() error {
	if l.watch == nil || l.broken != nil {
		return l.broken
	}
	if l.broken = l.watch.look(); l.broken == nil {
		for _, question := range l.watch.questions() {
			_, _ = unix.Write(l.sender.fd, question) // what is not sent is asked again
		}
	}
	return l.broken
}

func (l *packetLink) Stats() (Stats, error) {
	if l.closed {
		return l.final, nil
	}
	s, err := l.count()
	return s, cmp.Or(l.look(), err)
}

func (l *packetLink) count() (Stats, error) {
	s := Stats{
		Received:    l.received,
		Sent:        l.sender.sent,
		SendRetries: l.sender.retries,
		SendErrors:  l.sender.failed,
	}
	dropped, err := l.ring.dropped()
	s.KernelDrops = dropped
	if err != nil {
		return s, err
	}
	now, err := l.interfaceDrops()
	s.InterfaceDrops = now - l.before
	return s, err
}

func (l *packetLink) Info() Info { return l.info }

// Close keeps the guard up until the last frame is sent.
func (l *packetLink) Close() error {
	if l.closed {
		return nil
	}
	sending := l.sender.close()
	final, counting := l.count()
	l.final, l.closed = final, true
	l.ring.close()
	guarding := l.guard.close()
	l.netlink.Close()
	if l.broken != nil && guarding == nil { // which may have been returned before
		return l.broken
	}
	return errors.Join(l.broken, sending, counting, guarding)
}

func (l *packetLink) interfaceDrops() (uint64, error) {
	device, err := l.netlink.LinkByIndex(l.index)
	if err != nil {
		return 0, explain("read the interface's counters", err)
	}
	s := device.Attrs().Statistics
	if s == nil {
		return 0, nil
	}
	return s.RxDropped + s.RxMissedErrors, nil
}

// explain says what failed, and what to do if it is for lack of privileges.
func explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("link: %s: %w (be root, or have CAP_NET_RAW and CAP_NET_ADMIN)", what, err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.ENOPROTOOPT):
		return fmt.Errorf("link: %s: %w (this kernel does not have it)", what, err)
	}
	return fmt.Errorf("link: %s: %w", what, err)
}
