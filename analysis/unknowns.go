package analysis

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"laserdisc/capture/session"
)

// Unknowns is a Fold that counts hosts by how many services they have that acknowledge data and that nothing identifies: the
// paper finds few on most hosts, and one on nearly every port of a few (section 3.1). The zero Unknowns has counted none.
type Unknowns struct {
	labels names
	hosts  map[int]UnknownHosts // by the number of such services; not of those that have none
	addr   []byte               // the host that the fold is in
	here   UnknownHosts         // that host
}

// UnknownHosts is the hosts that have as many unknown services each.
type UnknownHosts struct {
	Unknown int // services of each, 1 to 65,535
	Hosts   int
	Removed int // services of theirs, together, that ephemeral probes told as those of all-ports hosts
}

// Table is "services".
func (u *Unknowns) Table() string { return "services" }

// Columns are the columns that it reads.
func (u *Unknowns) Columns() []string { return seenColumns }

// Add counts the services of a batch.
func (u *Unknowns) Add(record arrow.Record) error {
	return eachSeen(record, &u.labels, func(s *Seen) error {
		if string(u.addr) != s.Addr {
			u.close()
			u.addr = append(u.addr, s.Addr...)
		}
		if s.Label != "" || s.State < session.AllPorts {
			return nil
		}
		u.here.Unknown++
		if s.State == session.AllPorts {
			u.here.Removed++
		}
		return nil
	})
}

// close counts the host that the fold is in.
func (u *Unknowns) close() {
	if u.here.Unknown > 0 {
		u.count(UnknownHosts{u.here.Unknown, 1, u.here.Removed})
	}
	u.addr, u.here = u.addr[:0], UnknownHosts{}
}

func (u *Unknowns) count(more UnknownHosts) {
	if u.hosts == nil {
		u.hosts = make(map[int]UnknownHosts)
	}
	of := u.hosts[more.Unknown]
	u.hosts[more.Unknown] = UnknownHosts{more.Unknown, of.Hosts + more.Hosts, of.Removed + more.Removed}
}

// Merge adds what another Unknowns has counted, of other hosts.
func (u *Unknowns) Merge(fold Fold) error {
	other, ok := fold.(*Unknowns)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, u)
	}
	u.close()
	other.close()
	for _, of := range other.hosts {
		u.count(of)
	}
	return nil
}

// Hosts gives the counts, those with the fewest unknown services first.
func (u *Unknowns) Hosts() []UnknownHosts {
	u.close()
	list := make([]UnknownHosts, 0, len(u.hosts))
	for _, of := range u.hosts {
		list = append(list, of)
	}
	slices.SortFunc(list, func(a, b UnknownHosts) int { return cmp.Compare(a.Unknown, b.Unknown) })
	return list
}
