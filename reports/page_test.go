package reports

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

func TestPage(t *testing.T) {
	out := t.TempDir()
	d := newSample(300, "wait,http,tls", true, 0).dataset(t)
	if err := Write(t.Context(), out, []*analysis.Dataset{d}, DefaultWidth); err != nil {
		t.Fatal(err)
	}
	page := string(read(t, out, "index.html"))
	for _, want := range []string{
		"Synthetic.", "population sample", "12 frames that reached the machine", "n = 320 services", "18446744073709551615",
		"50,000 packets per second", "wait, http, tls (each tried on every service)", "1m23s", "--all-handshakes", d.Digest(),
		"laserdisc scan 10.0.0.0/12 --sample 1/16 --sample-by host --all-handshakes\nlaserdisc report " + d.Dir() + " --out report\n",
	} {
		if !strings.Contains(page, html.EscapeString(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
	// Whatever it refers to is in it, or a file beside it; what can be downloaded from it is what the file has.
	for _, link := range regexp.MustCompile(`(?:download="([^"]*)" )?(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		file, to := link[1], link[2]
		switch {
		case strings.HasPrefix(to, "#"):
			if !strings.Contains(page, ` id="`+to[1:]+`"`) {
				t.Errorf("the page refers to %s, which is not in it", to)
			}
		case strings.HasPrefix(to, "data:"):
			_, encoded, _ := strings.Cut(html.UnescapeString(to), ";base64,")
			content, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil || !bytes.Equal(content, read(t, out, file)) {
				t.Errorf("%s is another in the page: %v", file, err)
			}
		default:
			if _, err := os.Stat(filepath.Join(out, to)); err != nil {
				t.Errorf("the page refers to what is not there: %v", err)
			}
		}
	}
	ids := make(map[string]bool)
	for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]] {
			t.Errorf("two elements have the id %s", id[1])
		}
		ids[id[1]] = true
	}
	script := regexp.MustCompile(`(?s)<script>\n(.*)</script>`).FindStringSubmatch(page)
	if script == nil {
		t.Fatal("no script")
	}
	// The text of the element begins with the newline before the script.
	sum := sha256.Sum256([]byte("\n" + script[1]))
	if hash := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(html.UnescapeString(page), "script-src '"+hash+"'") {
		t.Errorf("the policy does not allow the script, %s", hash)
	}
}

// A manifest that somebody else wrote cannot put anything into the page but text.
func TestPageEscapes(t *testing.T) {
	const evil = `"><script>alert(1)</script>'`
	m := newSample(0, "http", true, 0).manifest(t, "80")
	m.Synthetic, m.Revision, m.Handshakes = evil, evil, []string{evil}
	m.Arguments = []string{"laserdisc", "scan", evil, "--out", "$(rm -r x)"}
	d := datasetOf(t, m, nil, nil)
	out := t.TempDir()
	if err := Write(t.Context(), out, []*analysis.Dataset{d}, DefaultWidth); err != nil {
		t.Fatal(err)
	}
	page := string(read(t, out, "index.html"))
	if strings.Contains(page, "<script>alert") || strings.Count(page, "<script>") != 1 {
		t.Error("a text of the manifest is markup")
	}
	if want := html.EscapeString(`laserdisc replay "\$(rm -r x)" --asn`); !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
}

func TestPageTable(t *testing.T) {
	list := []portRank{{port: 80, services: 9, published: 5e6}, {port: 8000, services: 2}}
	rows := make([]portRank, 0, pageRows+2)
	for len(rows) < pageRows+1 {
		rows = append(rows, list[len(rows)%2])
	}
	host := netip.MustParseAddr("2001:db8::1")
	services := []examples{{"a", []analysis.KindExample{{Addr: host, Port: 8080, Label: "http"}, {Addr: host, Port: 80, Label: "tls"}}},
		{"b's", []analysis.KindExample{{Addr: host, Port: 80, Label: "http"}}}}
	s := shown{Name: "x", examples: services, figure: figure{
		table: tabulate("", rows,
			texts("expected", func(p *portRank) string { return map[uint16]string{80: "http"}[p.port] }),
			numbers("port", "", func(p *portRank) int { return int(p.port) }),
			values("share", "share of services", func(p *portRank) float64 { return float64(p.services) / 16 }),
			paper("services", func(p *portRank) float64 { return p.published })),
		behind: func(row int) servicesWhere {
			if rows[row].port == 80 {
				return and(onPort(80), speaking("http"))
			}
			return servicesWhere{}
		},
	}}
	got := newPageTable(s)
	if got.Of != pageRows+1 || len(got.Rows) != pageRows {
		t.Errorf("%d rows of %d", len(got.Rows), got.Of)
	}
	got.Rows = got.Rows[:2]
	const example = `laserdisc show "b's" "[2001:db8::1]:80"
duckdb -c "SELECT addr, port, state, label, evidence, first_frame FROM 'b''s/services*.parquet' WHERE ` +
		`state NOT IN ('no_answer', 'unreachable', 'closed') AND port = 80 AND evidence IN ('likely', 'certain') AND label = 'http' LIMIT 1"`
	want := pageTable{
		Head: []pageColumn{{"expected", "", false}, {"port", "", true}, {"share", "% of services", true}, {"published", "services", true}},
		Of:   pageRows + 1,
		Rows: []pageRow{
			{"80", "http", example, []pageCell{{Text: "http", Sort: "http"}, {Text: "80", Sort: "80", Number: true},
				{Text: "56.2", Sort: "0.5625", Number: true}, {Text: "5,000,000", Sort: "5e+06", Number: true}}},
			{"8000", "", "", []pageCell{{}, {Text: "8000", Sort: "8000", Number: true}, {Text: "12.5", Sort: "0.125", Number: true}, {Text: "0.00", Sort: "0", Number: true}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCommands(t *testing.T) {
	merged := &record.Manifest{Shards: []*record.Manifest{
		{Arguments: []string{"laserdisc", "scan", "10.0.0.0/8", "-o", "one"}}, {Arguments: []string{"laserdisc", "scan", "10.0.0.0/8", "-o", "two"}},
	}}
	all := sources{
		{Dir: "tables", Manifests: []*record.Manifest{{Arguments: []string{"laserdisc", "scan", "--contact", "me & you!", "--out=my run"}}}},
		{Dir: "merged", Manifests: []*record.Manifest{merged}},
		{Dir: "seen", Manifests: []*record.Manifest{{Observed: &record.Observed{Path: "x.pcap"}}}},
	}
	want := []string{
		`laserdisc scan --contact 'me & you!' "--out=my run"`,
		`laserdisc replay "my run" --out tables`,
		`laserdisc scan 10.0.0.0/8 -o one`,
		`laserdisc scan 10.0.0.0/8 -o two`,
		`laserdisc replay x.pcap --out seen`,
		`laserdisc report tables merged seen --width 6.5 --out report`,
	}
	if d := cmp.Diff(want, all.commands(layout{6.5 * vg.Inch})); d != "" {
		t.Error(d)
	}
}
