package analysis

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"laserdisc/analysis/estimate"
)

// Agreement is what two scans make of the services of a level.
type Agreement struct {
	Level    Level
	Services estimate.Pairs            // found by both, by the first alone, by the second alone; of services that neither found nothing is known
	Hosts    estimate.Pairs            // likewise; a host is found if one of its services is
	ByPort   map[uint16]estimate.Pairs // the services of each port

	// Same is how many services of both have the same label, of the Services.Both. Valid only with Identifies.
	Same uint64
}

// Compare sets side by side what two scans of the same targets found, at each level that both tell of.
func Compare(first, second *Findings) []Agreement {
	first.sort()
	second.sort()
	var list []Agreement
	for l := range levels {
		if first.tells[l] && second.tells[l] {
			list = append(list, compareLevel(first, second, l))
		}
	}
	return list
}

func compareLevel(first, second *Findings, level Level) Agreement {
	a := Agreement{Level: level, ByPort: make(map[uint16]estimate.Pairs)}
	var host netip.Addr
	var found [2]bool // whether the host is
	end := func() {
		if host.IsValid() {
			countPair(&a.Hosts, found[0], found[1])
		}
	}
	labels := first.labels.numbers(&second.labels) // the numbers that the first has for the second's
	i, k := 0, 0
	for i < len(first.list) || k < len(second.list) {
		var one, two *finding
		order := 0
		switch {
		case i == len(first.list):
			order = 1
		case k == len(second.list):
			order = -1
		default:
			order = first.list[i].service.Compare(second.list[k].service)
		}
		if order <= 0 {
			one = &first.list[i]
			i++
		}
		if order >= 0 {
			two = &second.list[k]
			k++
		}
		service := cmp.Or(one, two).service
		inFirst, inSecond := one != nil && one.level >= level, two != nil && two.level >= level
		if !inFirst && !inSecond {
			continue
		}
		if service.Addr() != host {
			end()
			host, found = service.Addr(), [2]bool{}
		}
		countPair(&a.Services, inFirst, inSecond)
		ports := a.ByPort[service.Port()]
		countPair(&ports, inFirst, inSecond)
		a.ByPort[service.Port()] = ports
		found[0], found[1] = found[0] || inFirst, found[1] || inSecond
		if level == Identifies && inFirst && inSecond && int(one.label) == labels[two.label] {
			a.Same++
		}
	}
	end()
	return a
}

// Ports are the port of each service that the first found, and of each that the second found, in order.
func (a *Agreement) Ports() (first, second []float64) {
	for _, port := range slices.Sorted(maps.Keys(a.ByPort)) {
		p := a.ByPort[port]
		first = append(first, slices.Repeat([]float64{float64(port)}, int(p.Both+p.First))...)
		second = append(second, slices.Repeat([]float64{float64(port)}, int(p.Both+p.Second))...)
	}
	return first, second
}

// countPair adds one thing that the first has or not, and the second.
func countPair(p *estimate.Pairs, first, second bool) {
	switch {
	case first && second:
		p.Both++
	case first:
		p.First++
	case second:
		p.Second++
	}
}
