package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"

	"laserdisc/datasets"
)

// The demo's scans are such as scan takes, on a wire and in memory.
func TestDemoScans(t *testing.T) {
	network, err := newLab(datasets.DefaultPopulation, 1, -1)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range demoScans {
		for _, memory := range []bool{false, true} {
			laserdisc(t, demoScan(network, memory, append(s.args, "--dry-run", "--max-targets", "1")...)...)
		}
	}
}

// The demo removes nothing that it finds.
func TestDemoKeeps(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, demoScans[0].name, "services.jsonl")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := new(cobra.Command)
	cmd.SetOut(io.Discard)
	if err := demo(cmd, dir, true); err == nil {
		t.Error("a record is written over")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
