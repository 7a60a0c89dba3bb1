package judge

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var latexDir = flag.String("latex", "", "run TestLaTeX, with a report and the paper made of it in this directory")

// overfull is a line or table that is wider than there is room for, by how many points.
var overfull = regexp.MustCompile(`Overfull \\hbox \(([0-9.]+)pt too wide\)`)

// TestLaTeX has pdflatex set all that a report offers a paper: a page with two columns, as USENIX's, with every figure and table.
func TestLaTeX(t *testing.T) {
	if *latexDir == "" {
		t.Skip("make latex runs it")
	}
	dir, err := filepath.Abs(*latexDir)
	if err != nil {
		t.Fatal(err)
	}
	report := pageReport(t, dir)
	files, err := filepath.Glob(filepath.Join(report, "*.tex"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%v, %v", files, err)
	}
	slices.Sort(files)
	var paper strings.Builder
	paper.WriteString(`\documentclass[letterpaper,twocolumn,10pt]{article}
\usepackage[letterpaper,text={7in,9in},columnsep=0.33in]{geometry}
\usepackage{graphicx,booktabs}
\begin{document}
`)
	for _, file := range files {
		name := filepath.Base(file)
		if name == "paper.tex" {
			continue
		}
		fmt.Fprintf(&paper, "\\message{^^J=== %s}\\input{%s}\\clearpage\n", name, strings.TrimSuffix(name, ".tex"))
	}
	paper.WriteString("\\end{document}\n")
	if err := os.WriteFile(filepath.Join(report, "paper.tex"), []byte(paper.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more for the references
		cmd := exec.Command("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex")
		cmd.Dir = report
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out[max(0, len(out)-4000):])
		}
	}
	log, err := os.ReadFile(filepath.Join(report, "paper.log"))
	if err != nil {
		t.Fatal(err)
	}
	of := ""
	for line := range strings.Lines(string(log)) {
		if _, name, is := strings.Cut(line, "=== "); is {
			of, _, _ = strings.Cut(name, ".tex")
		}
		if m := overfull.FindStringSubmatch(line); m != nil {
			if points, err := strconv.ParseFloat(m[1], 64); err != nil || points > 1 {
				t.Errorf("%s: %s", of, strings.TrimSpace(line))
			}
		}
		if strings.Contains(line, "Missing character") || strings.Contains(line, "too large for page") {
			t.Errorf("%s: %s", of, strings.TrimSpace(line))
		}
	}
	t.Logf("%d files are in %s", len(files), filepath.Join(report, "paper.pdf"))
}
