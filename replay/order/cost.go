package order

// Cost is what attempts took.
type Cost struct {
	Packets     uint64 // sent
	Bytes       uint64 // sent, with the headers of IP and TCP
	Nanoseconds uint64 // from beginning to end
}

// Add adds what other attempts took.
func (c *Cost) Add(other Cost) {
	c.Packets += other.Packets
	c.Bytes += other.Bytes
	c.Nanoseconds += other.Nanoseconds
}

// Outcome is services that responded alike to every handshake, on ports of one class.
type Outcome struct {
	Pattern          // its Weight counts, too, if nothing identified them: what is tried on them costs
	Class     string // of their ports
	SentData  Set    // the handshakes that drew data from them
	AckedData Set    // the handshakes that they acknowledged, and drew none
	Costs     []Cost // by handshake, what the attempts at all of them took; what is beyond its end took nothing
}

// Patterns gives what identified the services, as Greedy and Exact take it.
func Patterns(outcomes []Outcome) []Pattern {
	list := make([]Pattern, len(outcomes))
	for i := range outcomes {
		list[i] = outcomes[i].Pattern
	}
	return list
}

// Price is what a step of an order takes for each service that it gains, by their weight: it is tried on every service that
// none of those before it identified.
type Price struct{ Packets, Bytes, Seconds float64 }

// spent is what was taken, each service by its weight.
type spent struct{ packets, bytes, seconds float64 }

// spend is what trying handshake h on outcomes takes.
func spend(outcomes []Outcome, h int) (s spent) {
	for i := range outcomes {
		o := &outcomes[i]
		if h >= len(o.Costs) || o.Services == 0 {
			continue
		}
		// The conversions keep every machine from rounding a product and a sum at once.
		weight := float64(o.Weight) / float64(o.Services)
		s.packets += float64(weight * float64(o.Costs[h].Packets))
		s.bytes += float64(weight * float64(o.Costs[h].Bytes))
		s.seconds += float64(weight * float64(o.Costs[h].Nanoseconds) / 1e9)
	}
	return s
}

// Prices tells what each of the steps takes for each service that it gains. The prices of a step that gains nothing are not
// numbers.
func Prices(steps []Step, outcomes []Outcome, handshakes []string) []Price {
	var prices []Price
	left := outcomes
	for _, s := range steps {
		h := index(handshakes, s.Handshake)
		cost, gain := spend(left, h), float64(0)
		for i := range left {
			if left[i].Identified.Has(h) {
				gain += float64(left[i].Weight)
			}
		}
		prices = append(prices, Price{cost.packets / gain, cost.bytes / gain, cost.seconds / gain})
		left = unidentified(left, h)
	}
	return prices
}

// Unit is what a cost is counted in.
type Unit uint8

// The units.
const (
	InPackets Unit = iota
	InBytes
	InSeconds
)

func (s spent) in(u Unit) float64 {
	switch u {
	case InPackets:
		return s.packets
	case InBytes:
		return s.bytes
	}
	return s.seconds
}

// Cheapest orders the handshakes by what they gain for their cost: the next one is that which identifies the most services
// for each packet, byte or second that it takes to try it on every service that is left, and of several such the first in the
// list. It ends when no handshake gains anything.
func Cheapest(outcomes []Outcome, handshakes []string, unit Unit) []Step {
	left := outcomes
	var chosen []int
	for {
		best, most, least := -1, 0.0, 0.0
		for h, gain := range gains(Patterns(left), len(handshakes)) {
			gain, cost := float64(gain), spend(left, h).in(unit)
			if gain > 0 && (best < 0 || gain*least > most*cost) {
				best, most, least = h, gain, cost
			}
		}
		if best < 0 {
			return steps(Patterns(outcomes), handshakes, chosen)
		}
		chosen = append(chosen, best)
		left = unidentified(left, best)
	}
}

// unidentified leaves out the outcomes that handshake h identifies.
func unidentified(outcomes []Outcome, h int) []Outcome {
	left := make([]Outcome, 0, len(outcomes))
	for i := range outcomes {
		if !outcomes[i].Identified.Has(h) {
			left = append(left, outcomes[i])
		}
	}
	return left
}
