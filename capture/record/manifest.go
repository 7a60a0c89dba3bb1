package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"laserdisc/capture/dissect"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

// ManifestFormat is the number of the manifest's format. New fields do not
// change it, for readers ignore what they do not know; a changed meaning does.
const ManifestFormat = 1

// Manifest says all that is needed to run a scan again and to read its record.
// It is written as JSON, one key per field in this order: compact in the
// section comments of the packets' files as it was when the scan started,
// indented in manifest.json, which is rewritten with End, Counters and Drops
// when it ends.
type Manifest struct {
	Format      int       `json:"format"`            // ManifestFormat; set by Create and Close
	Laserdisc   string    `json:"laserdisc"`         // version of the program that recorded
	Revision    string    `json:"revision"`          // its version-control revision, with "+dirty" if changed since
	Go          string    `json:"go"`                // version of the Go toolchain that built it
	GOARCH      string    `json:"goarch"`            // architecture it ran on
	Synthetic   string    `json:"synthetic"`         // name of the lab's population; empty for a real network
	Start       time.Time `json:"start"`             // RFC 3339, UTC, to the nanosecond
	End         time.Time `json:"end,omitzero"`      // absent until the record is closed
	Interrupted bool      `json:"interrupted"`       // whether a signal or an error stopped the scan before its end
	EndedBy     string    `json:"ended_by"`          // what ended the probing, one of the Ended constants; empty until then
	Problem     string    `json:"problem,omitempty"` // the error that ended the scan, if one did

	// NotProbed counts the services of the sample, those on the block list included, that EndedBy has left: the last ones
	// of their order, which is random, so that what was probed is a sample too. Valid only with EndedBy, and not with Adopt.
	NotProbed uint64 `json:"not_probed"`

	Observed *Observed `json:"observed,omitempty"` // the capture that was read, if it is not a scan of laserdisc's own

	Arguments []string `json:"arguments"`   // the command line, program name included; a resumed scan takes from it where output goes
	Seed      uint64   `json:"seed,string"` // decimal, quoted: JSON numbers lose digits above 2^53

	Targets      json.RawMessage    `json:"targets,omitempty"` // target.Spec
	TargetDigest string             `json:"target_digest"`     // SHA-256 of the specification, hexadecimal
	TargetCount  uint64             `json:"target_count"`      // services of the shard's sample, those on the block list included
	Domain       *target.Domain     `json:"domain,omitempty"`  // what the scan is of; absent where no target was known beforehand
	Sample       *target.Sample     `json:"sample,omitempty"`  // what was drawn of it; absent with Domain
	Lists        []target.List      `json:"lists,omitempty"`   // files the targets were read from
	Excluded     []target.Exclusion `json:"excluded,omitempty"`

	Probes     int              `json:"probes"`      // SYNs to a target that does not answer the first
	MaxTargets uint64           `json:"max_targets"` // no more are probed; 0 is no limit
	MaxResults uint64           `json:"max_results"` // with so many services found, no more targets are probed; 0 is no limit
	MaxRuntime session.Duration `json:"max_runtime"` // of probing; 0 is no limit
	Cooldown   session.Duration `json:"cooldown"`    // for answers to the last probe
	Rate       uint64           `json:"rate"`        // packets per second; 0 is no limit

	session.Settings // what is sent to a target, and how it is judged

	ChunkSize   int64    `json:"chunk_size"`      // where a file of packets ends, bytes; set by Create if it is 0
	Compression string   `json:"compression"`     // of these files: "zstd", or ""
	Chunks      int      `json:"chunks"`          // files of packets; while the scan runs, as many as there are at least
	Chunk       *Chunk   `json:"chunk,omitempty"` // in a section header only: which of them it begins
	Link        Link     `json:"link"`
	Counters    Counters `json:"counters"`
	Drops       Drops    `json:"drops"`

	// Partial says why the tables of a dataset have not all of the run's record; it is empty if they have, and in a run's
	// own manifest.
	Partial string `json:"partial,omitempty"`

	// PrefixToAS is the file that the services of a dataset have their ASes from; nil if they have none, and in a run's own
	// manifest.
	PrefixToAS *PrefixToAS `json:"prefix_to_as,omitempty"`

	// Anonymized says that packets and tables have other addresses than the record; nil if they have the same.
	Anonymized *Anonymized `json:"anonymized,omitempty"`

	// Shards are the manifests of shards of one scan that were merged, ascending. This one is then the scan's as a whole, as
	// JoinShards makes it: with the words and lists of the first, and numbers and times over all.
	Shards []*Manifest `json:"shards,omitempty"`
}

