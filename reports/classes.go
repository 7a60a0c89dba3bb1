package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// A class is a set of ports over which shares are given. Popular and unpopular ports are those that have an expected protocol and
// that the paper had a scanner for (section 2).
type class int

const (
	everyPort class = iota // whatever was scanned
	popular
	unpopular
	others
	classCount
)

var classNames = [classCount]string{"all", "popular", "unpopular", "other"}

func (c class) String() string { return classNames[c] }

// of is what a share is of.
type of int

const (
	ofServices   of = iota // all of a class's
	ofNoAck                // those that acknowledge no data
	ofAcking               // those that acknowledge data
	ofFiltered             // of these, those whose host does not do so on every port
	ofUnexpected           // those that speak another protocol than the expected one
	ofUnknown              // those that acknowledge data, and nothing identifies them
	ofHosts                // hosts that have a service that acknowledges data
	ofCount
)

var ofNames = [ofCount]string{
	"services", "services that acknowledge no data", "services that acknowledge data", "services that acknowledge data, without all-ports hosts",
	"unexpected services", "unidentified services that acknowledge data", "hosts with a service that acknowledges data",
}

func (o of) String() string { return ofNames[o] }

// in numbers a group of services.
func (o of) in(c class) int { return int(c)*int(ofCount) + int(o) }

// Kinds of services, beside defences, outcomes and labels.
const (
	notAcknowledging = "not_acknowledging"
	notExpected      = "not_expected"
	onEveryPort      = "all_ports"
)

// defence is how a service keeps data out, by the paper's five (section 2); leftOver if it is none of them, "" if it lets data in.
func defence(s session.State) string {
	switch s {
	case session.Shunned, session.ZeroWindow, session.DroppedHandshake, session.DynamicBlocking:
		return s.String()
	case session.ResetAfterHandshake, session.ClosedAfterHandshake:
		return session.ResetAfterHandshake.String()
	case session.AllPorts, session.AcksData, session.SendsData:
		return ""
	}
	return leftOver
}

const leftOver = "left_over"

// Outcomes are what a service that acknowledges data turns out to be (paper, Figure 6).
const (
	speaksExpected    = "expected"
	speaksOther       = "unexpected"
	unknownAcross     = "unknown_across_ports" // its host acknowledges data on every port
	unknownOnThisPort = "unknown"
)

// outcome is that of a service of a port; "" if it acknowledges no data. A service that was identified is that, by whatever source.
func outcome(port uint16, state session.State, label string) string {
	switch {
	case label != "" && label == datasets.Expected(port):
		return speaksExpected
	case label != "":
		return speaksOther
	case state == session.AllPorts:
		return unknownAcross
	case state > session.AllPorts:
		return unknownOnThisPort
	}
	return ""
}

// byClass is what sections 2 and 3 are made from: the services of each port, and those of the classes of ports host by host.
type byClass struct {
	*analysis.Tally[int, string]
	kinds     []analysis.Kind
	classes   map[uint16]class
	protocols []string // that most unexpected services speak, most first
	err       error    // of finding the popular ports
}

func (b *byClass) classOf(port uint16) class {
	if c, ok := b.classes[port]; ok {
		return c
	}
	return others
}

// newByClass counts by the classes that a census of the same runs has.
func newByClass(c *analysis.Census, over sources) *byClass {
	kinds := c.Kinds()
	found := make(map[uint16]int)
	for _, k := range kinds {
		found[k.Port] += k.Services
	}
	popular, err := popularOf(found, over[0].ports)
	b := newByClassOf(kinds, popular)
	b.err = err
	return b
}

