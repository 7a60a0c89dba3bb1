package analysis

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrigins(t *testing.T) {
	// Each line is counted by one fold, and then half of them by another, which is merged.
	first, second := new(Origins), new(Origins)
	if err := second.Add(batchOf(t, second, `
		port state      label  evidence asn   as_name
		23   sends_data telnet certain  64501 two
		23   sends_data telnet certain  64501 two
		23   sends_data telnet weak     64501 two
		80   sends_data http   likely   -     -
	`)); err != nil {
		t.Fatal(err)
	}
	if err := first.Add(batchOf(t, first, `
		port state      label  evidence asn   as_name
		80   closed     http   certain  64500 one
		23   sends_data telnet certain  64500 one
		23   sends_data telnet likely   64500 one
		23   sends_data telnet likely   -     -
		2323 sends_data telnet likely   64501 two
		23   acks_data  -      none     64501 two
	`)); err != nil {
		t.Fatal(err)
	}
	if err := first.Merge(second); err != nil {
		t.Fatal(err)
	}
	want := []Origin{
		{"http", 80, 1, 0, "", 0},
		{"telnet", 23, 5, 64500, "one", 2},
		{"telnet", 2323, 1, 64501, "two", 1},
	}
	if d := cmp.Diff(want, first.Ports()); d != "" {
		t.Error(d)
	}
	if err := first.Merge(new(Census)); err == nil {
		t.Error("merges with a Census")
	}
}
