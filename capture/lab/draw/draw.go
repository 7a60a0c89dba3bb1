// Package draw decides what is left to chance in a simulated Internet. Everything about a host or a service is a draw: a keyed
// function of what it is about, so that nothing has to be stored and nothing depends on the order of asking. The function is
// wyhash's multiply and fold; it makes no claim against an adversary.
package draw

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Key is the key of all draws of one network.
type Key struct{ a, b, c uint64 }

// NewKey spreads a seed over a key.
func NewKey(seed uint64) Key {
	var k Key
	for _, p := range []*uint64{&k.a, &k.b, &k.c} {
		seed += 0x9e3779b97f4a7c15 // splitmix64
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		*p = z ^ z>>31
	}
	return k
}

// Draw is 64 random bits for (x, y).
func (k Key) Draw(x, y uint64) uint64 {
	return fold(fold(x^k.a, y^k.b)^k.c, 0x9e3779b97f4a7c15)
}

func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// Halves are the two halves of an address, an IPv4 one as its IPv6-mapped form.
func Halves(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// Source is where the draws about one host or service come from. Each purpose has a number of its own.
type Source struct {
	Key  Key
	This uint64 // what it is about
}

// The purposes of draws.
const (
	ForHost = iota + 1
	ForClass
	ForStack
	ForHops
	ForDelay
	ForRefusal
	ForService
	ForKind
	ForBehaviour
	ForProtocol
	ForStrictness
	ForVariant
	ForDetail
	ForReaction
	ForPace
	ForThinking
	ForBox
	ForText
	ForISN
	ForClock
	ForPort
	ForRank
	ForArrival
	ForDeparture
	ForMaker
	ForKey
	ForLogin
	ForUPnP
	ForSoftware
	ForOption
	ForSpoiling
)

// Bits are 64 random bits.
func (s Source) Bits(purpose uint64) uint64 { return s.Key.Draw(s.This, purpose) }

// Unit is in [0, 1).
func (s Source) Unit(purpose uint64) float64 { return Unit(s.Bits(purpose)) }

// Below is in [0, n).
func (s Source) Below(purpose uint64, n int) int {
	hi, _ := bits.Mul64(s.Bits(purpose), uint64(n))
	return int(hi)
}

// Unit maps 64 random bits to [0, 1).
func Unit(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// Chance is a probability as a threshold for 32 random bits.
type Chance uint32

// NewChance makes one of a probability; what is below 0 or above 1 counts as that.
func NewChance(p float64) Chance { return Chance(min(max(p, 0)*(1<<32), 1<<32-1)) }

// Hit reports whether these bits, of which it takes the lower half, are such that it happens.
func (c Chance) Hit(bits uint64) bool { return uint32(bits) < uint32(c) }
