package analysis

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"laserdisc/analysis/estimate"
)

// Curves is a Fold that counts the services of each protocol by port, so that it can be estimated how many ports hold what share of
// them (paper, section 3.2). It takes memory for each port on which a protocol has a service, and each protocol. The zero Curves
// has counted none.
type Curves struct {
	labels names
	ports  []*estimate.Ports // by the number of the label; nil if it has no service

	addr string // of the last service
	host netip.Addr
}

// PortCurve is the services of a protocol by port.
type PortCurve struct {
	Protocol string
	Ports    *estimate.Ports
	Services int
}

// curveSeed deals the hosts out to the groups that a curve has its errors from.
const curveSeed = 1

// Table is "services".
func (c *Curves) Table() string { return "services" }

// Columns are the columns that it reads.
func (c *Curves) Columns() []string { return seenColumns }

// Add counts the services of a batch whose protocol is likely or certain.
func (c *Curves) Add(record arrow.Record) error {
	return eachSeen(record, &c.labels, func(s *Seen) error {
		if s.Label == "" {
			return nil
		}
		if s.Addr != c.addr {
			host, err := netip.ParseAddr(s.Addr)
			if err != nil {
				return fmt.Errorf("analysis: column \"addr\": %w", err)
			}
			c.addr, c.host = strings.Clone(s.Addr), host // the batch's own text is not valid later
		}
		c.of(s.label).Add(c.host, s.Port)
		return nil
	})
}

// of is the ports of a protocol.
func (c *Curves) of(label int) *estimate.Ports {
	for len(c.ports) <= label {
		c.ports = append(c.ports, nil)
	}
	if c.ports[label] == nil {
		c.ports[label] = &estimate.Ports{Seed: curveSeed}
	}
	return c.ports[label]
}

// Merge adds what other Curves have counted, of other hosts.
func (c *Curves) Merge(fold Fold) error {
	other, ok := fold.(*Curves)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, c)
	}
	for label, ports := range other.ports {
		if ports == nil {
			continue
		}
		mine, _ := c.labels.number(other.labels.list[label])
		if err := c.of(mine).Merge(ports); err != nil {
			return err
		}
	}
	return nil
}

// Protocols gives the protocols that have a service, those with most services first, and of equals by name.
func (c *Curves) Protocols() []PortCurve {
	var list []PortCurve
	for label, ports := range c.ports {
		if ports != nil {
			list = append(list, PortCurve{c.labels.list[label], ports, int(ports.Kinds().Number)})
		}
	}
	slices.SortFunc(list, func(a, b PortCurve) int {
		return cmp.Or(cmp.Compare(b.Services, a.Services), cmp.Compare(a.Protocol, b.Protocol))
	})
	return list
}
