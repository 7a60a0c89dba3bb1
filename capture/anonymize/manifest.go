package anonymize

import (
	"net/netip"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Manifest is what of a manifest says nothing about addresses or whoever scanned: the settings, the domain and the sample as
// numbers, what was counted. The seed and the key of source ports and sequence numbers are not in it: whoever had them could try
// all addresses. record.Manifest.Anonymized says that this has been done.
func (k *Key) Manifest(m *record.Manifest) *record.Manifest {
	c := *m
	c.Arguments, c.Seed, c.CookieKey, c.DrawKey, c.Contact = nil, 0, session.Key{}, session.Key{}, ""
	c.Targets, c.TargetDigest, c.Lists, c.Excluded = nil, "", nil, nil
	c.Chunk, c.PrefixToAS = nil, nil
	c.Link = record.Link{Kind: m.Link.Kind, MTU: m.Link.MTU, SourceMAC: packet.MAC{}.String(), GatewayMAC: packet.MAC{}.String()}
	c.Sources = make([]netip.Addr, len(m.Sources))
	for i, a := range m.Sources {
		c.Sources[i] = k.Addr(a)
	}
	if m.Partial != "" {
		c.Partial = "not all of the record is in the tables" // why may name packets
	}
	if m.Problem != "" {
		c.Problem = "an error" // which may name addresses
	}
	if m.Observed != nil {
		c.Observed = new(record.Observed) // with the digest of the capture, whoever has that could tell that this is of it
	}
	c.Shards = nil
	for _, s := range m.Shards {
		c.Shards = append(c.Shards, k.Manifest(s))
	}
	c.Anonymized = &record.Anonymized{Method: "Crypto-PAn", Key: k.Fingerprint()}
	return &c
}
