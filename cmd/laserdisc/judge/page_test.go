package judge

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"laserdisc/datasets"
)

var (
	chromiumPath = flag.String("chromium", "", "run TestPage with this Chromium")
	pageDir      = flag.String("page", "", "directory for the report that TestPage opens, and for pictures of it")
)

// mostPage is how large a page may be, in bytes, for it to be mailed.
const mostPage = 5 << 20

// TestPage opens a report's page in Chromium, away from the files beside it, as who got it by mail: sorts, filters, asks for
// examples by keyboard, on a wide screen and on a narrow one, in the dark, on paper, and without JavaScript.
func TestPage(t *testing.T) {
	if *chromiumPath == "" {
		t.Skip("make page runs it")
	}
	dir, err := filepath.Abs(*pageDir)
	if err != nil {
		t.Fatal(err)
	}
	report := pageReport(t, dir)
	content, err := os.ReadFile(filepath.Join(report, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if len(content) > mostPage {
		t.Errorf("the page has %d bytes", len(content))
	}
	t.Logf("%d bytes", len(content))
	mailed := filepath.Join(t.TempDir(), "mailed.html")
	if err := os.WriteFile(mailed, content, 0o666); err != nil {
		t.Fatal(err)
	}
	url := "file://" + mailed
	c := startChromium(t, *chromiumPath)
	c.size(1200, 900)
	c.open(url)
	c.keep(filepath.Join(dir, "light.png"), "Page.captureScreenshot")

	// The first key leads to the link over the contents, and that to the exhibits.
	c.press("Tab")
	c.holds(`document.activeElement.className === "skip"`)
	c.press("Enter")
	c.holds(`document.activeElement.id === "exhibits"`)

	// A summary opens its table, a head sorts it, once more the other way round.
	c.eval(`document.querySelector("#ports summary").focus()`, nil)
	c.press("Enter")
	c.holds(`document.querySelector("#ports details").open`)
	const head = `[...document.querySelectorAll("#ports th")].find(th => th.textContent.startsWith("port"))`
	const column = `[...document.querySelectorAll("#ports tbody tr")].map(row => Number(row.dataset.port))`
	var before, down, up []float64
	c.eval(column, &before)
	c.eval(head+`.querySelector("button").focus()`, nil)
	c.press("Enter")
	c.holds(head + `.getAttribute("aria-sort") === "descending"`)
	c.eval(column, &down)
	c.press(" ")
	c.holds(head + `.getAttribute("aria-sort") === "ascending"`)
	c.eval(column, &up)
	want := slices.Sorted(slices.Values(before))
	if slices.Equal(before, want) || len(before) != len(datasets.Ports()) {
		t.Errorf("the ports before: %v", before)
	}
	if !slices.Equal(up, want) {
		t.Errorf("the ports, sorted: %v", up)
	}
	if slices.Reverse(want); !slices.Equal(down, want) {
		t.Errorf("the ports, sorted the other way round: %v", down)
	}
	c.keep(filepath.Join(dir, "sorted.png"), "Page.captureScreenshot")

	// Filters hide rows of other ports and protocols, in all tables that have such; counted are those of tables that have both.
	type counts struct{ Shown, All int }
	visible := func(where string) (n counts) {
		c.eval(`(() => { const rows = [...document.querySelectorAll("tr[data-port]")]
				.filter(row => !row.hidden && row.closest("table").querySelector("tr[data-protocol]"));
			return {all: rows.length, shown: rows.filter(row => `+where+`).length} })()`, &n)
		return n
	}
	everything := visible("true")
	c.eval(`document.getElementById("filter-ports").focus()`, nil)
	c.write("80, 8000-8999")
	if n := visible(`row.dataset.port === "80" || row.dataset.port >= "8000" && row.dataset.port <= "8999"`); n.All == 0 || n.All != n.Shown || n.All == everything.All {
		t.Errorf("of the ports 80 and 8000 to 8999: %+v of %+v", n, everything)
	}
	c.holds(`/^\d+ of \d+ rows$/.test(document.getElementById("filter-found").textContent)`)
	c.eval(`{ const p = document.getElementById("filter-protocol"); p.value = "http"; p.dispatchEvent(new Event("input", {bubbles: true})) }`, nil)
	if n := visible(`row.dataset.protocol === "http"`); n.All == 0 || n.All != n.Shown {
		t.Errorf("http: %+v", n)
	}
	c.keep(filepath.Join(dir, "filtered.png"), "Page.captureScreenshot")
	c.eval(`document.getElementById("filter-ports").focus()`, nil)
	c.write("-")
	c.holds(`document.getElementById("filter-ports").matches(":invalid")`)
	c.eval(`document.querySelector("#filter button").focus()`, nil)
	c.press("Enter")
	c.eval(`new Promise(resolve => setTimeout(resolve))`, nil)
	if n := visible("true"); n != everything {
		t.Errorf("after Clear: %+v of %+v", n, everything)
	}

	// A row shows the command behind it.
	c.eval(`document.querySelector("#ports tr[data-example] td button").focus()`, nil)
	c.press("Enter")
	c.holds(`document.querySelector("#ports .example").textContent === document.querySelector("#ports tr.chosen").dataset.example`)
	var examples []string
	c.eval(`[...document.querySelectorAll("tr[data-example]")].map(row => row.dataset.example)`, &examples)
	var queries []string
	stories := make(map[string]bool)
	for _, lines := range examples {
		story, query, _ := strings.Cut(lines, "\n")
		stories[story] = true
		if query != "" {
			queries = append(queries, query)
		}
	}
	showExamples(t, slices.Sorted(maps.Keys(stories)))
	runExamples(t, queries)

	// On a narrow screen nothing but figures and tables is wider than it; dark means dark, and figures stay on white.
	c.size(360, 740)
	c.holds(`document.documentElement.scrollWidth <= 360`)
	c.keep(filepath.Join(dir, "narrow.png"), "Page.captureScreenshot")
	c.size(1200, 900)
	const brightness = `(element => getComputedStyle(element).backgroundColor.match(/\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 765)`
	c.media("screen", "dark")
	c.holds(brightness + `(document.body) < 0.2`)
	c.holds(brightness + `(document.querySelector(".card")) === 1`)
	c.keep(filepath.Join(dir, "dark.png"), "Page.captureScreenshot")
	c.media("print", "dark")
	c.holds(brightness + `(document.body) === 1`)
	c.holds(`getComputedStyle(document.getElementById("filter")).display === "none"`)
	c.media("", "light")
	c.keep(filepath.Join(dir, "page.pdf"), "Page.printToPDF")
	if wrong := c.wrong(url); len(wrong) > 0 {
		t.Errorf("errors, or requests for more than the page: %s", strings.Join(wrong, "\n"))
	}

	c.do("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	c.open(url)
	c.holds(`document.getElementById("filter").hidden && document.querySelectorAll("#ports tbody tr").length === 55 && !document.querySelector("th button")`)
	c.keep(filepath.Join(dir, "scriptless.png"), "Page.captureScreenshot")
}

// pageReport makes a report in dir of scans of the lab: many handshakes on the paper's ports, few on the same targets, a little on all.
func pageReport(t *testing.T, dir string) string {
	ases := filepath.Join(dir, "ases.tsv")
	laserdisc(t, "lab", "--asn", ases)
	scan := []string{"scan", labPrefix, "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--seed", "1", "--rate", "100000"}
	few := []string{"--ports", "paper", "--sample", "5%", "--sample-by", "host"}
	var tables []string
	for name, args := range map[string][]string{
		"1-ports": append(slices.Clone(few), "--all-handshakes", "--ephemeral-probes", "2", "--handshakes", "wait,tls,tls-legacy,http,http-options,dns,redis,smb"),
		"2-again": append(slices.Clone(few), "--handshakes", "http,tls"),
		"3-all":   {"--ports", "all", "--sample", "0.01%"},
	} {
		run := filepath.Join(dir, name)
		laserdisc(t, slices.Concat(scan, args, []string{"--out", run})...)
		laserdisc(t, "replay", run, "--asn", ases, "--out", run+"-tables")
		tables = append(tables, run+"-tables")
	}
	slices.Sort(tables)
	report := filepath.Join(dir, "report")
	laserdisc(t, slices.Concat([]string{"report"}, tables, []string{"--out", report})...)
	return report
}

// showExamples carries out some sixty of the commands of a page that tell a story: each ends with what its service is.
func showExamples(t *testing.T, commands []string) {
	built(t)
	told := 0
	for i := 0; i < len(commands); i += 1 + len(commands)/60 { // which are several hundred
		command := commands[i]
		told++
		out, err := exec.Command("sh", "-c", command).Output()
		_, last, _ := strings.Cut(command, " ")
		service := strings.Trim(last[strings.LastIndex(last, " ")+1:], `"`)
		if err != nil || !strings.Contains(string(out), "\n"+service+" ") {
			t.Fatalf("%s: %v:\n%s", command, err, out)
		}
	}
	if told < 30 {
		t.Errorf("%d stories are too few to prove anything", told)
	}
	t.Logf("%d stories told, of %d", told, len(commands))
}

// runExamples asks DuckDB what the commands of a page ask it: each finds a row.
func runExamples(t *testing.T, commands []string) {
	if *duckdbModules == "" {
		absent(t, "%s: the examples were not run: make page installs DuckDB from npm", t.Name())
		return
	}
	queries := make(map[string]bool)
	for _, command := range commands {
		// A shell takes the command apart, as a reader's does.
		out, err := exec.Command("sh", "-c", "duckdb() { printf %s \"$2\"; }; "+command).Output()
		if err != nil || !strings.HasPrefix(string(out), "SELECT") {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
		queries[string(out)] = true
	}
	list := slices.Sorted(maps.Keys(queries))
	input, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	query := exec.Command("node", "testdata/query.mjs", *duckdbModules)
	query.Stdin, query.Stderr = strings.NewReader(string(input)), os.Stderr
	output, err := query.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows []int
	if err := json.Unmarshal(output, &rows); err != nil || len(rows) != len(list) {
		t.Fatalf("%v: %s", err, output)
	}
	for i, n := range rows {
		if n != 1 {
			t.Errorf("%d rows: %s", n, list[i])
		}
	}
	t.Logf("%d examples found in the tables", len(list))
}
