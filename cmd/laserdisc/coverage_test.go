package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// coverageSamples makes TestCoverage run: `make coverage`.
var coverageSamples = flag.Int("coverage", 0, "samples of the lab, of whose reports the printed intervals are compared with the whole lab's")

// coveredExhibits have intervals, and rows of which each sample has those of the whole: what else there is asks first which ports are
// popular in the sample.
var coveredExhibits = []struct {
	name, value string
	key         []string // the columns that name a row
}{
	{"figure01", "share", []string{"tcp_state", "state"}},
	{"figure05", "share", []string{"port", "reached"}},
	{"ports", "services", []string{"port"}},
}

// coverageLeast is of how many services in the whole lab a row is that is judged: a fifth of them is in a sample.
const coverageLeast = 50

// coverageRow is a row of an exhibit's CSV.
type coverageRow struct {
	value, low, high float64
	services         float64
	printed          bool // the interval
}

// The intervals that a report prints hold the whole lab's value as often as they say: of reports of many samples of a fifth, each
// scanned, played back and drawn by the command, and of one of all. Nothing is lost, so that the report of all is the truth.
func TestCoverage(t *testing.T) {
	if *coverageSamples == 0 {
		t.Skip("make coverage runs it")
	}
	program, dir := laserdiscBinary(t), t.TempDir()
	truth := coverageReport(t, program, filepath.Join(dir, "all"), "--seed", "1")
	type count struct{ intervals, hold int }
	found := map[string]map[string]*count{}
	var lock sync.Mutex
	var group sync.WaitGroup
	seeds := make(chan int)
	for range 2 {
		group.Go(func() {
			for seed := range seeds {
				report := coverageReport(t, program, filepath.Join(dir, fmt.Sprint(seed)), "--sample", "20%", "--seed", fmt.Sprint(seed))
				lock.Lock()
				for exhibit, rows := range truth {
					for key, is := range rows {
						if is.services < coverageLeast {
							continue
						}
						if found[exhibit] == nil {
							found[exhibit] = map[string]*count{}
						}
						c := found[exhibit][key]
						if c == nil {
							c = new(count)
							found[exhibit][key] = c
						}
						if row, ok := report[exhibit][key]; ok && row.printed {
							c.intervals++
							if row.low <= is.value && is.value <= row.high {
								c.hold++
							}
						}
					}
				}
				lock.Unlock()
			}
		})
	}
	for seed := range *coverageSamples {
		seeds <- seed + 2 // the whole had 1
	}
	close(seeds)
	group.Wait()
	if t.Failed() {
		return
	}
	t.Logf("%d samples\n| exhibit | rows | intervals | cover | lowest row | highest row |\n| --- | --- | --- | --- | --- | --- |", *coverageSamples)
	for _, e := range coveredExhibits {
		var all count
		var shares []float64
		for key, c := range found[e.name] {
			all.intervals += c.intervals
			all.hold += c.hold
			if c.intervals < *coverageSamples/2 {
				t.Errorf("%s, %s: %d of %d samples have an interval", e.name, key, c.intervals, *coverageSamples)
				continue
			}
			shares = append(shares, 100*float64(c.hold)/float64(c.intervals))
		}
		if len(shares) < 3 {
			t.Fatalf("%s: %d rows: too few to prove anything", e.name, len(shares))
		}
		cover := 100 * float64(all.hold) / float64(all.intervals)
		t.Logf("| %s | %d | %d | %.1f | %.1f | %.1f |", e.name, len(shares), all.intervals, cover, slices.Min(shares), slices.Max(shares))
		if cover < 93 || cover > 99 {
			t.Errorf("%s: %.1f %% of the intervals hold the truth, not 93 to 99 %%", e.name, cover)
		}
	}
}

// coverageReport scans a part of the lab into dir, and returns the rows of the report's exhibits by their keys.
func coverageReport(t *testing.T, program, dir string, args ...string) map[string]map[string]coverageRow {
	run, report := filepath.Join(dir, "run"), filepath.Join(dir, "report")
	defer os.RemoveAll(dir)
	for _, line := range [][]string{
		append([]string{"scan", "198.18.0.0/19", "--open", labPrefix, "--lab", "paper-shape", "--loss", "0", "--ports", "22,80,443,7547,8080",
			"--handshakes", "wait,http,tls", "--timeout", "4s", "--wait", "4s", "--rate", "100000", "--out", run}, args...),
		{"report", run, "--out", report},
	} {
		if out, err := exec.Command(program, line...).CombinedOutput(); err != nil {
			t.Errorf("laserdisc %s: %v: %s", strings.Join(line, " "), err, out)
			return nil
		}
	}
	found := map[string]map[string]coverageRow{}
	for _, e := range coveredExhibits {
		f, err := os.Open(filepath.Join(report, e.name+".csv"))
		if err != nil {
			t.Error(err)
			return nil
		}
		lines, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Error(err)
			return nil
		}
		found[e.name] = map[string]coverageRow{}
		for _, line := range lines[1:] {
			cell := func(name string) string { return line[slices.Index(lines[0], name)] }
			number := func(name string) float64 {
				x, _ := strconv.ParseFloat(cell(name), 64) // 0 of an empty cell, which printed tells
				return x
			}
			var key []string
			for _, name := range e.key {
				key = append(key, cell(name))
			}
			found[e.name][strings.Join(key, " ")] = coverageRow{number(e.value), number("low"), number("high"), number("services"), cell("low") != "" && cell("high") != ""}
		}
	}
	return found
}
