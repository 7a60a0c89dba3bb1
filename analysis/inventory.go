package analysis

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/analysis/predict"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Inventory is a Fold that keeps the services of each host, those that sent data, for package predict. The zero Inventory has
// none. Beyond a number of bytes it keeps the hosts of one in 2, 4, 8, ... addresses, by a function of the address alone, so that
// parts merge to what one would have been over all.
type Inventory struct {
	labels names
	hosts  []predict.Host
	halved uint // how often the addresses were
	held   int  // about what the hosts take, in bytes
	limit  int  // what they may take; 0: inventoryLimit
	in     place
}

// inventoryLimit bounds what an Inventory holds, in bytes.
const inventoryLimit = 256 << 20

// NewInventory returns an Inventory that holds about so many bytes at most.
func NewInventory(limit int) *Inventory { return &Inventory{limit: limit} }

// Who has a service on more than everywhere ports, and on more than a tenth of those that were probed, answers for others or says
// the same on all of them: nothing is to be learnt from it about a host.
const everywhere = 100

// Table is "services".
func (v *Inventory) Table() string { return services.name }

// Columns are the columns that it reads.
func (v *Inventory) Columns() []string {
	return []string{"addr", "port", "state", "label", "evidence", "asn"}
}

// Add keeps the services of a batch.
func (v *Inventory) Add(record arrow.Record) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	asn := readColumn[*array.Int64](&b, "asn")
	state := readCodes(&b, "state", stateCode)
	label := readCodes(&b, "label", v.labels.number)
	evidence := readCodes(&b, "evidence", evidenceCode)
	none, _ := v.labels.number("")
	for row := range b.rows() {
		if session.State(state.at(row)) != session.SendsData {
			continue
		}
		s := predict.Service{Port: port.Value(row), Label: uint16(none)}
		if handshake.Evidence(evidence.at(row)) >= handshake.Likely {
			s.Label = uint16(label.at(row))
		}
		if string(v.in.addr) != addr.Value(row) {
			host, err := netip.ParseAddr(addr.Value(row))
			if err != nil {
				return fmt.Errorf("analysis: column \"addr\": %w", err)
			}
			v.in.move(addr.Value(row), 0)
			h := predict.Host{Addr: host}
			if asn.IsValid(row) {
				h.AS = uint32(asn.Value(row))
			}
			v.hosts = append(v.hosts, h)
			v.held += hostBytes
		}
		h := &v.hosts[len(v.hosts)-1]
		h.Services = append(h.Services, s)
		v.held += serviceBytes
	}
	v.shrink()
	return b.err
}

const (
	hostBytes    = 96 // and what the slice of services has too much
	serviceBytes = 6
)

// shrink leaves out addresses until the rest fits.
func (v *Inventory) shrink() {
	for v.held > cmp.Or(v.limit, inventoryLimit) {
		v.halve(v.halved + 1)
	}
}

// halve leaves out all but one in 2^n addresses.
func (v *Inventory) halve(n uint) {
	v.halved = n
	last := netip.Addr{}
	if len(v.hosts) > 0 {
		last = v.hosts[len(v.hosts)-1].Addr
	}
	v.held = 0
	v.hosts = slices.DeleteFunc(v.hosts, func(h predict.Host) bool {
		if hostKey(h.Addr.String(), 0)&(1<<n-1) != 0 {
			return true
		}
		v.held += hostBytes + serviceBytes*len(h.Services)
		return false
	})
	if len(v.hosts) == 0 || v.hosts[len(v.hosts)-1].Addr != last {
		v.in.addr = v.in.addr[:0] // its further services make a host, which is left out the next time
	}
}

// Merge adds the hosts of another Inventory.
func (v *Inventory) Merge(fold Fold) error {
	other, ok := fold.(*Inventory)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, v)
	}
	labels := v.labels.numbers(&other.labels)
	for _, h := range other.hosts {
		for i := range h.Services {
			h.Services[i].Label = uint16(labels[h.Services[i].Label])
		}
	}
	v.hosts = append(v.hosts, other.hosts...)
	v.held += other.held
	v.in.addr = v.in.addr[:0]
	if n := max(v.halved, other.halved); n > 0 {
		v.halve(n)
	}
	v.shrink()
	return nil
}

// Sample gives the hosts of a run that has probed them on these ports, and how many it leaves out because they have services
// everywhere. If there were more than the Inventory holds, it is as if fewer addresses had been drawn. The Inventory must not be used
// afterwards.
func (v *Inventory) Sample(m *record.Manifest, ports []uint16) (s *predict.Sample, everywhereHosts int) {
	if v.halved > 0 {
		v.halve(v.halved) // of hosts that came since
	}
	s = &predict.Sample{Ports: ports, Labels: slices.Sorted(slices.Values(v.labels.list))}
	slices.SortStableFunc(v.hosts, func(a, b predict.Host) int { return a.Addr.Compare(b.Addr) })
	for _, h := range v.hosts {
		if n := len(s.Hosts); n > 0 && s.Hosts[n-1].Addr == h.Addr { // it was in two parts, or in two batches
			s.Hosts[n-1].Services = append(s.Hosts[n-1].Services, h.Services...)
			continue
		}
		s.Hosts = append(s.Hosts, h)
	}
	s.Hosts = slices.DeleteFunc(s.Hosts, func(h predict.Host) bool {
		all := len(h.Services) > everywhere && len(h.Services) > len(ports)/10
		if all {
			everywhereHosts++
		}
		return all
	})
	for _, h := range s.Hosts {
		for i := range h.Services {
			x := &h.Services[i]
			number, _ := slices.BinarySearch(s.Labels, v.labels.list[x.Label])
			x.Label = uint16(number)
		}
		slices.SortFunc(h.Services, func(a, b predict.Service) int { return cmp.Compare(a.Port, b.Port) })
	}
	if m.Domain != nil {
		s.Addresses, s.Of = m.Domain.Addresses, m.Domain.Addresses
	}
	if m.Sample != nil && m.Sample.Unit == "host" {
		s.Addresses, s.Of = m.Sample.Drawn, m.Sample.Of
	}
	s.Addresses >>= v.halved
	return s, everywhereHosts
}
