package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/text"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// option is one comparison of Table 3: two ways to say the same, to the services of a port.
type option struct {
	port      uint16
	protocol  string
	ways      [2]string  // handshakes
	shown     [3]string  // what sends data to the first alone, to the second alone, to both
	counts    [3]int     // services, likewise
	published [3]float64 // shares, likewise
}

// options are the paper's three (section 4.2).
func options() []option {
	list := []option{
		{port: 8081, protocol: "http", ways: [2]string{"http", "http-options"}, shown: [3]string{"only GET", "only OPTIONS", "both"}},
		{port: 1723, protocol: "pptp", ways: [2]string{"pptp", "pptp-badcookie"}, shown: [3]string{"only good cookie", "only bad cookie", "both"}},
		{port: 443, protocol: "tls", ways: [2]string{"tls", "tls-legacy"}, shown: [3]string{"only secure cipher", "only insecure cipher", "both"}},
	}
	for i := range list {
		o := &list[i]
		for _, p := range datasets.Options() {
			if k := slices.Index(o.shown[:], p.Option); k >= 0 && p.Port == o.port && p.Protocol == o.protocol {
				o.published[k] = p.Share
			}
		}
	}
	return list
}

// in reports whether both ways are among the handshakes.
func (o *option) in(handshakes []string) bool {
	return slices.Contains(handshakes, o.ways[0]) && slices.Contains(handshakes, o.ways[1])
}

// comparesOptions reports whether some comparison's two ways were tried in a run.
func comparesOptions(m *record.Manifest) bool {
	return slices.ContainsFunc(options(), func(o option) bool { return o.in(m.Handshakes) })
}

// compareOptions counts, on each port, what sends data back to which way of asking. A comparison whose two ways were not
// both tried is left out.
func compareOptions(handshakes []string, patterns []analysis.Response) []option {
	list := slices.DeleteFunc(options(), func(o option) bool { return !o.in(handshakes) })
	for i := range list {
		o := &list[i]
		first, second := slices.Index(handshakes, o.ways[0]), slices.Index(handshakes, o.ways[1])
		for _, p := range patterns {
			if p.Port != o.port {
				continue
			}
			switch a, b := p.SentData.Has(first), p.SentData.Has(second); {
			case a && b:
				o.counts[2] += p.Services
			case a:
				o.counts[0] += p.Services
			case b:
				o.counts[1] += p.Services
			}
		}
	}
	return list
}

// services is how many services the shares are of: those that send data to either.
func (o *option) services() int { return o.counts[0] + o.counts[1] + o.counts[2] }

// optionLine is a line of the table.
type optionLine struct {
	*option
	k int // which of the three
}

// table3 is the paper's Table 3 (section 4.2): what the options of a handshake change.
func table3(r *analysis.Responses, over sources) (figure, error) {
	list := compareOptions(r.Patterns(over.handshakes()))
	var lines []optionLine
	var of []string
	for i := range list {
		for k := range list[i].counts {
			lines = append(lines, optionLine{&list[i], k})
		}
		of = append(of, fmt.Sprintf("%s on port %d", plural(list[i].services(), "service"), list[i].port))
	}
	n := strings.Join(of, ", ")
	f := figure{
		Caption: "Options of a handshake: share of the services of a port that send data to one way of asking, to the other, and to both, " +
			"of those that send data to either; beside it the paper's share of addresses. n = " + n + ".",
		table: tabulate(n, lines,
			numbers("port", "", func(l *optionLine) int { return int(l.port) }),
			texts("protocol", func(l *optionLine) string { return l.protocol }),
			texts("option", func(l *optionLine) string { return l.shown[l.k] }),
			numbers("services", "services", func(l *optionLine) int { return l.counts[l.k] }),
			values("share", "share of services that send data to either", func(l *optionLine) float64 { return ratio(l.counts[l.k], l.services()) }),
			values("published_share", "share of addresses that send data to either", func(l *optionLine) float64 { return l.published[l.k] })),
	}
	port, name, answers := plotters.Column{Head: "Port"}, plotters.Column{Head: "Handshake"}, plotters.Column{Head: "Sends data to"}
	counts, measured, paper := right("Services"), right("Share (%)"), right("Paper (%)")
	port.Align, name.Align, answers.Align = text.XLeft, text.XLeft, text.XLeft
	var rules []int
	for i, l := range lines {
		first := l.k == 0
		if first && i > 0 {
			rules = append(rules, i)
		}
		port.Cells = append(port.Cells, only(first, strconv.Itoa(int(l.port))))
		name.Cells = append(name.Cells, only(first, l.protocol))
		answers.Cells = append(answers.Cells, l.shown[l.k])
		counts.Cells = append(counts.Cells, plotters.Thousands(l.counts[l.k]))
		measured.Cells = append(measured.Cells, percent(ratio(l.counts[l.k], l.services())))
		paper.Cells = append(paper.Cells, percent(l.published[l.k]))
	}
	f.drawTable(1, []plotters.Group{{Columns: []plotters.Column{port, name, answers, counts, measured, paper}}}, rules)
	return f, nil
}

func only(is bool, txt string) string {
	if is {
		return txt
	}
	return ""
}
