package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// A class is a set of ports over which shares are given. Popular and unpopular ports are the paper's (section 2), so that a run's
// numbers are of the same ports as the published ones, whichever ports stand out in the run.
type class int

const (
	everyPort class = iota // whatever was scanned
	popular                // the six that the paper found popular
	unpopular              // the other 49 of its 55
	others                 // those that it did not scan
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
	ofExpectable           // of these, those on ports that have an expected protocol and that the paper had a scanner for
	ofFiltered             // of these, those whose host does not do so on every port
	ofUnexpected           // those that speak another protocol than the expected one
	ofUnknown              // those that acknowledge data, and nothing identifies them
	ofHosts                // hosts that have a service that acknowledges data
	ofCount
)

var ofNames = [ofCount]string{
	"services", "services that acknowledge no data", "services that acknowledge data", "services that acknowledge data, on assigned ports",
	"services that acknowledge data, without all-ports hosts",
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
	protocols []string // that most unexpected services speak, most first
	means     *means   // over the ports of a class
}

// classOf is the class of a port, beside everyPort.
func classOf(port uint16) class {
	if c, ok := papersPorts()[port]; ok {
		return c
	}
	return others
}

// papersPorts are the classes of the paper's ports.
var papersPorts = sync.OnceValue(func() map[uint16]class {
	classes := make(map[uint16]class)
	for _, p := range datasets.Ports() {
		classes[p.Port] = unpopular
	}
	for _, port := range datasets.Popular() {
		classes[port] = popular
	}
	return classes
})

// newByClass counts by the classes, given a census of the same runs, which tells what there is on each port.
func newByClass(c *analysis.Census, _ sources) *byClass { return newByClassOf(c.Kinds()) }

// newByClassOf counts by what a census has found.
func newByClassOf(kinds []analysis.Kind) *byClass {
	b := &byClass{kinds: kinds, protocols: mostUnexpected(kinds, len(protocolFills))}
	b.means = newMeans(func(count func(group int, port uint16, services int, kinds []string)) {
		for i := range kinds {
			k := &kinds[i]
			if c := classOf(k.Port); c.hasMeans() {
				b.groups(k.Port, k.State, k.Label, func(o of, kinds []string) { count(o.in(c), k.Port, k.Services, kinds) })
			}
		}
	})
	type host struct {
		addr           []byte
		acks, allPorts bool
	}
	var here [classCount]host // of each class, the host that is being counted
	b.Tally = analysis.NewTally(func(s *analysis.Seen, to *analysis.Shares[int, string]) {
		own, everywhere := classOf(s.Port), s.State == session.AllPorts
		b.groups(s.Port, s.State, s.Label, func(o of, kinds []string) {
			for _, c := range [...]class{everyPort, own} {
				to.Service(s.Addr, o.in(c))
				for _, kind := range kinds {
					to.Hit(s.Addr, o.in(c), kind)
				}
				if everywhere {
					to.Hit(s.Addr, o.in(c), onEveryPort)
				}
			}
			if own.hasMeans() {
				b.means.add(s.Addr, o.in(own), s.Port, kinds)
			}
		})
		acks := outcome(s.Port, s.State, s.Label) != ""
		for _, c := range [...]class{everyPort, own} {
			if string(here[c].addr) != s.Addr {
				here[c] = host{addr: append(here[c].addr[:0], s.Addr...)}
			}
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

// hasMeans reports whether shares of the class are means over ports. Of ports that are not the paper's nobody has published such.
func (c class) hasMeans() bool { return c == popular || c == unpopular }

// groups tells into which groups a service counts, and of which kinds it is there.
func (b *byClass) groups(port uint16, state session.State, label string, count func(o of, kinds []string)) {
	if d := defence(state); d != "" {
		count(ofServices, []string{notAcknowledging, d})
		count(ofNoAck, []string{notAcknowledging, d})
	} else {
		count(ofServices, nil)
	}
	o := outcome(port, state, label)
	kinds := []string{o, notExpected}
	switch o {
	case "":
		return
	case speaksExpected:
		kinds = kinds[:1]
	case speaksOther:
		count(ofUnexpected, []string{b.protocol(label)})
	default:
		count(ofUnknown, []string{o})
	}
	count(ofAcking, kinds)
	if slices.Contains(assigned(), port) {
		count(ofExpectable, kinds)
	}
	if state != session.AllPorts {
		count(ofFiltered, kinds)
	}
}

// assigned are the ports of datasets.Assigned.
var assigned = sync.OnceValue(datasets.Assigned)

// Merge adds what another has counted by the same classes.
func (b *byClass) Merge(fold analysis.Fold) error {
	other, ok := fold.(*byClass)
	if !ok {
		return fmt.Errorf("reports: a %T does not merge with a %T", fold, b)
	}
	b.means.merge(other.means)
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

// mean estimates the mean, over the ports of a class, of the share of a kind in a group of services.
func (b *byClass) mean(o of, c class, kind string, design estimate.Design) (estimate.Estimate, error) {
	m := b.means.of(o.in(c), kind)
	e, err := m.Estimate(design)
	if err != nil {
		return e, fmt.Errorf("%v ports, %s, %s: %w", c, o, kind, err)
	}
	all := 0
	for port, of := range papersPorts() {
		if of == c && (o != ofExpectable || slices.Contains(assigned(), port)) {
			all++
		}
	}
	if m.Ports() < all {
		e.Warnings = append(e.Warnings, estimate.Warning(fmt.Sprintf("only %d of the class's %d ports have such services", m.Ports(), all)))
	}
	return e, nil
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
