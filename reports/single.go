package reports

import (
	"cmp"
	"math"
	"slices"
	"time"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// singleRow is a share of what the paper's section 5 tells of the scanner.
type singleRow struct {
	what, of  string
	handshake string // "" where it is not of one
	hosts     estimate.Hosts
	share     estimate.Estimate
	published float64
}

func (r *singleRow) hits() int {
	hits, _ := r.hosts.Services()
	return int(hits)
}

// singleRows are the handshakes by what each identifies alone, and what it brings to send data again.
func singleRows(a *analysis.Answers, over sources) ([]singleRow, error) {
	const identified = "services that some handshake identifies"
	var rows []singleRow
	for _, h := range a.Handshakes(over.handshakes()) {
		rows = append(rows, singleRow{what: "identified by " + h + " alone", of: identified, handshake: h, hosts: a.Identified(h),
			published: datasets.InText("5", "identified_alone", h)})
	}
	slices.SortStableFunc(rows, func(a, b singleRow) int { return cmp.Compare(b.hits(), a.hits()) })
	if over.sendsAgain() {
		rows = append(rows, singleRow{what: "acknowledge data only when it is sent again, with PSH", of: "services that acknowledge their first data",
			hosts: a.SentAgain(), published: datasets.InText("5", "sent_again", "services")})
	}
	for i := range rows {
		var err error
		if rows[i].share, err = rows[i].hosts.Share(over.design()); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// sendsAgain reports whether every run first sent data without PSH, and then with it.
func (s sources) sendsAgain() bool {
	return len(s.where(func(m *record.Manifest) bool { return m.Observed == nil && !m.Push && m.Retransmits > 0 })) == len(s)
}

// retransmitAfter is the longest that a run waits before it sends data again.
func (s sources) retransmitAfter() (longest time.Duration) {
	for _, one := range s {
		for _, m := range one.Manifests {
			longest = max(longest, time.Duration(m.RetransmitAfter))
		}
	}
	return longest
}

// singleRowsDrawn is how many handshakes are drawn, besides those that the paper has a share of.
const singleRowsDrawn = 10

// single tells what a single handshake finds (paper, section 5), and what it brings to send it again.
func single(a *analysis.Answers, over sources) (figure, error) {
	rows, err := singleRows(a, over)
	if err != nil {
		return figure{}, err
	}
	identified := 0
	for _, h := range a.Handshakes(nil) {
		_, services := a.Identified(h).Services()
		identified = max(identified, int(services))
	}
	n := plural(identified, "service") + " that some handshake identifies"
	f := figure{
		Caption: "What a single handshake finds: the share that it identifies, by whatever answer, of the services that some handshake identifies",
		table: tabulate(n, rows,
			texts("what", func(r *singleRow) string { return r.what }),
			texts("of", func(r *singleRow) string { return r.of }),
			numbers("services", "services", (*singleRow).hits),
			estimates("share", "share of services", func(r *singleRow) estimate.Estimate { return r.share }),
			paper("share of services", func(r *singleRow) float64 { return r.published })),
	}
	if over.sendsAgain() {
		f.Caption += "; and below, the services that acknowledge the first data sent to them only when it is sent again, with PSH, of all that acknowledge it: " +
			"a packet that was lost counts, too"
	}
	f.Caption += ". n = " + n + "."
	what, services := plotters.Column{Head: "Handshake"}, right("Services")
	measured, between, published := right("Share (%)"), right("95 % interval"), right("Paper (%)")
	var rules []int
	for i := range rows {
		r := &rows[i]
		switch {
		case r.handshake == "":
			rules = append(rules, len(what.Cells))
		case i >= singleRowsDrawn && math.IsNaN(r.published):
			continue
		}
		what.Cells = append(what.Cells, cmp.Or(r.handshake, "sent again"))
		services.Cells = append(services.Cells, plotters.Thousands(r.hits()))
		measured.Cells = append(measured.Cells, percent(r.share.Value))
		between.Cells = append(between.Cells, interval(r.share, percent))
		published.Cells = append(published.Cells, percent(r.published))
	}
	f.drawTable(1, []plotters.Group{{Columns: []plotters.Column{what, services, measured, between, published}}}, rules)
	return f, nil
}
