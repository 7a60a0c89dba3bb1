package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"

	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
)

// manifest completes the plan, once the targets are known: it says all that the scan does. What a resumed scan does is
// in the manifest that it began with.
func (o *scanOptions) manifest(set *target.Set) (*record.Manifest, error) {
	m := &o.plan
	m.Laserdisc, m.Revision, m.Go, m.GOARCH = version, revision(), runtime.Version(), runtime.GOARCH
	if o.resumed == nil {
		if err := o.settle(set); err != nil {
			return nil, err
		}
	}
	if set == nil {
		return m, nil
	}
	domain, sample := set.Domain(), set.Sample()
	m.TargetDigest, m.TargetCount, m.Domain, m.Sample = set.Digest(), set.Len(), &domain, &sample
	m.Lists, m.Excluded = set.Lists(), set.Excluded()
	return m, nil
}

// settle reads the flags that are not yet what the manifest has.
func (o *scanOptions) settle(set *target.Set) (err error) {
	m := &o.plan
	m.DrawKey, m.Adopt = session.KeyOf(m.Seed), o.from != ""
	if m.CookieKey, err = o.cookieKey(); err != nil {
		return err
	}
	if m.Liveness {
		o.liveness()
	}
	handshakes, err := handshake.Parse(o.handshakes)
	if err != nil {
		return fmt.Errorf("--handshakes: %w", err)
	}
	m.Handshakes = nil
	for _, h := range handshakes {
		m.Handshakes = append(m.Handshakes, h.Name)
	}
	for _, d := range o.followup {
		m.Followup = append(m.Followup, session.Duration(d))
	}
	if m.SourcePorts, err = parseSourcePorts(o.sourcePort); err != nil {
		return err
	}
	if err := handshake.CheckContact(m.Contact); err != nil {
		return fmt.Errorf("--contact: %w", err)
	}
	if m.MaxTargets, err = o.limit(set); err != nil || set == nil {
		return err
	}
	m.Targets, err = json.Marshal(o.targets)
	return err
}

// cookieKey is random, so that nobody makes answers to a scan who has seen its command line, or another's manifest. Nobody can in
// a lab, whose scans repeat to the byte by their seed.
func (o *scanOptions) cookieKey() (key session.Key, err error) {
	switch {
	case o.lab != "":
		return session.KeyOf(o.plan.Seed), nil
	case o.key != "":
		if err = key.UnmarshalText([]byte(o.key)); err != nil || key == (session.Key{}) {
			return key, fmt.Errorf("--key: want 32 hexadecimal digits, not all 0, as a manifest's cookie_key has them")
		}
		return key, nil
	}
	_, _ = rand.Read(key[:]) // never fails
	return key, nil
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

func parseSourcePorts(text string) (r session.PortRange, err error) {
	if _, err := fmt.Sscanf(text, "%d-%d", &r.First, &r.Last); err != nil || r.First == 0 || r.Last < r.First || r.String() != text {
		return r, fmt.Errorf("--source-port %q: want FIRST-LAST, as in 61000-65535", text)
	}
	return r, nil
}
