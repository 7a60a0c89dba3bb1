package lab

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"laserdisc/capture/lab/tcp"
	"laserdisc/datasets"
)

// census counts what the services of the default population are, without any packet.
type census struct {
	ports map[uint16]*count
	// per host: services that acknowledge data and that nobody can identify
	unidentified map[netip.Addr]int
	perProtocol  map[string]map[uint16]int
}

type count struct {
	services, acks, expected, across, unknown int
	unexpected                                map[string]int
	behaviours                                map[tcp.Behaviour]int
}

func (c *count) identified() (sum int) {
	for _, n := range c.unexpected {
		sum += n
	}
	return sum
}

var nobody = []string{"unknown", "unlisted", "unlisted_first", "noise", "echo"}

func takeCensus(n *Network) *census {
	c := &census{map[uint16]*count{}, map[netip.Addr]int{}, map[string]map[uint16]int{}}
	expected := map[uint16]string{}
	for _, p := range datasets.Ports() {
		c.ports[p.Port] = &count{unexpected: map[string]int{}, behaviours: map[tcp.Behaviour]int{}}
		expected[p.Port] = p.Expected
	}
	all := make([]uint16, 0, math.MaxUint16)
	for port := 1; port <= math.MaxUint16; port++ {
		all = append(all, uint16(port))
	}
	among := likely(all)
	for h := range n.hosts() {
		every := h.class.open == nil
		ports := among(h.class)
		if every {
			ports = nil
			for port := range c.ports {
				ports = append(ports, port)
			}
			if s := n.service(h.host, netip.AddrPortFrom(h.address, 1)); s.Behaviour == tcp.Serves {
				c.unidentified[h.address] += math.MaxUint16
			}
		}
		for _, port := range ports {
			if !h.serves(port) {
				continue
			}
			s := n.service(h.host, netip.AddrPortFrom(h.address, port))
			name := s.Protocol.Name
			known := !slices.Contains(nobody, name)
			if s.Behaviour == tcp.Serves && !every {
				if c.perProtocol[name] == nil {
					c.perProtocol[name] = map[uint16]int{}
				}
				c.perProtocol[name][port]++
				if !known {
					c.unidentified[h.address]++
				}
			}
			k := c.ports[port]
			if k == nil {
				continue
			}
			k.services++
			k.behaviours[s.Behaviour]++
			switch {
			case s.Behaviour != tcp.Serves:
				continue
			case every:
				k.across++
			case name == expected[port]:
				k.expected++
			case known:
				k.unexpected[name]++
			default:
				k.unknown++
			}
			k.acks++
		}
	}
	return c
}

