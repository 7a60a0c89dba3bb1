package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A gateway may take so long to say its MAC address, and is looked for so often.
const (
	neighbourPatience = 2 * time.Second
	neighbourPause    = 20 * time.Millisecond
)

// path is how packets leave this machine for the targets.
type path struct {
	device  netlink.Link
	sources []netip.Addr
	gateway [6]byte

	gateways []netip.Addr // which were asked for that; none if it was given
}

// hop is the way to one target.
type hop struct {
	target  netip.Addr
	device  int
	source  netip.Addr // zero if the kernel names none
	gateway netip.Addr // zero if on the local network
}

// findPath asks the kernel for what the configuration leaves open.
func findPath(h *netlink.Handle, cfg Config) (p path, err error) {
	if cfg.Interface != "" {
		if p.device, err = openDevice(h.LinkByName(cfg.Interface)); err != nil {
			return path{}, err
		}
	}
	hops, err := findHops(h, cfg)
	if err != nil {
		return path{}, err
	}
	if p.device == nil {
		if p.device, err = commonDevice(h, hops); err != nil {
			return path{}, err
		}
	}
	if p.sources, err = findSources(h, cfg, hops, p.device); err != nil {
		return path{}, err
	}
	if p.gateway, err = findGateway(h, cfg, hops, p.device); err == nil && cfg.GatewayMAC == nil {
		for _, one := range hops {
			p.gateways = append(p.gateways, one.gateway)
		}
	}
	return p, err
}

// findHops looks the targets' routes up. With a gateway's MAC address given, a
// target may lack a route.
func findHops(h *netlink.Handle, cfg Config) ([]hop, error) {
	if len(cfg.Targets) == 0 {
		return nil, errors.New("link: no target to look a route up for")
	}
	var hops []hop
	for _, target := range cfg.Targets {
		one, err := findHop(h, target.Unmap(), cfg.Interface)
		if err != nil {
			if cfg.GatewayMAC == nil || cfg.Interface == "" || !noRoute(err) {
				return nil, err
			}
			one = hop{target: target.Unmap()}
		}
		hops = append(hops, one)
	}
	return hops, nil
}

func noRoute(err error) bool {
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH)
}

func findHop(h *netlink.Handle, target netip.Addr, device string) (hop, error) {
	options := &netlink.RouteGetOptions{Oif: device}
	routes, err := h.RouteGetWithOptions(target.AsSlice(), options)
	if err != nil {
		if noRoute(err) {
			return hop{}, fmt.Errorf("link: no route to %v%s: add one (ip route add), or give the interface and the gateway's MAC address (--interface, --gateway-mac): %w", target, by(device), err)
		}
		return hop{}, explain(fmt.Sprintf("look up the route to %v%s", target, by(device)), err)
	}
	route := routes[0]
	if route.Type != unix.RTN_UNICAST {
		return hop{}, fmt.Errorf("link: %v is an address of this machine, or not a host's: it cannot be scanned from here", target)
	}
	one := hop{target: target, device: route.LinkIndex, source: address(route.Src), gateway: address(route.Gw)}
	if via, ok := route.Via.(*netlink.Via); ok {
		one.gateway = address(via.Addr)
	}
	return one, nil
}

func by(device string) string {
	if device == "" {
		return ""
	}
	return " by " + device
}

