package handshake

import "encoding/binary"

// mix is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the next of a sequence of well spread words. Hellos take from it
// what a protocol wants to be random, so that the same nonce gives the same bytes.
func mix(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// appendNoise appends n bytes that follow from nonce.
func appendNoise(b []byte, nonce uint64, n int) []byte {
	var word [8]byte
	for ; n > 0; n -= len(word) {
		binary.BigEndian.PutUint64(word[:], mix(&nonce))
		b = append(b, word[:min(n, len(word))]...)
	}
	return b
}
