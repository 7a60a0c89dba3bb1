// Package reports draws the tables and figures of the LZR paper (Izhikevich, Teixeira, Durumeric,
// USENIX Security 2021) from the tables of one or more runs, with the published values beside the
// measured ones where the paper gives them.
//
// Each figure has a file of its own with the function that computes its values and the one that
// draws them. Every figure is written as PNG, SVG and PDF, and the numbers behind it as CSV; all
// four are the same bytes each time.
package reports

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"laserdisc/analysis"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// Write makes the report of the runs in dirs, each with manifest.json, services.parquet and
// attempts.parquet as `laserdisc replay` leaves them: the figures and index.html, in out, which
// is made if it does not exist. A service that is in several runs counts in the first only. Runs
// over different ports are not mixed where ports are compared: Figure 5 is made from those over the
// fewest ports, Figure 9 from those over the most. What needs every handshake tried (Figure 10,
// Tables 2 and 3) is made from the runs with --all-handshakes, and left out where there are none.
func Write(out string, dirs []string) error {
	d, err := load(dirs)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	figures := d.figures()
	for _, f := range figures {
		if err := f.write(out); err != nil {
			return fmt.Errorf("reports: %s: %w", f.Name, err)
		}
	}
	if err := writePage(filepath.Join(out, "index.html"), d, figures); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	return nil
}

// data is what the figures are made from.
type data struct {
	runs   []run
	groups []*group         // fewest ports first
	trials *analysis.Trials // nil if no run tried every handshake
}

type run struct {
	Dir      string
	Manifest *record.Manifest
}

// group is the runs over the same ports. Only within a group are the counts of two ports
// comparable: a run over a few ports and one over all are samples of different sizes.
type group struct {
	ports  []uint16
	dirs   []string
	census census
	first  firstRun
}

// census counts services by what they are.
type census map[kind]int

type kind struct {
	port  uint16
	state session.State
	label string // protocol, by likely or certain evidence; "" is none
}

func load(dirs []string) (*data, error) {
	if len(dirs) == 0 {
		return nil, errors.New("reports: no run to report on")
	}
	d := new(data)
	tried := make(firstRun)
	for i, dir := range dirs {
		m, err := record.LoadManifest(dir)
		if err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		d.runs = append(d.runs, run{dir, m})
		g, err := d.group(dir, m)
		if err != nil {
			return nil, err
		}
		if err := g.count(dir, g.first.is(i)); err != nil {
			return nil, err
		}
		if !m.AllHandshakes {
			continue
		}
		if d.trials == nil {
			d.trials = analysis.NewTrials(m.Handshakes)
		}
		if err := d.try(dir, tried.is(i)); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(d.groups, func(a, b *group) int { return cmp.Compare(len(a.ports), len(b.ports)) })
	return d, nil
}

// group finds or makes the group of a run.
func (d *data) group(dir string, m *record.Manifest) (*group, error) {
	ports, err := portsOf(m)
	if err != nil {
		return nil, fmt.Errorf("reports: %s: targets in manifest.json: %w", dir, err)
	}
	for _, g := range d.groups {
		if slices.Equal(g.ports, ports) {
			g.dirs = append(g.dirs, dir)
			return g, nil
		}
	}
	g := &group{ports: ports, dirs: []string{dir}, census: make(census), first: make(firstRun)}
	d.groups = append(d.groups, g)
	return g, nil
}

// portsOf gives the ports of a run's target specification, in order; none if its targets bring
// their own.
func portsOf(m *record.Manifest) ([]uint16, error) {
	var spec target.Spec
	if m.Targets == nil {
		return nil, nil
	}
	if err := json.Unmarshal(m.Targets, &spec); err != nil {
		return nil, err
	}
	if spec.Ports == "" {
		return nil, nil
	}
	return target.ParsePorts(spec.Ports, datasets.PortSets())
}

// firstRun is the first run that each service is in.
type firstRun map[netip.AddrPort]int

func (f firstRun) is(run int) func(netip.AddrPort) bool {
	return func(service netip.AddrPort) bool {
		first, ok := f[service]
		if !ok {
			f[service] = run
		}
		return !ok || first == run
	}
}

// count adds the services of a run. Of a target that never connected nothing is drawn.
func (g *group) count(dir string, counts func(netip.AddrPort) bool) error {
	return analysis.ReadServices(filepath.Join(dir, "services.parquet"), func(s *session.Service) error {
		if s.State.Connected() && counts(s.Service) {
			k := kind{port: s.Service.Port(), state: s.State}
			if s.Evidence >= handshake.Likely {
				k.label = s.Label
			}
			g.census[k]++
		}
		return nil
	})
}

func (d *data) try(dir string, counts func(netip.AddrPort) bool) error {
	return analysis.ReadAttempts(filepath.Join(dir, "attempts.parquet"), func(a *session.Attempt) error {
		if !counts(a.Service) {
			return nil
		}
		return d.trials.Add(a)
	})
}

// figures makes every figure that the data allows, in the paper's order. What compares ports is
// made from the runs over the fewest ports, what asks how many there are from those over the most.
func (d *data) figures() []figure {
	note := d.note()
	few, many := d.groups[0], d.groups[len(d.groups)-1]
	figures := []figure{
		d.from(few, figure05(stackPorts(few.census), note)),
		d.from(many, figure09(coverProtocols(many.census), note)),
	}
	if d.trials != nil {
		figures = append(figures, figure10(fillMatrix(d.trials), note), table2(bestOrders(d.trials), note))
		if options := compareOptions(d.trials); len(options) > 0 {
			figures = append(figures, table3(options, note))
		}
	}
	return figures
}

// from says in the caption which runs a figure is made from, if not from all.
func (d *data) from(g *group, f figure) figure {
	if len(d.groups) > 1 {
		f.Caption += " From " + strings.Join(g.dirs, ", ") + "."
	}
	return f
}

// note is what stands below each figure about where its numbers come from.
func (d *data) note() string {
	if names := d.synthetic(); len(names) > 0 {
		return "Synthetic population " + strings.Join(names, ", ") + ": simulated hosts, not a measurement of the Internet."
	}
	return ""
}

// synthetic gives the populations of the runs that were not on a real network.
func (d *data) synthetic() []string {
	var names []string
	for _, r := range d.runs {
		if name := r.Manifest.Synthetic; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
