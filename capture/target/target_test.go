package target

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// namedPorts stands for datasets.PortSets.
var namedPorts = map[string][]uint16{"web": {443, 80}, "odd": {65535, 1}}

func compile(tb testing.TB, spec Spec) *Set {
	tb.Helper()
	set, err := Compile(spec, namedPorts)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// inOrder gives all targets of a set as text, in their order.
func inOrder(set *Set) []string {
	var list []string
	for it := set.Iterate(); ; {
		target, ok := it.Next()
		if !ok {
			return list
		}
		list = append(list, target.String())
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// within checks that every element of part is in whole.
func within(t *testing.T, part, whole []string) {
	t.Helper()
	for _, target := range part {
		if !slices.Contains(whole, target) {
			t.Errorf("%s is in the smaller sample alone", target)
		}
	}
}

func TestTargets(t *testing.T) {
	file := writeList(t, "hosts.txt", "# hosts\n1.1.1.1\r\n\n  1.1.1.2/32 # the second\n1.1.1.3:22\n")
	for _, c := range []struct {
		name string
		spec Spec
		want string
	}{
		{"address", Spec{Targets: []string{"1.1.1.1"}, Ports: "80"}, "1.1.1.1:80"},
		{"prefix", Spec{Targets: []string{"1.1.1.0/31"}, Ports: "web"}, "1.1.1.0:443 1.1.1.0:80 1.1.1.1:443 1.1.1.1:80"},
		{"bits beyond the prefix", Spec{Targets: []string{"1.1.1.1/31"}, Ports: "80"}, "1.1.1.0:80 1.1.1.1:80"},
		{"service", Spec{Targets: []string{"1.1.1.1:22", "[2600::1]:443"}}, "1.1.1.1:22 [2600::1]:443"},
		{"IPv6", Spec{Targets: []string{"2600::/127"}, Ports: "80"}, "[2600::1]:80 [2600::]:80"},
		{"IPv4-mapped", Spec{Targets: []string{"::ffff:1.1.1.1", "::ffff:1.1.1.2/127"}, Ports: "80"}, "1.1.1.1:80 1.1.1.2:80 1.1.1.3:80"},
		{"file", Spec{Targets: []string{file}, Ports: "80"}, "1.1.1.1:80 1.1.1.2:80 1.1.1.3:22"},
		{"file by name", Spec{Targets: []string{"@" + file}, Ports: "80"}, "1.1.1.1:80 1.1.1.2:80 1.1.1.3:22"},
		{"twice", Spec{Targets: []string{"1.1.1.0/31", "1.1.1.1", "1.1.1.1:80", "1.1.1.1:22", "1.1.1.1:22"}, Ports: "80"},
			"1.1.1.0:80 1.1.1.1:22 1.1.1.1:80"},
		{"allowed", Spec{Targets: []string{"1.1.1.0/24", "1.1.2.1:22", "1.1.1.5:22"}, Ports: "80", Allow: []string{"1.1.1.4/31", "1.1.1.7"}},
			"1.1.1.4:80 1.1.1.5:22 1.1.1.5:80 1.1.1.7:80"},
		{"blocked", Spec{Targets: []string{"1.1.1.0/30", "1.1.1.1:22"}, Ports: "80", Block: []string{"1.1.1.0/31"}},
			"1.1.1.2:80 1.1.1.3:80"},
		{"special use", Spec{Targets: []string{"9.255.255.255", "10.0.0.0/8", "11.0.0.0", "10.1.1.1:22"}, Ports: "80"},
			"11.0.0.0:80 9.255.255.255:80"},
		{"opened", Spec{Targets: []string{"198.18.0.0/30", "10.0.0.0/8"}, Ports: "80", Open: []string{"198.18.0.2/31"}},
			"198.18.0.2:80 198.18.0.3:80"},
		{"allowed is not opened", Spec{Targets: []string{"198.18.0.1", "1.1.1.1"}, Ports: "80", Allow: []string{"0.0.0.0/0"}},
			"1.1.1.1:80"},
		{"blocked although opened", Spec{Targets: []string{"198.18.0.0/31"}, Ports: "80", Open: []string{"198.18.0.0/15"}, Block: []string{"198.18.0.0"}},
			"198.18.0.1:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(strings.Fields(c.want), sorted(inOrder(compile(t, c.spec)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	bad := writeList(t, "bad.txt", "1.1.1.1\n# 2\n1.1.1.256\n")
	ports := writeList(t, "ports.txt", "1.1.1.1:80\n")
	long := writeList(t, "long.txt", "1.1.1.1\n"+strings.Repeat("1", maxLine+1))
	empty := writeList(t, "empty.txt", "# none\n")
	one := []string{"1.1.1.1"}
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, "targets: none given"},
		{Spec{Targets: []string{empty}, Ports: "80"}, `targets: none given in ["` + empty},
		{Spec{Targets: one}, "ports: none given"},
		{Spec{Targets: []string{"1.1.1.1:80"}, Ports: "80"}, "ports: every target has a port of its own"},
		{Spec{Targets: []string{"1.1.1"}, Ports: "80"}, `targets: "1.1.1" is not an address, a prefix, ip:port or [ip]:port, nor a file`},
		{Spec{Targets: []string{"1.1.1.0/33"}, Ports: "80"}, `targets: "1.1.1.0/33" is not`},
		{Spec{Targets: []string{"1.1.1.1:0"}}, `targets: "1.1.1.1:0": port 0 is reserved`},
		{Spec{Targets: []string{"fe80::1%eth0"}, Ports: "80"}, `targets: "fe80::1%eth0" has a zone`},
		{Spec{Targets: []string{"@missing.txt"}, Ports: "80"}, "targets: open missing.txt: "},
		{Spec{Targets: []string{os.TempDir()}, Ports: "80"}, "targets: " + os.TempDir() + ":1: "},
		{Spec{Targets: []string{bad}, Ports: "80"}, "targets: " + bad + `:3: "1.1.1.256" is not`},
		{Spec{Targets: []string{long}, Ports: "80"}, "targets: " + long + ":2: line is longer than 65536 bytes"},
		{Spec{Targets: one, Ports: "80", Block: []string{ports}}, "block: " + ports + ":1: 1.1.1.1 has port 80"},
		{Spec{Targets: one, Ports: "80", Allow: []string{bad}}, "allow: " + bad + ":3: "},
		{Spec{Targets: one, Ports: "80", Open: []string{bad}}, "open: " + bad + ":3: "},
		{Spec{Targets: one, Ports: "80,"}, `ports: "" is not a port`},
		{Spec{Targets: one, Ports: "80", Sample: "2"}, `sample: "2" is not above 0 and at most 1`},
		{Spec{Targets: one, Ports: "80", SampleBy: "port"}, `sample by: "port" is neither service nor host, nor a prefix length such as /24`},
		{Spec{Targets: one, Ports: "80", SampleBy: "/0"}, `sample by: "/0" is neither`},
		{Spec{Targets: one, Ports: "80", SampleBy: "/+24"}, `sample by: "/+24" is neither`},
		{Spec{Targets: one, Ports: "80", SampleBy: "/129"}, `sample by: "/129" is neither`},
		{Spec{Targets: one, Ports: "80", SampleBy: "/33"}, "sample by: /33 is longer than an IPv4 address"},
		{Spec{Targets: []string{"1.1.1.1", "2600::1"}, Ports: "80", SampleBy: "/24"}, "sample by: there are IPv4 and IPv6 targets"},
		{Spec{Targets: []string{"2600::/64"}, Ports: "80", Sample: "50%", SampleBy: "/64"}, "sample: more than 2^63 services"},
		{Spec{Targets: one, Ports: "80", Shard: "0/2"}, `shard: "0/2" is not a shard i/n`},
		{Spec{Targets: []string{"10.0.0.0/8"}, Ports: "80"},
			"targets: all are excluded: 16777216 by special use 10.0.0.0/8 (private use, RFC 1918; not scanned unless opened)"},
		{Spec{Targets: one, Ports: "80", Block: []string{"1.0.0.0/8"}}, "targets: all are excluded: 1 by block list 1.0.0.0/8"},
		{Spec{Targets: one, Ports: "80", Allow: []string{"2.0.0.0/8"}}, "targets: all are excluded: 1 by allow list 2.0.0.0/8"},
		{Spec{Targets: []string{"2600::/64"}, Ports: "80,443"}, "targets: more than 2^64 services, 2^64 are possible"},
		{Spec{Targets: []string{"2600::/32"}, Ports: "80", Sample: "0.001", SampleBy: "host"}, "targets: more than 2^95 services"},
		{Spec{Targets: []string{"2600::/64"}, Ports: "80"}, "sample: more than 2^63 services, 2^63 are possible"},
		{Spec{Targets: []string{"::/0", "0.0.0.0/0"}, Ports: "all", Open: []string{"::/0", "0.0.0.0/0"}}, "targets: more than 2^127 services"},
	} {
		_, err := Compile(c.spec, namedPorts)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v:\n got %v\nwant %s", c.spec, err, c.want)
		}
	}
}

// A manifest's specification must give the same scan in every later version.
func TestOrderNeverChanges(t *testing.T) {
	spec := Spec{Targets: []string{"198.18.0.0/15", "2600::/120", "1.1.1.1:7"}, Ports: "1-1000", Seed: 7, Open: []string{"198.18.0.0/15"}}
	want := []string{"198.18.188.18:351", "198.18.63.121:793", "198.19.115.59:160", "198.19.18.93:964"}
	if diff := cmp.Diff(want, firstOf(compile(t, spec), 4)); diff != "" {
		t.Error(diff)
	}
	spec.Sample, spec.SampleBy = "1/1000", "host"
	want = []string{"198.18.134.84:441", "198.18.109.158:482", "198.19.220.188:934", "198.18.200.111:828"}
	set := compile(t, spec)
	if diff := cmp.Diff(want, firstOf(set, 4)); diff != "" {
		t.Error(diff)
	}
	if want := "ec09cde3b48c1c1b9043f1e27b7a8a02decf2bf0bde0b3820fbbf94f3f059f42"; set.Digest() != want {
		t.Errorf("digest %s, want %s", set.Digest(), want)
	}
	spec.Targets, spec.SampleBy = []string{"198.18.0.0/15", "1.1.1.1:7"}, "/24"
	want = []string{"198.18.145.19:442", "198.18.145.201:795", "198.18.145.211:743", "198.18.145.251:169"}
	set = compile(t, spec)
	if diff := cmp.Diff(want, firstOf(set, 4)); diff != "" {
		t.Error(diff)
	}
	if want := "e6d96078cc2a16469f1ce69b197831cb18886c68883af38b26f2810a5daa7ec0"; set.Digest() != want {
		t.Errorf("digest %s, want %s", set.Digest(), want)
	}
}

func firstOf(set *Set, n uint64) []string {
	var list []string
	for i := range n {
		target, _ := set.At(i)
		list = append(list, target.String())
	}
	return list
}

// Neighbours in the order are not neighbours in the network. Of 65,536 targets in
// 256 networks of /24, 256 are expected to follow one of the same (standard
// deviation 16), and no run of five (65,536 / 256^4 are expected).
func TestNoBursts(t *testing.T) {
	set := compile(t, Spec{Targets: []string{"1.2.0.0/16"}, Ports: "80", Seed: 3})
	same, run, longest := 0, 0, 0
	var previous netip.Prefix
	for it := set.Iterate(); ; {
		target, ok := it.Next()
		if !ok {
			break
		}
		network, _ := target.Addr().Prefix(24)
		if network == previous {
			same++
			run++
		} else {
			run = 0
		}
		longest = max(longest, run)
		previous = network
	}
	if same < 256-64 || same > 256+64 {
		t.Errorf("%d targets follow one of the same /24", same)
	}
	if longest >= 4 {
		t.Errorf("%d targets in a row in one /24", longest+1)
	}
}

// The first thousand of a scan of everything meet every corner of it.
func TestSampleSpreads(t *testing.T) {
	set := compile(t, Spec{Targets: []string{"0.0.0.0/0"}, Ports: "all", Sample: "0.0001%"})
	networks, ports := map[byte]bool{}, map[uint16]bool{}
	for i := range uint64(1000) {
		target, ok := set.At(i)
		if !ok {
			t.Fatal("there is no block list, but a target is left out")
		}
		networks[target.Addr().As4()[0]] = true
		ports[target.Port()>>12] = true
	}
	// 220 of 256 first bytes are open; 1000 draws leave 1 % of them out.
	if len(networks) < 205 || len(ports) != 16 {
		t.Errorf("%d first bytes, %d sixteenths of the ports", len(networks), len(ports))
	}
}

func TestSampleByServiceIsNested(t *testing.T) {
	spec := Spec{Targets: []string{"1.2.3.0/24", "1.1.1.1:7"}, Ports: "80,443", Seed: 5}
	whole := inOrder(compile(t, spec))
	for sample, want := range map[string]int{"1": 513, "50%": 257, "0.1": 52, "1/1000": 1, "100%": 513} {
		spec.Sample = sample
		got := inOrder(compile(t, spec))
		if len(got) != want {
			t.Errorf("%s: %d targets, want %d", sample, len(got), want)
		}
		if diff := cmp.Diff(whole[:len(got)], got); diff != "" {
			t.Errorf("%s is not the start of the whole: %s", sample, diff)
		}
	}
}

func TestSampleByHost(t *testing.T) {
	spec := Spec{
		Targets: []string{"1.2.3.0/24", "1.2.3.7:22", "1.2.3.8:22", "1.2.3.9:22", "5.5.5.1:1", "5.5.5.1:2", "5.5.5.2:1", "6.6.6.6:1", "6.6.6.7:1"},
		Ports:   "80,443,8000-8009", Seed: 9, SampleBy: "host",
	}
	var smaller []string
	for _, c := range []struct {
		sample       string
		hosts, alone int // of the /24's 256, of the 4 beside it
	}{{"1/256", 1, 1}, {"0.1", 26, 1}, {"0.5", 128, 2}, {"0.9", 231, 4}, {"1", 256, 4}} {
		spec.Sample = c.sample
		got := inOrder(compile(t, spec))
		services := make(map[netip.Addr]int)
		for _, target := range got {
			services[netip.MustParseAddrPort(target).Addr()]++
		}
		hosts, alone := 0, 0
		for host, n := range services {
			switch {
			case !netip.MustParsePrefix("1.2.3.0/24").Contains(host):
				alone++
			case n == 12, n == 13 && strings.Contains("1.2.3.7 1.2.3.8 1.2.3.9", host.String()):
				hosts++
			default:
				t.Errorf("%s: %v is there with %d services", c.sample, host, n)
			}
		}
		if hosts != c.hosts || alone != c.alone {
			t.Errorf("%s: %d hosts and %d beside them, want %d and %d", c.sample, hosts, alone, c.hosts, c.alone)
		}
		within(t, smaller, got)
		smaller = got
	}
}

// A sample by block is all that the domain has in so many of its blocks. Each is as likely to be drawn as any other: one that
// the domain has in part, one with addresses in a list, one that is there as a whole.
func TestSampleByBlock(t *testing.T) {
	spec := Spec{
		Targets: []string{"1.2.0.8/29", "1.2.0.16/28", "1.2.0.32/27", "1.2.0.64/30", "1.2.0.112/31", "1.2.0.117", "1.2.0.50:22", "5.5.5.1:1", "5.5.5.2:1"},
		Ports:   "80,443", Sample: "1/4", SampleBy: "/28",
	}
	size := map[string]int{"1.2.0.0/28": 16, "1.2.0.16/28": 32, "1.2.0.32/28": 32, "1.2.0.48/28": 33, "1.2.0.64/28": 8, "1.2.0.112/28": 6, "5.5.5.0/28": 2}
	drawn := make(map[string]int)
	const seeds = 3500
	for seed := range uint64(seeds) {
		spec.Seed = seed
		set := compile(t, spec)
		services := make(map[string]int)
		for _, target := range inOrder(set) {
			block, _ := netip.MustParseAddrPort(target).Addr().Prefix(28)
			services[block.String()]++
		}
		if want := (Sample{Unit: "block", Bits: 28, Numerator: 1, Denominator: 4, Drawn: 2, Of: 7, Shard: 1, Shards: 1}); set.Sample() != want || len(services) != 2 {
			t.Fatalf("seed %d: sample %+v, with services %v", seed, set.Sample(), services)
		}
		for block, n := range services {
			drawn[block]++
			if n != size[block] {
				t.Fatalf("seed %d: %d services in %s, want %d", seed, n, block, size[block])
			}
		}
	}
	// 3,500 draws of two of seven: 1,000 of each, with a standard deviation of 27.
	for block := range size {
		if n := drawn[block]; n < 880 || n > 1120 {
			t.Errorf("%s was drawn %d times of %d, want about 1,000", block, n, seeds)
		}
	}
}

// Nothing is kept of blocks that are whole, however many there are.
func TestSampleByBlockOfTheInternet(t *testing.T) {
	for _, c := range []struct {
		target, by, sample string
		want               Sample
		fragments          int // in the sample
		services           uint64
	}{
		{"0.0.0.0/0", "/24", "1/1000", Sample{Bits: 24, Denominator: 1000, Drawn: 14462, Of: 14461944}, 0, 14462 * 256},
		{"0.0.0.0/0", "/8", "1/2", Sample{Bits: 8, Denominator: 2, Drawn: 111, Of: 221}, 4, 1861023744},
		{"2600::/64", "/120", "1/1000", Sample{Bits: 120, Denominator: 1000, Drawn: 72057594037928, Of: 1 << 56}, 0, 72057594037928 * 256},
	} {
		set := compile(t, Spec{Targets: []string{c.target}, Ports: "80", Sample: c.sample, SampleBy: c.by, Seed: 3})
		c.want.Unit, c.want.Numerator, c.want.Shard, c.want.Shards = "block", 1, 1, 1
		if got := set.Sample(); got != c.want || len(set.blocks.skipped) != c.fragments || set.Len() != c.services {
			t.Errorf("%s by %s: %+v, %d fragments, %d services", c.target, c.by, got, len(set.blocks.skipped), set.Len())
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	spec := Spec{Targets: []string{"0.0.0.0/0"}, Ports: "all", Sample: "1/1000000000"}
	first := inOrder(compile(t, spec))
	spec.Seed = 1
	second := inOrder(compile(t, spec))
	if len(first) != len(second) || cmp.Equal(first, second) {
		t.Errorf("two seeds: %d and %d targets", len(first), len(second))
	}
}

// Whoever is added to the block list disappears, and nothing else changes.
func TestBlockListKeepsPlaces(t *testing.T) {
	spec := Spec{Targets: []string{"1.2.0.0/20"}, Ports: "80", Sample: "10%", Seed: 4}
	before := compile(t, spec)
	spec.Block = []string{"1.2.3.0/24"}
	after := compile(t, spec)
	if before.Len() != after.Len() {
		t.Fatalf("%d positions, %d before", after.Len(), before.Len())
	}
	gone := 0
	for i := range before.Len() {
		was, _ := before.At(i)
		is, ok := after.At(i)
		blocked := netip.MustParsePrefix("1.2.3.0/24").Contains(was.Addr())
		if ok == blocked || ok && is != was {
			t.Errorf("position %d: %v, %v before", i, is, was)
		}
		if blocked {
			gone++
		}
	}
	if gone == 0 {
		t.Error("the sample has nobody of the blocked network")
	}
}

func TestIteratorResumes(t *testing.T) {
	set := compile(t, Spec{Targets: []string{"1.2.3.0/24"}, Ports: "web", Block: []string{"1.2.3.64/26"}, Shard: "2/3", Seed: 8})
	whole := inOrder(set)
	for stop := range len(whole) + 1 {
		first := set.Iterate()
		var got []string
		for range stop {
			target, _ := first.Next()
			got = append(got, target.String())
		}
		second := set.Iterate()
		second.Seek(first.Position())
		for target, ok := second.Next(); ok; target, ok = second.Next() {
			got = append(got, target.String())
		}
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Fatalf("resumed after %d: %s", stop, diff)
		}
	}
	it := set.Iterate()
	it.Seek(math.MaxUint64)
	if target, ok := it.Next(); ok {
		t.Errorf("%v beyond the end", target)
	}
	if target, ok := set.At(set.Len()); ok {
		t.Errorf("%v at the end", target)
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	set := compile(t, Spec{Targets: []string{"0.0.0.0/0", "2600::/96"}, Ports: "all", Sample: "0.1%", SampleBy: "host", Block: []string{"1.0.0.0/8", "2600::/100"}})
	byBlock := compile(t, Spec{Targets: []string{"0.0.0.0/0"}, Ports: "all", Sample: "0.1%", SampleBy: "/24", Block: []string{"1.0.0.0/8"}})
	for _, it := range []*Iterator{set.Iterate(), byBlock.Iterate()} {
		if n := testing.AllocsPerRun(1000, func() { it.Next() }); n != 0 {
			t.Errorf("%v allocations a target, sampled by %s", n, it.set.Sample().Unit)
		}
	}
}

func TestExcluded(t *testing.T) {
	list := writeList(t, "block.txt", "1.1.0.0/16\n9.9.9.9\n")
	set := compile(t, Spec{
		Targets: []string{"0.0.0.0/1", "192.0.0.0/24", "192.0.2.1:22", "192.0.3.1:22", "224.0.0.1"},
		Ports:   "80,443",
		Allow:   []string{"0.0.0.0/2", "192.0.0.0/16"},
		Open:    []string{"10.1.0.0/16"},
		Block:   []string{list, "1.1.1.1", "10.0.0.0/8"},
	})
	want := []Exclusion{
		{"allow list", "0.0.0.0/2 192.0.0.0/16", "", 2*(1<<30) + 2},
		{"special use", "0.0.0.0/32", "this host on this network, RFC 1122", 2},
		{"special use", "192.0.0.8/32", "IPv4 dummy address, RFC 7600", 2},
		{"special use", "192.0.0.9/32", "port control protocol anycast, RFC 7723", 2},
		{"special use", "192.0.0.10/32", "TURN anycast, RFC 8155", 2},
		{"special use", "192.0.0.170/31", "NAT64/DNS64 discovery, RFC 8880", 4},
		{"special use", "192.0.0.0/29", "IPv4 service continuity, RFC 7335", 16},
		{"special use", "192.0.0.0/24", "IETF protocol assignments, RFC 6890", 2*256 - 26},
		{"special use", "192.0.2.0/24", "documentation, TEST-NET-1, RFC 5737", 1},
		{"special use", "0.0.0.0/8", "this network, RFC 791", 2 * (1<<24 - 1)},
		{"special use", "10.0.0.0/8", "private use, RFC 1918", 2 * (1<<24 - 1<<16)},
		{"block list", list, "", 2 * (1<<16 + 1)},
		{"block list", "1.1.1.1", "", 0},
		{"block list", "10.0.0.0/8", "", 2 * 1 << 16},
	}
	if diff := cmp.Diff(want, set.Excluded()); diff != "" {
		t.Error(diff)
	}
	if want := uint64(2*(1<<30-1<<24-1<<24+1<<16) + 1); set.Len() != want {
		t.Errorf("%d positions, want %d", set.Len(), want)
	}
}

// The Internet is what the special-use registries leave of the address space.
func TestInternet(t *testing.T) {
	set := compile(t, Spec{Targets: []string{"0.0.0.0/0"}, Ports: "80"})
	var closed uint64
	for _, e := range set.Excluded() {
		closed += e.Targets
	}
	if set.Len()+closed != 1<<32 {
		t.Errorf("%d open, %d closed", set.Len(), closed)
	}
	// ZMap's default block list leaves 3,702,258,432: it lacks the three AS112 and
	// AMT networks.
	if set.Len() != 3_702_258_432-3*256 {
		t.Errorf("%d addresses", set.Len())
	}
	six := compile(t, Spec{Targets: []string{"2000::/64", "2001:db8::1", "fe80::1", "64:ff9b::1", "3fff::1", "2002::1", "ff02::1", "::1", "2001:4:112::1", "2620:4f:8000::1"},
		Ports: "80", Sample: "1/1000000"})
	if got := len(six.Excluded()); got != 9 {
		t.Errorf("%d blocks excluded: %v", got, six.Excluded())
	}
}

func TestHuge(t *testing.T) {
	set := compile(t, Spec{Targets: []string{"2600::/64"}, Ports: "80", Sample: "50%"})
	if set.Len() != 1<<63 {
		t.Errorf("%d positions", set.Len())
	}
	for _, position := range []uint64{0, 1<<63 - 1} {
		if target, ok := set.At(position); !ok || target.Port() != 80 {
			t.Errorf("position %d: %v", position, target)
		}
	}
	set = compile(t, Spec{Targets: []string{"2600::/64"}, Ports: "all", SampleBy: "host", Sample: "1/1000000000000000000", Shard: "3/4"})
	if want := uint64(19*65535) / 4; set.Len() != want {
		t.Errorf("%d positions, want %d", set.Len(), want)
	}
}

func TestLists(t *testing.T) {
	path := writeList(t, "targets.txt", "# none\n1.1.1.1\n1.1.1.1\n")
	set := compile(t, Spec{Targets: []string{path, "1.1.1.2"}, Ports: "80", Allow: []string{"@" + path, "1.1.1.2"}})
	one := List{Path: path, SHA256: "c9425ca71346efa5859c67e2758b7da962434fb69fe9af0ea7521afe30bc316b", Entries: 2}
	if diff := cmp.Diff([]List{one, one}, set.Lists()); diff != "" {
		t.Error(diff)
	}
}

// The digest is of what is scanned, in which order: not of how it was asked for.
func TestDigest(t *testing.T) {
	base := Spec{Targets: []string{"1.2.3.0/24", "9.9.9.9:53"}, Ports: "80,443", Sample: "10%", Block: []string{"1.2.3.4"}}
	digest := compile(t, base).Digest()
	same := map[string]func(*Spec){
		"order":    func(s *Spec) { s.Targets = []string{"9.9.9.9:53", "1.2.3.128/25", "1.2.3.0/25", "1.2.3.7"} },
		"ports":    func(s *Spec) { s.Ports = "web" },
		"fraction": func(s *Spec) { s.Sample, s.SampleBy = "1/10", "service" },
		"shard":    func(s *Spec) { s.Shard = "2/3" },
		"file":     func(s *Spec) { s.Block = []string{writeList(t, "block.txt", "1.2.3.4\n")} },
	}
	for name, change := range same {
		spec := base
		change(&spec)
		if compile(t, spec).Digest() != digest {
			t.Errorf("%s changes the digest", name)
		}
	}
	differ := map[string]func(*Spec){
		"seed":     func(s *Spec) { s.Seed = 1 },
		"targets":  func(s *Spec) { s.Targets = []string{"1.2.3.0/24"} },
		"port":     func(s *Spec) { s.Targets = []string{"1.2.3.0/24", "9.9.9.9:54"} },
		"ports":    func(s *Spec) { s.Ports = "80" },
		"fraction": func(s *Spec) { s.Sample = "11%" },
		"by host":  func(s *Spec) { s.SampleBy = "host" },
		"by block": func(s *Spec) { s.SampleBy = "/24" },
		"by /25":   func(s *Spec) { s.SampleBy = "/25" },
		"block":    func(s *Spec) { s.Block = nil },
		"allow":    func(s *Spec) { s.Allow = []string{"1.2.3.0/24"} },
	}
	for name, change := range differ {
		spec := base
		change(&spec)
		if compile(t, spec).Digest() == digest {
			t.Errorf("%s leaves the digest as it was", name)
		}
	}
}

func TestSpecIsData(t *testing.T) {
	spec := Spec{Targets: []string{"1.1.1.1"}, Ports: "80", Seed: math.MaxUint64, Sample: "0.1%", SampleBy: "host", Shard: "1/2",
		Allow: []string{"a"}, Block: []string{"b"}, Open: []string{"c"}}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var back Spec
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, back); diff != "" {
		t.Error(diff)
	}
}

func TestMillionsOfServices(t *testing.T) {
	var text strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&text, "%d.%d.%d.%d:%d\n", 1+i%9, i%251, i%256, i/1000%256, 1+i%65535)
	}
	set := compile(t, Spec{Targets: []string{writeList(t, "services.txt", text.String())}})
	if set.Len() != 300_000 {
		t.Errorf("%d positions", set.Len())
	}
	got := inOrder(set)
	if len(slices.Compact(sorted(got))) != 300_000 {
		t.Error("targets are repeated")
	}
}
