package session

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// What of a service's attempts is left to chance, each apart from the others and from what identity draws.
const (
	chanceOfOrder = 1 + iota
	chanceOfFollowup
)

// chance draws what a scan leaves to chance about a service: a keyed function of the service and of what it is about, so
// that playback draws the same.
type chance struct{ cipher cipher.Block }

func newChance(key Key) chance {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key's length is fixed
	}
	return chance{block}
}

// about begins the draws of one purpose for a service, with AES in CBC-MAC as identity's.
func (c chance) about(service netip.AddrPort, purpose byte) draws {
	d := draws{cipher: c.cipher, block: service.Addr().As16()}
	d.next()
	d.block[0] ^= byte(service.Port() >> 8)
	d.block[1] ^= byte(service.Port())
	d.block[2] ^= purpose // where identity's messages have 0 or 255
	d.next()
	return d
}

// draws are independent of each other.
type draws struct {
	cipher cipher.Block
	block  [aes.BlockSize]byte
}

func (d *draws) next() { d.cipher.Encrypt(d.block[:], d.block[:]) }

// below draws one of 0 to n-1.
func (d *draws) below(n int) int {
	d.next()
	hi, _ := bits.Mul64(binary.LittleEndian.Uint64(d.block[:]), uint64(n))
	return int(hi)
}
