package analysis

import (
	"cmp"
	"net/netip"

	"laserdisc/analysis/estimate"
)

// Agreement is what two scans make of the services of a level.
type Agreement struct {
	Level    Level
	Services estimate.Pairs // found by both, by the first alone, by the second alone; of services that neither found nothing is known
	Hosts    estimate.Pairs // likewise; a host is found if one of its services is
	Ports    [2][]float64   // the port of each service that the first found, and the second

	// Same is how many services of both have the same label, of the Services.Both. Valid only with Identifies.
	Same uint64
}

// Compare sets side by side what two scans of the same targets found, at each level that both tell of, for the ports that are asked
// for; nil is all.
func Compare(first, second *Findings, on func(port uint16) bool) []Agreement {
	first.sort()
	second.sort()
	var list []Agreement
	for l := range levels {
		if first.tells[l] && second.tells[l] {
			list = append(list, compareLevel(first, second, l, on))
		}
	}
	return list
}

func compareLevel(first, second *Findings, level Level, on func(port uint16) bool) Agreement {
	a := Agreement{Level: level}
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
		if on != nil && !on(service.Port()) {
			continue
		}
		inFirst, inSecond := one != nil && one.level >= level, two != nil && two.level >= level
		if !inFirst && !inSecond {
			continue
		}
		if service.Addr() != host {
			end()
			host, found = service.Addr(), [2]bool{}
		}
		countPair(&a.Services, inFirst, inSecond)
		for side, is := range [2]bool{inFirst, inSecond} {
			if is {
				found[side] = true
				a.Ports[side] = append(a.Ports[side], float64(service.Port()))
			}
		}
		if level == Identifies && inFirst && inSecond && int(one.label) == labels[two.label] {
			a.Same++
		}
	}
	end()
	return a
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
