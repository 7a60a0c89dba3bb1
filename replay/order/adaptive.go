package order

import (
	"fmt"
	"slices"
	"strings"
)

// Depth is how many handshakes an adaptive order tries on a service, at most: as many as Table 2 has.
const Depth = 5

// enough is how many services it takes for decisions of their own. What fewer show is as likely to be chance.
const enough = 50

// shown is what an attempt that identified nothing showed of a service.
type shown uint8

const (
	nothing   shown = iota // it acknowledged nothing: it was silent, or hung up, or was not tried
	ackedData              // it acknowledged data, and sent none
	sentData               // it sent data that identifies nothing
	ways
)

var shownNames = [ways]string{"nothing acknowledged", "acks_data", "sends_data"}

func (o *Outcome) shows(h int) shown {
	switch {
	case o.SentData.Has(h):
		return sentData
	case o.AckedData.Has(h):
		return ackedData
	}
	return nothing
}

// Adaptive is an order that depends on the class of the port, and after each handshake on what that showed: a tree of
// decisions, made by the greedy choice at each.
type Adaptive struct {
	handshakes []string
	classes    []string // those with an order of their own
	first      []*node  // of each of them
	others     *node    // where services on ports of any other class begin
}

// node is a decision: what to try next. nil is to give up.
type node struct {
	handshake int
	own       [ways]bool  // whether there is a decision of its own after it, by what it showed
	after     [ways]*node // that decision; valid only with own
	otherwise *node       // the decision where there is none; nil, too, if there is one whatever it showed
}

// next is the decision on a service that the handshake did not identify.
func (n *node) next(s shown) *node {
	if n.own[s] {
		return n.after[s]
	}
	return n.otherwise
}

// Adapt makes the adaptive order of at most Depth handshakes. At each decision it takes the handshake that identifies the
// most services still unidentified, by their weight, of those that come there; a class of ports, or what a handshake showed,
// has decisions of its own where at least 50 services come there, and where there are fewer the decision is that for all
// that come as far. Where no handshake gains anything it gives up.
func Adapt(outcomes []Outcome, handshakes []string) *Adaptive {
	a := &Adaptive{handshakes: handshakes, others: grow(outcomes, handshakes, Depth)}
	for _, o := range outcomes {
		if !slices.Contains(a.classes, o.Class) {
			a.classes = append(a.classes, o.Class)
		}
	}
	slices.Sort(a.classes)
	a.classes = slices.DeleteFunc(a.classes, func(class string) bool {
		of := only(outcomes, func(o *Outcome) bool { return o.Class == class })
		if count(of) < enough {
			return true
		}
		first := grow(of, handshakes, Depth)
		if first.equals(a.others) {
			return true
		}
		a.first = append(a.first, first)
		return false
	})
	return a
}

// grow makes the decision for services, and those that come after it.
func grow(outcomes []Outcome, handshakes []string, depth int) *node {
	best, most := -1, int64(0)
	for h, gain := range gains(Patterns(outcomes), len(handshakes)) {
		if gain > most {
			best, most = h, gain
		}
	}
	if best < 0 || depth == 0 {
		return nil
	}
	left := unidentified(outcomes, best)
	n := &node{handshake: best, otherwise: grow(left, handshakes, depth-1)}
	for s := range ways {
		of := only(left, func(o *Outcome) bool { return o.shows(best) == s })
		if count(of) < enough {
			continue
		}
		n.after[s] = grow(of, handshakes, depth-1)
		n.own[s] = !n.after[s].equals(n.otherwise)
	}
	if n.own == [ways]bool{true, true, true} {
		n.otherwise = nil
	}
	return n
}

// equals reports whether two decisions are the same, and all that come after them.
func (n *node) equals(o *node) bool {
	if n == nil || o == nil {
		return n == o
	}
	if n.handshake != o.handshake || n.own != o.own || !n.otherwise.equals(o.otherwise) {
		return false
	}
	for s, own := range n.own {
		if own && !n.after[s].equals(o.after[s]) {
			return false
		}
	}
	return true
}

