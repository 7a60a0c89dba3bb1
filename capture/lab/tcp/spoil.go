package tcp

import (
	"slices"
	"time"

	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
)

// Spoil is what a wrong handshake does to a service that answered it with data: for some time, no connection of the same
// source gets through (paper, section 4.3).
type Spoil struct {
	Any    bool         // whether any words do that are not of the service's protocol
	By     servers.Kind // the words that do; valid unless Any
	Share  float64      // of the services
	Resets float64      // share of these that reset a SYN; the others ignore it
	For    []Spell      // how long, in rising order
}

// Spell is a time that is longer than the one before it, and at most Longest.
type Spell struct {
	UpTo    float64 // cumulative share; the last is 1
	Longest time.Duration
}

// Spoiled is for how long words of a kind spoil the service, from its answer on, and whether it resets SYNs until then; 0
// is not at all.
func (v *Service) Spoiled(k servers.Kind) (long time.Duration, resets bool) {
	if k == servers.Wait || v.IsOwn(k) {
		return 0, false
	}
	i := slices.IndexFunc(v.Spoils, func(s Spoil) bool { return s.Any || s.By == k })
	if i < 0 {
		return 0, false
	}
	s := &v.Spoils[i]
	drawn := draw.Source{Key: v.Key, This: v.Key.Draw(v.This, draw.ForSpoiling<<8|uint64(k))}
	if drawn.Unit(draw.ForKind) >= s.Share {
		return 0, false
	}
	x, from, shorter := drawn.Unit(draw.ForDelay), 0.0, time.Duration(0)
	for _, f := range s.For {
		if x < f.UpTo {
			long = shorter + time.Duration((x-from)/(f.UpTo-from)*float64(f.Longest-shorter))
			break
		}
		from, shorter = f.UpTo, f.Longest
	}
	return max(long, 1), drawn.Unit(draw.ForReaction) < s.Resets
}
