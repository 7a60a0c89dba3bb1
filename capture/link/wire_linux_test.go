package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// TestMain gives the tests a network of their own. Nothing is ever sent from the
// namespace they are started in; without root they run in a user namespace, and
// where that is refused they fail.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(crashVariable) != "":
		crash()
	case os.Geteuid() == 0:
		os.Exit(m.Run())
	default:
		os.Exit(runAsRoot())
	}
}

func runAsRoot() int {
	test := exec.Command("/proc/self/exe", os.Args[1:]...)
	test.Stdin, test.Stdout, test.Stderr = os.Stdin, os.Stdout, os.Stderr
	test.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err := test.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the tests of the wire need root or user namespaces:", err)
		return 1
	}
	return 0
}

// The scanner reaches the lab's prefixes through the lab's own address.
var (
	lab4 = netip.MustParsePrefix("198.18.0.0/16")
	lab6 = netip.MustParsePrefix("2001:2:0:1::/64")

	host4 = netip.MustParseAddr("198.18.3.4")
	host6 = netip.MustParseAddr("2001:2:0:1::34")

	scanner4 = netip.MustParseAddr("198.19.0.1")
	gateway4 = netip.MustParseAddr("198.19.0.2")
	scanner6 = netip.MustParseAddr("2001:2:0:ffff::1")
	gateway6 = netip.MustParseAddr("2001:2:0:ffff::2")
)

const (
	scannerDevice = "lk-scanner"
	labDevice     = "lk-lab"
	testPort      = 61234
)

// wire is a veth pair between two network namespaces, which hold nothing else.
type wire struct {
	t            testing.TB
	scanner, lab netns.NsHandle
}

func newWire(t testing.TB) *wire {
	t.Helper()
	w := &wire{t: t}
	w.scanner = w.namespace()
	w.lab = w.namespace()
	w.in(w.scanner, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: scannerDevice},
			PeerName:      labDevice,
			PeerNamespace: netlink.NsFd(w.lab),
		})
	})
	w.in(w.lab, func() error { return bringUp(labDevice, gateway4, gateway6) })
	w.in(w.scanner, func() error {
		if err := bringUp(scannerDevice, scanner4, scanner6); err != nil {
			return err
		}
		return errors.Join(addRoute(lab4, gateway4), addRoute(lab6, gateway6))
	})
	return w
}

func (w *wire) namespace() (ns netns.NsHandle) {
	w.t.Helper()
	w.in(netns.None(), func() (err error) {
		ns, err = netns.New()
		return err
	})
	w.t.Cleanup(func() { ns.Close() })
	return ns
}

// in runs the function on a thread in the namespace, and ends the thread.
func (w *wire) in(ns netns.NsHandle, f func() error) {
	w.t.Helper()
	if err := inNamespace(ns, f); err != nil {
		w.t.Fatal(err)
	}
}

func inNamespace(ns netns.NsHandle, f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		if ns.IsOpen() {
			if err := netns.Set(ns); err != nil {
				result <- err
				return
			}
		}
		result <- f()
	}()
	return <-result
}

func bringUp(device string, addresses ...netip.Addr) error {
	l, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		ipnet := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen()-3, a.BitLen())}
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipnet, Flags: unix.IFA_F_NODAD}); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(l)
}

func addRoute(to netip.Prefix, by netip.Addr) error {
	return netlink.RouteAdd(&netlink.Route{
		Dst: &net.IPNet{IP: to.Addr().AsSlice(), Mask: net.CIDRMask(to.Bits(), to.Addr().BitLen())},
		Gw:  by.AsSlice(),
	})
}

func (w *wire) open() Link {
	w.t.Helper()
	return w.openWith(Config{
		Targets:   []netip.Addr{host4, host6},
		FirstPort: DefaultFirstPort,
		LastPort:  DefaultLastPort,
	})
}

func (w *wire) openWith(cfg Config) Link {
	w.t.Helper()
	return w.link(w.scanner, func() (Link, error) { return Open(cfg) })
}

func (w *wire) serve() Link {
	w.t.Helper()
	return w.link(w.lab, func() (Link, error) { return Serve(labDevice, []netip.Prefix{lab4, lab6}) })
}

func (w *wire) link(ns netns.NsHandle, open func() (Link, error)) (l Link) {
	w.t.Helper()
	w.in(ns, func() (err error) {
		l, err = open()
		return err
	})
	w.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return l
}
