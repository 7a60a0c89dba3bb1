package link

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// passes runs the filter as the kernel would.
func passes(t interface{ Fatal(...any) }, s scope, frame []byte) bool {
	vm, err := bpf.NewVM(s.filter())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	if kept != 0 && kept < len(frame) {
		t.Fatal("truncated to", kept, "bytes")
	}
	return kept != 0
}

var (
	ours4   = netip.MustParseAddr("198.18.0.1")
	second4 = netip.MustParseAddr("198.18.200.7")
	ours6   = netip.MustParseAddr("2001:2::1")
	other4  = netip.MustParseAddr("198.18.0.2")
	other6  = netip.MustParseAddr("2001:2::2")
	mac     = [6]byte{2, 0, 0, 0, 0, 1}
)

func tcpTo(to netip.Addr, port uint16) []byte {
	from := other4
	if to.Is6() {
		from = other6
	}
	return segment{
		source:      netip.AddrPortFrom(from, 80),
		destination: netip.AddrPortFrom(to, port),
		flags:       "SA",
	}.frame(mac, mac)
}

func icmp4(to netip.Addr, kind uint8) []byte {
	return serialize(mac, mac, network(other4, to, layers.IPProtocolICMPv4),
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, 1)}, gopacket.Payload("quoted"))
}

func icmp6(to netip.Addr, kind uint8) []byte {
	ip := network(other6, to, layers.IPProtocolICMPv6).(*layers.IPv6)
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(kind, 1)}
	icmp.SetNetworkLayerForChecksum(ip)
	return serialize(mac, mac, ip, icmp, gopacket.Payload("quoted"))
}

func udpTo(to netip.Addr, port uint16) []byte {
	ip := network(other4, to, layers.IPProtocolUDP).(*layers.IPv4)
	udp := &layers.UDP{SrcPort: 53, DstPort: layers.UDPPort(port)}
	udp.SetNetworkLayerForChecksum(ip)
	return serialize(mac, mac, ip, udp)
}

// withOptions has IP options before the TCP header.
func withOptions(to netip.Addr, port uint16) []byte {
	ip := network(other4, to, layers.IPProtocolTCP).(*layers.IPv4)
	ip.Options = []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 0}}
	tcp := &layers.TCP{SrcPort: 80, DstPort: layers.TCPPort(port), SYN: true}
	tcp.SetNetworkLayerForChecksum(ip)
	return serialize(mac, mac, ip, tcp)
}

// fragment marks a packet as one that is not the last, at the given offset.
func fragment(frame []byte, offset uint16) []byte {
	const more = 0x2000
	binary.BigEndian.PutUint16(frame[offset4Fragment:], more|offset)
	return frame
}

func arp() []byte {
	return append(make([]byte, offsetType), 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1)
}

func TestScannerFilter(t *testing.T) {
	s := scope{first: 61000, last: 61999}
	for _, a := range []netip.Addr{ours4, second4, ours6} {
		s.prefixes = append(s.prefixes, netip.PrefixFrom(a, a.BitLen()))
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"IPv4", tcpTo(ours4, 61500), true},
		{"second source", tcpTo(second4, 61500), true},
		{"first port", tcpTo(ours4, 61000), true},
		{"last port", tcpTo(ours4, 61999), true},
		{"port below", tcpTo(ours4, 60999), false},
		{"port above", tcpTo(ours4, 62000), false},
		{"port 0", tcpTo(ours4, 0), false},
		{"port 65535", tcpTo(ours4, 65535), false},
		{"other destination", tcpTo(other4, 61500), false},
		{"IP options", withOptions(ours4, 61500), true},
		{"IP options, other port", withOptions(ours4, 80), false},
		{"first fragment", fragment(tcpTo(ours4, 61500), 0), true},
		{"later fragment", fragment(tcpTo(ours4, 61500), 185), false},
		{"UDP", udpTo(ours4, 61500), false},
		{"unreachable", icmp4(ours4, 3), true},
		{"time exceeded", icmp4(ours4, 11), true},
		{"parameter problem", icmp4(ours4, 12), true},
		{"echo reply", icmp4(ours4, 0), false},
		{"echo request", icmp4(ours4, 8), false},
		{"unreachable of another", icmp4(other4, 3), false},
		{"IPv6", tcpTo(ours6, 61500), true},
		{"IPv6, first port", tcpTo(ours6, 61000), true},
		{"IPv6, last port", tcpTo(ours6, 61999), true},
		{"IPv6, port below", tcpTo(ours6, 60999), false},
		{"IPv6, port above", tcpTo(ours6, 62000), false},
		{"IPv6, other destination", tcpTo(other6, 61500), false},
		{"IPv6, unreachable", icmp6(ours6, 1), true},
		{"IPv6, time exceeded", icmp6(ours6, 3), true},
		{"IPv6, last error", icmp6(ours6, 127), true},
		{"IPv6, echo reply", icmp6(ours6, 129), false},
		{"IPv6, neighbour solicitation", icmp6(ours6, 135), false},
		{"IPv6, unreachable of another", icmp6(other6, 1), false},
		{"ARP", arp(), false},
		{"cut in the Ethernet header", tcpTo(ours4, 61500)[:13], false},
		{"cut in the IP header", tcpTo(ours4, 61500)[:30], false},
		{"cut before the ports", tcpTo(ours4, 61500)[:34], false},
		{"IPv6, cut before the ports", tcpTo(ours6, 61500)[:54], false},
		{"empty", nil, false},
	} {
		if got := passes(t, s, c.frame); got != c.want {
			t.Errorf("%s: passes is %v", c.name, got)
		}
	}
}

