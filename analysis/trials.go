package analysis

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

// Counting says which services Trials count, and how.
type Counting struct {
	Ports      []uint16 // services on others are left out
	Handshakes []string // the order in which those that were tried are listed; further ones follow by name
	Own        bool     // a handshake identifies services of its own protocol only, and not whatever it makes speak
	ByPort     bool     // every port counts alike, and not every service
	Expected   bool     // services that speak what is expected on their port count, too
	NoVariants bool     // a handshake that is another way to say a protocol's, tls-legacy for tls, identifies nothing
	Seed       uint64   // of the resamples and folds of hosts
}

// Trials is a Fold that counts services by what trying each handshake on them came to and took, for scans that try every
// handshake on every service (--all-handshakes): orders of handshakes are made from it. Unless the Counting says otherwise, what
// speaks the protocol that is expected on its port is left out, as in the paper's Table 2, which takes it that a service has been
// tried with that first.
//
// It may count in several ways at once, each by a Counting of its own, of which what is the same for all is done once.
//
// It keeps apart random groups of the hosts, of which resamples are made (a bootstrap over hosts), and the tenths of the hosts.
// Both are functions of the seed and the host's address alone, so that Trials of parts of a dataset merge to those of the whole.
type Trials struct {
	wanted    [1 << 16]bool // ports that one of the countings is of
	countings []*trialCount

	handshakes, labels names
	own                [][]bool          // isOwn, by the numbers of a handshake and a label, as far as it was asked for
	variants           order.Set         // handshakes that are another way to say a protocol's
	firewalls          map[hostHash]bool // hosts that acknowledge data on every ephemeral port
	held, limit        int               // about what all of it takes, and may take, in bytes
	failed             error

	in      place
	service trying // the service that the fold is in
	host    tried  // the host
}

// trialCount is what was counted by one of the Countings.
type trialCount struct {
	Counting
	wanted            [1 << 16]bool // by port
	tallies           map[outcome]*tally
	grouped           map[identified]*[hostGroups]uint32
	expected          int    // services left out, for they speak what is expected
	hosts, identified uint64 // that have a service that was counted, and one that some handshake identifies
	host              triedBy
}

// Tenths is how many disjoint parts of the hosts there are.
const Tenths = 10

// trialsLimit bounds what Trials holds, in bytes.
const trialsLimit = 512 << 20

// outcome is what differs in services. The port is 0 unless ports count alike.
type outcome struct {
	port                            uint16
	class                           uint8 // in classNames
	identified, sentData, ackedData order.Set
}

// identified is what the bootstrap counts by.
type identified struct {
	port uint16 // as in outcome
	by   order.Set
}

// tally is what was counted of services with one outcome.
type tally struct {
	services [Tenths]int         // by the tenth that their host is in
	costs    []order.Cost        // by handshake
	grouped  *[hostGroups]uint32 // by the group that it is in; shared with others that the same handshakes identify; nil if it has no weight
}

// trying is a service whose attempts are not all seen yet.
type trying struct {
	responding
	reach     // by the scan's source
	own       order.Set
	ackedData order.Set
	costs     []order.Cost
	v6        bool // whether its address is one of IPv6
}

// tried is a host whose services are not all seen yet.
type tried struct {
	probes, acked int // how many ephemeral probes were made, and acknowledged
}

// triedBy is what one of the countings holds of that host.
type triedBy struct {
	waiting      []waitingTrial
	tenth, group int  // valid only once a service of it was counted
	counted      bool // whether one was
	identified   bool // whether something identifies one of these
}

// waitingTrial is a service that acknowledges data and says nothing: whether it is one depends on its host's other ports.
type waitingTrial struct {
	outcome
	costs []order.Cost
}

// NewTrials returns Trials that have counted nothing.
func NewTrials(countings ...Counting) *Trials {
	t := &Trials{firewalls: make(map[hostHash]bool), limit: trialsLimit}
	for _, counting := range countings {
		c := &trialCount{Counting: counting, tallies: make(map[outcome]*tally), grouped: make(map[identified]*[hostGroups]uint32)}
		for _, port := range counting.Ports {
			t.wanted[port], c.wanted[port] = true, true
		}
		t.countings = append(t.countings, c)
	}
	return t
}

