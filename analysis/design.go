package analysis

import (
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
)

// DesignOf tells how a run's targets were drawn, for estimates. It is the zero Design, with which there are no intervals, if what
// was probed is no random sample of units: in an observed capture, where targets came from another scanner, where a dataset has only
// a part of the record, and where a part of the hosts' services is missing from a sample of hosts, as in a shard alone and in a
// scan that ended early. Nor has a sample of blocks one: sums are over hosts, and those of a block are alike; BlockDesignOf is for
// sums over blocks. A part of a sample of services is a smaller one, because targets are probed in random order.
func DesignOf(m *record.Manifest) estimate.Design {
	s := m.Sample
	if !isDrawn(m) {
		return estimate.Design{}
	}
	switch s.Unit {
	case "service":
	case "host":
		if s.Shards != 1 || m.NotProbed > 0 {
			return estimate.Design{}
		}
		return estimate.Design{Unit: estimate.ByHost, Drawn: s.Drawn, Of: s.Of}
	default:
		return estimate.Design{}
	}
	if s.Shards == 1 && m.NotProbed == 0 {
		return estimate.Design{Unit: estimate.ByService, Drawn: s.Drawn, Of: s.Of}
	}
	if m.NotProbed >= m.TargetCount {
		return estimate.Design{}
	}
	return estimate.Design{Unit: estimate.ByService, Drawn: m.TargetCount - m.NotProbed, Of: s.Of}
}

// BlockDesignOf tells how a run's blocks of addresses were drawn, for sums in which each block is one host. It is the zero Design if
// the run is not one of blocks with all their targets.
func BlockDesignOf(m *record.Manifest) estimate.Design {
	if !isDrawn(m) || m.Sample.Unit != "block" || m.Sample.Shards != 1 || m.NotProbed > 0 {
		return estimate.Design{}
	}
	return estimate.Design{Unit: estimate.ByBlock(m.Sample.Bits), Drawn: m.Sample.Drawn, Of: m.Sample.Of}
}

// isDrawn reports whether what was probed is known, and all of it is in the dataset.
func isDrawn(m *record.Manifest) bool {
	return m.Sample != nil && m.Observed == nil && m.Partial == "" && (m.EndedBy != "" || m.NotProbed > 0 || !m.End.IsZero())
}