// Observed identifies a capture that something else made.
type Observed struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of the file's bytes, hexadecimal

	Other   uint64            `json:"other"`             // frames of other traffic than TCP and ICMP errors about it
	Skipped []dissect.Skipped `json:"skipped,omitempty"` // those that could not be read

	Further    []CaptureFile `json:"further,omitempty"`    // the other files of the capture
	Duplicates uint64        `json:"duplicates,omitempty"` // packets that it has twice, and that count once
	Remarks    []string      `json:"remarks,omitempty"`    // what of it was odd, and yet could be read

	Clients []netip.Prefix `json:"clients,omitempty"`  // whose connections count; none: everybody's
	Ongoing bool           `json:"ongoing,omitempty"`  // whether those count that began before the capture
	Left    int            `json:"left_out,omitempty"` // how many of these did not
}

// Files returns the files of the capture.
func (o *Observed) Files() []CaptureFile {
	return append([]CaptureFile{{o.Path, o.SHA256}}, o.Further...)
}

// PrefixToAS identifies a file that says which AS announces which prefix.
type PrefixToAS struct {
	File   string `json:"file"`   // its name, without the directory
	SHA256 string `json:"sha256"` // of the file's bytes, hexadecimal
}

// Anonymized says how addresses were replaced.
type Anonymized struct {
	Method string `json:"method"` // "Crypto-PAn"
	Key    string `json:"key"`    // identifies the key, and does not give it away
}

// What can end the probing.
const (
	EndedTargets    = "targets" // none was left
	EndedMaxTargets = "max-targets"
	EndedMaxResults = "max-results"
	EndedMaxRuntime = "max-runtime"
	EndedSignal     = "signal" // an interrupt
	EndedError      = "error"  // of the record, the link, this machine's network, or the input
)

// Link describes the interface the scan ran on.
type Link struct {
	Kind       string   `json:"kind"` // "packet" (AF_PACKET) or "memory"
	Interface  string   `json:"interface"`
	MTU        int      `json:"mtu"` // bytes, without the Ethernet header
	SourceMAC  string   `json:"source_mac"`
	GatewayMAC string   `json:"gateway_mac"`
	Offloads   []string `json:"offloads,omitempty"` // those switched on, by ethtool's names, sorted
}

// Framer makes the frames that a scan sends on the link.
func (l *Link) Framer() (*packet.Framer, error) {
	source, err := packet.ParseMAC(l.SourceMAC)
	if err != nil {
		return nil, fmt.Errorf("record: manifest: link.source_mac: %w", err)
	}
	gateway, err := packet.ParseMAC(l.GatewayMAC)
	if err != nil {
		return nil, fmt.Errorf("record: manifest: link.gateway_mac: %w", err)
	}
	return packet.NewFramer(source, gateway), nil
}

// Counters count frames of the record, but for Launched and Services. Each
// equals what the tshark filter beside it selects: interface 0 is what was
// sent, 1 what was received. An ICMP error is kept out of the TCP counters
// because tshark also reads the segment that it quotes.
type Counters struct {
	Launched        uint64 `json:"launched"`         // targets begun
	Sent            uint64 `json:"sent"`             // frame.interface_id==0
	SentSYN         uint64 `json:"sent_syn"`         // frame.interface_id==0 && tcp.flags.syn==1 && tcp.flags.ack==0
	SentRST         uint64 `json:"sent_rst"`         // frame.interface_id==0 && tcp.flags.reset==1
	SentPayload     uint64 `json:"sent_payload"`     // frame.interface_id==0 && tcp.len>0
	Received        uint64 `json:"received"`         // frame.interface_id==1
	ReceivedSYNACK  uint64 `json:"received_synack"`  // frame.interface_id==1 && tcp.flags.syn==1 && tcp.flags.ack==1 && !icmp && !icmpv6
	ReceivedRST     uint64 `json:"received_rst"`     // frame.interface_id==1 && tcp.flags.reset==1 && !icmp && !icmpv6
	ReceivedPayload uint64 `json:"received_payload"` // frame.interface_id==1 && tcp.len>0 && !icmp && !icmpv6
	ReceivedICMP    uint64 `json:"received_icmp"`    // frame.interface_id==1 && (icmp || icmpv6)
	Services        uint64 `json:"services"`         // lines of services.jsonl

	// Unasked are SYN-ACKs with the right numbers from what the scan had not asked: forged ones, by somebody who knows the key,
	// and such as came minutes late; with Adopt, what the other scanner had not reported yet. Nothing was sent to them.
	Unasked uint64 `json:"unasked,omitempty"`

	// Bytes of what was sent, from the IP header on: the sum of ip.len, or of ipv6.plen and 40 each, over the same filters. All
	// are 0 in records of versions that did not count them.
	SentBytes        uint64 `json:"sent_bytes"`
	SentSYNBytes     uint64 `json:"sent_syn_bytes"`
	SentRSTBytes     uint64 `json:"sent_rst_bytes"`
	SentPayloadBytes uint64 `json:"sent_payload_bytes"`
}