// newByClassOf counts by what a census has found, and which ports are popular.
func newByClassOf(kinds []analysis.Kind, isPopular map[uint16]bool) *byClass {
	b := &byClass{kinds: kinds, classes: make(map[uint16]class), protocols: mostUnexpected(kinds, len(protocolFills))}
	for _, port := range datasets.Assigned() {
		b.classes[port] = unpopular
		if isPopular[port] {
			b.classes[port] = popular
		}
	}
	type host struct {
		addr           []byte
		acks, allPorts bool
	}
	var here [classCount]host // of each class, the host that is being counted
	b.Tally = analysis.NewTally(func(s *analysis.Seen, to *analysis.Shares[int, string]) {
		for _, c := range []class{everyPort, b.classOf(s.Port)} {
			if string(here[c].addr) != s.Addr {
				here[c] = host{addr: append(here[c].addr[:0], s.Addr...)}
			}
			b.countInto(to, c, s)
			acks, everywhere := outcome(s.Port, s.State, s.Label) != "", s.State == session.AllPorts
			if acks && !here[c].acks {
				to.Service(s.Addr, ofHosts.in(c))
			}
			if everywhere && !here[c].allPorts {
				to.Hit(s.Addr, ofHosts.in(c), onEveryPort)
			}
			here[c].acks, here[c].allPorts = here[c].acks || acks, here[c].allPorts || everywhere
		}
	})
	return b
}

// countInto counts a service of a class into its groups.
func (b *byClass) countInto(to *analysis.Shares[int, string], c class, s *analysis.Seen) {
	count := func(o of, kinds ...string) {
		to.Service(s.Addr, o.in(c))
		for _, kind := range kinds {
			to.Hit(s.Addr, o.in(c), kind)
		}
		if s.State == session.AllPorts {
			to.Hit(s.Addr, o.in(c), onEveryPort)
		}
	}
	if d := defence(s.State); d != "" {
		count(ofServices, notAcknowledging, d)
		count(ofNoAck, notAcknowledging, d)
	} else {
		count(ofServices)
	}
	o := outcome(s.Port, s.State, s.Label)
	kinds := []string{o, notExpected}
	switch o {
	case "":
		return
	case speaksExpected:
		kinds = kinds[:1]
	case speaksOther:
		count(ofUnexpected, b.protocol(s.Label))
	default:
		count(ofUnknown, o)
	}
	count(ofAcking, kinds...)
	if s.State != session.AllPorts {
		count(ofFiltered, kinds...)
	}
}

// Merge adds what another has counted by the same classes.
func (b *byClass) Merge(fold analysis.Fold) error {
	other, ok := fold.(*byClass)
	if !ok {
		return fmt.Errorf("reports: a %T does not merge with a %T", fold, b)
	}
	return b.Tally.Merge(other.Tally)
}

// allPortsAmong is a warning. A host that acknowledges data on every port has so many services that no interval over hosts has been
// seen to hold: docs/estimates.md.
const allPortsAmong estimate.Warning = "all-ports hosts are among them"

// share estimates which share of a group of services is of a kind. Where hosts were drawn and some acknowledge data on every port,
// there is no interval; nor is there one of a share of hosts where services were drawn, for hosts with many are drawn more often.
func (b *byClass) share(o of, c class, kind string, design estimate.Design) (estimate.Estimate, error) {
	if o == ofHosts && design.Unit == estimate.ByService {
		design = estimate.Design{}
	}
	e, err := b.Of(o.in(c), kind).Share(design)
	if n, _ := b.Services(o.in(c), onEveryPort); n > 0 && o != ofHosts && e.HasInterval() && design.Unit != estimate.ByService {
		e.Confidence, e.Warnings = 0, append(e.Warnings, allPortsAmong)
	}
	return e, err
}

// otherProtocol is any that is not among those that most unexpected services speak.
const otherProtocol = "other"

// protocol is the label as Figure 7 tells it apart.
func (b *byClass) protocol(label string) string {
	if slices.Contains(b.protocols, label) {
		return label
	}
	return otherProtocol
}

// mostUnexpected gives the protocols that most unexpected services speak, at most n.
func mostUnexpected(kinds []analysis.Kind, n int) []string {
	counts := make(map[string]int)
	for _, k := range kinds {
		if outcome(k.Port, k.State, k.Label) == speaksOther {
			counts[k.Label] += k.Services
		}
	}
	list := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return list[:min(n, len(list))]
}

// notPublished is the value of what the paper does not give.
var notPublished = math.NaN()

// paperNoAck is which share of a port's services the paper saw acknowledge no data: on the worst port, SYN-ACKs are as many more
// than those that do (section 2).
func paperNoAck(port int, kind string) float64 {
	if kind != notAcknowledging {
		return notPublished
	}
	return 1 - 1/(1+datasets.InText("2", "overstates", strconv.Itoa(port)))
}