// Table is "attempts".
func (t *Trials) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (t *Trials) Columns() []string {
	return slices.Concat(attemptColumns, reachColumns, []string{"syn_time", "synacks", "retransmits"})
}

// Add takes the attempts of a batch into account.
func (t *Trials) Add(record arrow.Record) error {
	b := batch{Record: record}
	rows, ends := readAttempts(&b, &t.handshakes, &t.labels), readEndings(&b)
	costs := readCosts(&b, &ends)
	t.findVariants()
	for row := range b.rows() {
		visit := rows.visit(row)
		if !t.wanted[rows.port.Value(row)] && visit != session.Ephemeral {
			continue // what the fold is in is over when a row comes that matters
		}
		if addr, port := rows.addr.Value(row), rows.port.Value(row); t.in.moves(addr, port) {
			t.closeService()
			if string(t.in.addr) != addr {
				t.closeHost()
			}
			t.in.move(addr, port)
			t.service.v6 = strings.Contains(addr, ":")
		}
		switch {
		case visit == session.Ephemeral:
			t.host.probes++
			if rows.state(row) >= session.AcksData {
				t.host.acked++
			}
		case visit.Tells():
			t.add(&rows, &ends, &costs, row)
		}
	}
	return cmp.Or(b.err, t.failed)
}

// findVariants finds the variants among the handshakes.
func (t *Trials) findVariants() {
	for h, name := range t.handshakes.list[:min(len(t.handshakes.list), order.MaxHandshakes)] {
		if p, known := handshake.Lookup(name); known && p.Answer != "" {
			t.variants.Add(h)
		}
	}
}

// add takes an attempt at the service into account.
func (t *Trials) add(rows *attemptRows, ends *endings, costs *costColumns, row int) {
	s := &t.service
	s.responding.add(rows, row, &t.labels)
	if !s.connected {
		return
	}
	visit, state := rows.visit(row), rows.state(row)
	if visit != session.Fresh {
		s.reach.add(state, ends, row)
	}
	if visit != session.First {
		return
	}
	h := rows.handshakes.at(row)
	switch {
	case rows.identifies(row) && t.isOwn(h, rows.labels.at(row)):
		s.own.Add(h)
	case state == session.AcksData:
		s.ackedData.Add(h)
	}
	for len(s.costs) <= h {
		s.costs = append(s.costs, order.Cost{})
	}
	s.costs[h].Add(costs.of(s.v6, row))
}

// isOwn is isOwn of a handshake and a label by their numbers.
func (t *Trials) isOwn(h, label int) bool {
	for len(t.own) <= h {
		t.own = append(t.own, nil)
	}
	for len(t.own[h]) <= label {
		t.own[h] = append(t.own[h], isOwn(t.handshakes.list[h], t.labels.list[len(t.own[h])]))
	}
	return t.own[h][label]
}

// isOwn reports whether a label is of the protocol that a handshake is of: for wait, of any whose server speaks first.
func isOwn(name, label string) bool {
	p, known := handshake.Lookup(name)
	switch {
	case !known:
		return false
	case p.SpeaksFirst() == "-":
		of, known := handshake.Lookup(label)
		return known && of.ServerFirst
	case p.Answer != "":
		return label == p.Answer
	}
	return label == p.Name
}

// costColumns tell what an attempt took.
type costColumns struct {
	ends                 *endings
	syn                  *array.Timestamp
	synacks, retransmits *array.Uint32
}

func readCosts(b *batch, ends *endings) costColumns {
	return costColumns{ends: ends, syn: readColumn[*array.Timestamp](b, "syn_time"),
		synacks: readColumn[*array.Uint32](b, "synacks"), retransmits: readColumn[*array.Uint32](b, "retransmits")}
}

