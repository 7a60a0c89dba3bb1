package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// usual is the page of a USENIX paper.
var usual = layout{DefaultWidth * vg.Inch}

var update = flag.Bool("update", false, "write testdata/golden anew, from what the figures look like now")

// exhibitsOf makes the exhibits of some runs, by their names.
func exhibitsOf(t *testing.T, from ...*analysis.Dataset) map[string]shown {
	t.Helper()
	all, err := load(from)
	if err != nil {
		t.Fatal(err)
	}
	list, err := all.exhibits(t.Context(), exhibits)
	if err != nil {
		t.Fatal(err)
	}
	by := make(map[string]shown)
	for _, s := range list {
		by[s.Name] = s
	}
	return by
}

// rows are the lines of a table's CSV, the names of its columns first.
func rows(t *testing.T, table arrow.Record) [][]string {
	t.Helper()
	var b bytes.Buffer
	if err := writeCSV(&b, table); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestGolden compares every exhibit of a small made-up run with the files in testdata/golden, byte for byte. Look at the
// pictures before committing new ones.
func TestGolden(t *testing.T) {
	golden := filepath.Join("testdata", "golden")
	for name, s := range madeUpExhibits(t) {
		if s.Lacks != nil {
			t.Errorf("%s lacks %s", name, s.Lacks.Needs)
			continue
		}
		for extension, encode := range formats {
			if extension == "pdf" || extension == "png" {
				continue // TestTwoReportsAreTheSameBytes has them; in git it would be the same picture once more
			}
			var b bytes.Buffer
			if err := encode(s, usual, &b); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(golden, name+"."+extension)
			if *update {
				if err := os.WriteFile(file, b.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || !bytes.Equal(b.Bytes(), want) {
				t.Errorf("%s is another (%v); look at it, and if it is right: go test -tags noasm ./reports -update", file, err)
			}
		}
	}
}

// TestTables: every column has a unit, if only that it has none, and every table says what n is, as the caption does.
func TestTables(t *testing.T) {
	for name, s := range madeUpExhibits(t) {
		n, ok := s.table.Schema().Metadata().GetValue("n")
		if !ok || !strings.Contains(s.Caption, n) {
			t.Errorf("%s: n is %q, the caption %q", name, n, s.Caption)
		}
		for _, f := range s.table.Schema().Fields() {
			if _, ok := f.Metadata.GetValue("unit"); !ok && f.Type.ID() != arrow.STRING {
				t.Errorf("%s: column %s has no unit", name, f.Name)
			}
		}
	}
}

// TestOneRule counts the services of every protocol in every exhibit of one dataset, whatever each handshake's answer was
// labelled: a service is one protocol's in all of them.
func TestOneRule(t *testing.T) {
	by := exhibitsOf(t, newSample(1500, everything, true, 0).dataset(t))
	count := func(cell string) int {
		n, err := strconv.Atoi(cell)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	inFigure09, expected, other := make(map[string]int), make(map[string]int), make(map[string]int) // the last two by port
	identified := 0
	for _, r := range rows(t, by["figure09"].table)[1:] {
		if r[2] == "" {
			continue // more ports than were seen
		}
		protocol, port, n := r[0], r[2], count(r[3])
		identified += n
		inFigure09[protocol] += n
		if number := count(port); datasets.Expected(uint16(number)) == protocol {
			expected[port] += n
		} else {
			other[port] += n
		}
	}
	inFigure10 := make(map[string]int)
	for _, r := range rows(t, by["figure10"].table)[1:] {
		inFigure10[r[0]] = count(r[2])
	}
	if d := cmp.Diff(inFigure09, inFigure10); d != "" {
		t.Errorf("Figures 9 and 10: %s", d)
	}
	if inFigure09["kubernetes"] == 0 {
		t.Error("the sample has no kubernetes, whose services say http to most handshakes")
	}
	for _, r := range rows(t, by["figure05"].table)[1:] {
		want, isOf := map[string]map[string]int{"l7_expected": expected, "l7_other": other}[r[2]]
		if port := r[0]; isOf && count(r[3]) != want[port] {
			t.Errorf("port %s: Figure 5 has %s %s, Figure 9 %d", port, r[3], r[2], want[port])
		}
	}
	inFigure07 := make(map[string]int)
	for _, r := range rows(t, by["figure07"].table)[1:] {
		inFigure07[r[1]] += count(r[5])
	}
	unexpectedOnAll := 0
	for port, n := range other {
		unexpectedOnAll += n
		if inFigure07[port] != n {
			t.Errorf("port %s: Figure 7 has %d services, Figure 9 %d", port, inFigure07[port], n)
		}
	}
	if inFigure07[""] != unexpectedOnAll {
		t.Errorf("Figure 7 has %d services, Figure 9 %d", inFigure07[""], unexpectedOnAll)
	}
	// Table 2 is of those that do not speak what is expected on an assigned port.
	unexpected := 0
	for _, port := range datasets.Assigned() {
		unexpected += other[strconv.Itoa(int(port))]
	}
	without80 := 0
	byRule := make(map[string]int) // services of Table 2, which counts those only that their own handshake identifies
	for _, line := range cellsOf(t, by["table2"], "ports", "gained") {
		if set, gained, _ := strings.Cut(line, " "); gained != "" {
			byRule[set] += count(gained)
		}
	}
	if got := count(cellsOf(t, by["single"], "n")[0]); got != identified {
		t.Errorf("some handshake identifies %d services, Figure 9 has %d", got, identified)
	}
	for _, line := range cellsOf(t, by["figure08"], "services", "share", "n") { // the last one of port 80 without HTTP is of all that is left there
		if rest, is := strings.CutPrefix(line, "80 without HTTP "); is {
			cells := strings.Fields(rest)
			share, err := strconv.ParseFloat(cells[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			without80 = int(math.Round(share * float64(count(cells[1]))))
		}
	}
	if without80 == 0 || without80 != other["80"] {
		t.Errorf("Figure 8 has %d services other than HTTP on 80, Figure 5 %d", without80, other["80"])
	}
	if got := byRule["assigned"]; got == 0 || got > unexpected {
		t.Errorf("Table 2 has %d services, Figure 5 %d", got, unexpected)
	}
}

// TestComparisons: of a table's rows with a value here and in the paper, it is said where the paper's is.
func TestComparisons(t *testing.T) {
	type row struct {
		port  int
		share estimate.Estimate
		paper float64
	}
	some := func(value, lo, hi float64) estimate.Estimate {
		return estimate.Estimate{Value: value, Lo: lo, Hi: hi, Confidence: 0.95, N: 40}
	}
	rows := []row{
		{80, some(0.5, 0.4, 0.6), 0.6}, {81, some(0.5, 0.4, 0.6), 0.3}, {82, some(0.5, 0.4, 0.6), 0.7},
		{83, estimate.Estimate{Value: 0.5}, 0.5}, {84, some(0.5, 0.4, 0.6), math.NaN()}, {85, estimate.Estimate{Value: math.NaN()}, 0.1},
	}
	table := tabulate("6", rows,
		texts("name", func(r *row) string { return "x" }),
		numbers("port", "", func(r *row) int { return r.port }),
		numbers("services", "services", func(r *row) int { return 7 }),
		estimates("share", "share of all", func(r *row) estimate.Estimate { return r.share }),
		paper("share of all", func(r *row) float64 { return r.paper }))
	var got []string
	for _, c := range comparisons([]shown{{Title: "Figure 0", figure: figure{table: table}}, {Lacks: &mostPorts}}) {
		got = append(got, fmt.Sprintf("%s %s %s %v %d %s", c.exhibit, c.of, c.what, c.paper, c.n, c.verdict()))
	}
	want := []string{
		"Figure 0 x, 80 share of all 0.6 40 inside", "Figure 0 x, 81 share of all 0.3 40 below", "Figure 0 x, 82 share of all 0.7 40 above",
		"Figure 0 x, 83 share of all 0.5 0 ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTwoReportsAreTheSameBytes(t *testing.T) {
	from := []*analysis.Dataset{newSample(300, everything, true, 4).dataset(t)}
	for _, name := range []string{"figure03", "figure04", "unknowns"} {
		from = append(from, madeUpRun(t, name))
	}
	outs := []string{t.TempDir(), filepath.Join(t.TempDir(), "made", "here")}
	for _, out := range outs {
		if err := Write(t.Context(), out, from, DefaultWidth); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	entries, err := os.ReadDir(outs[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
		if !bytes.Equal(read(t, outs[0], e.Name()), read(t, outs[1], e.Name())) {
			t.Errorf("%s: other bytes the second time", e.Name())
		}
	}
	files := len(formats) + 2 // of the comparison with the paper, the page, and the list of all
	for _, s := range exhibitsOf(t, from...) {
		if s.Lacks == nil && s.Name != "published" {
			files += len(formats)
		}
	}
	if len(names) != files || files < 10*len(formats) {
		t.Errorf("%d files: %v", len(names), names)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What a run lacks for an exhibit is said in its place, with the options that would give it.
func TestLacks(t *testing.T) {
	d := newSample(300, "wait,http,tls", false, 0).dataset(t)
	var lacking []string
	for name, s := range exhibitsOf(t, d) {
		if s.Lacks != nil {
			lacking = append(lacking, name)
		}
	}
	slices.Sort(lacking)
	if d := cmp.Diff([]string{"allports", "figure03", "figure04", "figure06", "figure08", "figure10", "figure11", "ranks", "section2", "section31", "section33", "section33shares", "single",
		"table2", "table3", "table4", "table4cost", "unknowns"}, lacking); d != "" {
		t.Error(d)
	}
	out := t.TempDir()
	if err := Write(t.Context(), out, []*analysis.Dataset{d}, DefaultWidth); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, "table2.csv")); err == nil {
		t.Error("there is a Table 2")
	}
	place := regexp.MustCompile(`<h2 id="table2-title">Table 2 .*</h2>\s*<p class="lacks">It needs [^<]*: <code>laserdisc scan --all-handshakes</code>`)
	if page := read(t, out, "index.html"); !place.Match(page) {
		t.Error("the page does not say what is missing")
	}
}

func TestNothingFound(t *testing.T) {
	if err := Write(t.Context(), t.TempDir(), []*analysis.Dataset{newSample(0, everything, true, 4).dataset(t)}, DefaultWidth); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	damaged := newSample(10, "wait,http", true, 0).dataset(t)
	if err := os.WriteFile(filepath.Join(damaged.Dir(), "attempts.parquet"), []byte("PAR1"), 0o666); err != nil {
		t.Fatal(err)
	}
	s := newSample(10, "wait,http", true, 0)
	unknown := datasetOf(t, s.manifest(t, "none"), nil, nil)
	for _, c := range []struct {
		from []*analysis.Dataset
		want string
	}{
		{nil, "no run"},
		{[]*analysis.Dataset{damaged}, "attempts.parquet: not such a table"},
		{[]*analysis.Dataset{unknown}, unknown.Dir() + `: targets of a run: `},
	} {
		if err := Write(t.Context(), t.TempDir(), c.from, DefaultWidth); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, should say %q", err, c.want)
		}
	}
}

// Three runs: two over the same ports that share a service, and one over more ports.
func TestGroups(t *testing.T) {
	web := func(addr string, port uint16) session.Service {
		return session.Service{Service: netip.AddrPortFrom(netip.MustParseAddr(addr), port), Handshake: "http",
			State: session.SendsData, Label: "http", Evidence: handshake.Certain}
	}
	var all []*analysis.Dataset
	for _, r := range []struct {
		ports    string
		services []session.Service
	}{
		{"80,443", []session.Service{web("10.0.0.1", 80), web("10.0.0.2", 80)}},
		{"all", []session.Service{web("10.0.0.1", 80), web("10.0.0.1", 8000)}},
		{"443,80", []session.Service{web("10.0.0.2", 80), web("10.0.0.3", 443)}},
	} {
		m := newSample(0, "http", false, 0).manifest(t, r.ports)
		all = append(all, datasetOf(t, m, r.services, nil))
	}
	by := exhibitsOf(t, all...)
	counts := make(map[string]string)
	for _, r := range rows(t, by["figure05"].table)[1:] {
		counts[r[0]+" "+r[2]] = r[3]
	}
	wantCounts := map[string]string{
		"80 l7_expected": "2", "80 l7_other": "0", "80 acks_data": "0", "80 synack_only": "0",
		"443 l7_expected": "0", "443 l7_other": "1", "443 acks_data": "0", "443 synack_only": "0",
	}
	if d := cmp.Diff(wantCounts, counts); d != "" {
		t.Errorf("Figure 5: %s", d)
	}
	want := []string{"http 1 80 1 0.500000", "http 2 8000 1 1.000000"}
	if d := cmp.Diff(want, cellsOf(t, by["figure09"], "protocol", "ports", "last_port", "services", "share")); d != "" {
		t.Errorf("Figure 9: %s", d)
	}
	if c := by["figure05"].Caption; !strings.HasSuffix(c, "From "+all[0].Dir()+", "+all[2].Dir()+".") {
		t.Error(c)
	}
}

func TestPortsOf(t *testing.T) {
	for spec, want := range map[string]int{`{"targets":["10.0.0.1:80"]}`: 0, `{"ports":"paper"}`: len(datasets.Ports()), `{"ports":"443,80"}`: 2} {
		ports, err := portsOf(&record.Manifest{Targets: json.RawMessage(spec)})
		if err != nil || len(ports) != want {
			t.Errorf("%s: %v, %v", spec, ports, err)
		}
	}
}

func TestOutCannotBeMade(t *testing.T) {
	d := newSample(0, "http", false, 0).dataset(t)
	var wrong *fs.PathError
	if err := Write(t.Context(), filepath.Join(d.Dir(), "dataset.json", "out"), []*analysis.Dataset{d}, DefaultWidth); err == nil || !errors.As(err, &wrong) {
		t.Error(err)
	}
}
