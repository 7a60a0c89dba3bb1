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
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// DefaultWidth is how wide the text of a page with two columns is, in inches: a USENIX paper's.
const DefaultWidth = 7

// Write makes the report of some datasets: their figures and index.html, in out, which is made if it does not exist, and which CheckOut
// must allow. Files of a report that was made there before are removed; report.json names those of this one. The figures
// are as wide as one or both columns of a page whose text is so many inches wide; an error if it is not 4 to 20. A
// service that is in several of them counts in the first only. Runs over different ports are not mixed where ports are
// compared: see exhibits.go for which runs a figure is made from.
func Write(ctx context.Context, out string, from []*analysis.Dataset, inches float64) error {
	if !(inches >= 4 && inches <= 20) {
		return fmt.Errorf("reports: a page cannot be %g inches wide: it must be 4 to 20", inches)
	}
	if err := CheckOut(out); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	page := layout{text: vg.Length(inches) * vg.Inch}
	all, err := load(from)
	if err != nil {
		return err
	}
	shown, err := all.exhibits(ctx, exhibits)
	if err != nil {
		return err
	}
	files := make(map[string][]byte)
	for _, s := range shown {
		if s.Lacks != nil {
			continue
		}
		if err := s.encode(page, files); err != nil {
			return fmt.Errorf("reports: %s: %w", s.Name, err)
		}
	}
	if files["index.html"], err = htmlPage(all, shown, page); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	if err := writeFiles(out, all.dirs(), files); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	return nil
}

// source is a dataset, with what the exhibits ask of its manifests.
type source struct {
	dataset   *analysis.Dataset
	Dir       string
	Manifests []*record.Manifest // of its runs, of which most have one
	ports     []uint16           // over which they were made, in order; none if their targets brought their own
}

func (s source) Digest() string   { return s.dataset.Digest() }
func (s source) Attempts() uint64 { return s.dataset.Attempts() }
func (s source) Services() uint64 { return s.dataset.Services() }

type sources []source

func load(from []*analysis.Dataset) (sources, error) {
	if len(from) == 0 {
		return nil, errors.New("reports: no run to report on")
	}
	var all sources
	for _, d := range from {
		s := source{dataset: d, Dir: d.Dir(), Manifests: d.Runs()}
		for _, m := range s.Manifests {
			ports, err := portsOf(m)
			if err != nil {
				return nil, fmt.Errorf("reports: %s: targets of a run: %w", d.Dir(), err)
			}
			s.ports = append(s.ports, ports...)
		}
		slices.Sort(s.ports)
		s.ports = slices.Compact(s.ports)
		all = append(all, s)
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
	Lacks       *selection // what the runs lack for it; nil if they have it, and then the rest is valid
	dirs        []string   // of the datasets that it is made from
	examples    []examples // services of these
	figure
}

// pass is folds over the same runs.
type pass struct {
	over  sources
	by    []counting
	folds map[counting]analysis.Fold
}

// want has the pass make a fold, of which it makes one of each *counted, and what has to be counted before.
func (p *pass) want(by counting) {
	if slices.Contains(p.by, by) {
		return
	}
	if before := by.first(); before != nil {
		p.want(before)
	}
	p.by = append(p.by, by)
}

// run counts: all folds at once that need nothing, and then those that need what these have counted.
func (p *pass) run(ctx context.Context) error {
	p.folds = make(map[counting]analysis.Fold)
	for len(p.folds) < len(p.by) {
		now := make(map[counting]analysis.Fold)
		var folds []analysis.Fold
		for _, by := range p.by {
			before, counted := p.folds[by.first()]
			if p.folds[by] == nil && (counted || by.first() == nil) {
				now[by] = by.fold(before, p.over)
				folds = append(folds, now[by])
			}
		}
		if err := analysis.FoldAll(ctx, p.over.datasets(), folds...); err != nil {
			return err
		}
		maps.Copy(p.folds, now)
	}
	return nil
}

// exhibits makes those of some exhibits that the runs allow, with as few passes over the same runs as that takes, and the one that
// compares them with the paper.
func (all sources) exhibits(ctx context.Context, exhibits []exhibit) ([]shown, error) {
	var passes []*pass
	of := make([][]*pass, len(exhibits)) // the passes of each exhibit, none if the runs lack something for it
	for i, e := range exhibits {
		for _, over := range e.counts(e.from.of(all)) {
			at := slices.IndexFunc(passes, func(p *pass) bool { return slices.EqualFunc(p.over, over, same) })
			if at < 0 {
				at = len(passes)
				passes = append(passes, &pass{over: over})
			}
			passes[at].want(e.by)
			of[i] = append(of[i], passes[at])
		}
	}
	for _, p := range passes {
		if err := p.run(ctx); err != nil {
			return nil, err
		}
	}
	services, err := all.examples(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]shown, len(exhibits))
	for i, e := range exhibits {
		list[i] = shown{Name: e.name, Title: e.title}
		if of[i] == nil {
			list[i].Lacks = &e.from
			continue
		}
		var over sources
		var folds []analysis.Fold
		for _, p := range of[i] {
			over, folds = append(over, p.over...), append(folds, p.folds[e.by])
		}
		f, err := e.draw(folds, over)
		if err != nil {
			return nil, fmt.Errorf("reports: %s: %w", e.name, err)
		}
		if f.table.Schema().HasField(lowColumn) {
			f.Caption += " " + intervals(cmp.Or(f.design, over.design()))
		}
		if n := over.runs(); n > 1 && !e.apart {
			f.Caption += fmt.Sprintf(" Of a service that is in several of the %d runs, the first one in the list below counts.", n)
		}
		if len(over) < len(all) {
			f.Caption += " From " + strings.Join(over.dirs(), ", ") + "."
		}
		f.note = over.note()
		list[i].figure, list[i].dirs = f, over.dirs()
		if f.behind != nil {
			for _, dir := range list[i].dirs {
				list[i].examples = append(list[i].examples, services[dir])
			}
		}
	}
	against, err := published(list)
	if err != nil {
		return nil, fmt.Errorf("reports: against the paper: %w", err)
	}
	against.note = all.note()
	return append(list, shown{Name: "published", Title: "Against the paper", figure: against}), nil
}

