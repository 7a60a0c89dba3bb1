package target

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawPrefix gives a network in 9.255.255.0 to 10.0.0.255, half of which is
// special-use space, or around the upper end of 2600::/120.
func drawPrefix(t *rapid.T, label string, networks []string) string {
	base := rapid.SampledFrom(networks).Draw(t, label+" network")
	addr := netip.MustParseAddr(base)
	for range rapid.IntRange(0, 255).Draw(t, label+" offset") {
		addr = addr.Next()
	}
	bits := addr.BitLen() - rapid.IntRange(0, 5).Draw(t, label+" host bits")
	return netip.PrefixFrom(addr, bits).Masked().String()
}

func drawPrefixes(t *rapid.T, label string, networks []string, least, most int) []string {
	var list []string
	for range rapid.IntRange(least, most).Draw(t, label+" count") {
		list = append(list, drawPrefix(t, label, networks))
	}
	return list
}

func drawSpec(t *rapid.T) Spec {
	by := rapid.SampledFrom([]string{"", "service", "host", "/26", "/29", "/31", "/122", "/125", "/128"}).Draw(t, "sample by")
	networks := []string{"9.255.255.0", "10.0.0.0", "2600::"}
	switch {
	case len(by) == 3: // of blocks of IPv4
		networks = networks[:2]
	case strings.HasPrefix(by, "/"):
		networks = networks[2:]
	}
	spec := Spec{
		Targets:  drawPrefixes(t, "targets", networks, 1, 5),
		Ports:    rapid.SampledFrom([]string{"80", "80,443", "1-5", "web,3-4"}).Draw(t, "ports"),
		Seed:     rapid.Uint64().Draw(t, "seed"),
		Sample:   rapid.SampledFrom([]string{"", "50%", "1/7", "0.01"}).Draw(t, "sample"),
		SampleBy: by,
		Allow:    drawPrefixes(t, "allow", networks, 0, 3),
		Block:    drawPrefixes(t, "block", networks, 0, 3),
		Open:     drawPrefixes(t, "open", networks, 0, 3),
	}
	for range rapid.IntRange(0, 5).Draw(t, "services") {
		addr := netip.MustParsePrefix(drawPrefix(t, "service", networks)).Addr()
		spec.Targets = append(spec.Targets, netip.AddrPortFrom(addr, rapid.Uint16Range(1, 5).Draw(t, "port")).String())
	}
	return spec
}

// asked is what a specification without a sample means, service by service, and
// how many services are excluded: the slow and obvious way.
func asked(spec Spec) (services []string, excluded uint64) {
	ports, _ := ParsePorts(spec.Ports, namedPorts)
	named := make(map[netip.AddrPort]bool)
	for _, text := range spec.Targets {
		if service, err := netip.ParseAddrPort(text); err == nil {
			named[service] = true
			continue
		}
		prefix := netip.MustParsePrefix(text)
		for addr := prefix.Addr(); prefix.Contains(addr); addr = addr.Next() {
			for _, port := range ports {
				named[netip.AddrPortFrom(addr, port)] = true
			}
		}
	}
	holds := func(list []string, addr netip.Addr) bool {
		return slices.ContainsFunc(list, func(p string) bool { return netip.MustParsePrefix(p).Contains(addr) })
	}
	special := func(addr netip.Addr) bool {
		return slices.ContainsFunc(SpecialUse(), func(s Special) bool { return s.Prefix.Contains(addr) })
	}
	for service := range named {
		addr := service.Addr()
		if len(spec.Allow) > 0 && !holds(spec.Allow, addr) || special(addr) && !holds(spec.Open, addr) || holds(spec.Block, addr) {
			excluded++
		} else {
			services = append(services, service.String())
		}
	}
	return services, excluded
}

func TestSetIsWhatWasAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Sample = ""
		want, wantExcluded := asked(spec)
		set, err := Compile(spec, namedPorts)
		if len(want) == 0 {
			if err == nil || !strings.Contains(err.Error(), "all are excluded") {
				t.Fatalf("nothing is left, but the error is %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sorted(want), sorted(inOrder(set))); diff != "" {
			t.Fatal(diff)
		}
		var excluded uint64
		for _, e := range set.Excluded() {
			excluded += e.Targets
		}
		if excluded != wantExcluded {
			t.Fatalf("%d excluded, want %d: %v", excluded, wantExcluded, set.Excluded())
		}
		if got, want := set.Domain(), counted(want); got != want {
			t.Fatalf("domain %+v, counted one by one %+v", got, want)
		}
	})
}

// PositionOf inverts At, of all that is named, of its neighbours on other ports, and of the addresses beside it.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Shard = rapid.SampledFrom([]string{"", "1/2", "3/3"}).Draw(t, "shard")
		set, err := Compile(spec, namedPorts)
		if err != nil {
			return
		}
		at := make(map[netip.AddrPort]uint64)
		for position := range set.Len() {
			if target, ok := set.At(position); ok {
				at[target] = position
			}
		}
		check := func(target netip.AddrPort) {
			want, wanted := at[target]
			if got, ok := set.PositionOf(target); ok != wanted || ok && got != want {
				t.Fatalf("%v is at %d (%t), and PositionOf says %d (%t)", target, want, wanted, got, ok)
			}
		}
		spec.Sample, spec.SampleBy, spec.Shard, spec.Block, spec.Allow = "", "", "", nil, nil
		named, _ := asked(spec)
		for _, text := range named {
			target := netip.MustParseAddrPort(text)
			port := target.Port()
			for _, other := range []netip.AddrPort{
				target, netip.AddrPortFrom(target.Addr(), port+1), netip.AddrPortFrom(target.Addr(), port-1),
				netip.AddrPortFrom(target.Addr().Next(), port), netip.AddrPortFrom(target.Addr().Prev(), port),
			} {
				check(other)
			}
		}
		for target := range at {
			check(target)
		}
	})
}

