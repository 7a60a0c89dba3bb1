package draw

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Everything about a host or a service is a draw: a keyed function of what it is about, so that
// nothing has to be stored and nothing depends on the order of asking. The function is wyhash's
// multiply and fold; it makes no claim against an adversary.

// key is the key of all draws of one network.
type key struct{ a, b, c uint64 }

func newKey(seed uint64) key {
	var k key
	for _, p := range []*uint64{&k.a, &k.b, &k.c} {
		seed += 0x9e3779b97f4a7c15 // splitmix64
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		*p = z ^ z>>31
	}
	return k
}

// draw is 64 random bits for (x, y).
func (k key) draw(x, y uint64) uint64 {
	return fold(fold(x^k.a, y^k.b)^k.c, 0x9e3779b97f4a7c15)
}

func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// halves are the two halves of an address, an IPv4 one as its IPv6-mapped form.
func halves(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// dice are the draws about one host or service: each purpose has a number of its own.
type dice struct {
	key  key
	this uint64
}

// The purposes of draws.
const (
	forHost = iota + 1
	forClass
	forStack
	forHops
	forDelay
	forRefusal
	forService
	forKind
	forBehaviour
	forProtocol
	forStrictness
	forVariant
	forDetail
	forReaction
	forPace
	forThinking
	forBox
	forText
	forISN
	forClock
	forPort
	forRank
	forArrival
	forDeparture
)

func (d dice) bits(purpose uint64) uint64 { return d.key.draw(d.this, purpose) }

// unit is in [0, 1).
func (d dice) unit(purpose uint64) float64 { return unit(d.bits(purpose)) }

// below is in [0, n).
func (d dice) below(purpose uint64, n int) int {
	hi, _ := bits.Mul64(d.bits(purpose), uint64(n))
	return int(hi)
}

func unit(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// chance is a probability as a threshold for 32 random bits.
type chance uint32

func newChance(p float64) chance { return chance(min(max(p, 0)*(1<<32), 1<<32-1)) }

func (c chance) hit(bits uint64) bool { return uint32(bits) < uint32(c) }