// design is that of the runs' sample, the zero one if they are several or none.
func (s sources) design() estimate.Design {
	if s.runs() != 1 {
		return estimate.Design{}
	}
	return analysis.DesignOf(s[0].Manifests[0])
}

// intervals says in a caption what the intervals of an exhibit rest on.
func intervals(d estimate.Design) string {
	if d == (estimate.Design{}) {
		return "What was probed is not one random sample, so that there are no intervals."
	}
	unit := "blocks"
	switch d.Unit {
	case estimate.ByService:
		unit = "services"
	case estimate.ByHost:
		unit = "hosts"
	}
	return fmt.Sprintf("Intervals at %.0f %%; sample: %s of %s %s, at random.", 100*estimate.Confidence,
		plotters.Thousands(int(d.Drawn)), plotters.Thousands(int(d.Of)), unit)
}

func same(a, b source) bool { return a.dataset == b.dataset }

func (s sources) datasets() []*analysis.Dataset {
	var list []*analysis.Dataset
	for _, one := range s {
		list = append(list, one.dataset)
	}
	return list
}

func (s sources) dirs() []string {
	var list []string
	for _, one := range s {
		list = append(list, one.Dir)
	}
	return list
}

func (s sources) runs() int {
	n := 0
	for _, one := range s {
		n += len(one.Manifests)
	}
	return n
}

// handshakes are those of all runs, in the order in which they were tried in the first that has them.
func (s sources) handshakes() []string {
	var list []string
	for _, one := range s {
		for _, m := range one.Manifests {
			for _, name := range m.Handshakes {
				if !slices.Contains(list, name) {
					list = append(list, name)
				}
			}
		}
	}
	return list
}

// synthetic gives the populations of the runs that were not on a real network.
func (s sources) synthetic() []string {
	var names []string
	for _, one := range s {
		for _, m := range one.Manifests {
			if name := m.Synthetic; name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// note is what stands below a figure about where its numbers come from.
func (s sources) note() string {
	if names := s.synthetic(); len(names) > 0 {
		return "Synthetic population " + strings.Join(names, ", ") + ": simulated hosts, not a measurement of the Internet."
	}
	return ""
}
