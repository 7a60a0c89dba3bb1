package estimate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Duration is how long something was watched.
type Duration struct {
	Time  float64 // in any unit, not negative
	Ended bool    // by the event that is waited for; else the watch ended before it
}

// Survival is the share of things to which the event has not happened by a time.
type Survival struct {
	Time   float64 // of at least one event
	AtRisk int     // how many were watched up to it
	Events int     // at it
	Share  float64 // to which it has not happened after Time

	// Lo and Hi are the ends of the interval with the package's Confidence. Valid only while Share is above 0.
	Lo, Hi float64
}

// KaplanMeier estimates the shares from durations of which some ended too early to show the event, at each time of an event
// (Kaplan and Meier 1958, Journal of the American Statistical Association 53). The interval has Greenwood's variance, on the scale
// log(-log) (Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 2nd edition, 1.4). The things are taken as
// independent.
func KaplanMeier(durations []Duration) ([]Survival, error) {
	for i, d := range durations {
		if !(d.Time >= 0) || math.IsInf(d.Time, 1) {
			return nil, fmt.Errorf("estimate: duration %d is %v", i+1, d.Time)
		}
	}
	durations = slices.Clone(durations)
	slices.SortFunc(durations, func(a, b Duration) int { return cmp.Compare(a.Time, b.Time) })
	var curve []Survival
	share, greenwood := 1.0, 0.0
	for from := 0; from < len(durations); {
		s := Survival{Time: durations[from].Time, AtRisk: len(durations) - from}
		for ; from < len(durations) && durations[from].Time == s.Time; from++ {
			if durations[from].Ended {
				s.Events++
			}
		}
		if s.Events == 0 {
			continue
		}
		n, events := float64(s.AtRisk), float64(s.Events)
		share *= 1 - events/n
		s.Share = share
		if share > 0 {
			greenwood += events / (n * (n - events))
			half := normalQuantile * math.Sqrt(greenwood) / math.Abs(math.Log(share))
			s.Lo, s.Hi = math.Pow(share, math.Exp(half)), math.Pow(share, math.Exp(-half))
		}
		curve = append(curve, s)
	}
	return curve, nil
}
