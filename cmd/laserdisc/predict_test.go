package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"laserdisc/analysis/predict"
)

// TestPredict learns from a sample of the hosts of testdata/routers.json, scans the others on a few ports, then what that predicts:
// as many of these probes find a service as was expected. Each step is a command line, as a user would give it. The hosts are in 512
// networks, for the interval is over these.
func TestPredict(t *testing.T) {
	dir := t.TempDir()
	binary := laserdiscBinary(t)
	predicts := func(arguments ...string) string {
		text, err := exec.Command(binary, append([]string{"predict"}, arguments...)...).Output()
		if err != nil {
			t.Fatalf("predict %s: %v", strings.Join(arguments, " "), err)
		}
		t.Logf("predict %s\n%s", strings.Join(arguments, " "), text)
		return string(text)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	var prefixes []string
	for i := range 512 {
		prefixes = append(prefixes, fmt.Sprintf("198.%d.%d.0/28", 18+i/256, i%256))
	}
	population, err := os.ReadFile("testdata/routers.json")
	if err != nil {
		t.Fatal(err)
	}
	spread := strings.Replace(string(population), `"198.18.0.0/19"`, `"`+strings.Join(prefixes, `","`)+`"`, 1)
	for name, text := range map[string]string{"routers.json": spread, "targets": strings.Join(prefixes, "\n")} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	scan := func(out string, arguments ...string) {
		laserdisc(t, append([]string{"scan", "--open", "198.18.0.0/15", "--lab", path("routers.json"), "--rate", "0", "--out", path(out)}, arguments...)...)
	}
	scan("sample", path("targets"), "--ports", "80,2000-2400,8000-8500", "--sample", "20%", "--sample-by", "host", "--seed", "1")
	laserdisc(t, "replay", path("sample"), "--out", path("tables"))
	predicts(path("tables"), "--csv", path("curves.csv"))

	// What the table says of 90 % follows from the curves.
	curves := make(map[string][]predict.Point)
	services := 0
	for _, r := range readCSV(t, path("curves.csv")) {
		probes, err := strconv.ParseFloat(r["probes_per_address"], 64)
		if err != nil {
			t.Fatal(err)
		}
		name := r["order"] + r["first_ports"]
		curves[name] = append(curves[name], predict.Point{Probes: probes, Services: number(t, r["services"])})
		services = max(services, number(t, r["services"]))
	}
	e := &predict.Evaluation{Services: services}
	popularity, _ := e.Probes(curves["popularity0"], 0.9)
	predicted, ok := e.Probes(curves["predicted5"], 0.9)
	if !ok || predicted > popularity/2 {
		t.Errorf("90 %% of %d services take %.1f probes by prediction, %v, and %.1f by popularity", services, predicted, ok, popularity)
	}

	scan("first", path("targets"), "--ports", "80,2222,8443", "--seed", "2")
	const probes = 100_000
	text := predicts(path("tables"), "--known", path("first"), "--probes", strconv.Itoa(probes), "--out", path("list"))
	_, words, _ := strings.Cut(text, "\nexpected: ")
	fields := strings.Fields(strings.NewReplacer("(", "", ")", "").Replace(words)) // 0.02 (0.01 to 0.03 at 95 %)
	lo, errLo := strconv.ParseFloat(fields[1], 64)
	hi, errHi := strconv.ParseFloat(fields[3], 64)
	if errLo != nil || errHi != nil || lo >= hi {
		t.Fatalf("no interval in %q", words)
	}
	scan("predicted", path("list"), "--seed", "3")
	lines, err := os.ReadFile(filepath.Join(path("predicted"), "services.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	rate := float64(strings.Count(string(lines), `"state":"sends_data"`)) / probes
	t.Logf("%.4f of the probes found a service", rate)
	if !(lo <= rate && rate <= hi) || math.IsNaN(rate) {
		t.Errorf("%v is not between %v and %v", rate, lo, hi)
	}
}
