package target

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"
)

// Compile resolves a specification and reads the files it names. sets are the
// names that Ports may use besides numbers, such as datasets.PortSets().
//
// A domain may have up to 2^64 services (sampled by host or block: 2^64 addresses) of which
// up to 2^63 may be in the sample. Memory is proportional to the number of
// prefixes, addresses and services listed, not to what they hold. Errors name the
// field, and the file and line, that are at fault. It is an error if every target
// is excluded.
func Compile(spec Spec, sets map[string][]uint16) (*Set, error) {
	sampling, err := parseSampling(spec)
	if err != nil {
		return nil, err
	}
	c := new(compiler)
	asked, err := c.domain(spec, sets)
	if err != nil {
		return nil, err
	}
	allowed, err := c.allow(asked, spec.Allow)
	if err != nil {
		return nil, err
	}
	opened, err := c.open(allowed, spec.Open)
	if err != nil {
		return nil, err
	}
	blocked, err := c.block(opened, spec.Block)
	if err != nil {
		return nil, err
	}
	set, err := newSet(opened, sampling)
	if err != nil {
		return nil, err
	}
	set.blocked = blocked.table
	set.counts = blocked.rest.counts()
	set.excluded = c.excluded
	set.public = opened.public()
	set.lists = c.lists
	set.digest = digest(sampling, opened, blocked.addresses)
	return set, nil
}

// sampling says which part of a domain to take, and in which order.
type sampling struct {
	seed     uint64
	fraction Fraction
	part     bool // and not all
	unit     string
	bits     int // of a block
	shard    shard
}

// A sample is drawn of services, of hosts or of blocks.
const (
	byService = "service"
	byHost    = "host"
	byBlock   = "block"
)

func parseSampling(spec Spec) (sampling, error) {
	s := sampling{seed: spec.Seed, fraction: Fraction{1, 1}, unit: byService, shard: shard{0, 1}}
	var err error
	if spec.Sample != "" {
		if s.fraction, err = ParseFraction(spec.Sample); err != nil {
			return s, fmt.Errorf("sample: %w", err)
		}
	}
	s.part = s.fraction != Fraction{1, 1}
	bits, block := parseBlock(spec.SampleBy)
	switch {
	case spec.SampleBy == "" || spec.SampleBy == byService:
	case spec.SampleBy == byHost:
		s.unit = byHost
	case block:
		s.unit, s.bits = byBlock, bits
	default:
		return s, fmt.Errorf("sample by: %q is neither service nor host, nor a prefix length such as /24", spec.SampleBy)
	}
	if spec.Shard != "" {
		if s.shard, err = parseShard(spec.Shard); err != nil {
			return s, fmt.Errorf("shard: %w", err)
		}
	}
	return s, nil
}

// sample is what a Set tells of the sampling, but for what it comes to.
func (s sampling) sample() Sample {
	return Sample{
		Unit: s.unit, Bits: s.bits, Numerator: s.fraction.Num, Denominator: s.fraction.Den,
		Shard: s.shard.index + 1, Shards: s.shard.count,
	}
}

// compiler collects what a Set tells about how it came to be.
type compiler struct {
	lists    []List
	excluded []Exclusion
}

func (c *compiler) exclude(reason, entry, note string, targets uint64) {
	c.excluded = append(c.excluded, Exclusion{reason, entry, note, targets})
}

// domain reads targets and ports.
func (c *compiler) domain(spec Spec, sets map[string][]uint16) (domain, error) {
	var addresses []span
	var services []service
	for _, argument := range spec.Targets {
		err := c.read(argument, func(e entry) error {
			if e.port == 0 {
				addresses = appendPrefix(addresses, e.prefix)
			} else {
				services = append(services, serviceOf(addressOf(e.prefix.Addr()), e.port))
			}
			return nil
		})
		if err != nil {
			return domain{}, fmt.Errorf("targets: %w", err)
		}
	}
	switch {
	case len(addresses) == 0 && len(services) == 0:
		return domain{}, fmt.Errorf("targets: none given in %q", spec.Targets)
	case len(addresses) == 0 && spec.Ports != "":
		return domain{}, errors.New("ports: every target has a port of its own, so these would have no effect")
	case len(addresses) == 0:
		return newDomain(nil, nil, services), nil
	case spec.Ports == "":
		return domain{}, errors.New("ports: none given, and there are targets without one of their own")
	}
	ports, err := ParsePorts(spec.Ports, sets)
	if err != nil {
		return domain{}, fmt.Errorf("ports: %w", err)
	}
	return newDomain(addresses, ports, services), nil
}

