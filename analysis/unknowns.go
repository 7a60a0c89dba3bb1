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
	hosts  map[UnknownHosts]int // how many there are of each kind; not of those that have no such service
	addr   []byte               // the host that the fold is in
	here   UnknownHosts         // that host
}

// UnknownHosts is a kind of hosts: by how many unknown services each has.
type UnknownHosts struct {
	Unknown int // services, 1 to 65,535
	Removed int // of these, that ephemeral probes told as those of an all-ports host
}

// UnknownCount is how many hosts of a kind there are.
type UnknownCount struct {
	UnknownHosts
	Hosts int
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
	if u.hosts == nil {
		u.hosts = make(map[UnknownHosts]int)
	}
	if u.here.Unknown > 0 {
		u.hosts[u.here]++
	}
	u.addr, u.here = u.addr[:0], UnknownHosts{}
}

// Merge adds what another Unknowns has counted, of other hosts.
func (u *Unknowns) Merge(fold Fold) error {
	other, ok := fold.(*Unknowns)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, u)
	}
	u.close()
	other.close()
	for kind, n := range other.hosts {
		u.hosts[kind] += n
	}
	return nil
}

// Hosts gives the counts, those with the fewest unknown services first.
func (u *Unknowns) Hosts() []UnknownCount {
	u.close()
	list := make([]UnknownCount, 0, len(u.hosts))
	for kind, n := range u.hosts {
		list = append(list, UnknownCount{kind, n})
	}
	slices.SortFunc(list, func(a, b UnknownCount) int {
		return cmp.Or(cmp.Compare(a.Unknown, b.Unknown), cmp.Compare(a.Removed, b.Removed))
	})
	return list
}
