package reports

import (
	"slices"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

// exhibits are the tables and figures, in the order of the page.
var exhibits = []exhibit{
	show("figure05", "Figure 5", fewestPorts, census, figure05),
	show("figure09", "Figure 9", mostPorts, census, figure09),
	show("figure10", "Figure 10", everyHandshake, responses, figure10),
	show("table1", "Table 1", mostPortsWithASes, origins, table1),
	show("table2", "Table 2", everyHandshake, responses, table2),
	show("table3", "Table 3", bothOptions, responses, table3),
	show("section33", "Section 3.3", plainCertificates, contents, section33),
	show("section33shares", "Section 3.3, shares", plainCertificates, contents, section33Shares),
	show("banners", "Section 4.1", bannersFirst, contents, bannerTexts),
	show("ports", "Ports (Appendix A)", fewestPorts, census, portTable),
	show("allports", "All-ports hosts", ephemeralProbes, allPortsHosts, allPorts),
}

// What is counted for the exhibits: those made by the same count from the same runs share one fold.
var (
	census        = count(func(sources) *analysis.Census { return new(analysis.Census) })
	origins       = count(func(sources) *analysis.Origins { return new(analysis.Origins) })
	responses     = count(func(sources) *analysis.Responses { return new(analysis.Responses) })
	allPortsHosts = count(func(sources) *analysis.AllPorts { return new(analysis.AllPorts) })
)

// counted is how a fold is made for the runs that it is to count, that has counted nothing.
type counted[F analysis.Fold] struct{ start func(sources) F }

func count[F analysis.Fold](start func(sources) F) *counted[F] { return &counted[F]{start} }

// exhibit is one table or figure.
type exhibit struct {
	name  string // of its files, without extension
	title string // as in the paper
	from  selection
	by    any // the *counted that it is made from
	start func(sources) analysis.Fold
	draw  func(analysis.Fold, sources) (figure, error)
}

// show makes an exhibit of a function that draws what was counted over some runs.
func show[F analysis.Fold](name, title string, from selection, by *counted[F], draw func(F, sources) (figure, error)) exhibit {
	return exhibit{
		name: name, title: title, from: from, by: by,
		start: func(over sources) analysis.Fold { return by.start(over) },
		draw:  func(fold analysis.Fold, over sources) (figure, error) { return draw(fold.(F), over) },
	}
}

// selection is which of the datasets an exhibit is made from. Only between runs over the same ports are the counts of two ports
// comparable: a run over a few ports and one over all are samples of different sizes.
type selection struct {
	of      func(sources) sources // of all runs, in their order; none if the exhibit cannot be made
	Needs   string                // what the exhibit needs, said in its place if there is no such run
	Options string                // of scan, that would give it
	Replay  string                // or of replay, if it is not the scan that lacks something
}

// Command is what would give it.
func (s *selection) Command() string {
	if s.Replay != "" {
		return "laserdisc replay " + s.Replay
	}
	return "laserdisc scan " + s.Options
}

var (
	fewestPorts = selection{of: func(all sources) sources { return all.sized(func(n, than int) bool { return n < than }) }}
	mostPorts   = selection{of: func(all sources) sources { return all.sized(func(n, than int) bool { return n > than }) }}

	mostPortsWithASes = selection{
		of: func(all sources) sources {
			return mostPorts.of(all.where(func(m *record.Manifest) bool { return m.PrefixToAS != nil }))
		},
		Needs:  "a dataset that tells which AS announces each address",
		Replay: "RUN --asn FILE --out DIR",
	}

	everyHandshake = selection{
		of:      func(all sources) sources { return all.where(func(m *record.Manifest) bool { return m.AllHandshakes }) },
		Needs:   "a run in which every handshake was tried on every service",
		Options: "--all-handshakes",
	}
	bothOptions = selection{
		of:      func(all sources) sources { return everyHandshake.of(all).where(comparesOptions) },
		Needs:   "a run in which a handshake was tried both ways on every service",
		Options: "--all-handshakes --handshakes wait,http,http-options,pptp,pptp-badcookie,tls,tls-legacy",
	}
	ephemeralProbes = selection{
		of: func(all sources) sources {
			return all.where(func(m *record.Manifest) bool { return m.EphemeralProbes > 0 })
		},
		Needs:   "a run in which hosts were tried on random ephemeral ports",
		Options: "--ephemeral-probes 5",
	}
)

// where gives the datasets of which every run is such.
func (s sources) where(is func(*record.Manifest) bool) sources {
	return slices.DeleteFunc(slices.Clone(s), func(one source) bool {
		return slices.ContainsFunc(one.Manifests, func(m *record.Manifest) bool { return !is(m) })
	})
}

// sized gives the datasets over the same ports as the first over a number of ports that is better than all before.
func (s sources) sized(better func(n, than int) bool) sources {
	if len(s) == 0 {
		return nil
	}
	best := s[0].ports
	for _, one := range s {
		if better(len(one.ports), len(best)) {
			best = one.ports
		}
	}
	return slices.DeleteFunc(slices.Clone(s), func(one source) bool { return !slices.Equal(one.ports, best) })
}