// addresses reads the arguments of a field that may hold no ports.
func (c *compiler) addresses(field string, arguments []string) (spans, error) {
	var all []netip.Prefix
	for _, argument := range arguments {
		prefixes, err := c.prefixes(field, argument)
		if err != nil {
			return nil, err
		}
		all = append(all, prefixes...)
	}
	return rangesOf(all...), nil
}

// allow leaves what is on the allow list, if there is one.
func (c *compiler) allow(d domain, arguments []string) (domain, error) {
	if len(arguments) == 0 {
		return d, nil
	}
	list, err := c.addresses("allow", arguments)
	if err != nil {
		return d, err
	}
	allowed, excluded := d.within(list)
	c.exclude("allow list", strings.Join(arguments, " "), "", excluded)
	return allowed, nil
}

// open takes out special-use space, except what the arguments hold.
func (c *compiler) open(d domain, arguments []string) (domain, error) {
	list, err := c.addresses("open", arguments)
	if err != nil {
		return d, err
	}
	closed := list.complement()
	for _, special := range specials() {
		var excluded uint64
		d, excluded = d.without(rangesOf(special.Prefix).intersect(closed))
		if excluded > 0 {
			c.exclude("special use", special.Prefix.String(), special.Name+", "+special.Source, excluded)
		}
	}
	return d, nil
}

// blockList is the same list twice: to look an address up, and to count. It leaves the rest of the domain.
type blockList struct {
	table     *bart.Lite
	addresses spans
	rest      domain
}

// block reads the block list and counts what it excludes. It is an error if that
// leaves nothing of the domain.
func (c *compiler) block(d domain, arguments []string) (blockList, error) {
	var b blockList
	var all []span
	for _, argument := range arguments {
		prefixes, err := c.prefixes("block", argument)
		if err != nil {
			return b, err
		}
		if b.table == nil {
			b.table = new(bart.Lite)
		}
		for _, p := range prefixes {
			b.table.Insert(p)
		}
		list := rangesOf(prefixes...)
		all = append(all, list...)
		var excluded uint64
		d, excluded = d.without(list)
		c.exclude("block list", argument, "", excluded)
	}
	if d.size() == (uint128{}) {
		return b, fmt.Errorf("targets: all are excluded: %s", c.reasons())
	}
	b.addresses, b.rest = union(all), d
	return b, nil
}

