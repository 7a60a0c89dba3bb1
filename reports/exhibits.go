package reports

import (
	"slices"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
)

// exhibits are the tables and figures, in the order of the page.
var exhibits = []exhibit{
	show("figure01", "Figure 1", patientPorts, states, figure01),
	show("figure03", "Figures 3a and 3b", secondLook, classes, figure03),
	show("section2", "Section 2", secondLook, classes, section2),
	show("figure04", "Figure 4", wholeBlocks, streaks, figure04),
	show("figure05", "Figure 5", fewestPorts, census, figure05),
	show("figure06", "Figure 6", probedPorts, classes, figure06),
	show("figure07", "Figure 7", fewestPorts, classes, figure07),
	show("figure08", "Figure 8", everyHandshake, orders, figure08),
	show("figure09", "Figure 9", mostPorts, protocolPorts, figure09),
	show("portsneeded", "Figure 9, ports needed", mostPorts, protocolPorts, portsNeeded),
	show("figure10", "Figure 10", everyHandshake, hostAnswers, figure10),
	show("figure11", "Figure 11", followedUp, followups, figure11),
	show("table1", "Table 1", mostPortsWithASes, origins, table1),
	show("table2", "Table 2", everyHandshake, orders, table2),
	show("ranks", "Table 2, ranks", everyHandshake, orders, ranks),
	show("table3", "Table 3", bothOptions, responses, table3),
	showApart("table4", "Table 4", sameTargets, findings, table4),
	showApart("table4cost", "Table 4, time and bandwidth", sameTargets, findings, table4Cost),
	show("section31", "Section 3.1", probedPorts, classes, section3),
	show("unknowns", "Section 3.1, unknown services per host", hostsOnAllPorts, unknowns, unknownsPerHost),
	show("rankings", "Section 3.2, ranks of ports", mostPorts, census, rankings),
	show("protocols", "Section 3.2, protocols on a port", fewestPorts, census, protocolsPerPort),
	show("single", "Section 5, a single handshake", everyHandshake, hostAnswers, single),
	show("unseen", "Unseen ports and protocols", mostPorts, census, unseen),
	show("section33", "Section 3.3", plainCertificates, contents, section33),
	show("section33shares", "Section 3.3, shares", plainCertificates, contents, section33Shares),
	show("banners", "Section 4.1", bannersFirst, contents, bannerTexts),
	show("ports", "Ports (Appendix A)", fewestPorts, census, portTable),
	show("allports", "All-ports hosts", ephemeralProbes, allPortsHosts, allPorts),
	show("predict", "Ports predicted", manyPortsOfHosts, inventory, predicted),
}

// What is counted for the exhibits: those made by the same count from the same runs share one fold.
var (
	census        = count(func(sources) *analysis.Census { return new(analysis.Census) })
	origins       = count(func(sources) *analysis.Origins { return new(analysis.Origins) })
	protocolPorts = count(func(sources) *analysis.Curves { return new(analysis.Curves) })
	hostAnswers   = count(func(over sources) *analysis.Answers { return analysis.NewAnswers(over.retransmitAfter()) })
	findings      = count(func(sources) *findingsByState { return &findingsByState{Findings: analysis.OfDataset()} })
	responses     = count(func(sources) *analysis.Responses { return new(analysis.Responses) })
	orders        = count(newOrderTrials)
	followups     = count(newFollowups)
	allPortsHosts = count(func(sources) *analysis.AllPorts { return new(analysis.AllPorts) })
	connections   = count(func(sources) *analysis.Connections { return new(analysis.Connections) })
	states        = countAfter(connections, newByState)
	classes       = countAfter(census, newByClass)
	streaks       = count(func(sources) *analysis.Streaks { return analysis.NewStreaks(behaviour) })
	unknowns      = count(func(sources) *analysis.Unknowns { return new(analysis.Unknowns) })
	inventory     = count(func(sources) *analysis.Inventory { return analysis.NewInventory(drawnInventory) })
)

// counted is how a fold is made for the runs that it is to count, that has counted nothing.
type counted[F analysis.Fold] struct {
	before counting // what has to be counted over the same runs first, nil for nothing
	start  func(before analysis.Fold, over sources) F
}

// counting is a *counted of any fold.
type counting interface {
	first() counting
	fold(before analysis.Fold, over sources) analysis.Fold
}

