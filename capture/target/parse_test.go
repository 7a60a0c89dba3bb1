package target

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePorts(t *testing.T) {
	all, err := ParsePorts("all", nil)
	if err != nil || len(all) != 65535 || all[0] != 1 || all[65534] != 65535 {
		t.Errorf("all: %d ports, %v", len(all), err)
	}
	for list, want := range map[string][]uint16{
		"80":                {80},
		"443,80,80":         {80, 443},
		" 8000-8002 , 80 ":  {80, 8000, 8001, 8002},
		"web":               {80, 443},
		"odd,2,web,440-443": {1, 2, 80, 440, 441, 442, 443, 65535},
		"65535-65535":       {65535},
	} {
		got, err := ParsePorts(list, namedPorts)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", list, err, diff)
		}
	}
	const help = ": ports are numbers from 1 to 65535, ranges such as 8000-8100, or odd, web, all"
	for list, want := range map[string]string{
		"":        `"" is not a port` + help,
		"http":    `"http" is not a port` + help,
		"80,":     `"" is not a port` + help,
		"0":       `port 0 is reserved` + help,
		"0-80":    `port 0 is reserved` + help,
		"65536":   `"65536" is not a port` + help,
		"80-79":   `range "80-79" runs backwards` + help,
		"80-":     `"" is not a port` + help,
		"1-2-3":   `"2-3" is not a port` + help,
		"80 443":  `"80 443" is not a port` + help,
		"80;443":  `"80;443" is not a port` + help,
		"+80":     `"+80" is not a port` + help,
		"web-odd": `"web" is not a port` + help,
	} {
		if _, err := ParsePorts(list, namedPorts); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", list, err, want)
		}
	}
}