// reasons words the exclusions for an error.
func (c *compiler) reasons() string {
	var parts []string
	for _, e := range c.excluded {
		part := fmt.Sprintf("%d by %s %s", e.Targets, e.Reason, e.Entry)
		if e.Note != "" {
			part += " (" + e.Note + "; not scanned unless opened)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// newSet puts the sample of a domain in order.
func newSet(d domain, how sampling) (*Set, error) {
	hosts, size := d.addresses.size(), d.size()
	whole := how.unit == byService || !how.part // all hosts are all services
	if hosts.exceeds(twoTo64) || size.exceeds(twoTo64) && whole {
		return nil, fmt.Errorf("targets: more than 2^%d services, 2^64 are possible: name smaller prefixes or fewer ports",
			size.minusOne().bitLen()-1)
	}
	s := &Set{table: newAddressTable(d.addresses), ports: d.ports, services: d.services, shard: how.shard, sample: how.sample()}
	var width uint
	s.sample.Of = size.saturated()
	switch how.unit {
	case byHost:
		s.sample.Of = d.hosts().size().saturated()
	case byBlock:
		var err error
		if width, err = blockWidth(d.hosts(), how.bits); err != nil {
			return nil, err
		}
		s.sample.Of = d.hosts().blocks(width).size().saturated()
	}
	s.sample.Drawn = s.sample.Of // unless a part of it is
	sample := size
	switch {
	case how.unit == byService:
		sample = how.fraction.ceilOf(size)
		s.sample.Drawn = sample.saturated()
	case whole:
	case how.unit == byHost:
		size = s.drawHosts(d, how)
		sample = size
	default:
		size = s.drawBlocks(d, width, how)
		sample = size
	}
	if sample.exceeds(twoTo63) {
		return nil, fmt.Errorf("sample: more than 2^%d services, 2^63 are possible: take a smaller one",
			sample.minusOne().bitLen()-1)
	}
	s.order = newPermutation(size.minusOne().lo, how.seed, permuteServices)
	s.length = how.shard.sizeOf(sample.lo)
	return s, nil
}

// drawHosts takes the sampled hosts and gives the number of their services.
func (s *Set) drawHosts(d domain, how sampling) uint128 {
	common := newDraw(d.addresses, how, permuteHosts)
	alone := newDraw(addressesOf(d.services).intersect(d.addresses.complement()), how, permuteListedHosts)
	s.hosts, s.sample.Drawn = &common.order, common.taken+alone.taken
	s.services = nil
	for _, one := range d.services {
		if common.has(one.address()) || alone.has(one.address()) {
			s.services = append(s.services, one)
		}
	}
	return uint128{0, common.taken}.times(uint64(len(d.ports))).plus(uint128{0, uint64(len(s.services))})
}

// drawBlocks takes the sampled blocks and gives the number of their services.
func (s *Set) drawBlocks(d domain, width uint, how sampling) uint128 {
	s.blocks = newBlocks(d, width, how)
	s.sample.Drawn = s.blocks.taken
	s.table, s.services = addressTable{}, nil
	for _, one := range d.services {
		if s.blocks.has(one.address()) {
			s.services = append(s.services, one)
		}
	}
	return s.blocks.size().times(uint64(len(d.ports))).plus(uint128{0, uint64(len(s.services))})
}

// draw is a sample of a set of addresses: the first taken of a permutation.
type draw struct {
	table addressTable
	order permutation
	taken uint64
}

// newDraw samples a set of at most 2^64 addresses.
func newDraw(set spans, how sampling, purpose uint64) draw {
	size := set.size()
	return draw{
		table: newAddressTable(set),
		order: newPermutation(size.minusOne().lo, how.seed, purpose),
		taken: how.fraction.ceilOf(size).saturated(),
	}
}

func (d *draw) has(a address) bool {
	number, ok := d.table.numberOf(a)
	return ok && d.order.indexOf(number) < d.taken
}

// digest hashes what decides the order of targets, part by part, each with its
// length before it.
func digest(how sampling, d domain, blocked spans) string {
	h := sha256.New()
	fmt.Fprintf(h, "laserdisc targets 1\nseed %d sample %v by host %t\n", how.seed, how.fraction, how.part && how.unit == byHost)
	if how.part && how.unit == byBlock {
		fmt.Fprintf(h, "by block /%d\n", how.bits)
	}
	hashSpans(h, d.addresses)
	fmt.Fprintf(h, "%d ports %d\n", len(d.ports), d.ports)
	fmt.Fprintf(h, "%d services\n", len(d.services))
	for i := range d.services {
		h.Write(d.services[i][:])
	}
	hashSpans(h, blocked)
	return hex.EncodeToString(h.Sum(nil))
}

func hashSpans(h hash.Hash, set spans) {
	fmt.Fprintf(h, "%d ranges\n", len(set))
	var b [32]byte
	for _, s := range set {
		binary.BigEndian.PutUint64(b[0:], s.first.hi)
		binary.BigEndian.PutUint64(b[8:], s.first.lo)
		binary.BigEndian.PutUint64(b[16:], s.last.hi)
		binary.BigEndian.PutUint64(b[24:], s.last.lo)
		h.Write(b[:])
	}
}
