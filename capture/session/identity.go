package session

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"net/netip"
	"slices"

	"laserdisc/capture/packet"
)

// identity gives every attempt its source, initial sequence number and nonce. They are keyed functions of the service and
// the attempt's number, so that an answer proves that it is one, and a sweep need not remember what it has asked. The
// function is AES in CBC-MAC over a message of fixed length, as safe as the key is secret.
type identity struct {
	cipher  cipher.Block
	sources [2][]netip.Addr // of IPv4, of IPv6
	ports   PortRange
	first   int                 // the number of the part's first attempt
	block   [aes.BlockSize]byte // where a message is encrypted: on the stack it would escape to the heap
}

// endpoint is our end of one attempt.
type endpoint struct {
	source netip.AddrPort
	seq    uint32 // the initial sequence number
	clock  uint32 // the offset of the TCP timestamps' clock
	nonce  uint64 // for the hello
}

func newIdentity(s *Settings, part int) *identity {
	block, err := aes.NewCipher(s.CookieKey[:])
	if err != nil {
		panic(err) // the key's length is fixed
	}
	id := &identity{cipher: block, ports: s.SourcePorts, first: part * partAttempts}
	for _, a := range s.Sources {
		f := family(a)
		id.sources[f] = append(id.sources[f], a)
	}
	return id
}

// family is 0 for IPv4 and 1 for IPv6.
func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// has reports whether an endpoint is one of ours.
func (id *identity) has(end netip.AddrPort) bool {
	return id.ports.First <= end.Port() && end.Port() <= id.ports.Last && slices.Contains(id.sources[family(end.Addr())], end.Addr())
}

// Probes tells the SYNs that probe a target from the other SYNs of a scan. It is for one goroutine.
type Probes struct{ id *identity }

// NewProbes is of the part of a scan with that number, from 0. The settings are of a scan.
func NewProbes(s *Settings, part int) *Probes { return &Probes{newIdentity(s, part)} }

// Has reports whether a SYN is a probe.
func (p *Probes) Has(syn *packet.Segment) bool {
	end := p.id.of(syn.Dst, 0, false)
	return syn.Src == end.source && syn.Seq == end.seq
}

// of computes the endpoint of one attempt at a service whose family has a source. A fresh one has
// another source than the service's other attempts.
func (id *identity) of(service netip.AddrPort, attempt int, fresh bool) endpoint {
	attempt += id.first
	b := &id.block
	*b = service.Addr().As16()
	id.cipher.Encrypt(b[:], b[:])
	b[0] ^= byte(service.Port() >> 8)
	b[1] ^= byte(service.Port())
	id.cipher.Encrypt(b[:], b[:])
	sources, pick := id.sources[family(service.Addr())], uint32(0)
	if n := uint32(len(sources)); n > 1 {
		pick = binary.LittleEndian.Uint32(b[0:]) % n
		if fresh {
			pick = (pick + 1) % n
		}
	}
	// Every attempt takes the next port: the one before may still be known to the server.
	port := binary.LittleEndian.Uint32(b[4:])%id.ports.len() + uint32(attempt)
	if port >= id.ports.len() {
		port %= id.ports.len()
	}
	clock := binary.LittleEndian.Uint32(b[8:])
	b[0] ^= byte(attempt)
	b[1] ^= byte(attempt >> 8)
	id.cipher.Encrypt(b[:], b[:])
	return endpoint{
		source: netip.AddrPortFrom(sources[pick], id.ports.First+uint16(port)),
		seq:    binary.LittleEndian.Uint32(b[0:]),
		clock:  clock,
		nonce:  binary.LittleEndian.Uint64(b[8:]),
	}
}

// ephemeral picks the number-th random port of a host, of the range that no service is assigned to (RFC 6335, section 6).
func (id *identity) ephemeral(host netip.Addr, number int) uint16 {
	b := &id.block
	*b = host.As16()
	id.cipher.Encrypt(b[:], b[:])
	b[0] ^= byte(number + 1)
	b[2] ^= 0xff // which no service's message has there
	id.cipher.Encrypt(b[:], b[:])
	return 49152 | binary.LittleEndian.Uint16(b[:])
}
