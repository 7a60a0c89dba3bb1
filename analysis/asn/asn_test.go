package asn

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each form says the same: the longest prefix counts, and who is in none is nobody's.
var forms = []struct{ name, text string }{
	{"pyasn", "; IP-ASN32-DAT file\n192.0.2.0/24\t64496\n192.0.2.128/25\t64497\n2001:db8::/32\t64498\n"},
	{"CAIDA", "192.0.2.0\t24\t64496_64499\n192.0.2.128\t25\t64497,64500_1\n2001:db8::\t32\t64498\r\n"},
	{"iptoasn", "0.0.0.0\t192.0.1.255\t0\tNone\tNot routed\n192.0.2.0\t192.0.2.127\t64496\tZZ\t\n192.0.2.128\t192.0.2.255\t64497\tZZ\t\n" +
		"2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t64498\tZZ\t\n"},
}

var lookups = []struct {
	addr string
	asn  uint32
}{
	{"192.0.2.0", 64496}, {"192.0.2.127", 64496}, {"192.0.2.128", 64497}, {"192.0.2.255", 64497}, {"192.0.3.0", 0}, {"192.0.1.255", 0},
	{"0.0.0.0", 0}, {"2001:db8::1", 64498}, {"2001:db9::", 0}, {"::ffff:192.0.2.1", 0},
}

