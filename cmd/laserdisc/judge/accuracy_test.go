package judge

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

var (
	corpusFile     = flag.String("corpus", "", "responses for TestCorpus, as JSON lines with service, protocol, sent_hex, received_hex")
	updateAccuracy = flag.Bool("update", false, "write the tables of docs/accuracy.md")
)

// corpora are judged where they are there; the first is part of this repository.
var corpora = []struct{ title, file string }{
	{"The fleet, a sample", "../../../capture/handshake/testdata/fleet.jsonl"},
	{"The fleet, all responses", "../../../../shared/fleet/responses.jsonl"},
}

// TestCorpus judges labels by servers that others wrote, whose protocols are known.
func TestCorpus(t *testing.T) {
	if *corpusFile != "" {
		a := judgeCorpus(t, *corpusFile)
		t.Logf("%s:\n%s", *corpusFile, a.table())
		return
	}
	for _, c := range corpora {
		if _, err := os.Stat(c.file); errors.Is(err, os.ErrNotExist) {
			t.Logf("%s is not here: its table in %s is not compared", c.file, accuracyDoc)
			continue
		}
		a := judgeCorpus(t, c.file)
		documented(t, c.title, a.table())
	}
}

// TestLabAccuracy judges labels by the simulated population: a sample of its hosts, every handshake, no loss.
func TestLabAccuracy(t *testing.T) {
	t.Parallel()
	run := filepath.Join(t.TempDir(), "run")
	laserdisc(t, "scan", labPrefix, "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--loss", "0", "--seed", "1",
		"--ports", "paper", "--sample", "3%", "--sample-by", "host", "--rate", "0", "--all-handshakes", "--handshakes", "all", "--out", run)
	laserdisc(t, "replay", run, "--out", run+"-tables")
	network := newLab(t)
	a := newAccuracy(t)
	eachAttempt(t, run+"-tables", func(v *session.Attempt) {
		if v.State == session.SendsData {
			truth, _ := network.At(v.Service)
			a.add("lab", v.Service.String(), truth.Protocol, v.Verdict.Label, v.Verdict.Evidence)
		}
	})
	a.judge(t)
	documented(t, "The lab", a.table())
}

