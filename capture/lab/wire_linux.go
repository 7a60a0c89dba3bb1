package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"laserdisc/capture/link"
)

// Names and addresses of the two ends of the lab's wire (RFC 5737, RFC 3849: documentation).
const (
	Near = "laserdisc0" // the scanner's end
	Far  = "laserdisc1" // the lab's

	near4, far4 = "192.0.2.1/30", "192.0.2.2/30"
	near6, far6 = "2001:db8::1/64", "2001:db8::2/64"
)

// Isolation makes a child process start in a network namespace of its own, where the only
// interface is a loopback that is down. Who is not root becomes so in a user namespace.
func Isolation() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// ErrNotIsolated says that a lab's wire is laid only where no packet can go anywhere else.
var ErrNotIsolated = errors.New("lab: this network namespace has interfaces besides the loopback; the lab's wire needs one of its own")

// Wire lays a veth pair from this process's network namespace to a new one, routes the prefixes
// over it, and returns the far end, for the lab to answer on. The process must be alone in its
// namespace, as a child started with Isolation is: the wire is then the only way out of it.
func Wire(prefixes []netip.Prefix) (link.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	for _, l := range links {
		if l.Attrs().Flags&net.FlagLoopback == 0 {
			return nil, ErrNotIsolated
		}
	}
	type result struct {
		far link.Link
		err error
	}
	// The far end's sockets stay in the namespace that they are opened in, so that only the
	// opening needs a thread there. The thread is not given back.
	namespace, opened := make(chan int), make(chan result)
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			namespace <- -1
			opened <- result{err: fmt.Errorf("lab: new network namespace: %w", err)}
			return
		}
		namespace <- unix.Gettid()
		if err := <-ready; err != nil {
			opened <- result{err: err}
			return
		}
		far, err := farEnd(prefixes)
		opened <- result{far, err}
	}()
	if thread := <-namespace; thread >= 0 {
		ready <- layWire(thread)
	}
	r := <-opened
	if r.err != nil {
		return nil, r.err
	}
	if err := nearEnd(prefixes); err != nil {
		return nil, errors.Join(err, r.far.Close())
	}
	return r.far, nil
}

func layWire(thread int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = Near
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: Far, PeerNamespace: netlink.NsPid(thread)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("lab: veth pair: %w", err)
	}
	return nil
}

func nearEnd(prefixes []netip.Prefix) error {
	if err := raise(Near, near4, near6); err != nil {
		return err
	}
	for _, p := range prefixes {
		gateway := netip.MustParsePrefix(far4).Addr()
		if p.Addr().Is6() {
			gateway = netip.MustParsePrefix(far6).Addr()
		}
		route := &netlink.Route{
			Dst: &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
			Gw:  gateway.AsSlice(),
		}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("lab: route to %v: %w", p, err)
		}
	}
	return nil
}

func farEnd(prefixes []netip.Prefix) (link.Link, error) {
	if err := raise(Far, far4, far6); err != nil {
		return nil, err
	}
	return link.Serve(Far, prefixes)
}

// raise gives an interface its addresses and brings it and the loopback up.
func raise(name string, addresses ...string) error {
	for _, device := range []string{"lo", name} {
		l, err := netlink.LinkByName(device)
		if err != nil {
			return fmt.Errorf("lab: %s: %w", device, err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return fmt.Errorf("lab: %s: %w", device, err)
		}
		if device == "lo" {
			continue
		}
		for _, text := range addresses {
			address, err := netlink.ParseAddr(text)
			if err != nil {
				return fmt.Errorf("lab: %s: %w", text, err)
			}
			address.Flags = unix.IFA_F_NODAD // usable at once
			if err := netlink.AddrAdd(l, address); err != nil {
				return fmt.Errorf("lab: %s on %s: %w", text, name, err)
			}
		}
	}
	return nil
}
