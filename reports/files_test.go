package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

// A report removes what the one before it made and it does not, and nothing that somebody else has put there.
func TestAnotherReportsFiles(t *testing.T) {
	out := t.TempDir()
	write := func(from ...*analysis.Dataset) []string {
		t.Helper()
		if err := Write(t.Context(), out, from, DefaultWidth); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(out)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if err := os.WriteFile(filepath.Join(out, "figure99.png"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first := write(newSample(20, "wait,http,tls", true, 5).dataset(t))
	second := write(newSample(20, "wait,http,tls", false, 0).dataset(t))
	if !slices.Contains(first, "figure10.svg") || slices.Contains(second, "figure10.svg") {
		t.Errorf("the first has %v, the second %v", first, second)
	}
	listed, err := readList(out)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(slices.Sorted(slices.Values(append(listed, "figure99.png"))), second); d != "" {
		t.Errorf("report.json does not name what is there: %s", d)
	}
}

func TestReportAmongOthersFiles(t *testing.T) {
	d := newSample(0, "http", false, 0).dataset(t)
	run := t.TempDir()
	if err := os.WriteFile(filepath.Join(run, "packets-00000.pcapng"), nil, 0o600); err != nil || record.Packets(run) == "" {
		t.Fatal(err)
	}
	listed := t.TempDir()
	if err := os.WriteFile(filepath.Join(listed, listFile), []byte(`{"files":["../x"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{d.Dir(): "is a dataset", run: "is a run", listed: `report.json: "../x" is no file of a report`} {
		before, _ := os.ReadDir(dir)
		err := Write(t.Context(), dir, []*analysis.Dataset{d}, DefaultWidth)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v; want %s", err, want)
		}
		if after, _ := os.ReadDir(dir); len(after) != len(before) {
			t.Errorf("%s: %d files, and %d before", want, len(after), len(before))
		}
	}
}

// What a list names is in the directory that it is in.
func FuzzParseList(f *testing.F) {
	for _, seed := range []string{`{"files":["index.html"]}`, `{"files":["/etc/passwd"]}`, `{"files":["..",".","",  "a/b"]}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseList(text)
		if err != nil {
			return
		}
		for _, name := range l.Files {
			if filepath.Dir(filepath.Join("/dir", name)) != "/dir" {
				t.Errorf("%q", name)
			}
		}
	})
}

// A spreadsheet takes no cell of a text for a formula; numbers stay what they are.
func TestHarmless(t *testing.T) {
	rows := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "http", "", "a=1", "'=1"}
	var b bytes.Buffer
	err := writeCSV(&b, tabulate("n", rows, texts("name", func(s *string) string { return *s }), values("number", "", func(*string) float64 { return -0.5 })))
	want := "name,number\n'=1+1,-0.500000\n'+1,-0.500000\n'-1,-0.500000\n'@SUM(A1),-0.500000\n'\t=1,-0.500000\nhttp,-0.500000\n,-0.500000\na=1,-0.500000\n'=1,-0.500000\n"
	if err != nil || b.String() != want {
		t.Errorf("%q, error %v; want %q", b.String(), err, want)
	}
}