// of is what the attempt of a row took, with IPv6 or IPv4.
func (c *costColumns) of(v6 bool, row int) order.Cost {
	began := c.syn
	if began.IsNull(row) {
		began = c.ends.synack
	}
	known := connectionCost{
		retransmits: uint64(c.retransmits.Value(row)), synacks: uint64(c.synacks.Value(row)), sent: uint64(c.ends.sentBytes.Value(row)),
		v6: v6, data: !c.ends.data.IsNull(row), reset: c.ends.rst.Value(row), connected: !c.ends.synack.IsNull(row),
	}
	if !began.IsNull(row) && !c.ends.end.IsNull(row) {
		known.began, known.end = int64(began.Value(row)), int64(c.ends.end.Value(row))
	}
	return known.cost()
}

// closeService counts the service that the fold is in, or has it wait for the verdict on its host.
func (t *Trials) closeService() {
	s := &t.service
	if s.connected {
		protocol, expected := s.protocol(), datasets.Expected(t.in.port)
		own := order.Set{} // those of its protocol's handshakes that identify it
		if protocol != "" {
			for h := range s.own.All() {
				if t.isOwn(h, int(s.label)) {
					own.Add(h)
				}
			}
		}
		var costs []order.Cost // of those that wait
		for _, c := range t.countings {
			switch {
			case !c.wanted[t.in.port]:
				continue
			case !c.Expected && expected != "" && protocol == expected:
				c.expected++
				continue
			case !s.acked:
				continue
			}
			o := outcome{class: classOf(t.in.port, expected), identified: s.identified, sentData: s.sentData, ackedData: s.ackedData}
			if c.ByPort {
				o.port = t.in.port
			}
			if c.Own {
				o.identified = own
			}
			if c.NoVariants {
				o.identified = o.identified.Without(t.variants)
			}
			if s.sent {
				t.count(c, o, s.costs)
				continue
			}
			if costs == nil {
				costs = slices.Clone(s.costs)
			}
			c.host.waiting = append(c.host.waiting, waitingTrial{o, costs})
		}
	}
	clear(s.costs)
	*s = trying{costs: s.costs[:0]}
}

// closeHost counts those of the host's services that waited, unless it acknowledges data on every ephemeral port. Its probes may
// have been in another dataset, that had the same ones.
func (t *Trials) closeHost() {
	probed := t.host.probes > 0
	firewall := probed && t.host.acked == t.host.probes
	if firewall {
		t.firewalls[t.key(0)] = true
		t.hold(int(unsafe.Sizeof(hostHash(0))))
	}
	for _, c := range t.countings {
		if len(c.host.waiting) > 0 && !firewall && (probed || !t.firewalls[t.key(0)]) {
			for _, w := range c.host.waiting {
				t.count(c, w.outcome, w.costs)
			}
		}
		clear(c.host.waiting)
		c.host = triedBy{waiting: c.host.waiting[:0]}
	}
	t.host = tried{}
}

// key is the hash of the host that the fold is in.
func (t *Trials) key(seed uint64) hostHash { return hostKey(string(t.in.addr), seed) }

// close counts what the fold is in.
func (t *Trials) close() {
	t.closeService()
	t.closeHost()
	t.in = place{addr: t.in.addr[:0]}
}

// count adds a service of the host to the tally of its outcome.
func (t *Trials) count(c *trialCount, o outcome, costs []order.Cost) {
	h := &c.host
	if !h.counted {
		host := t.key(c.Seed)
		h.tenth, h.group, h.counted = host.tenth(), host.group(), true
		c.hosts++
	}
	if o.identified != (order.Set{}) && !h.identified {
		h.identified = true
		c.identified++
	}
	y := t.tallyOf(c, o)
	if y == nil {
		return
	}
	y.services[h.tenth]++
	t.addCosts(y, costs)
	if y.grouped != nil {
		y.grouped[h.group]++
	}
}

