package main

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"

	"laserdisc/capture"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

// manifest says all that the scan does.
func (o *scanOptions) manifest(set *target.Set) (*record.Manifest, error) {
	handshakes, err := handshake.Parse(o.handshakes)
	if err != nil {
		return nil, fmt.Errorf("--handshakes: %w", err)
	}
	ports, err := parseSourcePorts(o.sourcePort)
	if err != nil {
		return nil, err
	}
	if err := handshake.CheckContact(o.contact); err != nil {
		return nil, fmt.Errorf("--contact: %w", err)
	}
	chunk, err := parseSize(o.chunk)
	if err != nil {
		return nil, fmt.Errorf("--chunk %w", err)
	}
	m := &record.Manifest{
		Laserdisc: version, Revision: revision(), Go: runtime.Version(), GOARCH: runtime.GOARCH,
		Synthetic: o.synthetic, Arguments: append([]string{"laserdisc"}, o.arguments...),
		Seed: o.seed, CookieKey: capture.CookieKey(o.seed),
		Probes: o.probes, MaxResults: o.maxResults, MaxRuntime: record.Duration(o.maxRuntime), Cooldown: record.Duration(o.cooldown),
		AllHandshakes: o.session.All, Contact: o.contact, Push: o.session.Push, Adopt: o.from != "", Liveness: o.session.Liveness,
		EphemeralProbes: o.session.EphemeralProbes, SkipAllPorts: o.session.SkipAllPorts, Revisit: record.Duration(o.session.Revisit),
		Timeout: record.Duration(o.session.Timeout), Wait: record.Duration(o.session.Wait),
		RetransmitAfter: record.Duration(o.session.RetransmitAfter), Retransmits: o.session.Retransmits,
		Gather: record.Duration(o.session.Gather), ResponseLimit: o.session.ResponseLimit,
		Rate: o.rate, SourcePorts: ports, ChunkSize: chunk, Compression: o.compress,
	}
	for _, h := range handshakes {
		m.Handshakes = append(m.Handshakes, h.Name)
	}
	if m.MaxTargets, err = o.limit(set); err != nil {
		return nil, err
	}
	if set == nil {
		return m, nil
	}
	if m.Targets, err = json.Marshal(o.targets); err != nil {
		return nil, err
	}
	m.TargetDigest, m.TargetCount, m.Lists = set.Digest(), set.Len(), []record.ListDigest{}
	for _, l := range set.Lists() {
		m.Lists = append(m.Lists, record.ListDigest(l))
	}
	for _, e := range set.Excluded() {
		m.Excluded = append(m.Excluded, record.Exclusion(e))
	}
	return m, nil
}

// limit is the number that --max-targets stands for; 0 is none.
func (o *scanOptions) limit(set *target.Set) (uint64, error) {
	share, isShare := strings.CutSuffix(o.maxTargets, "%")
	switch {
	case o.maxTargets == "":
		return 0, nil
	case isShare && set == nil:
		return 0, fmt.Errorf("--max-targets %s: how many targets zmap has is not known; give a number", o.maxTargets)
	case isShare:
		percent, err := strconv.ParseFloat(share, 64)
		if err != nil || !(percent > 0 && percent <= 100) {
			return 0, fmt.Errorf("--max-targets %s: not a share above 0 %% and up to 100 %%", o.maxTargets)
		}
		return uint64(math.Ceil(float64(set.Len()) * percent / 100)), nil
	}
	n, err := strconv.ParseUint(o.maxTargets, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("--max-targets %s: neither a number above 0 nor a share, such as 5%%", o.maxTargets)
	}
	return n, nil
}

// parseSize reads a size in bytes, at least 1 MiB.
func parseSize(text string) (int64, error) {
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		digits, ok := strings.CutSuffix(text, unit)
		bytes := int64(1024) << (10 * i)
		if n, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && n > 0 && n <= math.MaxInt64/bytes && n*bytes >= 1<<20 {
			return n * bytes, nil
		}
	}
	return 0, fmt.Errorf("%q: want a size from 1MiB, as in 64MiB or 1GiB", text)
}

func parseSourcePorts(text string) (r record.PortRange, err error) {
	if _, err := fmt.Sscanf(text, "%d-%d", &r.First, &r.Last); err != nil || r.First == 0 || r.Last < r.First || session.PortRange(r).String() != text {
		return r, fmt.Errorf("--source-port %q: want FIRST-LAST, as in 61000-65535", text)
	}
	return r, nil
}
