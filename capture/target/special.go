package target

import (
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// specialText has every entry of the IANA IPv4 and IPv6 Special-Purpose Address
// Registries (RFC 6890, RFC 8190) as of 2025-10-09, whether it may be reached
// globally or not, for none of it holds ordinary hosts; multicast and site-local
// space, which have registries of their own; and what lies outside 2000::/3, of
// which IANA has assigned no unicast address. IPv4-mapped space is not listed:
// an address in it is taken for the IPv4 address that it stands for.
//
//go:embed special.tsv
var specialText string

// Special is a block of addresses that is not scanned unless it is opened.
type Special struct {
	Prefix netip.Prefix
	Name   string // what it is for
	Source string // the RFC that says so
}

// specials is sorted from the longest prefix to the shortest, so that the first
// that holds an address says most about it. The text is part of the binary: an
// error in it is an error in the program, and panics.
var specials = sync.OnceValue(func() []Special {
	list, err := parseSpecial("special.tsv", specialText)
	if err != nil {
		panic(err)
	}
	return list
})

// SpecialUse gives the blocks that are not scanned unless opened: longest
// prefixes first.
func SpecialUse() []Special { return slices.Clone(specials()) }

func parseSpecial(name, text string) ([]Special, error) {
	var list []Special
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n")[1:] {
		cells := strings.Split(line, "\t")
		if len(cells) != 3 {
			return nil, fmt.Errorf("%s:%d: %d cells, want prefix, name and source", name, i+2, len(cells))
		}
		prefix, err := netip.ParsePrefix(cells[0])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+2, err)
		}
		list = append(list, Special{prefix, cells[1], cells[2]})
	}
	slices.SortStableFunc(list, func(a, b Special) int { return b.Prefix.Bits() - a.Prefix.Bits() })
	return list, nil
}