func TestServerFilter(t *testing.T) {
	s := scope{prefixes: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("198.18.0.0/31"),
		netip.MustParsePrefix("2001:2::/127"),
		netip.MustParsePrefix("2001:db8::/32"),
	}}
	for _, c := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"TCP", tcpTo(ours4, 1), true},
		{"UDP", udpTo(ours4, 1), true},
		{"echo request", icmp4(ours4, 8), true},
		{"later fragment", fragment(tcpTo(ours4, 1), 185), true},
		{"beside the prefix", tcpTo(other4, 1), false},
		{"first prefix", tcpTo(netip.MustParseAddr("192.0.2.255"), 1), true},
		{"IPv6", tcpTo(ours6, 1), true},
		{"IPv6, beside the prefix", tcpTo(other6, 1), false},
		{"IPv6, last prefix", tcpTo(netip.MustParseAddr("2001:db8:ffff::1"), 1), true},
		{"IPv6, echo request", icmp6(ours6, 128), true},
		{"IPv6, router solicitation", icmp6(ours6, 133), false},
		{"IPv6, neighbour solicitation", icmp6(ours6, 135), false},
		{"IPv6, redirect", icmp6(ours6, 137), false},
		{"IPv6, beyond discovery", icmp6(ours6, 138), true},
		{"ARP", arp(), false},
	} {
		if got := passes(t, s, c.frame); got != c.want {
			t.Errorf("%s: passes is %v", c.name, got)
		}
	}
}

// For any prefixes and any TCP segment the filter says what the prefixes and the
// ports say.
func TestFilterAgrees(t *testing.T) {
	// Few different bytes, so that prefixes are often met.
	some := rapid.SampledFrom([]byte{0, 1, 128, 255})
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		length := rapid.SampledFrom([]int{4, 16}).Draw(t, "length")
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(some, length, length).Draw(t, "bytes"))
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		to := address.Filter(func(a netip.Addr) bool { return !a.Is4In6() }).Draw(t, "to")
		port := rapid.Uint16().Draw(t, "port")
		s := scope{first: rapid.Uint16().Draw(t, "first"), last: rapid.Uint16().Draw(t, "last")}
		within := s.serving() || s.first <= port && port <= s.last
		matches := false
		for i := range rapid.IntRange(0, 80).Draw(t, "prefixes") {
			a := address.Filter(func(a netip.Addr) bool { return !a.Is4In6() }).Draw(t, "address")
			if i%8 == 7 {
				a = to
			}
			p := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
			s.prefixes = append(s.prefixes, p)
			matches = matches || p.Contains(to)
		}
		if got := passes(t, s, tcpTo(to, port)); got != (matches && within) {
			t.Fatalf("passes is %v, in a prefix %v, in the ports %v", got, matches, within)
		}
	})
}
