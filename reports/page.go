package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot/vg"

	"laserdisc/capture/record"
	"laserdisc/reports/plotters"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"facts":     facts,
	"drops":     func(m *record.Manifest) uint64 { return m.Drops.Kernel + m.Drops.Interface },
	"join":      strings.Join,
	"thousands": func(n uint64) string { return plotters.Thousands(int(n)) },
}).Parse(pageText))

// writePage writes the page that shows the exhibits, and says of each that is missing what would give it. It refers to
// nothing but their files.
func writePage(path string, all sources, exhibits []shown, page layout) error {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Sources   sources
		Exhibits  []shown
		Synthetic []string
		Page      layout
	}{all, exhibits, all.synthetic(), page})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o666)
}

// Inches is how wide an exhibit is in print.
func (l layout) Inches(s shown) float64 { return float64(l.width(s.columns) / vg.Inch) }

// fact is one line about a run.
type fact struct{ Name, Value string }

// facts are what a reader of the figures needs to know of a run; all the rest is in its manifest.
func facts(m *record.Manifest) []fact {
	handshakes := strings.Join(m.Handshakes, ", ")
	if m.RandomOrder {
		handshakes += " (in an order drawn for each service)"
	}
	if m.AllHandshakes {
		handshakes += " (each tried on every service)"
	}
	count := func(n uint64) string { return plotters.Thousands(int(n)) }
	if m.Observed != nil {
		return []fact{
			{"Capture", m.Observed.Path + ", SHA-256 " + abbreviate(m.Observed.SHA256)},
			{"laserdisc", strings.TrimSpace(m.Laserdisc + " " + m.Revision)},
			{"First packet", m.Start.UTC().Format(time.RFC3339)},
			{"Spans", m.End.Sub(m.Start).Round(time.Millisecond).String()},
			{"Handshakes", handshakes},
			{"Services", count(m.Counters.Services)},
		}
	}
	list := []fact{
		{"Command", strings.Join(m.Arguments, " ")},
		{"laserdisc", strings.TrimSpace(m.Laserdisc + " " + m.Revision)},
		{"Started", m.Start.UTC().Format(time.RFC3339)},
	}
	add := func(name, value string) { list = append(list, fact{name, value}) }
	switch {
	case m.End.IsZero():
		add("Ended", "unknown: the record was not closed")
	case m.Interrupted:
		add("Ended", "interrupted after "+m.End.Sub(m.Start).Round(time.Second).String())
	default:
		add("Took", m.End.Sub(m.Start).Round(time.Millisecond).String())
	}
	rate := "no limit"
	if m.Rate > 0 {
		rate = plotters.Thousands(int(m.Rate)) + " packets per second"
	}
	c := m.Counters
	if missing := m.Missing(); missing != "" {
		add("Shards", fmt.Sprintf("%d of %d; missing: %s", len(m.Recorded()), m.Sample.Shards, missing))
	} else if len(m.Shards) > 0 {
		add("Shards", fmt.Sprintf("all %d, merged; the command is the first one's", len(m.Shards)))
	}
	add("Targets", count(m.TargetCount)+" services, specification "+abbreviate(m.TargetDigest))
	add("Seed", strconv.FormatUint(m.Seed, 10))
	add("Rate", rate)
	add("Handshakes", handshakes)
	add("Launched", count(c.Launched)+" targets")
	add("Sent", count(c.Sent)+" frames: "+count(c.SentSYN)+" SYN, "+count(c.SentPayload)+" with data, "+count(c.SentRST)+" RST")
	add("Received", count(c.Received)+" frames: "+count(c.ReceivedSYNACK)+" SYN-ACK, "+count(c.ReceivedPayload)+" with data, "+
		count(c.ReceivedRST)+" RST, "+count(c.ReceivedICMP)+" ICMP")
	add("Services", count(c.Services))
	add("Dropped", count(m.Drops.Kernel)+" frames by the kernel, "+count(m.Drops.Interface)+" by the interface")
	add("Link", strings.TrimSpace(m.Link.Kind+" "+m.Link.Interface))
	return list
}

func abbreviate(digest string) string {
	if len(digest) > 16 {
		return digest[:16] + "…"
	}
	return digest
}
