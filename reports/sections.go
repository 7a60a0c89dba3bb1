package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// statement is a number that the paper's text gives for classes of ports.
type statement struct {
	title string
	of    of
	kind  string
	paper string // its name in text.tsv; "" for what the paper does not give
	// together has the services of the popular and of the unpopular ports counted together; else it is a mean over the ports.
	together bool
}

// classTable makes a table of statements about classes of ports, one below the other, with the paper's values.
func (b *byClass) classTable(section string, list []statement, over sources, caption string) (figure, error) {
	classes := []class{popular, unpopular, everyPort}
	titles := left("Shares in percent")
	for _, s := range list {
		titles.Cells = append(titles.Cells, s.title)
	}
	groups := []plotters.Group{{Columns: []plotters.Column{titles}}}
	var rows []classShare
	var ns []string
	for _, c := range classes {
		here, between, n, paper := right("Here"), right("95 %"), right("n"), right("Paper")
		for _, s := range list {
			row := classShare{class: c, port: -1, of: s.of, kind: s.kind, paper: datasets.InText(section, s.paper, c.String())}
			row.services, _ = b.Services(s.of.in(c), s.kind)
			row.overPorts = c.hasMeans() && !s.together
			estimated := b.share
			if row.overPorts {
				estimated = b.mean
			}
			var err error
			if row.share, err = estimated(s.of, c, s.kind, over.design()); err != nil {
				return figure{}, err
			}
			rows = append(rows, row)
			here.Cells = append(here.Cells, percent(row.share.Value))
			between.Cells = append(between.Cells, interval(row.share, percent))
			n.Cells = append(n.Cells, plotters.SI(float64(row.share.N)))
			paper.Cells = append(paper.Cells, percent(row.paper))
		}
		_, all := b.Services(ofServices.in(c), "")
		ns = append(ns, fmt.Sprintf("%s on %s ports", plural(all, "service"), c))
		groups = append(groups, plotters.Group{Title: title(c.String()) + " ports", Columns: []plotters.Column{here, between, n, paper}})
	}
	says := strings.Join(ns, ", ")
	f := figure{
		Caption: caption + " n = " + says + ".",
		table:   tabulate(says, rows, classColumns()...),
		behind:  func(row int) servicesWhere { return rows[row].where(b) },
	}
	f.drawTableIn(sans(tickSize), 2, groups, nil)
	return f, nil
}

// section2 has what the paper's section 2 says of the services that acknowledge no data. The paper's defences are taken as shares of a
// class's services together, as the lab has them: on a port where nearly all services acknowledge data, those of the others say little.
func section2(b *byClass, over sources) (figure, error) {
	list := []statement{{title: "acknowledges no data", of: ofServices, kind: notAcknowledging, paper: notAcknowledging}}
	for _, d := range defences {
		s := statement{title: "  " + d.title, of: ofNoAck, kind: d.kind, paper: d.kind, together: true}
		if d.kind == session.Shunned.String() {
			// It is of all services that the paper has this share. Together with its others it is more than all.
			list = append(list, statement{title: "connection shunning, of all", of: ofServices, kind: d.kind, paper: d.kind, together: true})
			s.paper = ""
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b statement) int { return cmp.Compare(a.of, b.of) })
	return b.classTable("2", list, over, "Services that acknowledge no data, of all, and of these by defence, for popular and unpopular ports "+
		"and all that were scanned. "+classesAre+" The share that acknowledges no data is, of popular and of unpopular ports, "+meansAre+
		"; all others are of a class's services together.")
}

// section3 has what the paper's section 3.1 says of the services that acknowledge data.
func section3(b *byClass, over sources) (figure, error) {
	return b.classTable("3.1", []statement{
		{title: "not the expected protocol", of: ofExpectable, kind: notExpected, paper: notExpected},
		{title: "  another protocol", of: ofExpectable, kind: speaksOther},
		{title: "  unknown, all-ports host", of: ofExpectable, kind: unknownAcross},
		{title: "unknown, without these hosts", of: ofFiltered, kind: unknownOnThisPort, paper: unknownOnThisPort},
		{title: "of unknown, all-ports host", of: ofUnknown, kind: unknownAcross, paper: "of_unknown_across_ports"},
		{title: "all-ports hosts, of hosts", of: ofHosts, kind: onEveryPort, together: true},
	}, over, "What the services that acknowledge data turn out to be, for popular and unpopular ports and all that were scanned. Shares are of those "+
		"services (the first three on ports that have an expected protocol and the paper had a scanner for), but the last, which is of hosts that have "+
		"one. An all-ports host acknowledges data on random ephemeral ports too; where hosts were drawn, no interval of services together holds with such "+
		"hosts in, and there is none. "+classesAre+" Of these two the shares are "+meansAre+"; of all ports, of their services together.")
}
