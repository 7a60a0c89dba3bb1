package reports

import (
	"slices"

	"laserdisc/analysis"
)

// exhibits are the tables and figures, in the order of the page.
var exhibits = []exhibit{
	show("figure05", "Figure 5", fewestPorts, figure05),
	show("figure09", "Figure 9", mostPorts, figure09),
	show("figure10", "Figure 10", everyHandshake, figure10),
	show("table2", "Table 2", everyHandshake, table2),
	show("table3", "Table 3", bothOptions, table3),
	show("allports", "All-ports hosts", ephemeralProbes, allPorts),
}

// exhibit is one table or figure.
type exhibit struct {
	name  string // of its files, without extension
	title string // as in the paper
	from  selection
	fold  func() analysis.Fold // a new one, that has counted nothing
	draw  func(analysis.Fold, runs) (figure, error)
}

// show makes an exhibit of a function that draws what a fold counted over some runs. The type of the fold is that of
// the function's argument.
func show[F any, P interface {
	*F
	analysis.Fold
}](name, title string, from selection, draw func(P, runs) (figure, error)) exhibit {
	return exhibit{
		name: name, title: title, from: from,
		fold: func() analysis.Fold { return P(new(F)) },
		draw: func(fold analysis.Fold, over runs) (figure, error) { return draw(fold.(P), over) },
	}
}

// selection is which runs an exhibit is made from. Only between runs over the same ports are the counts of two ports
// comparable: a run over a few ports and one over all are samples of different sizes.
type selection struct {
	of      func(runs) runs // of all runs, in their order; none if the exhibit cannot be made
	Needs   string          // what the exhibit needs, said in its place if there is no such run
	Options string          // of scan, that would give it
}

var (
	fewestPorts = selection{of: func(all runs) runs { return all.sized(func(n, than int) bool { return n < than }) }}
	mostPorts   = selection{of: func(all runs) runs { return all.sized(func(n, than int) bool { return n > than }) }}

	everyHandshake = selection{
		of:      func(all runs) runs { return all.where(func(r run) bool { return r.Manifest.AllHandshakes }) },
		Needs:   "a run in which every handshake was tried on every service",
		Options: "--all-handshakes",
	}
	bothOptions = selection{
		of:      func(all runs) runs { return everyHandshake.of(all).where(comparesOptions) },
		Needs:   "a run in which a handshake was tried both ways on every service",
		Options: "--all-handshakes --handshakes wait,http,http-options,pptp,pptp-badcookie,tls,tls-legacy",
	}
	ephemeralProbes = selection{
		of:      func(all runs) runs { return all.where(func(r run) bool { return r.Manifest.EphemeralProbes > 0 }) },
		Needs:   "a run in which hosts were tried on random ephemeral ports",
		Options: "--ephemeral-probes 5",
	}
)

func (r runs) where(is func(run) bool) runs {
	return slices.DeleteFunc(slices.Clone(r), func(one run) bool { return !is(one) })
}

// sized gives the runs over the same ports as the first over a number of ports that is better than all before.
func (r runs) sized(better func(n, than int) bool) runs {
	if len(r) == 0 {
		return nil
	}
	best := r[0].ports
	for _, one := range r {
		if better(len(one.ports), len(best)) {
			best = one.ports
		}
	}
	return r.where(func(one run) bool { return slices.Equal(one.ports, best) })
}
