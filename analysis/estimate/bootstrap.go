package estimate

import (
	"encoding/binary"
	"net/netip"
	"sync"

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
	poisson := poissonTable()
	var bits uint64
	for replicate := range dst {
		if replicate%4 == 0 {
			binary.LittleEndian.PutUint64(key[:], uint64(replicate/4))
			bits = xxh3.HashSeed(key[:], seed)
		}
		dst[replicate] = poisson[uint16(bits)]
		bits >>= 16
	}
}

// poissonTable has a Poisson(1) variable for every 16 random bits, by inversion.
var poissonTable = sync.OnceValue(func() *[1 << 16]uint8 {
	// atMost is the probability of at most 0, 1, 2, ..., times 2^16, rounded.
	atMost := []int{24109, 48219, 60273, 64292, 65296, 65497, 65531, 65535, 65536}
	table := new([1 << 16]uint8)
	var k uint8
	for bits := range table {
		for bits >= atMost[k] {
			k++
		}
		table[bits] = k
	}
	return table
})

// group deals hosts out to a number of groups at random.
func group(seed uint64, host netip.Addr, groups uint64) int {
	address := host.As16()
	return int(xxh3.HashSeed(address[:], seed) % groups)
}