// The default population has the shape of the paper's published figures.
func TestDefaultPopulationHasThePapersShape(t *testing.T) {
	n := New(Default(), 1)
	hosts := 0
	for range n.Hosts() {
		hosts++
	}
	if hosts < 65536 {
		t.Errorf("%d hosts, want at least 65,536", hosts)
	}
	c := takeCensus(n)
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		verdict := ""
		if math.Abs(got-want) > tolerance {
			verdict = "  <-- off"
			t.Fail()
		}
		t.Logf("%-62s %8.4f  paper %8.4f ± %.4f%s", what, got, want, tolerance, verdict)
	}
	part := func(a, b int) float64 { return float64(a) / float64(b) }

	t.Logf("%d hosts", hosts)
	t.Logf("%5s %9s %6s %8s %10s %7s %7s", "port", "SYN-ACK", "acks", "expected", "unexpected", "across", "unknown")
	for _, p := range datasets.Ports() {
		k := c.ports[p.Port]
		t.Logf("%5d %9d %6.3f %8.3f %10.3f %7.3f %7.3f", p.Port, k.services, part(k.acks, k.services),
			part(k.expected, k.acks), part(k.identified(), k.acks), part(k.across, k.acks), part(k.unknown, k.acks))
	}

	port := func(p uint16) *count { return c.ports[p] }
	share := func(p uint16) (expected, other float64) {
		return part(port(p).expected, port(p).acks), part(port(p).identified(), port(p).acks)
	}
	expected, other := share(80)
	near("§3, 80: HTTP of what acknowledges data", expected, 0.93, 0.01)
	near("§3, 80: something else identifiable", other, 0.016, 0.005)
	near("Fig. 7, 80: TLS of the unexpected", part(port(80).unexpected["tls"], port(80).identified()), 0.75, 0.08)
	expected, other = share(443)
	near("§3, 443: TLS of what acknowledges data", expected, 0.89, 0.01)
	near("§3, 443: something else identifiable", other, 0.0425, 0.008)
	near("Fig. 7, 443: HTTP of the unexpected", part(port(443).unexpected["http"], port(443).identified()), 0.97, 0.04)
	expected, other = share(623)
	near("§3, 623: IPMI", expected, 0.01, 0.01)
	near("§3, 623: something else identifiable", other, 0.189, 0.06)
	expected, _ = share(102)
	near("§3, 102: S7", expected, 0.04, 0.025)
	near("§2, 11211: SYN-ACKs overstate by", part(port(11211).services, port(11211).acks)-1, 5.33, 1.2)
	near("Table 4, 80: SYN-ACKs that acknowledge data", part(port(80).acks, port(80).services), 55/62.6, 0.02)
	near("Table 4, 443", part(port(443).acks, port(443).services), 45/51.8, 0.02)
	near("Table 4, 23", part(port(23).acks, port(23).services), 4.6/6.4, 0.05)
	near("Table 4, 5900", part(port(5900).acks, port(5900).services), 1.4/3.5, 0.07)
	near("Table 4, 27017", part(port(27017).acks, port(27017).services), 505.0/2400, 0.09)
	near("Table 4, 62220", part(port(62220).acks, port(62220).services), 628.0/2600, 0.1)

	popular := []uint16{80, 443, 7547, 22, 21, 25}
	var dead, notExpected, unknown, unfiltered, across [2][]float64
	var services, refused int
	behaviours := [2]map[tcp.Behaviour]int{{}, {}}
	total := [2]int{}
	unexpected, protocols := 0, map[string]int{}
	for _, p := range datasets.Ports() {
		k, g := port(p.Port), 1
		if slices.Contains(popular, p.Port) {
			g = 0
		}
		services += k.services
		refused += k.services - k.acks
		total[g] += k.services
		for b, x := range k.behaviours {
			behaviours[g][b] += x
		}
		dead[g] = append(dead[g], 1-part(k.acks, k.services))
		if p.Expected != "" {
			notExpected[g] = append(notExpected[g], 1-part(k.expected, k.acks))
		}
		unknown[g] = append(unknown[g], part(k.unknown, k.acks-k.across))
		unfiltered[g] = append(unfiltered[g], part(k.unknown+k.across, k.acks))
		across[g] = append(across[g], part(k.across, k.unknown+k.across))
		unexpected += k.identified()
		for name, x := range k.unexpected {
			protocols[name] += x
		}
	}
	near("§2: services that do not acknowledge data, popular ports", mean(dead[0]), 0.16, 0.03)
	near("§2: the same, unpopular ports", mean(dead[1]), 0.40, 0.07)
	near("§3: not the expected protocol, popular ports", mean(notExpected[0]), 0.27, 0.04)
	near("§3: the same, unpopular ports", mean(notExpected[1]), 0.63, 0.08)
	near("§3: unknown after the filter, popular ports", mean(unknown[0]), 0.10, 0.08)
	near("§3: the same, unpopular ports", mean(unknown[1]), 0.25, 0.15)
	near("§3: of the unidentifiable, on all-ports hosts, unpopular ports", mean(across[1]), 0.75, 0.25)
	near("Fig. 7: HTTP of all unexpected", part(protocols["http"], unexpected), 0.65, 0.05)
	near("Fig. 7: TLS of all unexpected", part(protocols["tls"], unexpected), 0.30, 0.05)
	for g, want := range []map[tcp.Behaviour]float64{
		{tcp.ZeroWindow: 0.13, tcp.DroppedHandshake: 0.02, tcp.ResetAfterHandshake: 0.73, tcp.DynamicBlocking: 0.10},
		{tcp.ZeroWindow: 0.26, tcp.DroppedHandshake: 0.02, tcp.ResetAfterHandshake: 0.34, tcp.DynamicBlocking: 0.18},
	} {
		b, where := behaviours[g], []string{"popular", "unpopular"}[g]
		b[tcp.ResetAfterHandshake] += b[tcp.ClosedAfterHandshake]
		sum := total[g] - b[tcp.Serves] - b[tcp.Shunning]
		for _, x := range []tcp.Behaviour{tcp.ZeroWindow, tcp.DroppedHandshake, tcp.ResetAfterHandshake, tcp.DynamicBlocking} {
			near("§2: "+x.String()+" of those, "+where+" ports", part(b[x], sum), want[x], 0.06)
		}
		near("§2: shunning of all services, "+where+" ports", part(b[tcp.Shunning], total[g]), []float64{0.016, 0.05}[g], 0.012)
	}

	few, many := 0, 0
	for _, x := range c.unidentified {
		if x < 4 {
			few++
		}
		if x > 60000 {
			many++
		}
	}
	near("§3: hosts with unidentifiable services, with fewer than 4", part(few, len(c.unidentified)), 0.98, 0.02)
	near("§3: the same, with over 60,000", part(many, len(c.unidentified)), 0.02, 0.012)

	for _, x := range []struct {
		protocol  string
		port      uint16
		want      float64
		tolerance float64
	}{
		{"http", 80, 0.030, 0.002}, {"http", 7547, 0.012, 0.001}, {"http", 30005, 0.007, 0.001}, {"tls", 443, 0.064, 0.004},
		{"telnet", 23, 0.055, 0.006}, {"telnet", 5523, 0.011, 0.003}, {"amqp", 5672, 0.831, 0.06}, {"amqp", 5673, 0.031, 0.03},
	} {
		sum := 0
		for _, k := range c.perProtocol[x.protocol] {
			sum += k
		}
		near("Fig. 9: "+x.protocol+" on "+strconv.Itoa(int(x.port)), part(c.perProtocol[x.protocol][x.port], sum), x.want, x.tolerance)
	}
	near("Fig. 9: ports that hold 90 % of HTTP", float64(portsFor(c.perProtocol["http"], 0.9)), 25000, 3000)
	near("Fig. 9: ports that hold 90 % of TLS", float64(portsFor(c.perProtocol["tls"], 0.9)), 40000, 9000)
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

// portsFor is how many ports it takes to hold a share of a protocol's services.
func portsFor(counts map[uint16]int, share float64) int {
	var sorted []int
	total := 0
	for _, k := range counts {
		sorted = append(sorted, k)
		total += k
	}
	slices.Sort(sorted)
	slices.Reverse(sorted)
	sum := 0
	for i, k := range sorted {
		if sum += k; float64(sum) >= share*float64(total) {
			return i + 1
		}
	}
	return len(sorted)
}
