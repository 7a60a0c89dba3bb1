package estimate

import (
	"flag"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"laserdisc/capture/lab"
)

var withLab = flag.Bool("lab", false, "measure coverage over the lab's population, too: a minute more")

// host is a host of a population whose truth is known: its services that acknowledge data, and how many of them are what.
type host struct {
	services, http, telnet, unknown uint32
	ports                           []uint16 // of its HTTP services
}

// population is what samples are drawn from. Hosts that answer on all ports are taken out: addresses without services.
type population struct {
	name      string
	addresses int
	hosts     []host
	curves    []Unit // the designs with which its curves are measured
}

// heavy is a heavy-tailed, clustered population: 200,000 hosts in 4,000 networks. The number of a host's services is Pareto with
// exponent tail, up to limit; its share of HTTP is around its network's; Telnet is half of what is left in 3 % of networks, rare
// elsewhere; of the rest 30 % are unknown. Some networks have hosts that answer on all ports.
func heavy(name string, tail, limit float64, curves ...Unit) population {
	const addresses, networks = 200_000, 4000
	g := rand.New(rand.NewPCG(1, 0))
	mean, telnet, boxes := make([]float64, networks), make([]float64, networks), make([]bool, networks)
	for i := range networks {
		mean[i] = distuv.Beta{Alpha: 1.3, Beta: 0.7, Src: g}.Rand()
		telnet[i] = 0.003
		if g.Float64() < 0.03 {
			telnet[i] = 0.5
		}
		boxes[i] = g.Float64() < 0.002
	}
	next := httpPorts(g)
	p := population{name: name, addresses: addresses, curves: curves}
	for range addresses {
		network := g.IntN(networks)
		if boxes[network] && g.Float64() < 0.7 {
			continue
		}
		h := host{services: uint32(min(limit, math.Pow(1-g.Float64(), -1/tail)))}
		m := mean[network]
		h.http = binomial(g, h.services, distuv.Beta{Alpha: 2*m + 1e-3, Beta: 2*(1-m) + 1e-3, Src: g}.Rand())
		h.telnet = binomial(g, h.services-h.http, telnet[network])
		h.unknown = binomial(g, h.services-h.http-h.telnet, 0.3)
		for len(h.ports) < int(h.http) {
			if port := next(); h.http > 100 || !slices.Contains(h.ports, port) { // a large host may repeat a port
				h.ports = append(h.ports, port)
			}
		}
		p.hosts = append(p.hosts, h)
	}
	return p
}

// httpPorts draws ports with the shape of the paper's Figure 9: 3.0, 1.2 and 0.7 % on three ports, 90 % on some 25,000.
func httpPorts(g *rand.Rand) func() uint16 {
	const skew = 5.8 // the share of the port at rank x of the others, 0 to 1, is like exp(-skew x)
	ranked := g.Perm(1 << 16)
	return func() uint16 {
		switch u := g.Float64(); {
		case u < 0.030:
			return 80
		case u < 0.042:
			return 7547
		case u < 0.049:
			return 30005
		}
		x := -math.Log(1-g.Float64()*(1-math.Exp(-skew))) / skew
		return uint16(ranked[int(x*(1<<16))])
	}
}

func binomial(g *rand.Rand, n uint32, p float64) uint32 {
	var k uint32
	for range n {
		if g.Float64() < p {
			k++
		}
	}
	return k
}

// labPopulation is the hosts of the lab that acknowledge data.
func labPopulation() population {
	p := population{name: "lab", addresses: 131_072, curves: []Unit{ByService, ByHost}}
	var address netip.Addr
	for t := range lab.New(lab.Default(), 1).Truth(nil) {
		if t.Port == 0 || t.Behaviour != "serves" {
			continue
		}
		if t.Address != address {
			address = t.Address
			p.hosts = append(p.hosts, host{})
		}
		h := &p.hosts[len(p.hosts)-1]
		h.services++
		switch t.Label {
		case "http":
			h.http++
			h.ports = append(h.ports, t.Port)
		case "telnet":
			h.telnet++
		case "":
			h.unknown++
		}
	}
	return p
}

// kinds are the kinds of services that are estimated.
var kinds = [...]struct {
	name string
	of   func(*host) uint32
}{
	{"HTTP", func(h *host) uint32 { return h.http }},
	{"Telnet", func(h *host) uint32 { return h.telnet }},
	{"unknown", func(h *host) uint32 { return h.unknown }},
}

// draw takes n of the numbers of a list at random: it moves them to the front.
func draw(g *rand.Rand, list []int32, n int) []int32 {
	for i := range n {
		j := i + g.IntN(len(list)-i)
		list[i], list[j] = list[j], list[i]
	}
	return list[:n]
}

// numbers are 0, 1, 2, ... below n.
func numbers(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}
