package reports

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
)

var from = flag.String("from", "", "with -update: the report of make demo that docs/reproduce.md tells of")

// TestReproduce holds docs/reproduce.md to the exhibits that there are.
func TestReproduce(t *testing.T) {
	const file, mark = "../docs/reproduce.md", "<!-- What follows"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), mark)
	if at < 0 {
		t.Fatalf("%s has no %q", file, mark)
	}
	head, rest := string(text[:at]), string(text[at:])
	line, _, _ := strings.Cut(rest, "\n")
	if *update && *from != "" {
		rest = line + "\n\n" + exhibitList() + "\n" + publishedList(t, filepath.Join(*from, "published.csv")) +
			"\n" + timesList(t, *from)
		if err := os.WriteFile(file, []byte(head+rest), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(rest, exhibitList()) {
		t.Errorf("%s tells of other exhibits: run make demo, and then what stands in its line %q", file, line)
	}
}

// exhibitList is the table of exhibits, with the run that each needs.
func exhibitList() string {
	var b strings.Builder
	b.WriteString("| exhibit | files | needs | `laserdisc scan` |\n| --- | --- | --- | --- |\n")
	for _, e := range exhibits {
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` |\n", e.title, e.name, e.from.Needs, e.from.Command())
	}
	return b.String()
}

// publishedList is the table of what a report found and the paper has. The cells of Figure 10 are only counted.
func publishedList(t *testing.T, file string) string {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| exhibit | what | paper | here | 95 % interval | n | the paper's is |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	cells, inside, judged := 0, 0, 0
	for _, r := range rows[1:] {
		exhibit, of, what, value, low, high, n, paper, is := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8]
		if exhibit == "Figure 10" {
			cells++
			if is != "" {
				judged++
			}
			if is == "inside" {
				inside++
			}
			continue
		}
		interval := ""
		if low != "" {
			interval = digits(t, low) + " to " + digits(t, high)
		}
		fmt.Fprintf(&b, "| %s | %s: %s | %s | %s | %s | %s | %s |\n", exhibit, of, what, digits(t, paper), digits(t, value), interval, n, is)
	}
	fmt.Fprintf(&b, "\nOf Figure 10 the paper has %d cells that were counted here; of %d with an interval, %d have the paper's value in it.\n", cells, judged, inside)
	return b.String()
}

// timesList is the table of how long each exhibit of a report takes: the scans that it is made from, by the manifests of the report's
// datasets, which are beside it, and what it takes of a processor alone.
func timesList(t *testing.T, report string) string {
	text, err := os.ReadFile(filepath.Join(report, listFile))
	if err != nil {
		t.Fatal(err)
	}
	is, err := parseList(text)
	if err != nil {
		t.Fatal(err)
	}
	var from []*analysis.Dataset
	took := make(map[string]string) // by the directory of a dataset
	for _, dir := range is.From {
		dir = filepath.Join(filepath.Dir(report), filepath.Base(dir))
		d, err := analysis.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		from = append(from, d)
		var each []string
		for _, m := range d.Runs() {
			each = append(each, m.End.Sub(m.Start).Round(time.Second).String())
		}
		took[dir] = strings.TrimSuffix(filepath.Base(dir), "-tables") + ": " + strings.Join(each, ", ")
	}
	all, err := load(from)
	if err != nil {
		t.Fatal(err)
	}
	alone := func(list []exhibit) (made []shown, seconds float64) {
		before := processorTime(t)
		made, err := all.exhibits(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range made {
			if s.Lacks == nil {
				if err := s.encode(layout{DefaultWidth * vg.Inch}, make(map[string][]byte)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return made, processorTime(t) - before
	}
	var b strings.Builder
	b.WriteString("How long each takes: the scans that it is made from here, from the start to the end in their manifests, which for those of `make demo` over a\n" +
		"link in memory is simulated time; and the report, in seconds of one processor, if it had this exhibit alone.\n\n" +
		"| exhibit | scans | report (s) |\n| --- | --- | --- |\n")
	for i := range exhibits {
		made, seconds := alone(exhibits[i : i+1])
		var scans []string
		for _, dir := range made[0].dirs {
			scans = append(scans, took[dir])
		}
		fmt.Fprintf(&b, "| %s | %s | %.1f |\n", exhibits[i].title, strings.Join(scans, "; "), seconds)
	}
	_, seconds := alone(exhibits)
	fmt.Fprintf(&b, "\nAll together share their passes over the tables: %.1f s.\n", seconds)
	return b.String()
}

// processorTime is how many seconds of processors this process has used. Others on the machine do not count.
func processorTime(t *testing.T) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return (time.Duration(u.Utime.Nano()) + time.Duration(u.Stime.Nano())).Seconds()
}

// digits writes a number of a CSV with three digits.
func digits(t *testing.T, cell string) string {
	if cell == "inf" {
		return "more"
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
