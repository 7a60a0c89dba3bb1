package target

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkNext is a target's cost, the block list's look-up included.
func BenchmarkNext(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var networks, hosts strings.Builder
	for range 100_000 {
		fmt.Fprintf(&networks, "%v/24\n", randomAddr(random))
	}
	for range 1_000_000 {
		fmt.Fprintf(&hosts, "%v:%d\n", randomAddr(random), 1+random.IntN(65535))
	}
	block := writeList(b, "block.txt", networks.String())
	list := writeList(b, "services.txt", hosts.String())
	everywhere := []string{"0.0.0.0/0"}
	for _, c := range []struct {
		name string
		spec Spec
	}{
		{"prefix", Spec{Targets: []string{"1.0.0.0/16"}, Ports: "80"}},
		{"internet", Spec{Targets: everywhere, Ports: "all", Sample: "0.1%"}},
		{"internet-blocked", Spec{Targets: everywhere, Ports: "all", Sample: "0.1%", Block: []string{block}}},
		{"internet-by-host", Spec{Targets: everywhere, Ports: "all", Sample: "0.1%", SampleBy: "host", Block: []string{block}}},
		{"prefixes-100k", Spec{Targets: []string{block}, Ports: "all"}},
		{"services-1M", Spec{Targets: []string{list}}},
		{"ipv6", Spec{Targets: []string{"2a00::/64"}, Ports: "80", Sample: "0.001"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			set, err := Compile(c.spec, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			it := set.Iterate()
			for b.Loop() {
				if _, ok := it.Next(); !ok {
					it.Seek(0)
				}
			}
		})
	}
}

func randomAddr(random *rand.Rand) netip.Addr {
	n := random.Uint32()
	return netip.AddrFrom4([4]byte{1 + byte(n>>24)%126, byte(n >> 16), byte(n >> 8), byte(n)})
}

func writeList(tb testing.TB, name, text string) string {
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}