// counted is the Domain of services, counted one by one.
func counted(services []string) Domain {
	addresses, ports := map[netip.Addr]bool{}, map[uint16]bool{}
	for _, text := range services {
		service := netip.MustParseAddrPort(text)
		addresses[service.Addr()], ports[service.Port()] = true, true
	}
	return Domain{Addresses: uint64(len(addresses)), Ports: uint64(len(ports)), Services: uint64(len(services))}
}

// inBlocks sorts services by the blocks that they are in.
func inBlocks(services []string, bits int) map[netip.Prefix][]string {
	blocks := map[netip.Prefix][]string{}
	for _, text := range services {
		block, err := netip.MustParseAddrPort(text).Addr().Prefix(bits)
		if err != nil {
			panic(err)
		}
		blocks[block] = append(blocks[block], text)
	}
	return blocks
}

// The numbers of a sample are those of what is in it: counted one by one, without the block list, which takes nothing
// out of what is drawn.
func TestSampleIsCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		shard := rapid.SampledFrom([][2]uint64{{1, 1}, {1, 3}, {3, 3}}).Draw(t, "shard")
		spec.Shard = fmt.Sprintf("%d/%d", shard[0], shard[1])
		set, err := Compile(spec, namedPorts)
		if err != nil {
			return // nothing to scan
		}
		spec.Shard, spec.Block = "", nil
		drawn, err := Compile(spec, namedPorts)
		if err != nil {
			t.Fatal(err)
		}
		sample := spec.Sample
		spec.Sample = ""
		all, err := Compile(spec, namedPorts)
		if err != nil {
			t.Fatal(err)
		}
		share := Fraction{1, 1}
		if sample != "" {
			share, _ = ParseFraction(sample)
		}
		of, in := counted(inOrder(all)), counted(inOrder(drawn))
		want := Sample{
			Unit: byService, Numerator: share.Num, Denominator: share.Den,
			Drawn: in.Services, Of: of.Services, Shard: shard[0], Shards: shard[1],
		}
		bits, block := parseBlock(spec.SampleBy)
		switch {
		case block:
			some, every := inBlocks(inOrder(drawn), bits), inBlocks(inOrder(all), bits)
			want.Unit, want.Bits, want.Drawn, want.Of = byBlock, bits, uint64(len(some)), uint64(len(every))
			for block, services := range some {
				if diff := cmp.Diff(sorted(every[block]), sorted(services)); diff != "" {
					t.Fatalf("%v is drawn, and not all that is in it: %s", block, diff)
				}
			}
		case spec.SampleBy == byHost:
			want.Unit, want.Drawn, want.Of = byHost, in.Addresses, of.Addresses
		}
		if got := set.Sample(); got != want {
			t.Fatalf("sample %+v, counted one by one %+v", got, want)
		}
		over := 1.0
		if want.Unit == byHost {
			over = 2 // those with a port of their own are drawn apart
		}
		if exact := share.Float() * float64(want.Of); float64(want.Drawn) < exact-1e-9 || float64(want.Drawn) >= exact+over {
			t.Fatalf("%d of %d drawn, by %v", want.Drawn, want.Of, share)
		}
	})
}

func TestShardsAreAPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		whole, err := Compile(spec, namedPorts)
		if err != nil {
			return // nothing to scan
		}
		count := rapid.IntRange(1, 7).Draw(t, "shards")
		shards := make([]*Set, count)
		var positions uint64
		for i := range shards {
			spec.Shard = fmt.Sprintf("%d/%d", i+1, count)
			if shards[i], err = Compile(spec, namedPorts); err != nil {
				t.Fatal(err)
			}
			positions += shards[i].Len()
		}
		if positions != whole.Len() {
			t.Fatalf("%d positions in shards, %d in all", positions, whole.Len())
		}
		for position := range whole.Len() {
			want, wantOK := whole.At(position)
			got, ok := shards[position%uint64(count)].At(position / uint64(count))
			if got != want || ok != wantOK {
				t.Fatalf("position %d is %v, in its shard %v", position, want, got)
			}
		}
	})
}

func TestSamplesAreNested(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Sample = ""
		whole, err := Compile(spec, namedPorts)
		if err != nil {
			return // nothing to scan
		}
		larger := inOrder(whole)
		for _, sample := range []string{"0.9", "0.5", "0.49", "1/10", "0.01"} {
			spec.Sample = sample
			set, err := Compile(spec, namedPorts)
			if err != nil {
				t.Fatal(err)
			}
			smaller := inOrder(set)
			for _, target := range smaller {
				if !slices.Contains(larger, target) {
					t.Fatalf("%s: %s is not in the larger sample", sample, target)
				}
			}
			larger = smaller
		}
	})
}
