package analysis

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Digest identifies the rows of a table: the sum, modulo 2^256, of the SHA-256 of each row's canonical bytes. Neither
// the order of the rows nor the files that they are in matter to it, and the digests of disjoint parts of a table add up
// to the whole's. The zero Digest is that of no rows.
type Digest [4]uint64 // least significant first

// add takes one row into account.
func (d *Digest) add(row []byte) {
	sum := sha256.Sum256(row)
	d.Add(Digest{
		binary.BigEndian.Uint64(sum[24:]), binary.BigEndian.Uint64(sum[16:]),
		binary.BigEndian.Uint64(sum[8:]), binary.BigEndian.Uint64(sum[:]),
	})
}

// Add makes d the digest of its own rows and of o's.
func (d *Digest) Add(o Digest) {
	var carry uint64
	for i := range d {
		d[i], carry = bits.Add64(d[i], o[i], carry)
	}
}

// String is the digest as 64 hexadecimal digits.
func (d Digest) String() string {
	text, _ := d.MarshalText()
	return string(text)
}

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) {
	var b [32]byte
	for i := range d {
		binary.BigEndian.PutUint64(b[24-8*i:], d[i])
	}
	return hex.AppendEncode(nil, b[:]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	var b [32]byte
	if len(text) != hex.EncodedLen(len(b)) {
		return hex.ErrLength
	}
	if _, err := hex.Decode(b[:], text); err != nil {
		return err
	}
	for i := range d {
		d[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return nil
}
