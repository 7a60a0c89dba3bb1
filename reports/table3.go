package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
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

// test tells whether one way draws data from more services than the other: of the services that one draws data from and the other
// does not, as many would be either's.
func (o *option) test() estimate.Test {
	return estimate.Pairs{Both: uint64(o.counts[2]), First: uint64(o.counts[0]), Second: uint64(o.counts[1])}.McNemar()
}

// optionLine is a line of the table.
type optionLine struct {
	*option
	k     int // which of the three
	share estimate.Estimate
	test  estimate.Test // of the comparison
}

// optionLines estimates the shares. On one port a host has one service.
func optionLines(list []option, design estimate.Design) ([]optionLine, error) {
	var lines []optionLine
	for i := range list {
		o := &list[i]
		test := o.test()
		for k, n := range o.counts {
			share, err := estimate.Alone(uint64(n), uint64(o.services())).Share(design)
			if err != nil {
				return nil, err
			}
			lines = append(lines, optionLine{o, k, share, test})
		}
	}
	return lines, nil
}

// optionOrder says in which order the ways of asking were tried.
func (s sources) optionOrder() string {
	random := s.where(func(m *record.Manifest) bool { return m.RandomOrder })
	observed := s.where(func(m *record.Manifest) bool { return m.Observed != nil })
	switch {
	case len(random) == len(s):
		return "Handshakes were tried in an order that was drawn for each service."
	case len(observed) == len(s):
		return "Handshakes were tried in whatever order the capture's client had."
	}
	return "Handshakes were tried in one order on all services, so that what the first of two left behind is part of the difference."
}

// table3 is the paper's Table 3 (section 4.2): what the options of a handshake change.
func table3(r *analysis.Responses, over sources) (figure, error) {
	list := compareOptions(r.Patterns(over.handshakes()))
	lines, err := optionLines(list, over.design())
	if err != nil {
		return figure{}, err
	}
	var of []string
	for i := range list {
		of = append(of, fmt.Sprintf("%s on port %d", plural(list[i].services(), "service"), list[i].port))
	}
	n := strings.Join(of, ", ")
	f := figure{
		Caption: "Options of a handshake: share of the services of a port that send data to one way of asking, to the other, and to both, " +
			"of those that send data to either; beside it the paper's share of addresses. p: of the exact test of McNemar, whether " +
			"one way draws data from more services than the other. " + over.optionOrder() + " n = " + n + ".",
		table: tabulate(n, lines,
			numbers("port", "", func(l *optionLine) int { return int(l.port) }),
			texts("protocol", func(l *optionLine) string { return l.protocol }),
			texts("option", func(l *optionLine) string { return l.shown[l.k] }),
			numbers("services", "services", func(l *optionLine) int { return l.counts[l.k] }),
			estimates("share", "share of services that send data to either", func(l *optionLine) estimate.Estimate { return l.share }),
			values("mcnemar_p", "probability", func(l *optionLine) float64 { return l.test.P }),
			paper("share of addresses that send data to either", func(l *optionLine) float64 { return l.published[l.k] })),
	}
	port, name, answers := plotters.Column{Head: "Port"}, plotters.Column{Head: "Handshake"}, plotters.Column{Head: "Sends data to"}
	counts, measured, between, probability := right("Services"), right("Share (%)"), right("95 % interval"), right("p")
	published := right("Paper (%)")
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
		measured.Cells = append(measured.Cells, percent(l.share.Value))
		between.Cells = append(between.Cells, interval(l.share, percent))
		probability.Cells = append(probability.Cells, only(first, chance(l.test.P)))
		published.Cells = append(published.Cells, percent(l.published[l.k]))
	}
	f.drawTable(2, []plotters.Group{{Columns: []plotters.Column{port, name, answers, counts, measured, between, published, probability}}}, rules)
	return f, nil
}

// chance writes a probability: what is very small is said to be that.
func chance(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

func only(is bool, txt string) string {
	if is {
		return txt
	}
	return ""
}
