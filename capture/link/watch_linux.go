package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// askEvery is how often the gateway is asked for its MAC address: the kernel, which
// sends it nothing while we scan, would notice after a minute that it has another.
const askEvery = 5 * time.Second

// watch is what of this machine's network a scan was opened on, and goes on only with.
type watch struct {
	handle  *netlink.Handle
	index   int
	name    string
	mtu     int
	mac     [6]byte
	running bool         // whether it had a carrier
	local   []netip.Addr // sources that this machine had

	gateways []netip.Addr // that were asked for the MAC address; none if it was given
	gateway  [6]byte
	asked    time.Time
}

func newWatch(h *netlink.Handle, p path) (*watch, error) {
	a := p.device.Attrs()
	local, err := localAddresses(h, p.sources)
	return &watch{
		handle: h, index: a.Index, name: a.Name, mtu: a.MTU, mac: [6]byte(a.HardwareAddr), running: a.RawFlags&unix.IFF_RUNNING != 0,
		local: local, gateways: p.gateways, gateway: p.gateway, asked: time.Now(),
	}, err
}

// look returns what has changed so that the scan cannot go on, or nil.
func (w *watch) look() error {
	device, err := w.handle.LinkByIndex(w.index)
	if missing := new(netlink.LinkNotFoundError); errors.As(err, missing) || errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("link: interface %s is gone", w.name)
	}
	if err != nil {
		return explain("look at the interface", err)
	}
	a := device.Attrs()
	switch {
	case a.Flags&net.FlagUp == 0:
		return fmt.Errorf("link: interface %s has gone down", w.name)
	case w.running && a.RawFlags&unix.IFF_RUNNING == 0:
		return fmt.Errorf("link: interface %s has lost its carrier", w.name)
	case a.MTU < w.mtu:
		return fmt.Errorf("link: the MTU of interface %s is %d, and was %d when the scan began", w.name, a.MTU, w.mtu)
	case !slices.Equal(a.HardwareAddr, w.mac[:]):
		return fmt.Errorf("link: the MAC address of interface %s is %v, and was %v when the scan began", w.name, a.HardwareAddr, net.HardwareAddr(w.mac[:]))
	}
	local, err := localAddresses(w.handle, w.local)
	if err != nil {
		return err
	}
	for _, source := range w.local {
		if !slices.Contains(local, source) {
			return fmt.Errorf("link: %v is no longer an address of this machine", source)
		}
	}
	for _, gateway := range w.gateways {
		mac, known, err := knownNeighbour(w.handle, device, gateway)
		if err != nil {
			return err
		}
		if known && mac != w.gateway {
			return fmt.Errorf("link: the gateway %v has the MAC address %v, and had %v when the scan began",
				gateway, net.HardwareAddr(mac[:]), net.HardwareAddr(w.gateway[:]))
		}
	}
	return nil
}

// questions are the frames that ask the gateways for their MAC addresses, if it is time to. What is answered goes to the kernel,
// which puts it into its table of neighbours.
func (w *watch) questions() (frames [][]byte) {
	if time.Since(w.asked) < askEvery {
		return nil
	}
	w.asked = time.Now()
	for _, gateway := range w.gateways {
		source := ofFamily(w.local, gateway.Is4())
		switch {
		case gateway.Is4():
			frames = append(frames, whoHas(w.mac, source, gateway))
		case source.IsValid():
			frames = append(frames, solicitation(w.mac, source, gateway))
		}
	}
	return frames
}

// whoHas is an ARP request (RFC 826); without a source it claims no address, as a probe does (RFC 5227).
func whoHas(mac [6]byte, source, target netip.Addr) []byte {
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
	}
	b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac[:]...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1) // ARP: Ethernet, IPv4, lengths of addresses, request
	b = append(append(b, mac[:]...), source.AsSlice()...)
	return append(append(b, 0, 0, 0, 0, 0, 0), target.AsSlice()...)
}

// solicitation is a neighbour solicitation (RFC 4861, section 4.3).
func solicitation(mac [6]byte, source, target netip.Addr) []byte {
	t := target.As16()
	group := netip.AddrFrom16([16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: t[13], 14: t[14], 15: t[15]}) // solicited-node (RFC 4291, section 2.7.1)
	message := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, t[:]...)
	message = append(append(message, 1, 1), mac[:]...) // option: source link-layer address
	header := append([]byte{0x60, 0, 0, 0, 0, byte(len(message)), unix.IPPROTO_ICMPV6, 255}, source.AsSlice()...)
	header = append(header, group.AsSlice()...)

	// The checksum is over a pseudo-header, too: addresses, length, next header (RFC 8200, section 8.1).
	sum := uint32(len(message)) + unix.IPPROTO_ICMPV6
	for _, part := range [][]byte{header[8:], message} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(message[2:], ^uint16(sum))

	frame := append([]byte{0x33, 0x33, 0xff, t[13], t[14], t[15]}, mac[:]...) // RFC 2464, section 7
	return append(append(append(frame, 0x86, 0xdd), header...), message...)
}
