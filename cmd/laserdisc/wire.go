package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"laserdisc/capture/link"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
)

// open opens the link and notes in the manifest where packets come from. Time has to have got past
// that of a record that is gone on with.
func (o *scanOptions) open(m *record.Manifest, set *target.Set, past int64) (link.Link, error) {
	now := time.Now().UnixNano()
	if o.lab != "" {
		return o.openLab(m, max(now, past))
	}
	if now < past {
		return nil, fmt.Errorf("%s ends at %v: this machine's clock is before that", o.out, time.Unix(0, past).UTC())
	}
	cfg := link.Config{Interface: o.device, Targets: []netip.Addr{anywhere}, FirstPort: m.SourcePorts.First, LastPort: m.SourcePorts.Last}
	if set != nil {
		cfg.Targets = examples(set)
	}
	var err error
	if cfg.Sources, err = parseSources(o.sources); err != nil {
		return nil, err
	}
	if o.gatewayMAC != "" {
		mac, err := net.ParseMAC(o.gatewayMAC)
		if err != nil {
			return nil, fmt.Errorf("--gateway-mac: %w", err)
		}
		cfg.GatewayMAC = mac
	}
	wire, err := link.Open(cfg)
	if err != nil {
		return nil, err
	}
	m.Sources = cfg.Sources
	info := wire.Info()
	for _, a := range []netip.Addr{info.Source4, info.Source6} { // a family that has none given has the route's
		if a.IsValid() && !slices.Contains(m.Sources, a) {
			m.Sources = append(m.Sources, a)
		}
	}
	return wire, nil
}

// anywhere stands for what ZMap scans, in the look-up of the route to it. Nothing is sent there.
var anywhere = netip.MustParseAddr("1.1.1.1")

// examples returns the first target of each address family, for the look-up of routes. It looks
// at no more than a few thousand: a list that mixes families mixes them in that order too.
func examples(set *target.Set) []netip.Addr {
	var found [2]netip.Addr
	targets := set.Iterate()
	for range 4096 {
		t, ok := targets.Next()
		if !ok {
			break
		}
		family := 0
		if t.Addr().Is6() {
			family = 1
		}
		if !found[family].IsValid() {
			found[family] = t.Addr()
		}
	}
	return slices.DeleteFunc(found[:], func(a netip.Addr) bool { return !a.IsValid() })
}

// maxSources bounds the source addresses: each has its rules in the kernel.
const maxSources = 256

// parseSources reads addresses, ranges FIRST-LAST of addresses, and prefixes.
func parseSources(texts []string) (sources []netip.Addr, err error) {
	for _, text := range texts {
		first, last, err := parseRange(text)
		if err != nil {
			return nil, fmt.Errorf("--source-ip: %w", err)
		}
		for a := first; !last.Less(a); a = a.Next() {
			if !a.IsGlobalUnicast() && !a.IsLinkLocalUnicast() {
				return nil, fmt.Errorf("--source-ip: nothing can answer to %v", a)
			}
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
