package main

import (
	"testing"

	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// The key of a scan on a wire is random, whatever the seed; that of one in the lab follows from it; --key gives another run's.
func TestKey(t *testing.T) {
	key := func(args ...string) session.Key {
		t.Helper()
		o, cmd := newScan(nil)
		args = append(args, "198.18.0.0/24", "--open", "198.18.0.0/15", "--ports", "80", "--out", "x")
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		o.targets.Targets = cmd.Flags().Args()
		if err := o.check(cmd.Flags()); err != nil {
			t.Fatal(err)
		}
		m, err := o.manifest(nil)
		if err != nil {
			t.Fatal(err)
		}
		if m.DrawKey != session.KeyOf(m.Seed) {
			t.Errorf("%v: what is drawn does not follow from the seed", args)
		}
		return m.CookieKey
	}
	a, b := key("--seed", "1"), key("--seed", "1")
	if a == b || a == session.KeyOf(1) || a == (session.Key{}) {
		t.Errorf("two scans of one seed have the keys %x and %x", a, b)
	}
	if a := key("--seed", "1", "--lab", datasets.DefaultPopulation); a != session.KeyOf(1) {
		t.Errorf("in the lab the key is %x", a)
	}
	text, _ := a.MarshalText()
	if b := key("--seed", "2", "--key", string(text)); a != b {
		t.Errorf("--key %s gives %x", text, b)
	}
	for _, bad := range []string{"1", "zz", "00000000000000000000000000000000"} {
		o, cmd := newScan(nil)
		if err := cmd.ParseFlags([]string{"--key", bad}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.cookieKey(); err == nil {
			t.Errorf("--key %s is taken", bad)
		}
	}
}
