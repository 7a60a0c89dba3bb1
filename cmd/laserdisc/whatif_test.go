package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
)

// TestWhatIf supposes other scans of what one has recorded that said everything, in an order of each service's own, and makes
// those scans: the same hosts, the same lab.
//
// Where what a service answers does not depend on what it was told before, every service that the supposed scan finds is one that
// the live scan finds, and the other way round. The default population has services that answer nothing for two minutes
// after a handshake (paper, section 4.3): so much less is supposed to be found than is.
func TestWhatIf(t *testing.T) {
	for _, c := range []struct {
		name, lab  string
		handshakes string
		most       float64 // of the services that the live scan identifies, the share that is not supposed to be
	}{
		{"independent", "testdata/independent.json", "http,tls,wait", 0},
		{"default", "paper-shape", "tls,http,wait", 0.03},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			scan := func(name string, arguments ...string) *analysis.Dataset {
				run, tables := filepath.Join(dir, name), filepath.Join(dir, name+"-tables")
				laserdisc(t, append([]string{"scan", "198.18.0.0/15", "--open", "198.18.0.0/15", "--lab", c.lab, "--loss", "0", "--ports", "80,443,8080,7547,21",
					"--sample", "5%", "--sample-by", "host", "--rate", "0", "--seed", "1", "--out", run}, arguments...)...)
				laserdisc(t, "replay", run, "--out", tables)
				return openedDataset(t, tables)
			}
			recorded := scan("recorded", "--handshakes", "wait,"+strings.ReplaceAll(c.handshakes, ",wait", ""), "--all-handshakes", "--random-order")
			live := scan("live", "--handshakes", c.handshakes)
			settings := recorded.Manifest().Settings
			settings.Handshakes, settings.AllHandshakes, settings.RandomOrder = strings.Split(c.handshakes, ","), false, false
			result, err := recorded.Suppose(context.Background(), analysis.Supposition{Settings: settings})
			if err != nil {
				t.Fatal(err)
			}
			identified := result.Levels[slices.IndexFunc(result.Levels, func(l analysis.WhatIfLevel) bool { return l.Name == "identified" })]
			found := 0
			if err := live.EachService(context.Background(), func(s *session.Service, _ int) error {
				if s.State == session.SendsData && s.Evidence >= 2 {
					found++
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			lost := 1 - float64(identified.Supposed)/float64(found)
			t.Logf("supposed %d, live %d: %.2f %% fewer; left out: %v", identified.Supposed, found, 100*lost, result.Lacking)
			if found < 500 || lost > c.most || lost < -c.most {
				t.Errorf("supposed to be identified: %d; a live scan identifies %d", identified.Supposed, found)
			}
			if share, err := identified.Kept.Share(analysis.DesignOf(recorded.Manifest())); err != nil || share.Design.Unit != estimate.ByHost {
				t.Errorf("share %v: %v", share, err)
			}
		})
	}
}
