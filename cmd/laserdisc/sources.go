package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxSources bounds the source addresses: each has its rules in the kernel.
const maxSources = 256

// parseSources reads addresses, ranges FIRST-LAST of addresses, and prefixes.
func parseSources(texts []string) (sources []netip.Addr, err error) {
	for _, text := range texts {
		first, last, err := parseRange(text)
		if err != nil {
			return nil, fmt.Errorf("--source-ip: %w", err)
		}
		for a := first; a.IsValid() && !last.Less(a); a = a.Next() {
			if slices.Contains(sources, a) {
				return nil, fmt.Errorf("--source-ip: %v is given twice", a)
			}
			if sources = append(sources, a); len(sources) > maxSources {
				return nil, fmt.Errorf("--source-ip: more than %d addresses", maxSources)
			}
		}
	}
	return sources, nil
}

func parseRange(text string) (first, last netip.Addr, err error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		first, last = prefix.Masked().Addr(), prefix.Masked().Addr()
		for bit := prefix.Bits(); bit < last.BitLen(); bit++ {
			last = withBit(last, bit)
		}
		return first, last, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	if first, err = netip.ParseAddr(from); err != nil {
		return first, last, err
	}
	if last, err = netip.ParseAddr(to); err != nil {
		return first, last, err
	}
	if first.Zone() != "" || first.Is4() != last.Is4() || last.Less(first) {
		return first, last, fmt.Errorf("%q is not FIRST-LAST, as in 192.0.2.1-192.0.2.9", text)
	}
	return first, last, nil
}

// withBit sets a bit, counted from the highest.
func withBit(a netip.Addr, bit int) netip.Addr {
	b := a.AsSlice()
	b[bit/8] |= 0x80 >> (bit % 8)
	set, _ := netip.AddrFromSlice(b) // of the length that it came with
	return set
}
