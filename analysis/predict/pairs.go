package predict

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// Pair is a feature, and what it predicts.
type Pair struct {
	Given    string  // what a host has: "80", "80/http", "80 in AS 3320", "a port of 3 hosts", ...
	Predicts string  // what it then has, too: "443", or each of the "ports of 2 hosts"
	Hosts    int     // of the sample, that have the feature
	Chance   float64 // of such a port on a host that is not of the sample
	Services int     // of the sample, that nothing else predicts better
}

// Pairs gives the pairs that predict the most services of the sample, at most so many.
func (m *Model) Pairs(most int) []Pair {
	type pair struct {
		of   feature
		port uint16 // 0: those of the band
		band uint8
	}
	best := make(map[pair]int)
	for i := range m.sample.Hosts {
		h := &m.sample.Hosts[i]
		of := make([]feature, len(h.Services)) // what predicts each best
		chances := make([]likely, len(h.Services))
		features(h, m.ranking, &m.first, 1, func(f feature) {
			r := m.rule(f)
			if r == nil {
				return
			}
			for k, x := range h.Services {
				port, chance := uint16(0), r.band[bandOf(m.hosts[x.Port]-1)]
				if at, ok := slices.BinarySearchFunc(r.ports, x.Port, likely.compare); ok {
					port, chance = x.Port, r.ports[at].chance
				}
				if !m.first[x.Port] && chance > chances[k].chance {
					of[k], chances[k] = f, likely{port, chance}
				}
			}
		})
		for k, x := range chances {
			if x.chance == 0 {
				continue
			}
			p := pair{of: of[k], port: x.port}
			if p.port == 0 {
				p.band = bandOf(m.hosts[h.Services[k].Port] - 1)
			}
			best[p]++
		}
	}
	var list []Pair
	for p, n := range best {
		r := m.rule(p.of)
		x := Pair{Given: m.describe(p.of), Predicts: "ports of " + bandName(p.band), Hosts: r.hosts, Chance: float64(r.band[p.band]), Services: n}
		if at, ok := slices.BinarySearchFunc(r.ports, p.port, likely.compare); ok {
			x.Predicts, x.Chance = strconv.Itoa(int(p.port)), float64(r.ports[at].chance)
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Services, a.Services), cmp.Compare(a.Given, b.Given), cmp.Compare(a.Predicts, b.Predicts))
	})
	return list[:min(most, len(list))]
}

// bandName says which ports are in a band.
func bandName(band uint8) string {
	switch {
	case band == 0:
		return "no host"
	case band == 1:
		return "1 host"
	case band <= 4:
		return fmt.Sprintf("%d hosts", band)
	}
	return fmt.Sprintf("%d to %d hosts", 1<<(band-3)+1, 1<<(band-2))
}

// describe says what a feature is, in a few words.
func (m *Model) describe(f feature) string {
	service := strconv.Itoa(int(f.port))
	band := "a port of " + bandName(f.band)
	label := func() string { return cmp.Or(m.sample.Labels[f.label], "unidentified") }
	switch f.kind {
	case inAS:
		return fmt.Sprintf("AS %d", f.where)
	case inNetwork:
		return networkName(f.where)
	case onPort:
		return service
	case labelled:
		return service + "/" + label()
	case portInAS:
		return fmt.Sprintf("%s in AS %d", service, f.where)
	case portInNet:
		return service + " in " + networkName(f.where)
	case inBand:
		return band
	case bandLabels:
		return band + "/" + label()
	}
	return "any service"
}

// networkName writes a Host's network.
func networkName(n uint64) string {
	if n>>63 == 1 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n)}), 24).String()
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), 48).String()
}