// tallyOf finds the tally of an outcome, or makes one: nil, if that takes more than is allowed.
func (t *Trials) tallyOf(c *trialCount, o outcome) *tally {
	if y, ok := c.tallies[o]; ok {
		return y
	}
	y := new(tally)
	t.hold(int(unsafe.Sizeof(o) + unsafe.Sizeof(*y)))
	// Where ports count alike, services that nothing identifies have no weight.
	if by := (identified{o.port, o.identified}); by.by != (order.Set{}) || !c.ByPort {
		if c.grouped[by] == nil {
			t.hold(int(unsafe.Sizeof(by) + unsafe.Sizeof([hostGroups]uint32{})))
			if t.failed == nil {
				c.grouped[by] = new([hostGroups]uint32)
			}
		}
		y.grouped = c.grouped[by]
	}
	if t.failed != nil {
		return nil
	}
	c.tallies[o] = y
	return y
}

func (t *Trials) addCosts(y *tally, costs []order.Cost) {
	if more := len(costs) - len(y.costs); more > 0 {
		t.hold(more * int(unsafe.Sizeof(order.Cost{})))
		y.costs = append(y.costs, make([]order.Cost, more)...)
	}
	for h, c := range costs {
		y.costs[h].Add(c)
	}
}

// hold takes note of bytes that are about to be held.
func (t *Trials) hold(bytes int) {
	t.held += bytes
	if t.held > t.limit {
		ways, ports := 0, 0
		for _, c := range t.countings {
			ways, ports = ways+len(c.tallies), max(ports, len(c.Ports))
		}
		t.failed = fmt.Errorf("analysis: services responded in %d ways on %d ports, too many to resample: count on fewer ports", ways, ports)
	}
}

// Merge adds what other Trials, that count alike, have counted.
func (t *Trials) Merge(fold Fold) error {
	other, ok := fold.(*Trials)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, t)
	}
	if !slices.EqualFunc(t.countings, other.countings, func(a, b *trialCount) bool {
		return slices.Equal(a.Ports, b.Ports) && a.Own == b.Own && a.ByPort == b.ByPort && a.Expected == b.Expected && a.NoVariants == b.NoVariants && a.Seed == b.Seed
	}) {
		return errors.New("analysis: trials that count otherwise do not merge")
	}
	t.close()
	other.close()
	if err := cmp.Or(t.failed, other.failed); err != nil {
		return err
	}
	to := t.handshakes.numbers(&other.handshakes)
	if err := fewEnough(&t.handshakes); err != nil {
		return err
	}
	for host := range other.firewalls {
		t.firewalls[host] = true
		t.hold(int(unsafe.Sizeof(host)))
	}
	for i, c := range t.countings {
		t.merge(c, other.countings[i], to)
	}
	return t.failed
}

// merge adds what another has counted by the same Counting, whose handshake i is number to[i] here.
func (t *Trials) merge(c, other *trialCount, to []int) {
	c.expected += other.expected
	c.hosts, c.identified = c.hosts+other.hosts, c.identified+other.identified
	for o, from := range other.tallies {
		y := t.tallyOf(c, outcome{o.port, o.class, o.identified.Renumber(to), o.sentData.Renumber(to), o.ackedData.Renumber(to)})
		if y == nil {
			return
		}
		for tenth, n := range from.services {
			y.services[tenth] += n
		}
		costs := make([]order.Cost, len(t.handshakes.list))
		for h, cost := range from.costs {
			costs[to[h]] = cost
		}
		t.addCosts(y, costs)
	}
	for by, from := range other.grouped {
		sum := c.grouped[identified{by.port, by.by.Renumber(to)}]
		for group, n := range from {
			sum[group] += n
		}
	}
}

// classNames are the classes of ports that an adaptive order tells apart.
var classNames = func() []string {
	list := []string{"unassigned", "ephemeral"}
	for _, p := range datasets.Ports() {
		if p.Expected != "" && !slices.Contains(list, p.Expected) {
			list = append(list, p.Expected)
		}
	}
	return list
}()

// classOf is the class of a port: that of the protocol that is expected there; or else ephemeral, for the dynamic ports (RFC
// 6335, section 6) and those that the paper has for such; or else unassigned.
func classOf(port uint16, expected string) uint8 {
	switch {
	case expected != "":
		return uint8(slices.Index(classNames, expected))
	case port >= 49152 || slices.Contains(datasets.Ephemeral(), port):
		return 1
	}
	return 0
}

