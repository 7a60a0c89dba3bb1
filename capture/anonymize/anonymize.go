// Package anonymize takes out of packets, payloads and manifests which addresses they are of, so that a record can be given
// to others, and observing it shows the same services with the same states and labels.
//
//   - An address becomes another, by Crypto-PAn (Xu, Fan, Ammar, Moon, "Prefix-preserving IP address anonymization", ICNP 2002):
//     addresses that have their first n bits in common keep n bits in common, and no more.
//   - What names addresses or hosts in a payload becomes something else of the same length and form ([Key.Payload]), so that no
//     sequence number changes.
//   - MAC addresses become others. What is neither TCP nor an ICMP error about it is blank. Checksums are computed anew.
//
// All of it is a function of the key: the same key keeps several records comparable, and whoever has it can undo the addresses.
// docs/anonymize.md says what is not taken out.
package anonymize

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
)

// KeySize is the length of a key in bytes, as in Crypto-PAn: an AES-128 key, and what the padding is made of.
const KeySize = 32

// Key anonymizes. It is safe for concurrent use.
type Key struct {
	block  cipher.Block
	pad    [16]byte
	secret [sha256.Size]byte // for everything but addresses

	known struct {
		sync.Mutex
		forms map[netip.Addr]*forms
	}
}

// NewKey makes a Key of KeySize bytes.
func NewKey(key []byte) (*Key, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("anonymize: a key has %d bytes, not %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		return nil, fmt.Errorf("anonymize: %w", err)
	}
	k := &Key{block: block, secret: sha256.Sum256(append([]byte("laserdisc payload "), key...))}
	block.Encrypt(k.pad[:], key[16:])
	return k, nil
}

// LoadKey reads a key as 64 hexadecimal digits from a file. If there is no such file, it makes one with a random key; made says
// so.
func LoadKey(path string) (k *Key, made bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		made = true
		key := make([]byte, KeySize)
		if _, err = rand.Read(key); err == nil {
			text = []byte(hex.EncodeToString(key) + "\n")
			err = os.WriteFile(path, text, 0o600)
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("anonymize: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err == nil && len(key) != KeySize {
		err = fmt.Errorf("%d bytes", len(key))
	}
	if err != nil {
		return nil, false, fmt.Errorf("anonymize: %s: a key is %d hexadecimal digits: %w", path, 2*KeySize, err)
	}
	k, err = NewKey(key)
	return k, made, err
}

// Fingerprint identifies the key without giving it away, as 16 hexadecimal digits.
func (k *Key) Fingerprint() string {
	sum := k.draw("fingerprint")
	return hex.EncodeToString(sum[:8])
}

// Addr is the address that takes a's place, of the same family. The zero Addr stays.
func (k *Key) Addr(a netip.Addr) netip.Addr {
	if !a.IsValid() {
		return a
	}
	b := a.AsSlice()
	pad := k.pad // of which the address takes the place, bit by bit
	out := make([]byte, len(b))
	for i := range 8 * len(b) {
		var bit [16]byte
		k.block.Encrypt(bit[:], pad[:])
		mask := byte(0x80) >> (i % 8)
		out[i/8] |= (b[i/8] & mask) ^ (bit[0] >> 7 << (7 - i%8))
		pad[i/8] = pad[i/8]&^mask | b[i/8]&mask
	}
	other, _ := netip.AddrFromSlice(out)
	return other
}

// AddrPort does for an endpoint's address what Addr does; the port stays.
func (k *Key) AddrPort(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(k.Addr(a.Addr()), a.Port())
}

// mac makes another MAC address of one, which is in the range for local use. Broadcast stays.
func (k *Key) mac(b []byte) {
	if binary.BigEndian.Uint32(b) == 1<<32-1 && binary.BigEndian.Uint16(b[4:]) == 1<<16-1 {
		return
	}
	sum := k.draw("mac", string(b[:6]))
	copy(b[:6], sum[:])
	b[0] = b[0]&^1 | 2
}

// draw is a function of the key and of words, that nobody without the key can tell from chance.
func (k *Key) draw(words ...string) [sha512.Size]byte {
	h := hmac.New(sha512.New, k.secret[:])
	for _, w := range words {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(w)))
		h.Write(length[:])
		h.Write([]byte(w))
	}
	return [sha512.Size]byte(h.Sum(nil))
}
