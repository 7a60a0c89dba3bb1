package estimate

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Count is how many services there are, and how many of them are of a kind.
type Count struct{ Hits, Services uint64 }

// Mean sums up hosts to estimate a mean over ports: of the share of a kind in the services of each port, where each port weighs
// alike, however many services it has. What the sample has on each port must be known before, for what a host adds to the error
// depends on it; a first pass over the sample counts that.
//
// Residuals are integers, multiples of a small part of what all ports together could come to, so that merging is exact.
type Mean struct {
	value     float64
	ports     map[uint16]Count
	residuals map[uint16][2]int64 // of a service that is not of the kind, and of one that is
	scale     float64             // residuals are so many times as large as they are

	services        uint64 // in the sample
	hosts, added    uint64 // that were added, and services on them
	square, quartic sum    // of the hosts' residuals
}

// NewMean returns a Mean over the ports that have a service in the sample, to which no host has been added.
func NewMean(ports map[uint16]Count) *Mean {
	m := &Mean{ports: make(map[uint16]Count), residuals: make(map[uint16][2]int64)}
	for port, c := range ports {
		if c.Services > 0 {
			m.ports[port] = c
			m.services += c.Services
		}
	}
	list := slices.Sorted(maps.Keys(m.ports)) // sums of floats depend on the order
	for _, port := range list {
		m.value += m.ports[port].share() / float64(len(list))
	}
	most := 0.0
	for _, port := range list {
		miss, hit := m.residual(port)
		most += max(-miss, hit)
	}
	if most > 0 {
		m.scale = (1 << 31) / most
	}
	for _, port := range list {
		miss, hit := m.residual(port)
		m.residuals[port] = [2]int64{int64(math.Round(miss * m.scale)), int64(math.Round(hit * m.scale))}
	}
	return m
}

func (c Count) share() float64 { return float64(c.Hits) / float64(c.Services) }

// residual is what a service of the port adds to the error of the mean: if it is not of the kind, and if it is. The variance in a
// port is that of so many services less one. Of a port with one service, which has none, the variance is that of the mean's share.
func (m *Mean) residual(port uint16) (miss, hit float64) {
	c := m.ports[port]
	k, r := float64(c.Services), c.share()
	if c.Services == 1 {
		deviation := math.Sqrt(m.value*(1-m.value)) / float64(len(m.ports))
		return -deviation, deviation
	}
	weight := math.Sqrt(k/(k-1)) / (k * float64(len(m.ports)))
	return -weight * r, weight * (1 - r)
}

// Residual is what a service of one of the ports adds to its host's.
func (m *Mean) Residual(port uint16, hit bool) int64 {
	if hit {
		return m.residuals[port][1]
	}
	return m.residuals[port][0]
}

// Add takes a host into account: the sum of its services' residuals, and how many services it has on the ports, one at most on each.
func (m *Mean) Add(residual int64, services uint32) {
	if services == 0 {
		return
	}
	m.hosts++
	m.added += uint64(services)
	r := uint64(min(max(residual, -residual), math.MaxUint32)) // which the ports' largest together do not reach
	m.square.add(r, r)
	m.quartic.add(r*r, r*r)
}

// Merge takes into account the hosts that another has seen, none of which this one has, over the same ports of the same sample.
func (m *Mean) Merge(other *Mean) {
	m.hosts += other.hosts
	m.added += other.added
	m.square.merge(other.square)
	m.quartic.merge(other.quartic)
}

// Ports are how many ports the mean is over: those that have a service.
func (m *Mean) Ports() int { return len(m.ports) }

// Services are how many services of the kind the sample has on the ports, of how many.
func (m *Mean) Services() (hits, services uint64) {
	for _, c := range m.ports {
		hits += c.Hits
	}
	return hits, m.services
}

// Estimate estimates the mean over the ports of the kind's share.
//
// Where services were drawn, its variance is the sum of the ports' (Cochran, Sampling Techniques, 3rd edition, 5.3 and 5A.13, with the
// ports as strata after the fact), and the interval is Wilson's, for as many services of one share as would vary as much. So it
// is where hosts were drawn and none has two services on the ports. Where hosts were drawn otherwise, the variance is linearised
// over hosts and the interval Korn and Graubard's, as in Hosts.Share; with fewer than 50 effective hosts there is none. A port
// without services in the sample is left out of the mean.
func (m *Mean) Estimate(d Design) (Estimate, error) {
	e := Estimate{Design: d, N: m.services, Hosts: m.hosts, Value: math.NaN(), Method: "Wilson, mean over ports"}
	byHost := d.Unit != ByService && m.added != m.hosts
	if byHost {
		e.Method = "Korn-Graubard, mean over ports"
	}
	if m.services > 0 {
		e.Value = m.value
	} else {
		e = e.warn(NoData)
	}
	if !d.random() {
		e.Method = ""
		return e.warn(NoSample), nil
	}
	if err := m.check(d); err != nil || m.services == 0 {
		return e, err
	}
	e.EffectiveHosts = effective(m.square.big(), m.quartic.big())
	if d.census() {
		return e.between(e.Value, e.Value), nil
	}
	if !byHost {
		return e.between(wilson(m.value, m.alike()/(1-d.Fraction()))), nil
	}
	if e.EffectiveHosts < enoughHosts {
		return e.warn(TooFewHosts), nil
	}
	n := float64(m.hosts)
	variance := (1 - d.Fraction()) * n / (n - 1) * float(m.square.big()) / m.scale / m.scale
	return e.between(kornGraubard(m.value, variance, float64(m.services), e.EffectiveHosts-1)), nil
}

// alike is how many services of one share, each drawn alone, would vary as much as the mean: as many as if all ports had the mean's
// share, if theirs show no variance.
func (m *Mean) alike() float64 {
	variance, inverse := 0.0, 0.0
	for _, port := range slices.Sorted(maps.Keys(m.ports)) {
		miss, hit := m.residual(port)
		c := m.ports[port]
		variance += float64(c.Hits)*hit*hit + float64(c.Services-c.Hits)*miss*miss
		inverse += 1 / float64(c.Services)
	}
	if variance > 0 {
		return m.value * (1 - m.value) / variance
	}
	return float64(len(m.ports)) * float64(len(m.ports)) / inverse
}

func (m *Mean) check(d Design) error {
	if err := d.check(); err != nil {
		return err
	}
	units := m.services
	if d.Unit != ByService {
		units = m.hosts
		if m.added != m.services {
			return fmt.Errorf("estimate: the hosts of a mean over ports have %d services, and the ports %d", m.added, m.services)
		}
	}
	if units > d.Drawn {
		return fmt.Errorf("estimate: %d were seen of a sample of %v", units, d)
	}
	return nil
}
