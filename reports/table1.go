package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// table1Protocol is the protocol that is drawn, as in the paper. The table has the others too.
const table1Protocol = "telnet"

// table1Ports is how many ports of a protocol the table has.
const table1Ports = 10

// topAS is a line of the table: a port of a protocol, and the AS that has most of it there.
type topAS struct {
	analysis.Origin
	rank      int // of the protocol's ports, from 1
	total     estimate.Estimate
	inTop     estimate.Estimate
	published *datasets.TelnetPort // nil if the paper has no such port
}

// topASes gives the ports of each protocol that have most of it.
func topASes(origins []analysis.Origin, design estimate.Design) ([]topAS, error) {
	published := datasets.TelnetPorts()
	var list []topAS
	rank := 0
	for i, o := range origins {
		rank++
		if i == 0 || o.Protocol != origins[i-1].Protocol {
			rank = 1
		}
		if rank > table1Ports {
			continue
		}
		t := topAS{Origin: o, rank: rank}
		if k := slices.IndexFunc(published, func(p datasets.TelnetPort) bool { return p.Port == o.Port }); k >= 0 && o.Protocol == table1Protocol {
			t.published = &published[k]
		}
		var err error
		if t.total, err = estimate.Alone(uint64(o.Services), uint64(o.Services)).Total(design); err != nil {
			return nil, err
		}
		if t.inTop, err = estimate.Alone(uint64(o.InTop), uint64(o.Services)).Share(design); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// bound is an end of an interval, NaN if there is none.
func bound(e estimate.Estimate, of func(estimate.Estimate) float64) float64 {
	if !e.HasInterval() {
		return math.NaN()
	}
	return of(e)
}

// table1 is the paper's Table 1 (section 3.2): the ports that have most Telnet, and the AS that has most of it there.
func table1(o *analysis.Origins, over sources) (figure, error) {
	list, err := topASes(o.Ports(), over.design())
	if err != nil {
		return figure{}, err
	}
	services := 0
	for i := range list {
		services += list[i].Services
	}
	n := plural(services, "identified service") + " on the ports of the table"
	f := figure{
		Caption: fmt.Sprintf("Ports with the most %s, and the AS that announces most of their addresses there: estimated hosts, and the share "+
			"of them in that AS. It is chosen for having most: of few hosts its share is too large, and of fewer than %d in brackets. The paper's hosts are those of a sample of "+
			"0.1 %%. The CSV has the %d most common ports of each protocol. n = %s.", title(table1Protocol), fewServices, table1Ports, n),
		table: tabulate(n, list,
			texts("protocol", func(t *topAS) string { return t.Protocol }),
			numbers("rank", "", func(t *topAS) int { return t.rank }),
			numbers("port", "", func(t *topAS) int { return int(t.Port) }),
			values("hosts_total", "hosts", func(t *topAS) float64 { return t.total.Value }),
			values("hosts_total_low", "hosts", func(t *topAS) float64 {
				return bound(t.total, func(e estimate.Estimate) float64 { return e.Lo })
			}),
			values("hosts_total_high", "hosts", func(t *topAS) float64 {
				return bound(t.total, func(e estimate.Estimate) float64 { return e.Hi })
			}),
			numbers("published_hosts", "hosts", func(t *topAS) int {
				return get(t.published, -1, func(p datasets.TelnetPort) int { return int(p.Hosts) })
			}),
			numbers("asn", "", func(t *topAS) int {
				if t.ASN == 0 {
					return -1
				}
				return int(t.ASN)
			}),
			texts("as_name", func(t *topAS) string { return t.AS }),
			texts("published_as", func(t *topAS) string {
				return get(t.published, "", func(p datasets.TelnetPort) string { return fmt.Sprintf("AS%d %s", p.ASN, p.TopAS) })
			}),
			estimates("share", "share of the port's hosts", func(t *topAS) estimate.Estimate { return t.inTop }),
			paper("share of the port's hosts", func(t *topAS) float64 {
				return get(t.published, math.NaN(), func(p datasets.TelnetPort) float64 { return p.ShareInTop })
			})),
		behind: func(row int) servicesWhere {
			t := &list[row]
			if t.ASN == 0 {
				return and(onPort(t.Port), speaking(t.Protocol))
			}
			return and(onPort(t.Port), speaking(t.Protocol), announcedBy(t.ASN))
		},
	}
	drawn := slices.DeleteFunc(slices.Clone(list), func(t topAS) bool { return t.Protocol != table1Protocol })
	f.drawTable(2, table1Groups(drawn), nil)
	return f, nil
}

func table1Groups(list []topAS) []plotters.Group {
	port, n, hosts, between := right("Port"), right("n"), right("Hosts"), right("95 % interval")
	as, share, shares := left("Top AS"), right("Share (%)"), right("95 % interval")
	paperHosts, paperAS, paperShare := right("Hosts"), left("Top AS"), right("Share (%)")
	for i := range list {
		t := &list[i]
		port.Cells = append(port.Cells, strconv.Itoa(int(t.Port)))
		hosts.Cells = append(hosts.Cells, wholeNumber(t.total.Value))
		between.Cells = append(between.Cells, interval(t.total, wholeNumber))
		name := ""
		if t.ASN != 0 {
			name = fmt.Sprintf("AS%d %s", t.ASN, shorten(t.AS, 24))
		}
		as.Cells = append(as.Cells, name)
		n.Cells = append(n.Cells, strconv.Itoa(t.Services))
		if t.Services < fewServices {
			share.Cells = append(share.Cells, "("+percent(t.inTop.Value)+")")
		} else {
			share.Cells = append(share.Cells, percent(t.inTop.Value))
		}
		shares.Cells = append(shares.Cells, interval(t.inTop, percent))
		paperHosts.Cells = append(paperHosts.Cells, get(t.published, "", func(p datasets.TelnetPort) string { return plotters.Thousands(int(p.Hosts)) }))
		paperAS.Cells = append(paperAS.Cells, get(t.published, "", func(p datasets.TelnetPort) string { return fmt.Sprintf("AS%d %s", p.ASN, p.TopAS) }))
		paperShare.Cells = append(paperShare.Cells, get(t.published, "", func(p datasets.TelnetPort) string { return percent(p.ShareInTop) }))
	}
	return []plotters.Group{
		{Columns: []plotters.Column{port}},
		{Title: "These runs", Columns: []plotters.Column{n, hosts, between, as, share, shares}},
		{Title: "Paper", Columns: []plotters.Column{paperHosts, paperAS, paperShare}},
	}
}

// shorten cuts a name to fit into a column. Type has only ASCII.
func shorten(name string, most int) string {
	var short []rune
	for _, r := range name {
		if r < ' ' || r > '~' {
			r = '?'
		}
		short = append(short, r)
	}
	if len(short) > most {
		short = append(short[:most-2], '.', '.')
	}
	return string(short)
}