// address converts, and takes none or an unspecified one as the zero Addr.
func address(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	if a = a.Unmap(); a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// commonDevice is the interface that all routes leave by.
func commonDevice(h *netlink.Handle, hops []hop) (netlink.Link, error) {
	for _, one := range hops {
		if one.device != hops[0].device {
			return nil, fmt.Errorf("link: %v and %v are reached by different interfaces: scan them apart, or choose one (--interface)", hops[0].target, one.target)
		}
	}
	return openDevice(h.LinkByIndex(hops[0].device))
}

// openDevice checks what a look-up found.
func openDevice(device netlink.Link, err error) (netlink.Link, error) {
	if err != nil {
		return nil, explain("find the interface", err)
	}
	a := device.Attrs()
	if a.EncapType != "ether" {
		return nil, fmt.Errorf("link: interface %s is not Ethernet but %s, which has no frames to build", a.Name, a.EncapType)
	}
	if a.Flags&net.FlagUp == 0 {
		return nil, fmt.Errorf("link: interface %s is down: ip link set %s up", a.Name, a.Name)
	}
	return device, nil
}

// findSources gives at least one source for the family of each target.
func findSources(h *netlink.Handle, cfg Config, hops []hop, device netlink.Link) ([]netip.Addr, error) {
	var sources []netip.Addr
	for _, s := range cfg.Sources {
		sources = append(sources, s.Unmap())
	}
	for _, one := range hops {
		if ofFamily(sources, one.target.Is4()).IsValid() {
			continue
		}
		source := one.source
		if !source.IsValid() {
			var err error
			if source, err = deviceAddress(h, device, one.target.Is4()); err != nil {
				return nil, err
			}
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// ofFamily returns the first address of the family, or the zero Addr.
func ofFamily(addresses []netip.Addr, is4 bool) netip.Addr {
	if i := slices.IndexFunc(addresses, func(a netip.Addr) bool { return a.Is4() == is4 }); i >= 0 {
		return addresses[i]
	}
	return netip.Addr{}
}

func deviceAddress(h *netlink.Handle, device netlink.Link, is4 bool) (netip.Addr, error) {
	family, name := netlink.FAMILY_V4, "IPv4"
	if !is4 {
		family, name = netlink.FAMILY_V6, "IPv6"
	}
	list, err := h.AddrList(device, family)
	if err != nil {
		return netip.Addr{}, explain("list the interface's addresses", err)
	}
	for _, a := range list {
		if a.Scope == unix.RT_SCOPE_UNIVERSE {
			return address(a.IP), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("link: interface %s has no %s address to send from: add one, or give one (--source)", device.Attrs().Name, name)
}

// findGateway gives the one MAC address that all targets are reached through.
func findGateway(h *netlink.Handle, cfg Config, hops []hop, device netlink.Link) ([6]byte, error) {
	if cfg.GatewayMAC != nil {
		if len(cfg.GatewayMAC) != 6 {
			return [6]byte{}, fmt.Errorf("link: gateway MAC address %v has %d bytes, not 6", cfg.GatewayMAC, len(cfg.GatewayMAC))
		}
		return [6]byte(cfg.GatewayMAC), nil
	}
	var macs [][6]byte
	name := device.Attrs().Name
	for _, one := range hops {
		if !one.gateway.IsValid() {
			return [6]byte{}, fmt.Errorf("link: no gateway on %s leads to %v, it is on the local network or has no route: add a route through a gateway (ip route add), or give the MAC address that all targets are reached by (--gateway-mac)", name, one.target)
		}
		mac, err := resolve(h, device, one)
		if err != nil {
			return [6]byte{}, err
		}
		if len(macs) > 0 && mac != macs[0] {
			return [6]byte{}, fmt.Errorf("link: %v and %v are reached through different routers on %s: scan them apart, or choose one (--gateway-mac)", hops[0].target, one.target, name)
		}
		macs = append(macs, mac)
	}
	return macs[0], nil
}

// resolve gives the neighbour's MAC address. If the kernel does not know it, it is
// made to ask. Such questions, and those of a watch, are ARP and neighbour
// discovery, the only packets that go into no record.
func resolve(h *netlink.Handle, device netlink.Link, to hop) ([6]byte, error) {
	neighbour := to.gateway
	for deadline := time.Now().Add(neighbourPatience); ; time.Sleep(neighbourPause) {
		mac, known, err := knownNeighbour(h, device, neighbour)
		if err != nil || known {
			return mac, err
		}
		if time.Now().After(deadline) {
			return mac, fmt.Errorf("link: gateway %v does not say its MAC address on %s: is it up? Otherwise give it (--gateway-mac)", neighbour, device.Attrs().Name)
		}
		provoke(h, device, to)
	}
}

func knownNeighbour(h *netlink.Handle, device netlink.Link, neighbour netip.Addr) (mac [6]byte, known bool, err error) {
	family := netlink.FAMILY_V4
	if neighbour.Is6() {
		family = netlink.FAMILY_V6
	}
	list, err := h.NeighList(device.Attrs().Index, family)
	if err != nil {
		return mac, false, explain("list the neighbours", err)
	}
	const valid = netlink.NUD_PERMANENT | netlink.NUD_NOARP | netlink.NUD_REACHABLE |
		netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE
	for _, n := range list {
		if address(n.IP) == neighbour && n.State&valid != 0 && len(n.HardwareAddr) == 6 {
			return [6]byte(n.HardwareAddr), true, nil
		}
	}
	return mac, false, nil
}

// provoke ignores errors: whether it worked shows in the table of neighbours. The
// kernel solicits from a link-local address only, which an interface that has just
// come up is still to get; so we do, too.
func provoke(h *netlink.Handle, device netlink.Link, to hop) {
	a := device.Attrs()
	family := netlink.FAMILY_V4
	if to.gateway.Is6() {
		family = netlink.FAMILY_V6
	}
	_ = h.NeighSet(&netlink.Neigh{LinkIndex: a.Index, Family: family, IP: to.gateway.AsSlice(), Flags: netlink.NTF_USE})
	if !to.gateway.Is6() || !to.source.Is6() {
		return
	}
	if s, err := openSender(a.Index); err == nil {
		_ = s.add(solicitation([6]byte(a.HardwareAddr), to.source, to.gateway))
		_ = s.close()
	}
}

// checkPorts refuses source ports that connections of this machine use or may be
// given, as the guard would cut them off. Addresses that this machine does not
// have are no concern.
func checkPorts(h *netlink.Handle, sources []netip.Addr, first, last uint16) error {
	if first == 0 || first > last {
		return fmt.Errorf("link: source ports %d to %d are not a range from 1 to 65535", first, last)
	}
	local, err := localAddresses(h, sources)
	if err != nil || len(local) == 0 {
		return err
	}
	if err := checkEphemeral(first, last); err != nil {
		return err
	}
	for _, table := range []string{"tcp", "tcp6"} {
		if err := checkSockets(table, local, first, last); err != nil {
			return err
		}
	}
	return nil
}

// localAddresses returns those that this machine has.
func localAddresses(h *netlink.Handle, sources []netip.Addr) ([]netip.Addr, error) {
	list, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, explain("list this machine's addresses", err)
	}
	var local []netip.Addr
	for _, a := range list {
		if ip := address(a.IP); slices.Contains(sources, ip) {
			local = append(local, ip)
		}
	}
	return local, nil
}

// checkEphemeral looks whether the kernel may give one of the ports to a
// connection: those of its range, except the reserved ones.
func checkEphemeral(first, last uint16) error {
	ephemeral, err := readSysctl("net.ipv4.ip_local_port_range")
	if err != nil {
		return err
	}
	reserved, err := readSysctl("net.ipv4.ip_local_reserved_ports")
	if err != nil {
		return err
	}
	given, err := parsePorts(strings.Join(strings.Fields(ephemeral), "-"))
	if err != nil {
		return fmt.Errorf("link: net.ipv4.ip_local_port_range: %w", err)
	}
	kept, err := parsePorts(reserved)
	if err != nil {
		return fmt.Errorf("link: net.ipv4.ip_local_reserved_ports: %w", err)
	}
	for port := int(first); port <= int(last); port++ {
		if given[port] && !kept[port] {
			return fmt.Errorf("link: source port %d is one that this machine gives to its own connections (net.ipv4.ip_local_port_range is %s), which the scan would cut off: choose others, or reserve them first (sysctl -w net.ipv4.ip_local_reserved_ports=%d-%d)",
				port, strings.Join(strings.Fields(ephemeral), " to "), first, last)
		}
	}
	return nil
}

func readSysctl(name string) (string, error) {
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return "", explain("read the system's source ports", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// parsePorts reads a list like 8080,61000-61999.
func parsePorts(list string) (*[1 << 16]bool, error) {
	var ports [1 << 16]bool
	if list == "" {
		return &ports, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, err := strconv.ParseUint(from, 10, 16)
		if err != nil {
			return nil, err
		}
		b, err := strconv.ParseUint(to, 10, 16)
		if err != nil {
			return nil, err
		}
		for ; a <= b; a++ {
			ports[a] = true
		}
	}
	return &ports, nil
}

// checkSockets looks for a TCP socket on one of the ports, in a table of
// /proc/net. One that only waits for its time to run out is not harmed.
func checkSockets(table string, local []netip.Addr, first, last uint16) error {
	text, err := os.ReadFile("/proc/thread-self/net/" + table)
	if errors.Is(err, os.ErrNotExist) {
		return nil // no IPv6 here
	}
	if err != nil {
		return explain("list this machine's TCP sockets", err)
	}
	for line := range strings.Lines(string(text)) {
		socket, ok := parseSocket(line)
		if !ok || socket.Port() < first || socket.Port() > last {
			continue
		}
		if ip := socket.Addr(); ip.IsUnspecified() || slices.Contains(local, ip) {
			return fmt.Errorf("link: source port %d of %v is in use by a program on this machine (ss -tanp), which the scan would cut off: choose other ports", socket.Port(), ip)
		}
	}
	return nil
}

// parseSocket reads the local end of a line of /proc/net/tcp or tcp6; false for
// the heading and for sockets in TIME_WAIT.
func parseSocket(line string) (netip.AddrPort, bool) {
	const timeWait = "06"
	fields := strings.Fields(line)
	if len(fields) < 4 || fields[3] == timeWait {
		return netip.AddrPort{}, false
	}
	host, port, ok := strings.Cut(fields[1], ":")
	if !ok || len(host)%8 != 0 {
		return netip.AddrPort{}, false
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	var bytes []byte
	for ; host != ""; host = host[8:] { // words in the machine's byte order
		word, err := strconv.ParseUint(host[:8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		bytes = binary.NativeEndian.AppendUint32(bytes, uint32(word))
	}
	ip, ok := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), ok
}