func TestText(t *testing.T) {
	for _, form := range forms {
		for _, zipped := range []bool{false, true} {
			content := []byte(form.text)
			if zipped {
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				_, _ = z.Write(content)
				if err := z.Close(); err != nil {
					t.Fatal(err)
				}
				content = b.Bytes()
			}
			table, err := Open(write(t, "some.txt", content))
			if err != nil {
				t.Errorf("%s: %v", form.name, err)
				continue
			}
			if sum := sha256.Sum256(content); table.SHA256() != hex.EncodeToString(sum[:]) || table.File() != "some.txt" {
				t.Errorf("%s is %s, %s", form.name, table.File(), table.SHA256())
			}
			for _, l := range lookups {
				if o, err := table.Lookup(netip.MustParseAddr(l.addr)); err != nil || o.ASN != l.asn || o.Prefix.IsValid() != (l.asn != 0) {
					t.Errorf("%s: %s is %v: %v", form.name, l.addr, o, err)
				}
			}
		}
	}
	table, err := Open(write(t, "named.txt", []byte("198.18.0.0\t15\t64511\tA name, with blanks\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := Origin{netip.MustParsePrefix("198.18.0.0/15"), 64511, "A name, with blanks"}
	if o, _ := table.Lookup(netip.MustParseAddr("198.19.1.1")); o != want {
		t.Errorf("%v, not %v", o, want)
	}
}

func TestTextErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "f: no prefix in it",
		"# nothing\n\n; here\n":               "f: no prefix in it",
		"\n192.0.2.0 24 64496\n":              "f:2: 1 columns, separated by tabs; 2 to 5 are possible",
		"1\t2\t3\t4\t5\t6":                    "f:1: 6 columns",
		"192.0.2.0\t33\t64496":                `f:1: "192.0.2.0/33" is not a prefix`,
		"192.0.2.1/24\t64496":                 "f:1: prefix 192.0.2.1/24 has bits beyond its length: 192.0.2.0/24",
		"192.0.2.0/24\tAS64496":               `f:1: "AS64496" is not the number of an AS`,
		"192.0.2.0/24\t4294967296":            `f:1: "4294967296" is not the number`,
		"192.0.2.0/24\t":                      `f:1: "" is not the number`,
		"192.0.2.0/24\t1\n192.0.2.0/24\t2\n":  "f:2: prefix 192.0.2.0/24 is there twice",
		"192.0.2.9\t192.0.2.0\t1\tZZ\tA":      "f:1: 192.0.2.9 to 192.0.2.0 is not a range",
		"192.0.2.9\t2001:db8::\t1\tZZ\tA":     "f:1: 192.0.2.9 to 2001:db8:: is not a range",
		"192.0.2.9\tlast\t1\tZZ\tA":           `f:1: "last" is not an address`,
		"first\t192.0.2.9\t1\tZZ\tA":          `f:1: "first" is not an address`,
		"192.0.2.0/24\t1\n" + long(maxLine+1): "f:2: longer than 4096 bytes",
		"\x1f\x8b damaged":                    "f: gzip: invalid header",
	} {
		if _, err := Open(write(t, "f", []byte(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, not %s", text, err, want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nosuch")); err == nil {
		t.Error("a file that is not there can be read")
	}
}

func long(n int) string { return strings.Repeat("1", n) }

// A database in MaxMind's format, written by MaxMind's own writer.
func TestDatabase(t *testing.T) {
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, as := range map[string]mmdbtype.Map{
		"192.0.2.0/24":  {"autonomous_system_number": mmdbtype.Uint32(64496), "autonomous_system_organization": mmdbtype.String("Example")},
		"2001:db8::/32": {"autonomous_system_number": mmdbtype.Uint32(4200000000)},
	} {
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(network, as); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	table, err := Open(write(t, "some.mmdb", b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]Origin{
		"192.0.2.77":  {netip.MustParsePrefix("192.0.2.0/24"), 64496, "Example"},
		"2001:db8::1": {netip.MustParsePrefix("2001:db8::/32"), 4200000000, ""},
		"192.0.3.1":   {},
		"2001:db9::1": {},
	} {
		if o, err := table.Lookup(netip.MustParseAddr(addr)); err != nil || o != want {
			t.Errorf("%s is %v, not %v: %v", addr, o, want, err)
		}
	}
	for name, bad := range map[string][]byte{"cut": b.Bytes()[:b.Len()/2], "empty": nil, "text": []byte("192.0.2.0/24\t1\n")} {
		if _, err := Open(write(t, name+".mmdb", bad)); err == nil || !strings.Contains(err.Error(), name+".mmdb") {
			t.Errorf("a database that is %s: %v", name, err)
		}
	}
	// Damage within is an error of whoever looks there, or a wrong answer, and never a panic.
	damaged := bytes.Clone(b.Bytes())
	for i := range len(damaged) - 200 {
		damaged[i] ^= 0xff
	}
	if table, err := Open(write(t, "damaged.mmdb", damaged)); err == nil {
		if o, err := table.Lookup(netip.MustParseAddr("192.0.2.77")); err == nil && o.Name == "Example" {
			t.Errorf("%v was read where every byte is wrong", o)
		}
	}
}

// FuzzText reads whatever text there is: what it takes, it finds again.
func FuzzText(f *testing.F) {
	for _, form := range forms {
		f.Add(form.text)
	}
	f.Add("::\tffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\t1\t\t")
	f.Fuzz(func(t *testing.T, text string) {
		table := &Table{path: "fuzz"}
		if err := table.readText(strings.NewReader(text)); err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz:") {
				t.Errorf("an error without its file: %v", err)
			}
			return
		}
		for p, o := range table.prefixes.All() {
			if found, err := table.Lookup(p.Addr()); err != nil || !found.Prefix.Overlaps(p) || found.Prefix.Bits() < p.Bits() || o.asn == 0 {
				t.Errorf("%v is announced by %v: %v", p, found, err)
			}
		}
	})
}

// The memory that a text takes is bounded in bytes, whatever its prefixes: weigh is no less than what they take where they share the
// fewest nodes.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var text bytes.Buffer
	weight := 0
	table := &Table{path: "f", left: maxText}
	const pairs = 1 << 13
	for i := range pairs {
		for last := range 2 { // of an address that none shares the first bytes of, and one that differs in the last
			a := netip.AddrFrom16([16]byte{byte(i), byte(i >> 8), 15: byte(last)})
			fmt.Fprintf(&text, "%v/128\t%d\n", a, i+1)
			weight += weigh(netip.PrefixFrom(a, 128))
		}
	}
	lines := text.Bytes()
	if err := table.readText(bytes.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	text = bytes.Buffer{}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if takes := int(after.HeapAlloc) - int(before.HeapAlloc) - cap(lines); takes > weight || takes < weight/8 {
		t.Errorf("%d prefixes take %d bytes, and weigh %d", 2*pairs, takes, weight)
	} else {
		t.Logf("%d prefixes take %d bytes, and weigh %d", 2*pairs, takes, weight)
	}
	runtime.KeepAlive(table)
	table = &Table{path: "f", left: weight / 2}
	if err := table.readText(bytes.NewReader(lines)); err == nil || err.Error() != fmt.Sprintf("f:%d: the prefixes and names up to here may take more than 1024 MiB of memory: take a file of fewer", pairs) {
		t.Error(err)
	}
}
