package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

var update = flag.Bool("update", false, "write testdata/golden anew, from what the figures look like now")

// TestGolden compares every figure of a small made-up run with the files in testdata/golden, byte
// for byte. Look at the pictures before committing new ones.
func TestGolden(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	newSample(1500, "wait,tls,http,dns,redis,smtp", true).write(t, dir)
	golden := filepath.Join("testdata", "golden")
	if *update {
		out = golden
	}
	d, err := load([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.figures() {
		for extension, encode := range map[string]func(*bytes.Buffer) error{"csv": f.csv, "svg": f.svg, "png": f.png} {
			if err := f.save(out, extension, encode); err != nil {
				t.Fatal(err)
			}
			name := f.Name + "." + extension
			if !bytes.Equal(read(t, out, name), read(t, golden, name)) {
				t.Errorf("%s differs from %s; look at it, and if it is right: go test ./reports -update", name, golden)
			}
		}
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

func TestTwoReportsAreTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	newSample(300, "wait,http,tls", true).write(t, dir)
	outs := []string{t.TempDir(), filepath.Join(t.TempDir(), "made", "here")}
	for _, out := range outs {
		if err := Write(out, []string{dir}); err != nil {
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
	if len(names) != 4*4+1 {
		t.Errorf("%d files: %v", len(names), names)
	}
}

func TestPage(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	newSample(300, "wait,http,tls", true).write(t, dir)
	if err := Write(out, []string{dir}); err != nil {
		t.Fatal(err)
	}
	page := string(read(t, out, "index.html"))
	for _, want := range []string{
		"Synthetic.", "population sample", "12 frames that reached the machine", "n = 300 services", "18446744073709551615",
		"50,000 packets per second", "wait, http, tls (each tried on every service)", "1m23s", "--all-handshakes",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, link := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join(out, link[1])); err != nil {
			t.Errorf("the page refers to what is not there: %v", err)
		}
	}
}

func TestWithoutAllHandshakes(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	newSample(300, "wait,http,tls", false).write(t, dir)
	if err := Write(out, []string{dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, "table2.csv")); err == nil {
		t.Error("there is a Table 2")
	}
	if page := string(read(t, out, "index.html")); !strings.Contains(page, "need a run with <code>--all-handshakes</code>") {
		t.Error("the page does not say what is missing")
	}
}

func TestNothingFound(t *testing.T) {
	dir := t.TempDir()
	newSample(0, "wait,http,tls", true).write(t, dir)
	if err := Write(t.TempDir(), []string{dir}); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	whole, bare, damaged := t.TempDir(), t.TempDir(), t.TempDir()
	newSample(10, "wait,http", true).write(t, whole)
	newSample(10, "wait,http", true).manifest(t, bare, "")
	newSample(10, "wait,http", true).write(t, damaged)
	if err := os.WriteFile(filepath.Join(damaged, "attempts.parquet"), []byte("PAR1"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dirs []string
		want string
	}{
		{nil, "no run"},
		{[]string{whole, "absent"}, filepath.Join("absent", "manifest.json")},
		{[]string{bare}, "services.parquet"},
		{[]string{damaged}, "attempts.parquet: not a table of attempts"},
	} {
		if err := Write(t.TempDir(), c.dirs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error is %v, should say %q", c.dirs, err, c.want)
		}
	}
}

// Three runs: two over the same ports that share a service, and one over more ports.
func TestGroups(t *testing.T) {
	web := func(addr string, port uint16) session.Service {
		return session.Service{Service: netip.AddrPortFrom(netip.MustParseAddr(addr), port), Handshake: "http",
			State: session.SendsData, Label: "http", Evidence: handshake.Certain}
	}
	var dirs []string
	for _, r := range []struct {
		ports    string
		services []session.Service
	}{
		{"80,443", []session.Service{web("10.0.0.1", 80), web("10.0.0.2", 80)}},
		{"all", []session.Service{web("10.0.0.1", 80), web("10.0.0.1", 8000)}},
		{"443,80", []session.Service{web("10.0.0.2", 80), web("10.0.0.3", 443)}},
	} {
		dir := t.TempDir()
		dirs = append(dirs, dir)
		newSample(0, "http", false).manifest(t, dir, r.ports)
		w, err := analysis.CreateServices(filepath.Join(dir, "services.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.services {
			if err := w.Append(&s); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d, err := load(dirs)
	if err != nil {
		t.Fatal(err)
	}
	figures := d.figures()
	want := [][]string{{"80", "http", "2", "0", "0", "0", "2"}, {"443", "tls", "1", "0", "0", "1", "0"}}
	if diff := cmp.Diff(want, figures[0].rows); diff != "" {
		t.Errorf("Figure 5: %s", diff)
	}
	want = [][]string{{"http", "1", "80", "1", "0.500000", "0.500000"}, {"http", "2", "8000", "1", "0.500000", "1.000000"}}
	if diff := cmp.Diff(want, figures[1].rows); diff != "" {
		t.Errorf("Figure 9: %s", diff)
	}
	if !strings.HasSuffix(figures[0].Caption, "From "+dirs[0]+", "+dirs[2]+".") {
		t.Error(figures[0].Caption)
	}
}

func TestStackPorts(t *testing.T) {
	got := stackPorts(census{
		{80, session.Shunned, ""}:         1,
		{80, session.NoDataAck, ""}:       2,
		{80, session.AcksData, ""}:        4,
		{80, session.SendsData, ""}:       8,
		{80, session.SendsData, "http"}:   16,
		{80, session.SendsData, "tls"}:    32,
		{22, session.SendsData, "ssh"}:    63,
		{9999, session.SendsData, "ssh"}:  63,
		{10000, session.SendsData, "ssh"}: 64,
	})
	want := []portStack{
		{port: 10000, l7Other: 64},
		{port: 22, expected: "ssh", l7Expected: 63},
		{80, "http", 3, 12, 32, 16},
		{port: 9999, l7Other: 63},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(portStack{})); d != "" {
		t.Error(d)
	}
}

func TestSplitScales(t *testing.T) {
	ports := []portStack{{acksData: 60}, {acksData: 10}, {acksData: 9}, {acksData: 1}}
	large, small := splitScales(ports)
	if len(large) != 2 || len(small) != 2 {
		t.Errorf("%d and %d", len(large), len(small))
	}
	if large, small = splitScales(ports[:2]); len(large) != 2 || small != nil {
		t.Errorf("%d and %d", len(large), len(small))
	}
}

func TestCoverProtocols(t *testing.T) {
	got := coverProtocols(census{
		{80, session.SendsData, "http"}:   3,
		{8080, session.SendsData, "http"}: 5,
		{22, session.SendsData, "ssh"}:    1,
		{21, session.SendsData, "ssh"}:    1,
		{80, session.SendsData, ""}:       100,
	})
	want := []coverage{
		{"http", 8, []portCount{{8080, 5}, {80, 3}}},
		{"ssh", 2, []portCount{{21, 1}, {22, 1}}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(coverage{}, portCount{})); d != "" {
		t.Error(d)
	}
	if got := mostCommon([]coverage{{total: 11}, {total: 10}, {total: 9}}); len(got) != 2 {
		t.Errorf("%d curves", len(got))
	}
}

// trial adds a service that answers to some handshakes of a run with the given label.
func trial(t *testing.T, to *analysis.Trials, service, label string, answers ...string) {
	t.Helper()
	for n, name := range to.Handshakes() {
		p, ok := handshake.Lookup(name)
		if !ok {
			t.Fatal(name)
		}
		a := session.Attempt{Service: netip.MustParseAddrPort(service), Number: n, Handshake: p, State: session.AcksData}
		if slices.Contains(answers, name) {
			a.State, a.Verdict = session.SendsData, handshake.Verdict{Label: label, Evidence: handshake.Likely}
		}
		if err := to.Add(&a); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMatrixAndOrder(t *testing.T) {
	trials := analysis.NewTrials([]string{"http", "tls"})
	trial(t, trials, "10.0.0.1:443", "http", "http")
	trial(t, trials, "10.0.0.2:443", "http", "http", "tls")
	trial(t, trials, "10.0.0.3:443", "tls", "tls") // as expected
	trial(t, trials, "10.0.0.4:65535", "tls", "tls")
	trial(t, trials, "10.0.0.5:443", "")

	m := fillMatrix(trials)
	want := []matrixRow{
		{"http", 2, []matrixCell{{2, 2}, {2, 1}}},
		{"tls", 2, []matrixCell{{2, 0}, {2, 2}}},
	}
	if d := cmp.Diff(want, m.rows, cmp.AllowUnexported(matrixRow{}, matrixCell{})); d != "" {
		t.Error(d)
	}
	rows := figure10(m, "").rows
	if d := cmp.Diff([]string{"http", "tls", "2", "1", "0.500000", "0.670000"}, rows[1]); d != "" {
		t.Error(d)
	}

	orders := bestOrders(trials)
	assigned := []order.Step{{Rank: 1, Handshake: "http", Gained: 2, Share: 1, Cumulative: 2, CumulativeShare: 1}}
	if d := cmp.Diff(assigned, orders[0].steps); d != "" {
		t.Error(d)
	}
	csv := table2(orders, "").rows
	if d := cmp.Diff([]string{"assigned", "1", "http", "2", "1.000000", "2", "1.000000", "2", "wait", "0.513000"}, csv[0]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"ephemeral", "1", "tls", "1", "1.000000", "1", "1.000000", "1", "wait", "0.663000"}, csv[5]); d != "" {
		t.Error(d)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		max    float64
		labels string
		end    float64
	}{
		{0, "0 1", 1}, {3, "0 1 2 3", 3}, {9, "0 2 4 6 8 10", 10}, {110, "0 25 50 75 100 125", 125},
		{450, "0 100 200 300 400 500", 500}, {62e6, "0 20M 40M 60M 80M", 80e6}, {45_000, "0 10k 20k 30k 40k 50k", 50_000},
	} {
		list, end := ticks(c.max, 5)
		var labels []string
		for _, t := range list {
			labels = append(labels, t.label)
		}
		if got := strings.Join(labels, " "); got != c.labels || end != c.end {
			t.Errorf("to %v: %s to %v, want %s to %v", c.max, got, end, c.labels, c.end)
		}
	}
	var labels []string
	for _, t := range decades(65535) {
		if t.label != "" {
			labels = append(labels, t.label)
		}
	}
	if got := strings.Join(labels, " "); got != "1 10 100 1,000 10,000" {
		t.Error(got)
	}
}

func TestPercentText(t *testing.T) {
	for want, c := range map[string]matrixCell{"<1": {1000, 1}, ">99": {1000, 999}, "100": {5, 5}, "50": {2, 1}} {
		if got := percentText(c); got != want {
			t.Errorf("%v: %s, want %s", c, got, want)
		}
	}
}

func TestPortsOf(t *testing.T) {
	for spec, want := range map[string]int{`{"targets":["10.0.0.1:80"]}`: 0, `{"ports":"paper"}`: len(datasets.Ports()), `{"ports":"443,80"}`: 2} {
		ports, err := portsOf(&record.Manifest{Targets: json.RawMessage(spec)})
		if err != nil || len(ports) != want {
			t.Errorf("%s: %v, %v", spec, ports, err)
		}
	}
	if _, err := portsOf(&record.Manifest{Targets: json.RawMessage(`{"ports":"none"}`)}); err == nil {
		t.Error("no error")
	}
}

func TestOutCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	newSample(0, "http", false).write(t, dir)
	file := filepath.Join(dir, "manifest.json")
	var wrong *fs.PathError
	if err := Write(filepath.Join(file, "out"), []string{dir}); err == nil || !errors.As(err, &wrong) {
		t.Error(err)
	}
}
