// Package reports draws the tables and figures of the LZR paper (Izhikevich, Teixeira, Durumeric, USENIX Security
// 2021) from the datasets of one or more runs, with the published values beside the measured ones where the paper gives
// them.
//
// exhibits.go has them all in one ordered table: what each needs of the runs, and the function that makes it of what a
// fold of package analysis counted. That function gives the numbers as a small Arrow table, of which the CSV is printed,
// and a gonum plot of them, which is written as PNG, SVG and PDF. All four are the same bytes each time. A page shows
// the exhibits, and says of those that are missing what would give them.
//
// A new figure is a fold in analysis, if none there counts what it shows, a file here, and a line in exhibits.go.
package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// Write makes the report of some runs: their figures and index.html, in out, which is made if it does not exist. A
// service that is in several runs counts in the first only. Runs over different ports are not mixed where ports are
// compared: see exhibits.go for which runs a figure is made from.
func Write(ctx context.Context, out string, from []*analysis.Dataset) error {
	all, err := load(from)
	if err != nil {
		return err
	}
	shown, err := all.exhibits(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	for _, s := range shown {
		if s.Lacks != nil {
			continue
		}
		if err := s.write(out); err != nil {
			return fmt.Errorf("reports: %s: %w", s.Name, err)
		}
	}
	if err := writePage(filepath.Join(out, "index.html"), all, shown); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	return nil
}

// run is a dataset, with what the exhibits ask of its manifest.
type run struct {
	dataset  *analysis.Dataset
	Dir      string
	Manifest *record.Manifest
	ports    []uint16 // over which it was made, in order; none if its targets brought their own
}

type runs []run

func load(from []*analysis.Dataset) (runs, error) {
	if len(from) == 0 {
		return nil, errors.New("reports: no run to report on")
	}
	var all runs
	for _, d := range from {
		ports, err := portsOf(d.Manifest())
		if err != nil {
			return nil, fmt.Errorf("reports: %s: targets in manifest.json: %w", d.Dir(), err)
		}
		all = append(all, run{d, d.Dir(), d.Manifest(), ports})
	}
	return all, nil
}

// portsOf gives the ports of a run's target specification, in order; none if its targets bring their own.
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

// shown is an exhibit as a report has it.
type shown struct {
	Name, Title string
	Lacks       *selection // what the runs lack for it; nil if they have it, and then the figure is valid
	figure
}

// pass is folds that see the same runs at once.
type pass struct {
	over  runs
	folds []analysis.Fold
}

// fold gives the pass's fold for an exhibit: there is one of each type.
func (p *pass) fold(e exhibit) analysis.Fold {
	fold := e.fold()
	for _, f := range p.folds {
		if reflect.TypeOf(f) == reflect.TypeOf(fold) {
			return f
		}
	}
	p.folds = append(p.folds, fold)
	return fold
}

// exhibits makes every exhibit that the runs allow, in one pass over the same runs.
func (all runs) exhibits(ctx context.Context) ([]shown, error) {
	var passes []*pass
	of := make([]*pass, len(exhibits)) // the pass of each exhibit, nil if the runs lack something for it
	for i, e := range exhibits {
		over := e.from.of(all)
		if len(over) == 0 {
			continue
		}
		at := slices.IndexFunc(passes, func(p *pass) bool { return slices.EqualFunc(p.over, over, same) })
		if at < 0 {
			at = len(passes)
			passes = append(passes, &pass{over: over})
		}
		of[i] = passes[at]
		of[i].fold(e)
	}
	for _, p := range passes {
		if err := analysis.FoldAll(ctx, p.over.datasets(), p.folds...); err != nil {
			return nil, err
		}
	}
	list := make([]shown, len(exhibits))
	for i, e := range exhibits {
		list[i] = shown{Name: e.name, Title: e.title}
		if of[i] == nil {
			list[i].Lacks = &e.from
			continue
		}
		over := of[i].over
		f, err := e.draw(of[i].fold(e), over)
		if err != nil {
			return nil, fmt.Errorf("reports: %s: %w", e.name, err)
		}
		if len(over) < len(all) {
			f.Caption += " From " + strings.Join(over.dirs(), ", ") + "."
		}
		f.note = over.note()
		list[i].figure = f
	}
	return list, nil
}

func same(a, b run) bool { return a.dataset == b.dataset }

func (r runs) datasets() []*analysis.Dataset {
	var list []*analysis.Dataset
	for _, one := range r {
		list = append(list, one.dataset)
	}
	return list
}

func (r runs) dirs() []string {
	var list []string
	for _, one := range r {
		list = append(list, one.Dir)
	}
	return list
}

// handshakes are those of all runs, in the order in which they were tried in the first that has them.
func (r runs) handshakes() []string {
	var list []string
	for _, one := range r {
		for _, name := range one.Manifest.Handshakes {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// synthetic gives the populations of the runs that were not on a real network.
func (r runs) synthetic() []string {
	var names []string
	for _, one := range r {
		if name := one.Manifest.Synthetic; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// note is what stands below a figure about where its numbers come from.
func (r runs) note() string {
	if names := r.synthetic(); len(names) > 0 {
		return "Synthetic population " + strings.Join(names, ", ") + ": simulated hosts, not a measurement of the Internet."
	}
	return ""
}
