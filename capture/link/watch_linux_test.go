package link

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// What changes of the network that a scan was opened on is told within seconds, by Stats and by all that sends or receives.
func TestNetworkChanges(t *testing.T) {
	device := func(name string, change func(netlink.Link) error) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return change(l)
	}
	moved := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	lose := func(a netip.Addr) func() error {
		return func() error {
			return device(scannerDevice, func(l netlink.Link) error {
				return netlink.AddrDel(l, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen()-3, a.BitLen())}})
			})
		}
	}
	for _, c := range []struct {
		name    string
		target  netip.Addr
		gateway bool // whether the far end changes
		change  func() error
		word    string
	}{
		{"an IPv4 address removed", host4, false, lose(scanner4), "198.19.0.1 is no longer an address of this machine"},
		{"an IPv6 address removed", host6, false, lose(scanner6), "2001:2:0:ffff::1 is no longer an address of this machine"},
		{"down", host4, false, func() error { return device(scannerDevice, netlink.LinkSetDown) }, "has gone down"},
		{"no carrier", host4, true, func() error { return device(labDevice, netlink.LinkSetDown) }, "has lost its carrier"},
		{"removed", host4, false, func() error { return device(scannerDevice, netlink.LinkDel) }, "is gone"},
		{"a smaller MTU", host4, false, func() error {
			return device(scannerDevice, func(l netlink.Link) error { return netlink.LinkSetMTU(l, 1280) })
		}, "the MTU of interface lk-scanner is 1280, and was 1500"},
		{"another MAC address", host4, false, func() error {
			return device(scannerDevice, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, moved) })
		}, "the MAC address of interface lk-scanner is 02:00:00:00:00:09"},
		{"another gateway, IPv4", host4, true, func() error {
			return device(labDevice, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, moved) })
		}, "the gateway 198.19.0.2 has the MAC address 02:00:00:00:00:09"},
		{"another gateway, IPv6", host6, true, func() error {
			return device(labDevice, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, moved) })
		}, "the gateway 2001:2:0:ffff::2 has the MAC address 02:00:00:00:00:09"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			scanner := w.openWith(Config{Targets: []netip.Addr{c.target}, FirstPort: DefaultFirstPort, LastPort: DefaultLastPort})
			for range 10 {
				if _, err := scanner.Stats(); err != nil {
					t.Fatalf("nothing has changed: %v", err)
				}
			}
			namespace := w.scanner
			if c.gateway {
				namespace = w.lab
			}
			w.in(namespace, c.change)
			var err error
			begun := time.Now()
			for err == nil && time.Since(begun) < 2*askEvery {
				if _, _, err = scanner.Receive(scanner.Now() + 100e6); err == nil {
					_, err = scanner.Stats()
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.word) {
				t.Fatalf("after %v: %v", time.Since(begun), err)
			}
			t.Logf("after %v: %v", time.Since(begun).Round(time.Millisecond), err)
			if _, again := scanner.Stats(); again != err {
				t.Errorf("then %v", again)
			}
			if again := scanner.Flush(); again != err {
				t.Errorf("then %v", again)
			}
			if again := scanner.Close(); again != err {
				t.Errorf("closing it: %v", again)
			}
		})
	}
}
