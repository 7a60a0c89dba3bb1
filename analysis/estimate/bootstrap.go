package estimate

import (
	"encoding/binary"
	"net/netip"

	"github.com/zeebo/xxh3"
)

// Weights fills dst with a host's weights in the bootstrap replicates 0, 1, ...: how often each has the host. They are
// Poisson(1) variables that depend on seed, replicate and host alone, so that a replicate is made in one pass, and replicates of
// the parts of a data set add up to those of the whole (Chamandy et al. 2012, Estimating uncertainty for massive data streams,
// section 2). A sum over hosts becomes a replicate of itself if each host is counted with its weight.
//
// A hash gives four weights, 16 bits each: their mean and variance are 1 to four decimal places, and none is above 8.
func Weights(dst []uint8, seed uint64, host netip.Addr) {
	var key [24]byte
	address := host.As16()
	copy(key[8:], address[:])
	var bits uint64
	for replicate := range dst {
		if replicate%4 == 0 {
			binary.LittleEndian.PutUint64(key[:], uint64(replicate/4))
			bits = xxh3.HashSeed(key[:], seed)
		}
		dst[replicate] = poisson(uint16(bits))
		bits >>= 16
	}
}

// poisson is a Poisson(1) variable of 16 random bits, by inversion.
func poisson(bits uint16) uint8 {
	var k uint8
	for k < uint8(len(poissonBelow)) && bits >= poissonBelow[k] {
		k++
	}
	return k
}

// poissonBelow is the probability of at most 0, 1, 2, ..., times 2^16, rounded.
var poissonBelow = [...]uint16{24109, 48219, 60273, 64292, 65296, 65497, 65531, 65535}

// group deals hosts out to a number of groups at random.
func group(seed uint64, host netip.Addr, groups uint64) int {
	address := host.As16()
	return int(xxh3.HashSeed(address[:], seed) % groups)
}
