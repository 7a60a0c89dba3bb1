package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"laserdisc/analysis"
	"laserdisc/analysis/unknowns"
	"laserdisc/capture/lab"
)

// TestProposal goes all the way: what the services of a scan said that nobody recognises is proposed as a signature, the proposal
// is added to the table, and a program with that table finds all of these services, and none that it had found as something else.
func TestProposal(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	laserdisc(t, "scan", "198.18.0.0/15", "--open", "198.18.0.0/15", "--lab", "paper-shape", "--ports", "paper", "--sample", "5%", "--rate", "0",
		"--skip-all-ports", "--ephemeral-probes", "2", "--handshakes", "wait,http", "--seed", "1", "--out", path("run"))
	laserdisc(t, "replay", path("run"), "--out", path("tables"))
	compareUnknowns(t, path("tables"))
	text, err := exec.Command(laserdiscBinary(t), "unknowns", path("tables"), "--out", path("proposals")).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^(\d+): (\d+) services, .*; mistaken: 0\n  "NBDMAGIC`).FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("no cluster begins with NBDMAGIC:\n%s", text)
	}
	name, services := "unlisted"+found[1], found[2]

	// The table with one more line; go build takes the two files as if they were in package handshake.
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tableFile := filepath.Join(root, "capture/handshake/table.go")
	table, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	const last = "\t&telnet,\n"
	if !strings.Contains(string(table), last) {
		t.Fatal("the table does not end as it did")
	}
	if err := os.WriteFile(path("table.go"), []byte(strings.Replace(string(table), last, last+"\t&"+name+",\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		tableFile: path("table.go"), filepath.Join(root, "capture/handshake", name+".go"): filepath.Join(path("proposals"), name+".go"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-tags", "noasm", "-buildvcs=false", "-overlay", path("overlay.json"), "-o", path("laserdisc"), "./cmd/laserdisc")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	moved, err := exec.Command(path("laserdisc"), "relabel", path("tables")).Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", moved)
	if want := regexp.MustCompile(`^` + services + ` of \d+ services that sent data have another label or evidence\n.*\n +unknown +none +` + name + ` +likely +` + services + `\n`); !want.Match(moved) {
		t.Errorf("%s services were proposed as %s, and moved is\n%s", services, name, moved)
	}
}

// compareUnknowns compares the clusters with what the lab's services are: noise, or one of the messages that its unlisted protocols
// have, which their first four bytes tell apart.
func compareUnknowns(t *testing.T, tables string) {
	t.Helper()
	fold := analysis.NewUnrecognised(nil)
	if err := openedDataset(t, tables).Fold(t.Context(), fold); err != nil {
		t.Fatal(err)
	}
	responses, _ := fold.Responses()
	clusters, rest := unknowns.Group(responses)
	for _, r := range rest {
		clusters = append(clusters, unknowns.Cluster{Responses: []*unknowns.Response{r}})
	}
	network := lab.New(lab.Default(), 1)
	both := make(map[struct {
		A string
		B int
	}]int)
	services := 0
	for i, c := range clusters {
		for _, r := range c.Responses {
			for _, at := range r.Services {
				truth, ok := network.At(at)
				if !ok {
					t.Fatalf("%v is no service", at)
				}
				kind := truth.Protocol
				if kind != "noise" {
					kind += " " + r.Data[:min(4, len(r.Data))]
				}
				both[struct {
					A string
					B int
				}{kind, i}]++
				services++
			}
		}
	}
	index := unknowns.AdjustedRand(both)
	t.Logf("%d services in %d clusters and %d alone; adjusted Rand index %.4f", services, len(clusters)-len(rest), len(rest), index)
	if services < 100 || index < 0.95 {
		t.Errorf("of %d services, the adjusted Rand index is %.4f", services, index)
	}
}