// judgeCorpus labels the responses of a file.
func judgeCorpus(t *testing.T, path string) *accuracy {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := newAccuracy(t)
	var v handshake.Verdict
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for n := 1; lines.Scan(); n++ {
		r, err := readSaved(lines.Bytes())
		if err != nil {
			t.Fatalf("%s:%d: %v", path, n, err)
		}
		if handshake.Classify(&v, r.sent, r.received); v.Label != "" {
			a.add(r.service, r.at, r.protocol, v.Label, v.Evidence)
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	if len(a.rows) == 0 {
		t.Fatalf("%s has no response with data", path)
	}
	a.judge(t)
	return a
}

// savedResponse is one line of a corpus.
type savedResponse struct {
	service, at, protocol string
	sent, received        []byte
}

// readSaved reads a line of the fleet's responses, or of the sample in package handshake, whose names are shorter.
func readSaved(line []byte) (r savedResponse, err error) {
	var l struct {
		Service, IP, Protocol, Sent, Received string
		Port                                  int
		SentHex                               string `json:"sent_hex"`
		ReceivedHex                           string `json:"received_hex"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return r, err
	}
	r = savedResponse{service: l.Service, at: fmt.Sprint(l.Service, l.IP, l.Port, l.Protocol), protocol: l.Protocol}
	if r.sent, err = hex.DecodeString(l.Sent + l.SentHex); err == nil {
		r.received, err = hex.DecodeString(l.Received + l.ReceivedHex)
	}
	return r, err
}

// otherNames are what the fleet's inventory calls protocols of the table.
var otherNames = map[string]string{"socks": "socks5"}

// notListed is the row of all services whose protocol is not in the table: unknown is the right label.
const notListed = "(others)"

// accuracy compares labels with the truth, per protocol.
type accuracy struct {
	rows    map[string]*accuracyRow
	excused map[[3]string]string // service, what it speaks, label: who is right
	faults  map[string]int       // wrong labels that nothing excuses
}

type accuracyRow struct {
	services   map[string]standing
	responses  int
	right      int
	unknown    int
	wrong      [handshake.Certain + 1]int // by evidence
	labelled   int                        // responses, of any service, with this label at least likely
	labelledOK int                        // of those, right
}

// standing is the best that the responses of a service came to.
type standing uint8

const (
	mistaken   standing = iota
	excused             // by labels that are not wrong
	recognised          // by the name of what it speaks, or as unknown if that is not in the table
)

func newAccuracy(t *testing.T) *accuracy {
	return &accuracy{rows: map[string]*accuracyRow{}, excused: readExcused(t), faults: map[string]int{}}
}

// readExcused reads the labels that differ from the truth and are not wrong.
func readExcused(t *testing.T) map[[3]string]string {
	text, err := os.ReadFile("testdata/excused.tsv")
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.Comment, r.LazyQuotes = '\t', '#', true
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	excused := map[[3]string]string{}
	for _, l := range lines[1:] {
		excused[[3]string(l)] = l[3]
	}
	return excused
}

func (a *accuracy) row(protocol string) *accuracyRow {
	r := a.rows[protocol]
	if r == nil {
		r = &accuracyRow{services: map[string]standing{}}
		a.rows[protocol] = r
	}
	return r
}

// add counts one response with data. at tells services apart that have the same name.
func (a *accuracy) add(service, at, truth, label string, evidence handshake.Evidence) {
	if name, ok := otherNames[truth]; ok {
		truth = name
	}
	who := a.excused[[3]string{service, truth, label}]
	if who == "laserdisc" {
		truth = label
	}
	row := rowOf(truth)
	_, named := handshake.Lookup(label)
	got := mistaken
	switch {
	case label == truth, row == notListed && !named:
		got = recognised
	case who != "":
		got = excused
	}
	if named && evidence >= handshake.Likely {
		l := a.row(label)
		l.labelled++
		if got > mistaken {
			l.labelledOK++
		}
	}
	r := a.row(row)
	r.responses++
	r.services[at] = max(r.services[at], got)
	switch {
	case got > mistaken:
		r.right++
	case !named:
		r.unknown++
	default:
		r.wrong[evidence]++
		if evidence >= handshake.Likely {
			a.faults[fmt.Sprintf("%s speaks %s: labelled %s, %s", service, truth, label, evidence)]++
		}
	}
}

func rowOf(truth string) string {
	if _, listed := handshake.Lookup(truth); listed || truth == handshake.Echo {
		return truth
	}
	return notListed
}

// judge fails the test over labels that are wrong and at least likely, and over services that no response tells.
func (a *accuracy) judge(t *testing.T) {
	for fault, n := range a.faults {
		t.Errorf("%s, %d times: in testdata/excused.tsv nobody says why", fault, n)
	}
	for protocol, r := range a.rows {
		for at, standing := range r.services {
			if standing == mistaken {
				t.Errorf("%s of %s is recognised by none of its responses", protocol, at)
			}
		}
	}
}

// table has a line for each protocol that a service speaks, in the order of the table of protocols, and a sum.
func (a *accuracy) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "protocol\tservices\trecognised\tresponses\tright\tunknown\tweak\tlikely\tcertain\tprecision\trecall\t")
	names := []string{}
	for _, p := range handshake.Table() {
		names = append(names, p.Name)
	}
	var sum accuracyRow
	services, told := 0, 0
	for _, name := range append(names, handshake.Echo, notListed) {
		r := a.rows[name]
		if r == nil {
			continue
		}
		n := r.recognised()
		if name != notListed {
			services, told = services+len(r.services), told+n
			sum.add(r)
		}
		r.write(w, name, len(r.services), n)
	}
	sum.write(w, "all listed", services, told)
	w.Flush()
	return b.String()
}

func (r *accuracyRow) recognised() (n int) {
	for _, standing := range r.services {
		if standing == recognised {
			n++
		}
	}
	return n
}

func (r *accuracyRow) add(o *accuracyRow) {
	r.responses += o.responses
	r.right += o.right
	r.unknown += o.unknown
	r.labelled += o.labelled
	r.labelledOK += o.labelledOK
	for e, n := range o.wrong {
		r.wrong[e] += n
	}
}

func (r *accuracyRow) write(w *tabwriter.Writer, name string, services, told int) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", name, services, told, r.responses, r.right, r.unknown,
		r.wrong[handshake.Weak], r.wrong[handshake.Likely], r.wrong[handshake.Certain],
		share(r.labelledOK, r.labelled), share(r.right, r.responses))
}

func share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4f", float64(part)/float64(whole))
}

// accuracyDoc holds the tables, each in a block of its own below its title.
const accuracyDoc = "../../../docs/accuracy.md"

// documented compares a table with the one in the docs; -update writes it there.
func documented(t *testing.T, title, table string) {
	t.Logf("%s:\n%s", title, table)
	text, err := os.ReadFile(accuracyDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "## "+title+"\n")
	lead, rest, fenced := strings.Cut(rest, "```\n")
	block, tail, closed := strings.Cut(rest, "```\n")
	if !ok || !fenced || !closed {
		t.Fatalf("%s has no table under %q", accuracyDoc, title)
	}
	switch {
	case block == table:
	case *updateAccuracy:
		text := head + "## " + title + "\n" + lead + "```\n" + table + "```\n" + tail
		if err := os.WriteFile(accuracyDoc, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s, %q is stale: make accuracy prints what it should be, and go test -tags noasm ./cmd/laserdisc/judge -run 'TestCorpus|TestLabAccuracy' -update writes it", accuracyDoc, title)
	}
}
