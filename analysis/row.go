package analysis

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"

	"github.com/zeebo/xxh3"
)

// A row's canonical bytes are what is sorted, spilled, digested and cut into columns: its values in the order of the
// columns. They never change for a table of the same columns, or digests would.
//
//	boolean              one byte, 0 or 1
//	unsigned16, unsigned32  a varint
//	small, number32, number64  a varint of 0 for null, and else of one more than the number in zigzag
//	instant              0 for null; or 1 and eight bytes, little endian
//	address              one byte, 0, 4 or 16, and then so many bytes
//	text, octets         their length as a varint, and then the bytes
//	texts                the length of what follows as a varint, and then each text as above

// appendRow appends a row's canonical bytes.
func (t *table[R]) appendRow(b []byte, row *R) ([]byte, error) {
	start := len(b)
	for i := range t.columns {
		c := &t.columns[i]
		switch c.kind {
		case address:
			b = appendAddress(b, c.address(row))
		case text:
			s := c.text(row)
			b = append(appendUvarint(b, uint64(len(s))), s...)
		case octets:
			o := c.bytes(row)
			b = append(appendUvarint(b, uint64(len(o))), o...)
		case texts:
			b = c.appendList(b, row)
		default:
			v := c.number(row)
			if !c.kind.fits(v) {
				return b[:start], fmt.Errorf("column %q cannot hold %d", c.name, v)
			}
			b = c.kind.appendNumber(b, v)
		}
	}
	return b, nil
}

// appendUvarint is binary.AppendUvarint, with what most numbers are in line.
func appendUvarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return binary.AppendUvarint(b, v)
}

func (k kind) appendNumber(b []byte, v int64) []byte {
	switch k {
	case boolean:
		return append(b, byte(v))
	case unsigned16, unsigned32:
		return appendUvarint(b, uint64(v))
	case instant:
		if v == none {
			return append(b, 0)
		}
		return binary.LittleEndian.AppendUint64(append(b, 1), uint64(v))
	}
	if v == none {
		return append(b, 0)
	}
	return appendUvarint(b, uint64(v<<1)^uint64(v>>63)+1)
}

func appendAddress(b []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		as4 := a.As4()
		return append(append(b, 4), as4[:]...)
	case a.IsValid(): // a zone is lost: no packet carries one
		as16 := a.As16()
		return append(append(b, 16), as16[:]...)
	}
	return append(b, 0)
}

// appendList appends the list's length in bytes, and each element after its own.
func (c *column[R]) appendList(b []byte, row *R) []byte {
	size := 0
	for i := 0; ; i++ {
		s, ok := c.list(row, i)
		if !ok {
			break
		}
		size += uvarintLen(len(s)) + len(s)
	}
	b = appendUvarint(b, uint64(size))
	for i := 0; size > 0; i++ {
		s, ok := c.list(row, i)
		if !ok {
			break
		}
		b = append(appendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

func uvarintLen(n int) int {
	length := 1
	for ; n >= 0x80; n >>= 7 {
		length++
	}
	return length
}

var errRow = errors.New("row is damaged")

// cutUvarint takes a varint off b.
func cutUvarint(b []byte) (v uint64, rest []byte, err error) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:], nil
	}
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errRow
	}
	return v, b[n:], nil
}

// cutBytes takes bytes and their length off b.
func cutBytes(b []byte) (value, rest []byte, err error) {
	n, b, err := cutUvarint(b)
	if err != nil || n > uint64(len(b)) {
		return nil, nil, errRow
	}
	return b[:n:n], b[n:], nil
}

// cutNumber takes a number off b, none for null.
func (k kind) cutNumber(b []byte) (v int64, rest []byte, err error) {
	switch k {
	case boolean:
		if len(b) < 1 {
			return 0, nil, errRow
		}
		return int64(b[0]), b[1:], nil
	case instant:
		if len(b) > 0 && b[0] == 0 {
			return none, b[1:], nil
		}
		if len(b) < 9 {
			return 0, nil, errRow
		}
		return int64(binary.LittleEndian.Uint64(b[1:])), b[9:], nil
	}
	u, rest, err := cutUvarint(b)
	switch {
	case k == unsigned16 || k == unsigned32:
		return int64(u), rest, err
	case u == 0:
		return none, rest, err
	}
	u--
	return int64(u>>1) ^ -int64(u&1), rest, err
}

