package analysis

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// Streaks is a Fold that finds streaks: consecutive addresses whose services on one port behave alike (paper, Figure 4). They can
// be seen only where whole blocks of addresses were scanned. It holds 20 bytes for each service, because a dataset's parts have
// addresses in no common order; more than 512 MiB of them is an error.
type Streaks struct {
	behaviour func(*Seen) string
	labels    names
	names     names // of behaviours
	services  []neighbour
}

// neighbour is a service that behaves in some way.
type neighbour struct {
	addr      [16]byte
	port      uint16
	behaviour uint16 // its number in names
}

const maxNeighbours = 512 << 20 / 20

var errNeighbours = fmt.Errorf("analysis: streaks of more than %d services do not fit into memory: scan fewer blocks or ports", maxNeighbours)

// NewStreaks returns a Streaks of behaviours that a function tells: "" for none, which ends a streak as an address without a
// service does. A target that never connected is no service.
func NewStreaks(behaviour func(*Seen) string) *Streaks { return &Streaks{behaviour: behaviour} }

// Table is "services".
func (s *Streaks) Table() string { return "services" }

// Columns are the columns that it reads.
func (s *Streaks) Columns() []string { return seenColumns }

// Add takes the services of a batch into account.
func (s *Streaks) Add(record arrow.Record) error {
	return eachSeen(record, &s.labels, func(seen *Seen) error {
		name := s.behaviour(seen)
		if name == "" {
			return nil
		}
		host, err := netip.ParseAddr(seen.Addr)
		if err != nil {
			return fmt.Errorf("analysis: column \"addr\": %w", err)
		}
		if len(s.services) == maxNeighbours {
			return errNeighbours
		}
		number, _ := s.names.number(name)
		s.services = append(s.services, neighbour{host.As16(), seen.Port, uint16(number)})
		return nil
	})
}

// Merge takes into account what another Streaks has seen, which tells behaviours by the same function.
func (s *Streaks) Merge(fold Fold) error {
	other, ok := fold.(*Streaks)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, s)
	}
	if len(s.services)+len(other.services) > maxNeighbours {
		return errNeighbours
	}
	numbers := s.names.numbers(&other.names)
	for _, one := range other.services {
		one.behaviour = uint16(numbers[one.behaviour])
		s.services = append(s.services, one)
	}
	return nil
}

// Blocks counts, for each behaviour (the group), its services by the size of their streak: of the kind k are those in a streak of
// at least 2^k addresses, as many as a prefix has that is k bits shorter than an address. Streaks end at the borders of the blocks
// that were drawn, prefixes of so many bits; the services of a block are counted as those of one host.
func (s *Streaks) Blocks(drawn int) (*Shares[string, int], error) {
	var shares Shares[string, int]
	inBlock := func(n *neighbour) (netip.Prefix, error) { return netip.AddrFrom16(n.addr).Unmap().Prefix(drawn) }
	slices.SortFunc(s.services, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(a.port, b.port), bytes.Compare(a.addr[:], b.addr[:]))
	})
	type streak struct {
		block netip.Prefix
		first int // in services
		size  int
	}
	var streaks []streak
	for i := range s.services {
		block, err := inBlock(&s.services[i])
		if err != nil {
			return nil, fmt.Errorf("analysis: %v is in no block of /%d: %w", netip.AddrFrom16(s.services[i].addr).Unmap(), drawn, err)
		}
		if n := len(streaks); n > 0 && block == streaks[n-1].block && s.services[i].follows(&s.services[i-1]) {
			streaks[n-1].size++
		} else {
			streaks = append(streaks, streak{block, i, 1})
		}
	}
	// All of a block is counted at once, whatever the port.
	slices.SortStableFunc(streaks, func(a, b streak) int { return a.block.Addr().Compare(b.block.Addr()) })
	for _, one := range streaks {
		block, group := one.block.String(), s.names.list[s.services[one.first].behaviour]
		for range one.size {
			shares.Service(block, group)
			for k := range bits.Len(uint(one.size)) {
				shares.Hit(block, group, k)
			}
		}
	}
	return &shares, nil
}

// AddressBits is how many bits an address has: 32, or 128 of IPv6. Blocks are drawn of one family.
func (s *Streaks) AddressBits() int {
	if len(s.services) == 0 {
		return 32
	}
	return netip.AddrFrom16(s.services[0].addr).Unmap().BitLen()
}

// follows reports whether a service goes on a streak: it behaves like that on the address before, on the same port.
func (n *neighbour) follows(before *neighbour) bool {
	return n.port == before.port && n.behaviour == before.behaviour &&
		netip.AddrFrom16(before.addr).Next() == netip.AddrFrom16(n.addr)
}
