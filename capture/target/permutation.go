package target

import "math/bits"

// rounds of the Feistel network. Four already make a pseudo-random permutation
// of strong rounds (Luby and Rackoff 1988), but for halves of few bits more are
// needed to come near to it.
const rounds = 8

// minBits is the least size of the network: with fewer bits its halves are too
// small to mix. Walking a network of 2^minBits costs microseconds in all.
const minBits = 10

// Purposes keep the permutations that are made of one seed independent.
const (
	permuteServices = 1 + iota
	permuteHosts
	permuteListedHosts
	permuteBlocks
)

// permutation is a keyed bijection of 0..last onto itself. It is a Feistel
// network on the fewest bits that hold last; a value beyond last is sent through
// again until it falls inside (cycle walking, Black and Rogaway 2002), less than
// twice on average.
type permutation struct {
	last     uint64
	lowBits  uint // width of the right half; the left has as many or one more
	highMask uint64
	lowMask  uint64
	keys     [rounds]uint64
}

// newPermutation permutes 0..last under a seed, differently for each purpose.
func newPermutation(last, seed, purpose uint64) permutation {
	width := max(uint(bits.Len64(last)), minBits)
	low := width / 2
	p := permutation{last: last, lowBits: low, highMask: 1<<(width-low) - 1, lowMask: 1<<low - 1}
	state := mix(seed) ^ purpose
	for i := range p.keys {
		state += 0x9e3779b97f4a7c15
		p.keys[i] = mix(state)
	}
	return p
}

// at gives the i-th value of the permutation; i is at most last.
func (p *permutation) at(i uint64) uint64 {
	for {
		left, right := i>>p.lowBits, i&p.lowMask
		for r := 0; r < rounds; r += 2 {
			left ^= mix(right^p.keys[r]) & p.highMask
			right ^= mix(left^p.keys[r+1]) & p.lowMask
		}
		if i = left<<p.lowBits | right; i <= p.last {
			return i
		}
	}
}

// indexOf is the inverse of at.
func (p *permutation) indexOf(value uint64) uint64 {
	for {
		left, right := value>>p.lowBits, value&p.lowMask
		for r := rounds - 2; r >= 0; r -= 2 {
			right ^= mix(left^p.keys[r+1]) & p.lowMask
			left ^= mix(right^p.keys[r]) & p.highMask
		}
		if value = left<<p.lowBits | right; value <= p.last {
			return value
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the
// result depends on every bit of x.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