func count[F analysis.Fold](start func(sources) F) *counted[F] {
	return &counted[F]{start: func(_ analysis.Fold, over sources) F { return start(over) }}
}

// countAfter makes a fold of what another has counted, which takes a second pass: which ports are popular is known after one.
func countAfter[B, F analysis.Fold](before *counted[B], start func(B, sources) F) *counted[F] {
	return &counted[F]{before, func(b analysis.Fold, over sources) F { return start(b.(B), over) }}
}

func (c *counted[F]) first() counting { return c.before }

func (c *counted[F]) fold(before analysis.Fold, over sources) analysis.Fold {
	return c.start(before, over)
}

// exhibit is one table or figure.
type exhibit struct {
	name  string // of its files, without extension
	title string // as in the paper
	from  selection
	by    counting // that it is made from
	apart bool     // whether each dataset is counted by itself
	draw  func([]analysis.Fold, sources) (figure, error)
}

// counts gives what is counted together, of the datasets that the exhibit can be made from.
func (e *exhibit) counts(over sources) (list []sources) {
	if e.apart {
		for i := range over {
			list = append(list, over[i:i+1])
		}
	} else if len(over) > 0 {
		list = append(list, over.alike())
	}
	return list
}

// show makes an exhibit of a function that draws what was counted over some runs.
func show[F analysis.Fold](name, title string, from selection, by *counted[F], draw func(F, sources) (figure, error)) exhibit {
	return exhibit{
		name: name, title: title, from: from, by: by,
		draw: func(folds []analysis.Fold, over sources) (figure, error) { return draw(folds[0].(F), over) },
	}
}