func only(outcomes []Outcome, keep func(*Outcome) bool) []Outcome {
	var list []Outcome
	for i := range outcomes {
		if keep(&outcomes[i]) {
			list = append(list, outcomes[i])
		}
	}
	return list
}

func count(outcomes []Outcome) (services int) {
	for i := range outcomes {
		services += outcomes[i].Services
	}
	return services
}

// Effort is what an order takes, over services by their weight.
type Effort struct {
	Tried      float64 // handshakes, on the services that none identifies too
	Identified float64 // services that one identifies
}

// Add adds what it takes over other services.
func (e *Effort) Add(other Effort) {
	e.Tried += other.Tried
	e.Identified += other.Identified
}

// PerService is how many handshakes are tried for each service that is identified.
func (e Effort) PerService() float64 { return e.Tried / e.Identified }

func (e *Effort) take(o *Outcome, tried int, identified bool) {
	e.Tried += float64(tried) * float64(o.Weight)
	if identified {
		e.Identified += float64(o.Weight)
	}
}

// Effort is what the order takes over services, which need not be those that it was made of.
func (a *Adaptive) Effort(outcomes []Outcome) (e Effort) {
	for i := range outcomes {
		o := &outcomes[i]
		n := a.others
		if at := slices.Index(a.classes, o.Class); at >= 0 {
			n = a.first[at]
		}
		tried, identified := 0, false
		for n != nil && !identified {
			tried++
			identified = o.Identified.Has(n.handshake)
			n = n.next(o.shows(n.handshake))
		}
		e.take(o, tried, identified)
	}
	return e
}

// Fixed is what the first Depth steps of a fixed order take over services: each is tried until it identifies.
func Fixed(steps []Step, outcomes []Outcome, handshakes []string) (e Effort) {
	steps = steps[:min(len(steps), Depth)]
	for i := range outcomes {
		o := &outcomes[i]
		tried, identified := 0, false
		for _, s := range steps {
			tried++
			if identified = o.Identified.Has(index(handshakes, s.Handshake)); identified {
				break
			}
		}
		e.take(o, tried, identified)
	}
	return e
}

// String is the order in lines: for classes of ports the handshakes to try, and below it what to try instead after one of
// them, by what that showed.
func (a *Adaptive) String() string {
	var b strings.Builder
	for i := range a.classes {
		alike := func(n *node) bool { return n.equals(a.first[i]) }
		if slices.IndexFunc(a.first, alike) < i {
			continue
		}
		var classes []string
		for k, class := range a.classes {
			if alike(a.first[k]) {
				classes = append(classes, class)
			}
		}
		a.write(&b, "", "ports "+wrap(strings.Join(classes, ", ")), a.first[i])
	}
	name := "all ports"
	if len(a.classes) > 0 {
		name = "other ports"
	}
	a.write(&b, "", name, a.others)
	return b.String()
}

// wrap breaks a list into lines of about 60 characters.
func wrap(list string) string {
	var b strings.Builder
	line := 0
	for item := range strings.SplitAfterSeq(list, ", ") {
		if line += len(item); line > 60 {
			b.WriteString("\n  ")
			line = len(item)
		}
		b.WriteString(item)
	}
	return b.String()
}

func (a *Adaptive) write(b *strings.Builder, indent, name string, n *node) {
	var chain []string
	for at := n; at != nil; at = at.otherwise {
		chain = append(chain, a.handshakes[at.handshake])
	}
	if n == nil {
		chain = []string{"give up"}
	}
	fmt.Fprintf(b, "%s%s: %s\n", indent, name, strings.Join(chain, ", "))
	for at := n; at != nil; at = at.otherwise {
		for s, own := range at.own {
			if own {
				a.write(b, indent+"  ", fmt.Sprintf("%s after %s", shownNames[s], a.handshakes[at.handshake]), at.after[s])
			}
		}
	}
}