// addressOf reads the bytes of an address.
func addressOf(b []byte) (netip.Addr, error) {
	a, ok := netip.AddrFromSlice(b)
	if !ok && len(b) > 0 {
		return a, errRow
	}
	return a, nil
}

// readRow sets a row from its canonical bytes. Its byte strings are views of b, its texts are not.
func (t *table[R]) readRow(row *R, b []byte) error {
	for i := range t.columns {
		c := &t.columns[i]
		var err error
		switch c.kind {
		case address, text, octets, texts:
			var value []byte
			if value, b, err = cutBytes(b); err == nil {
				err = c.set(row, value)
			}
		default:
			var v int64
			if v, b, err = c.kind.cutNumber(b); err == nil {
				err = c.setNumber(row, v)
			}
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	if len(b) > 0 {
		return errRow
	}
	return nil
}

// set sets a value that has a length.
func (c *column[R]) set(row *R, value []byte) error {
	switch c.kind {
	case address:
		a, err := addressOf(value)
		c.setAddress(row, a)
		return err
	case text:
		return c.setText(row, string(value))
	case octets:
		c.setBytes(row, value)
		return nil
	}
	for len(value) > 0 {
		element, rest, err := cutBytes(value)
		if err == nil {
			err = c.setText(row, string(element))
		}
		if err != nil {
			return err
		}
		value = rest
	}
	return nil
}

// keySize is the length of a key, in bytes.
const keySize = 34

// key is what rows are sorted by, as bytes that compare as the rows do: family, address, port, run, number of the
// attempt, what it was for, frame. Two rows that are equal in all of it are in the order in which they came.
type key [keySize]byte

func keyOf(service netip.AddrPort, run, attempt int, visit uint8, frame uint64) key {
	var k key
	addr := service.Addr()
	if !addr.Is4() {
		k[0] = 1
	}
	as16 := addr.As16()
	copy(k[1:17], as16[:])
	binary.BigEndian.PutUint16(k[17:], service.Port())
	binary.BigEndian.PutUint16(k[19:], uint16(run))
	binary.BigEndian.PutUint32(k[21:], uint32(attempt))
	k[25] = visit
	binary.BigEndian.PutUint64(k[26:], frame)
	return k
}

// sameAttempt reports whether two keys are of one attempt.
func sameAttempt(a, b []byte) bool { return bytes.Equal(a[:26], b[:26]) }

// serviceOf is the service that a key is of.
func serviceOf(k []byte) netip.AddrPort {
	addr := netip.AddrFrom16([16]byte(k[1:17]))
	if k[0] == 0 {
		addr = addr.Unmap()
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(k[17:]))
}

// visitOf is what the attempt that a key is of was for.
func visitOf(k []byte) uint8 { return k[25] }

// part is the part of a table, of so many, that all rows of the key's host are in.
func (k *key) part(of int) int {
	if of == 1 {
		return 0
	}
	return int(xxh3.Hash(k[1:17]) % uint64(of))
}

// prefix orders keys as far as 64 bits can: equal prefixes leave it to the keys. An IPv4 service and its first attempts
// fit.
func (k *key) prefix() uint64 {
	if k[0] != 0 {
		return 1<<63 | binary.BigEndian.Uint64(k[1:])>>1
	}
	service := uint64(binary.BigEndian.Uint32(k[13:]))<<16 | uint64(binary.BigEndian.Uint16(k[17:]))
	within := uint64(math.MaxInt16)
	if k[19] == 0 && k[20] == 0 {
		within = min(uint64(binary.BigEndian.Uint32(k[21:])), within-1)
	}
	return service<<15 | within
}