// showApart makes an exhibit of a function that draws what was counted over two datasets, each by itself.
func showApart[F analysis.Fold](name, title string, from selection, by *counted[F], draw func(first, second F, over sources) (figure, error)) exhibit {
	return exhibit{
		name: name, title: title, from: from, by: by, apart: true,
		draw: func(folds []analysis.Fold, over sources) (figure, error) {
			return draw(folds[0].(F), folds[1].(F), over)
		},
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
	fewestPorts = selection{
		of:    func(all sources) sources { return all.where(ordinary).fewestPorts() },
		Needs: "a run that says handshakes, and of no blocks", Options: "--ports paper",
	}
	mostPorts = selection{
		of: func(all sources) sources {
			return all.where(ordinary).sized(func(n, than int) bool { return n > than })
		},
		Needs: "a run that says handshakes, and of no blocks", Options: "--ports all --sample 0.1%",
	}
	probedPorts = selection{
		of:      func(all sources) sources { return ephemeralProbes.of(all).where(ordinary).fewestPorts() },
		Needs:   ephemeralProbes.Needs,
		Options: "--ports paper " + ephemeralProbes.Options,
	}
	secondLook = selection{
		of:      func(all sources) sources { return all.where(looksTwice).fewestPorts() },
		Needs:   "a run that gave services time, and looked again from another address at those that acknowledged nothing",
		Options: "--ports paper --liveness --revisit 5m --source-ip A --source-ip B",
	}
	patientPorts = selection{
		of: func(all sources) sources {
			if patient := secondLook.of(all); len(patient) > 0 {
				return patient
			}
			return fewestPorts.of(all)
		},
		Needs: fewestPorts.Needs, Options: fewestPorts.Options,
	}
	wholeBlocks = selection{
		of: func(all sources) sources {
			// Another run would cut blocks: of services in several runs the first one's count.
			one := all.where(isOfBlocks)
			one = slices.DeleteFunc(one, func(s source) bool { return len(s.Manifests) != 1 })
			return one[:min(1, len(one))]
		},
		Needs:   "a run of whole blocks of addresses",
		Options: "--ports 80,443 --sample-by /24 --sample 1% --revisit 5m --source-ip A --source-ip B",
	}
	hostsOnAllPorts = selection{
		of: func(all sources) sources {
			hosts := all.where(func(m *record.Manifest) bool {
				return m.Sample != nil && m.Sample.Unit == "host" && m.EphemeralProbes > 0
			})
			return slices.DeleteFunc(hosts, func(s source) bool { return len(s.ports) != 65535 })
		},
		Needs:   "a run over all ports of a sample of hosts (one of services cannot show how many a host has)",
		Options: "--ports all --sample 0.01% --sample-by host --ephemeral-probes 5",
	}

	manyPortsOfHosts = selection{
		of: func(all sources) sources {
			hosts := all.where(func(m *record.Manifest) bool { return analysis.DesignOf(m).Unit == estimate.ByHost })
			// Another run would add addresses, or ports to some of them: what predicts is one sample.
			hosts = slices.DeleteFunc(hosts, func(s source) bool { return len(s.Manifests) != 1 || len(s.ports) < manyPorts })
			one := hosts.sized(func(n, than int) bool { return n > than })
			return one[:min(1, len(one))]
		},
		Needs:   "a run of many ports of some hosts",
		Options: "--ports all --sample 0.01% --sample-by host",
	}

	mostPortsWithASes = selection{
		of: func(all sources) sources {
			return mostPorts.of(all.where(func(m *record.Manifest) bool { return m.PrefixToAS != nil }))
		},
		Needs:  "a dataset that tells which AS announces each address",
		Replay: "RUN --asn FILE --out DIR",
	}

	sameTargets = selection{
		of:      sources.pair,
		Needs:   "two scans of the same targets, with the same seed, that say different things to them",
		Options: "... --seed 1 --handshakes http, and again with other handshakes",
	}

	everyHandshake = selection{
		of:      func(all sources) sources { return all.where(func(m *record.Manifest) bool { return m.AllHandshakes }) },
		Needs:   "a run in which every handshake was tried on every service",
		Options: "--all-handshakes",
	}
	bothOptions = selection{
		of:      func(all sources) sources { return everyHandshake.of(all).where(comparesOptions) },
		Needs:   "a run in which a handshake was tried both ways on every service",
		Options: "--all-handshakes --random-order --handshakes wait,http,http-options,pptp,pptp-badcookie,tls,tls-legacy",
	}
	followedUp = selection{
		of: func(all sources) sources {
			return all.where(func(m *record.Manifest) bool { return len(m.Followup) > 0 })
		},
		Needs:   "a run in which services were told the right handshake once more, after a wrong one or alone",
		Options: "--all-handshakes --followup 0s,1s,5s,30s,2m",
	}
	ephemeralProbes = selection{
		of: func(all sources) sources {
			return all.where(func(m *record.Manifest) bool { return m.EphemeralProbes > 0 })
		},
		Needs:   "a run in which hosts were tried on random ephemeral ports",
		Options: "--ephemeral-probes 5",
	}
)

// manyPorts is how many ports make it worth while to predict some.
const manyPorts = 50

// ordinary reports whether a run can tell what services speak, and is a sample of these or of hosts.
func ordinary(m *record.Manifest) bool {
	return !m.Liveness && (m.Sample == nil || m.Sample.Unit != "block")
}

// looksTwice reports whether a run can tell all the defences of section 2.
func looksTwice(m *record.Manifest) bool {
	return m.Liveness && m.Revisit > 0 && len(m.Sources) > 1
}

// isOfBlocks reports whether a run has all services of the blocks that it drew.
func isOfBlocks(m *record.Manifest) bool { return analysis.BlockDesignOf(m) != estimate.Design{} }

func (s sources) fewestPorts() sources { return s.sized(func(n, than int) bool { return n < than }) }

// alike gives the first dataset and those whose runs were made as its are: over the same ports, with the same handshakes, of a sample
// of the same size. What is counted over unlike runs together would be of nothing.
func (s sources) alike() sources {
	return slices.DeleteFunc(slices.Clone(s), func(one source) bool {
		a, b := one.Manifests[0], s[0].Manifests[0]
		return !slices.Equal(one.ports, s[0].ports) || !slices.Equal(a.Handshakes, b.Handshakes) || a.AllHandshakes != b.AllHandshakes ||
			len(a.Followup) != len(b.Followup) || a.EphemeralProbes != b.EphemeralProbes || !sampledAlike(a.Sample, b.Sample)
	})
}

// sampledAlike reports whether two samples are the same share of the same kind of units.
func sampledAlike(a, b *target.Sample) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Unit == b.Unit && a.Bits == b.Bits && a.Numerator == b.Numerator && a.Denominator == b.Denominator
}

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
