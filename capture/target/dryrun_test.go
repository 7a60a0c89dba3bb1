package target

import (
	"net/netip"
	"os"
	"strings"
	"testing"
)

// What `zmap --dryrun` prints is a list of targets.
func TestDryRun(t *testing.T) {
	const text = `tcp { source: 65289 | dest: 80 | seq: 4056383391 | checksum: 0XB70A }
ip { saddr: 192.0.2.1 | daddr: 198.18.0.3 | checksum: 0X5F87 }
eth { shost: 42:a2:4f:4b:49:fc | dhost: 02:00:00:00:00:01 }
------------------------------------------------------
tcp { source: 62198 | dest: 8080 | seq: 1467066247 | checksum: 0X3581 }
ip { saddr: 192.0.2.1 | daddr: 198.18.0.14 | checksum: 0X5F7C }
eth { shost: 42:a2:4f:4b:49:fc | dhost: 02:00:00:00:00:01 }
------------------------------------------------------
`
	var got []entry
	list, err := readList("list", strings.NewReader(text), func(e entry) error { got = append(got, e); return nil })
	if err != nil || list.Entries != 2 {
		t.Fatal(list, err)
	}
	want := []entry{{netip.MustParsePrefix("198.18.0.3/32"), 80}, {netip.MustParsePrefix("198.18.0.14/32"), 8080}}
	if got[0] != want[0] || got[1] != want[1] {
		t.Errorf("read %v", got)
	}
	for _, bad := range []string{
		"ip { saddr: 192.0.2.1 | daddr: 198.18.0.3 | checksum: 0X5F87 }",
		"tcp { source: 1 | dest: 0 }\nip { daddr: 198.18.0.3 }",
		"tcp { source: 1 | dest: 80 }\nip { saddr: 192.0.2.1 }",
		"tcp {", "ip {",
	} {
		_, err := readList("list", strings.NewReader(bad+"\n"), func(entry) error { return nil })
		if bad != "tcp {" && (err == nil || !strings.HasPrefix(err.Error(), "list:")) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

// "-" is standard input.
func TestStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func(stdin *os.File) { os.Stdin = stdin }(os.Stdin)
	os.Stdin = r
	if _, err := w.WriteString("198.18.0.1:80\n[2001:db8::1]:443 # LZR's form\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	set, err := Compile(Spec{Targets: []string{"-"}, Open: []string{"198.18.0.0/15", "2001:db8::/32"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := set.Lists(); set.Len() != 2 || len(l) != 1 || l[0].Path != "standard input" || l[0].Entries != 2 {
		t.Errorf("%d targets, lists %v", set.Len(), l)
	}
}

// Addresses in opened special-use space are nobody's.
func TestPublic(t *testing.T) {
	for _, c := range []struct {
		targets []string
		want    uint64
	}{
		{[]string{"198.18.0.0/15"}, 0},
		{[]string{"198.18.0.0/15", "1.0.0.0/16"}, 1 << 16},
		{[]string{"1.0.0.0/16", "1.0.0.1:81", "1.1.0.1:80", "1.1.0.1:81"}, 1<<16 + 1},
		// ZMap's 3,702,258,432, less AS112 and AMT, 192.31.196.0/24, 192.52.193.0/24 and 192.175.48.0/24.
		{[]string{"0.0.0.0/0"}, 3_702_258_432 - 3<<8},
	} {
		set, err := Compile(Spec{Targets: c.targets, Ports: "80", Open: []string{"198.18.0.0/15"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := set.Public(); got != c.want {
			t.Errorf("%v: %d public addresses, want %d", c.targets, got, c.want)
		}
	}
}
