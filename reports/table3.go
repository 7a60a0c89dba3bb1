package reports

import (
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/datasets"
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

// compareOptions counts, on each port, what sends data back to which way of asking. A comparison
// whose two ways were not both tried is left out.
func compareOptions(trials *analysis.Trials) []option {
	list := options()
	handshakes := trials.Handshakes()
	list = slices.DeleteFunc(list, func(o option) bool {
		return !slices.Contains(handshakes, o.ways[0]) || !slices.Contains(handshakes, o.ways[1])
	})
	for _, t := range trials.Services() {
		for i := range list {
			o := &list[i]
			if t.Service.Port() != o.port {
				continue
			}
			switch a, b := t.SentData.Has(slices.Index(handshakes, o.ways[0])), t.SentData.Has(slices.Index(handshakes, o.ways[1])); {
			case a && b:
				o.counts[2]++
			case a:
				o.counts[0]++
			case b:
				o.counts[1]++
			}
		}
	}
	return list
}

// services is how many services the shares are of: those that send data to either.
func (o option) services() int { return o.counts[0] + o.counts[1] + o.counts[2] }

func (o option) share(k int) float64 {
	if o.services() == 0 {
		return 0
	}
	return float64(o.counts[k]) / float64(o.services())
}

// table3 is the paper's Table 3 (section 4.2): what the options of a handshake change.
func table3(list []option, note string) figure {
	t := figure{
		Name: "table3", Title: "Table 3", Note: note, Width: twoColumns,
		header: []string{"port", "protocol", "option", "services", "share", "published_share"},
		Caption: "Options of a handshake: share of the services of a port that send data to one way of asking, to the other, and to both, " +
			"of those that send data to either; in brackets the paper's share of addresses.",
	}
	for _, o := range list {
		t.Caption += fmt.Sprintf(" Port %d: n = %s services.", o.port, thousands(o.services()))
		for k := range o.counts {
			t.rows = append(t.rows, []string{
				strconv.Itoa(int(o.port)), o.protocol, o.shown[k], strconv.Itoa(o.counts[k]), share(o.share(k)), share(o.published[k]),
			})
		}
	}
	t.Height = vg.Length(len(list))*tableLine*2 + 24 + noteHeight
	t.draw = func(s sheet) { drawOptions(s, list) }
	return t
}

// drawOptions draws two lines a port: what is compared, and the shares.
func drawOptions(s sheet, list []option) {
	left, right, top := s.Min.X+4, s.Max.X-4, s.Max.Y-6
	at := func(share float64) vg.Length { return left + (right-left)*vg.Length(share) }
	s.line(black, 0.8, left, top, right, top)
	y := top - 10
	for i, o := range list {
		if i > 0 {
			s.line(black, axisLine, left, y+8, right, y+8)
		}
		s.text(label{size: labelSize, x: text.XLeft}, left, y, fmt.Sprintf("%d %s, n = %s", o.port, o.protocol, thousands(o.services())))
		for k, shown := range o.shown {
			x := at([3]float64{0.5, 0.77, 1}[k])
			s.text(label{size: tickSize, color: gray, x: text.XRight}, x, y, shown+" (%)")
			s.text(label{size: labelSize, x: text.XRight}, x, y-tableLine, fmt.Sprintf("%s (%s)", percent(o.share(k)), percent(o.published[k])))
		}
		y -= 2*tableLine + 2
	}
	s.line(black, 0.8, left, y+8, right, y+8)
}
