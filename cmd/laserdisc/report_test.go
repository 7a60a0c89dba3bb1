package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// TestOneRule counts the services of every protocol in every figure of a scan of the lab, all handshakes and second looks
// included: they are equal, for a service's label follows from its attempts by one rule. So do the services that
// acknowledge data and say nothing.
func TestOneRule(t *testing.T) {
	dir := t.TempDir()
	run, tables, report := filepath.Join(dir, "run"), filepath.Join(dir, "tables"), filepath.Join(dir, "report")
	laserdisc(t, "scan", "198.18.0.0/15", "--open", "198.18.0.0/15", "--lab", "paper-shape", "--ports", "paper", "--sample", "5%",
		"--all-handshakes", "--ephemeral-probes", "2", "--revisit", "5s", "--followup", "0s,2s", "--random-order", "--handshakes", "wait,tls,http,dns,redis,smb", "--rate", "100000",
		"--seed", "1", "--out", run)
	laserdisc(t, "replay", run, "--out", tables)
	laserdisc(t, "report", tables, "--out", report)

	protocols := make(map[string]int)
	identified := 0
	for _, r := range readCSV(t, filepath.Join(report, "figure09.csv")) {
		if r["last_port"] == "" { // a number of ports beyond those that were seen
			continue
		}
		protocols[r["protocol"]] += number(t, r["services"])
		identified += number(t, r["services"])
	}
	matrix := make(map[string]int)
	for _, r := range readCSV(t, filepath.Join(report, "figure10.csv")) {
		matrix[r["protocol"]] = number(t, r["services"])
	}
	if d := cmp.Diff(protocols, matrix); d != "" {
		t.Errorf("Figures 9 and 10: %s", d)
	}
	stacks := 0
	for _, r := range readCSV(t, filepath.Join(report, "figure05.csv")) {
		if strings.HasPrefix(r["reached"], "l7_") {
			stacks += number(t, r["services"])
		}
	}
	if stacks != identified || protocols["kubernetes"] == 0 {
		t.Errorf("Figure 5 has %d services that are identified, Figure 9 %d, of %v", stacks, identified, protocols)
	}

	census, allPorts := new(analysis.Census), new(analysis.AllPorts)
	trials := analysis.NewTrials(analysis.Counting{Ports: datasets.PortSets()["paper"]})
	if err := openedDataset(t, tables).Fold(t.Context(), census, allPorts, trials); err != nil {
		t.Fatal(err)
	}
	// What order counts: SELECT count(*) FROM services WHERE state IN ('acks_data', 'sends_data'), but for what is expected.
	counted, want := 0, 0
	outcomes, err := trials.Outcomes(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range outcomes.Services {
		counted += s.Services
	}
	unknown := 0
	for _, k := range census.Kinds() {
		if k.State >= session.AcksData && (k.Label == "" || k.Label != datasets.Expected(k.Port)) {
			want += k.Services
		}
		if k.State == session.AcksData || k.State == session.AllPorts {
			unknown += k.Services
		}
	}
	if _, _, services := allPorts.Steps(); services != unknown {
		t.Errorf("%d services acknowledge data and say nothing by their attempts, %d by the table of services", services, unknown)
	}
	if counted != want {
		t.Errorf("order counts %d services that sent or acknowledged data and are not expected, the table of services has %d", counted, want)
	}
	t.Logf("%d services identified, %d that acknowledge data and say nothing, %v", identified, unknown, protocols)
}

// readCSV reads the rows of a file, by the names of its columns.
func readCSV(t *testing.T, path string) []map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(path, err)
	}
	var list []map[string]string
	for _, line := range lines[1:] {
		row := make(map[string]string)
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		list = append(list, row)
	}
	return list
}

func number(t *testing.T, cell string) int {
	t.Helper()
	n, err := strconv.Atoi(cell)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func openedDataset(t *testing.T, dir string) *analysis.Dataset {
	t.Helper()
	d, err := analysis.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