// Count takes a frame into account; s is the segment in it, or nil if there is none.
func (c *Counters) Count(d Direction, s *packet.Segment) {
	frames, syns, resets, payloads, syn := &c.Received, &c.ReceivedSYNACK, &c.ReceivedRST, &c.ReceivedPayload, packet.SYN|packet.ACK
	if d == Sent {
		frames, syns, resets, payloads, syn = &c.Sent, &c.SentSYN, &c.SentRST, &c.SentPayload, packet.SYN
	}
	*frames++
	if s != nil && d == Sent {
		c.countBytes(s)
	}
	switch {
	case s == nil:
		return
	case s.ICMP != 0:
		c.ReceivedICMP++
	case s.Flags&(packet.SYN|packet.ACK) == syn:
		*syns++
	}
	if s.Flags.Has(packet.RST) {
		*resets++
	}
	if len(s.Payload) > 0 {
		*payloads++
	}
}

// countBytes takes the size of a segment into account that was sent.
func (c *Counters) countBytes(s *packet.Segment) {
	size := uint64(s.Size())
	c.SentBytes += size
	if s.Flags&(packet.SYN|packet.ACK) == packet.SYN {
		c.SentSYNBytes += size
	}
	if s.Flags.Has(packet.RST) {
		c.SentRSTBytes += size
	}
	if len(s.Payload) > 0 {
		c.SentPayloadBytes += size
	}
}

// Drops count frames that reached the machine and are not in the record.
type Drops struct {
	Kernel    uint64 `json:"kernel"`    // the receive ring was full
	Interface uint64 `json:"interface"` // the interface had no room
}

// Add adds what another record counted.
func (c *Counters) Add(o *Counters) {
	c.Launched += o.Launched
	c.Sent += o.Sent
	c.SentSYN += o.SentSYN
	c.SentRST += o.SentRST
	c.SentPayload += o.SentPayload
	c.Received += o.Received
	c.ReceivedSYNACK += o.ReceivedSYNACK
	c.ReceivedRST += o.ReceivedRST
	c.ReceivedPayload += o.ReceivedPayload
	c.ReceivedICMP += o.ReceivedICMP
	c.Services += o.Services
	c.Unasked += o.Unasked
	c.SentBytes += o.SentBytes
	c.SentSYNBytes += o.SentSYNBytes
	c.SentRSTBytes += o.SentRSTBytes
	c.SentPayloadBytes += o.SentPayloadBytes
}

// LoadManifest reads dir/manifest.json.
func LoadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	m, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("record: %s: %w", path, err)
	}
	return m, nil
}

func parseManifest(text []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoManifest, err)
	}
	switch {
	case m.Format < 1 || m.Laserdisc == "":
		return nil, fmt.Errorf("%w: no format or no laserdisc version in it", errNoManifest)
	case m.Format > ManifestFormat:
		return nil, fmt.Errorf("manifest has format %d, written by laserdisc %s; this laserdisc reads up to format %d",
			m.Format, m.Laserdisc, ManifestFormat)
	}
	if strings.ContainsFunc(m.Synthetic, unicode.IsControl) {
		return nil, fmt.Errorf("%w: synthetic is %q, which has a control character", errNoManifest, m.Synthetic)
	}
	if m.Targets != nil {
		var b bytes.Buffer
		if err := json.Compact(&b, m.Targets); err != nil {
			return nil, err
		}
		m.Targets = b.Bytes() // as they were before manifest.json was indented
	}
	return m, nil
}

var errNoManifest = errors.New("not a manifest")

// stamped returns a copy of m as it is written by one who records: format and
// size of chunks set, times in UTC.
func (m *Manifest) stamped() *Manifest {
	c := *m
	c.Format = ManifestFormat
	c.Start, c.End = c.Start.UTC(), c.End.UTC()
	c.ChunkSize = cmp.Or(c.ChunkSize, DefaultChunkSize)
	c.Chunk = nil
	return &c
}

// encode returns m as JSON, on one line unless indent is given.
func (m *Manifest) encode(indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("record: manifest: %w", err)
	}
	return b.Bytes(), nil
}

// SaveManifest replaces dir/manifest.json in one step: whoever reads it, at
// any time, finds the old or the new one whole.
func SaveManifest(dir string, m *Manifest) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return errors.Join(m.save(root), root.Close())
}

// save needs no right to any directory above: a scan that has given its privileges up may have none.
func (m *Manifest) save(dir *os.Root) error {
	text, err := m.encode("  ")
	if err != nil {
		return err
	}
	const temporary = manifestFile + ".new"
	if err = writeSynced(dir, temporary, text); err == nil {
		err = dir.Rename(temporary, manifestFile)
	}
	if err != nil {
		_ = dir.Remove(temporary) // which may not be there
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func writeSynced(dir *os.Root, name string, text []byte) error {
	f, err := dir.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