func TestParseFraction(t *testing.T) {
	for text, want := range map[string]Fraction{
		"0.1%": {1, 1000}, "1/1000": {1, 1000}, "0.001": {1, 1000}, " 1 ": {1, 1}, "100%": {1, 1}, "1.0": {1, 1},
		".5": {1, 2}, "50.%": {1, 2}, "3/9": {1, 3}, "0.0000000000000001%": {1, 1e18},
	} {
		if got, err := ParseFraction(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                      "not a number",
		"%":                     "not a number",
		".":                     "not a number",
		"0":                     "not above 0 and at most 1",
		"0%":                    "not above 0 and at most 1",
		"1.1":                   "not above 0 and at most 1",
		"100.1%":                "not above 0 and at most 1",
		"2/1":                   "not above 0 and at most 1",
		"1/0":                   "not above 0 and at most 1",
		"-1":                    "not a number",
		"1e-3":                  "not a number",
		"1/1000%":               "not a number",
		"1/2/3":                 "not a number",
		"0.0000000000000000001": "too many digits",
	} {
		if f, err := ParseFraction(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, %v; want an error with %q", text, f, err, want)
		}
	}
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]shard{"1/1": {0, 1}, "3/3": {2, 3}, "4294967295/4294967295": {1<<32 - 2, 1<<32 - 1}} {
		if got, err := parseShard(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0/1", "2/1", "1", "/", "1/", "a/b", "1/2/3", "1/4294967296", "-1/2"} {
		if got, err := parseShard(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestSpecialUse(t *testing.T) {
	list := SpecialUse()
	seen := make(map[netip.Prefix]bool)
	for i, s := range list {
		if s.Prefix != s.Prefix.Masked() || seen[s.Prefix] || s.Name == "" || !strings.HasPrefix(s.Source, "RFC ") {
			t.Errorf("%+v", s)
		}
		seen[s.Prefix] = true
		if i > 0 && list[i-1].Prefix.Bits() < s.Prefix.Bits() {
			t.Errorf("%v comes after the shorter %v", s.Prefix, list[i-1].Prefix)
		}
	}
	// All that is open to IPv6 is in 2000::/3.
	closed := list[:0]
	for _, s := range list {
		if s.Prefix.Addr().Is6() {
			closed = append(closed, s)
		}
	}
	for _, addr := range []string{"::", "1fff::", "4000::", "7fff::", "8000::", "ffff::"} {
		if !slices.ContainsFunc(closed, func(s Special) bool { return s.Prefix.Contains(netip.MustParseAddr(addr)) }) {
			t.Errorf("%s is open", addr)
		}
	}
	for text, want := range map[string]string{
		"prefix\n1.0.0.0/8\n":          "f:2: 1 cells",
		"prefix\nx\tname\tRFC 1\n":     "f:2: ",
		"prefix\n1.0.0.0/8\ta\tb\n\tc": "f:3: 2 cells",
	} {
		if _, err := parseSpecial("f", text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzPorts(f *testing.F) {
	for _, seed := range []string{"80,443,8000-8100", "all", "web,odd", "0", "1-65535,1-65535", "-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		ports, err := ParsePorts(list, namedPorts)
		if err != nil {
			return
		}
		for i, port := range ports {
			if port == 0 || i > 0 && ports[i-1] >= port {
				t.Fatalf("%q: port %d at %d", list, port, i)
			}
		}
	})
}

func FuzzFraction(f *testing.F) {
	for _, seed := range []string{"0.1%", "1/1000", "0.001", "1/0", "9223372036854775807/9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fraction, err := ParseFraction(text)
		if err != nil {
			return
		}
		for _, n := range []uint128{{0, 1}, {0, 1 << 63}, twoTo64} {
			if part := fraction.ceilOf(n); part.exceeds(n) || part == (uint128{}) {
				t.Fatalf("%v of %v is %v", fraction, n, part)
			}
		}
		if back, err := ParseFraction(fraction.String()); err != nil || back != fraction {
			t.Fatalf("%v is %v, %v when read again", fraction, back, err)
		}
	})
}

func FuzzShard(f *testing.F) {
	f.Add("1/3", uint64(10))
	f.Add("4294967295/4294967295", uint64(1<<63))
	f.Fuzz(func(t *testing.T, text string, all uint64) {
		s, err := parseShard(text)
		if err == nil && all <= 1<<63 && s.sizeOf(all) > all/s.count+1 {
			t.Fatalf("%v of %d is %d", s, all, s.sizeOf(all))
		}
	})
}

// Whatever a list holds, it is a domain or an error with its line.
func FuzzList(f *testing.F) {
	for _, seed := range []string{
		"1.1.1.1\n10.0.0.0/8 # private\n1.1.1.1:80\n[2600::1]:443\n2600::/32\n::/0\n0.0.0.0/0\n::ffff:1.2.3.4/100\n",
		"fe80::1%eth0", "1.1.1.1:0", "1.1.1.1/33", "::1/129", "[::1]", "\xff\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var addresses []span
		var services []service
		_, err := readList("list", strings.NewReader(text), func(e entry) error {
			if e.port == 0 {
				addresses = appendPrefix(addresses, e.prefix)
			} else {
				services = append(services, serviceOf(addressOf(e.prefix.Addr()), e.port))
			}
			return nil
		})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "list:") {
				t.Fatal(err)
			}
			return
		}
		d := newDomain(addresses, []uint16{80}, services)
		for i, s := range d.addresses {
			if s.last.less(s.first) || i > 0 && !d.addresses[i-1].last.after().less(s.first) {
				t.Fatalf("range %d of %v", i, d.addresses)
			}
		}
		for _, special := range specials() {
			set := rangesOf(special.Prefix)
			inside, excluded := d.within(set)
			outside, removed := d.without(set)
			if got := inside.size().plus(outside.size()); got != d.size() {
				t.Fatalf("%v: %v inside and outside of %v", special.Prefix, got, d.size())
			}
			if excluded != outside.size().saturated() || removed != inside.size().saturated() {
				t.Fatalf("%v: %d and %d excluded", special.Prefix, excluded, removed)
			}
		}
	})
}