// Outcomes is what Trials have counted.
type Outcomes struct {
	Handshakes      []string        // that were tried: what the sets in Services are over
	Services        []order.Outcome // those that sent or acknowledged data; in an order of their own
	Expected        int             // services left out, for they speak what is expected
	Hosts           uint64          // that the Services are on
	IdentifiedHosts uint64          // hosts on which something identifies one of them

	tenths  [][Tenths]int // of each of the Services
	grouped []grouped
	byPort  bool
	seed    uint64
}

// Outcomes gives what was counted by one of the Countings, by its place among them. Nothing may be added afterwards.
func (t *Trials) Outcomes(of int) (*Outcomes, error) {
	t.close()
	if t.failed != nil {
		return nil, t.failed
	}
	c := t.countings[of]
	var any order.Set
	for o := range c.tallies {
		any = any.Union(o.identified).Union(o.sentData).Union(o.ackedData)
	}
	for _, y := range c.tallies {
		for h, cost := range y.costs {
			if cost.Packets > 0 {
				any.Add(h)
			}
		}
	}
	result := &Outcomes{Expected: c.expected, Hosts: c.hosts, IdentifiedHosts: c.identified, byPort: c.ByPort, seed: c.Seed}
	var to []int
	result.Handshakes, to = arrange(&t.handshakes, any, c.Handshakes)

	onPort := make(map[uint16]int) // services that something identifies
	for o, y := range c.tallies {
		if o.identified != (order.Set{}) {
			onPort[o.port] += sum(y.services)
		}
	}
	type line struct {
		port   uint16
		of     order.Outcome
		tenths [Tenths]int
	}
	var lines []line
	for o, y := range c.tallies {
		l := line{o.port, order.Outcome{
			Pattern: order.Pattern{Identified: o.identified.Renumber(to), Services: sum(y.services)},
			Class:   classNames[o.class], SentData: o.sentData.Renumber(to), AckedData: o.ackedData.Renumber(to),
			Costs: make([]order.Cost, len(result.Handshakes)),
		}, y.services}
		for h, cost := range y.costs {
			if any.Has(h) {
				l.of.Costs[to[h]] = cost
			}
		}
		l.of.Weight = weigh(l.of.Services, onPort[o.port], result.byPort)
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.of.Class, b.of.Class), a.of.Identified.Compare(b.of.Identified),
			a.of.SentData.Compare(b.of.SentData), a.of.AckedData.Compare(b.of.AckedData))
	})
	for _, l := range lines {
		result.Services = append(result.Services, l.of)
		result.tenths = append(result.tenths, l.tenths)
	}
	for by, services := range c.grouped {
		result.grouped = append(result.grouped, newGrouped(identified{by.port, by.by.Renumber(to)}, services))
	}
	slices.SortFunc(result.grouped, func(a, b grouped) int {
		return cmp.Or(cmp.Compare(a.port, b.port), a.by.Compare(b.by))
	})
	return result, nil
}

func sum(list [Tenths]int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}

// weigh is what services weigh, where so many on their port are identified: nothing, if none is.
func weigh(services, onPort int, byPort bool) int64 {
	switch {
	case !byPort:
		return int64(services)
	case onPort == 0:
		return 0
	}
	return int64(math.Round(float64(order.PortWeight) * float64(services) / float64(onPort)))
}

// Tenth is the services on a tenth of the hosts, and those on the others. A service weighs what it does among all; costs are
// left out.
func (o *Outcomes) Tenth(n int) (in, others []order.Outcome) {
	for i, of := range o.Services {
		k := o.tenths[i][n]
		part := of
		part.Costs = nil
		if part.Services, part.Weight = k, share(of.Weight, k, of.Services); k > 0 {
			in = append(in, part)
		}
		if part.Services, part.Weight = of.Services-k, of.Weight-part.Weight; k < of.Services {
			others = append(others, part)
		}
	}
	return in, others
}

// share is what k of n services weigh that weigh so much together.
func share(weight int64, k, n int) int64 {
	return int64(math.Round(float64(weight) * float64(k) / float64(n)))
}
