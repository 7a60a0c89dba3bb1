package estimate

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Confidence is that of every interval here.
const Confidence = 0.95

// enoughHosts is the effective number of hosts below which intervals over hosts have been seen not to hold: docs/estimates.md.
const enoughHosts = 50

// Unit is what a sample was drawn from.
type Unit uint8

const (
	ByService  Unit = iota // services were drawn, (address, port) pairs, each alone
	ByHost                 // hosts were drawn, each with all its services
	firstBlock             // and those above it: ByBlock's
)

// ByBlock is the unit where blocks of consecutive addresses were drawn, each with all hosts and services in it: prefixes of so
// many bits, at most 128. Blocks then take the place of hosts: what says hosts here, in sums and in words, is blocks.
func ByBlock(bits int) Unit { return firstBlock + Unit(bits) }

// Cluster gives what was drawn with a service on this host: the services of one cluster are to be counted together, as those
// of one host are. It is the host itself, or the block that it is in.
func (u Unit) Cluster(host netip.Addr) netip.Prefix {
	bits := host.BitLen()
	if u >= firstBlock {
		bits = min(bits, int(u-firstBlock))
	}
	p, _ := host.Prefix(bits) // whose error is of bits beyond BitLen
	return p
}

func (u Unit) String() string {
	switch u {
	case ByService:
		return "by service"
	case ByHost:
		return "by host"
	}
	return fmt.Sprintf("by /%d", u-firstBlock)
}

// Design is how a run's targets were chosen: Drawn of Of units, at random, without replacement. A manifest's target.Sample has
// these numbers; they count what did not answer, too. The zero Design is that of what nobody drew at random: a capture, several
// scans together. It has estimates of what was seen, without intervals.
type Design struct {
	Unit  Unit
	Drawn uint64 // units in the sample, at least 1
	Of    uint64 // units in the population, at least Drawn; Of = Drawn is a census, which has no error of sampling
}

// Fraction is the share of the population that was drawn, in (0, 1].
func (d Design) Fraction() float64 { return float64(d.Drawn) / float64(d.Of) }

func (d Design) census() bool { return d.Drawn == d.Of }

// random reports whether units were drawn at random.
func (d Design) random() bool { return d != Design{} }

func (d Design) String() string {
	if !d.random() {
		return string(NoSample)
	}
	return fmt.Sprintf("%d of %d %v", d.Drawn, d.Of, d.Unit)
}

func (d Design) check() error {
	if d.random() && (d.Drawn == 0 || d.Drawn > d.Of) {
		return fmt.Errorf("estimate: a sample cannot be %d units of %d", d.Drawn, d.Of)
	}
	return nil
}

// Warning is something that a reader of an estimate has to be told.
type Warning string

const (
	NoData      Warning = "no data"                          // nothing was counted; the value is not a number
	NoHits      Warning = "none of the kind on one side"     // of a ratio; there is no interval
	NoSample    Warning = "not one random sample"            // the Design is the zero one; there is no interval
	TooFewHosts Warning = "too few effective hosts"          // fewer than 50 effective ones, or blocks; there is no interval
	LowerBound  Warning = "a lower bound: there may be more" // the value is none but that
)

// Estimate is a number about a population, with what it rests on. It is not to be shown without.
type Estimate struct {
	Value float64

	// Lo and Hi are the ends of the interval. Valid only if Confidence is above 0. Hi may be +Inf: more than Lo.
	Lo, Hi     float64
	Confidence float64 // 0: there is no interval

	Design Design
	N      uint64 // services that were counted
	Hosts  uint64 // hosts that they are on, or blocks where these were drawn; 0 if these were not counted
	// EffectiveHosts is (sum of e^2)^2 / sum of e^4, where e is what a host adds to the error: as many hosts of one size would
	// vary as much. 0 where nothing varies.
	EffectiveHosts float64
	Method         string // names the authors
	Warnings       []Warning
}

// HasInterval reports whether Lo and Hi are valid.
func (e Estimate) HasInterval() bool { return e.Confidence > 0 }

// between gives the estimate an interval.
func (e Estimate) between(lo, hi float64) Estimate {
	e.Lo, e.Hi, e.Confidence = lo, hi, Confidence
	return e
}

// Bootstrap is the estimate of a value that was also computed on resamples of the hosts: its interval is between the percentiles
// 2.5 and 97.5 of what these gave (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). With fewer than 50 hosts
// there is none.
func Bootstrap(value, lo, hi float64, d Design, services, hosts uint64) (Estimate, error) {
	e := Estimate{Value: value, Design: d, N: services, Hosts: hosts, Method: "bootstrap over hosts, percentiles"}
	if err := d.check(); err != nil {
		return e, err
	}
	switch {
	case services == 0:
		return e.warn(NoData), nil
	case !d.random():
		e.Method = ""
		return e.warn(NoSample), nil
	case d.census():
		return e.between(value, value), nil
	case hosts < enoughHosts:
		return e.warn(TooFewHosts), nil
	}
	return e.between(lo, hi), nil
}

// warn gives the estimate one more warning.
func (e Estimate) warn(w Warning) Estimate {
	e.Warnings = append(e.Warnings[:len(e.Warnings):len(e.Warnings)], w)
	return e
}

// String is the estimate in one line, with four digits.
func (e Estimate) String() string {
	var b strings.Builder
	b.WriteString(digits(e.Value))
	switch {
	case e.HasInterval() && math.IsInf(e.Hi, 1):
		fmt.Fprintf(&b, " (more than %s at %g %%)", digits(e.Lo), 100*e.Confidence)
	case e.HasInterval():
		fmt.Fprintf(&b, " (%s to %s at %g %%)", digits(e.Lo), digits(e.Hi), 100*e.Confidence)
	}
	fmt.Fprintf(&b, "; n = %d", e.N)
	if e.Hosts > 0 {
		clusters := "on %d hosts"
		if e.Design.Unit >= firstBlock {
			clusters = "in %d blocks"
		}
		fmt.Fprintf(&b, " "+clusters+" (%.4g effective)", e.Hosts, e.EffectiveHosts)
	}
	if e.Method != "" {
		fmt.Fprintf(&b, "; %s; %v", e.Method, e.Design)
	}
	for _, w := range e.Warnings {
		fmt.Fprintf(&b, "; %s", w)
	}
	return b.String()
}

// digits are the first four of a number, without an exponent for large ones.
func digits(x float64) string {
	if x < 1e4 || math.IsInf(x, 1) {
		return fmt.Sprintf("%.4g", x)
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-3)
	return fmt.Sprintf("%.0f", math.Round(x/unit)*unit)
}

// normalQuantile is z: a normal variable is within z standard deviations with the Confidence.
var normalQuantile = distuv.UnitNormal.Quantile((1 + Confidence) / 2)

// studentQuantile is what Student's t with nu degrees of freedom is above with the probability upper, at most 1/2. It is found by
// bisection, because distuv.StudentsT.Quantile is wrong in the far tails of many degrees of freedom (for nu = 65534 and 3.8e-7 it
// is 66.1 instead of 4.946).
func studentQuantile(nu, upper float64) float64 {
	lo, hi := 0.0, 1.0
	for studentSurvival(nu, hi) > upper {
		lo, hi = hi, 2*hi
	}
	for range 100 {
		mid := (lo + hi) / 2
		if studentSurvival(nu, mid) > upper {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// studentSurvival is the probability of a t of at least this, which is not negative.
func studentSurvival(nu, t float64) float64 {
	return mathext.RegIncBeta(nu/2, 0.5, nu/(nu+t*t)) / 2
}
