package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/reports/plotters"
)

func diffCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Print, service by service, what is another thing in B than in A",
		Long: `Set two datasets side by side service by service: which B found and A had not, which are gone, and which have
another state, label or software. A and B are each a directory that replay made, a RUN or a CAPTURE, which is
played back first: two days of the same targets, two vantage points, one record under two versions of this
program. (compare, beside this, sets two scans' numbers and costs side by side, and tests them.)

What one side did not probe is left out, and counted, where that side's manifest tells its targets. Of a dataset of
several runs, a service is what it is in that run in which it got furthest. Software is what the response
names: an SSH version, a Server field; a name that the other begins with may have been cut off, and is no difference.

--json prints a line for each service that differs instead: service, change (found, gone, changed), was, is.

The exit code is 0 if nothing differs and 1 if something does.`,
		Example: `  laserdisc diff monday tuesday
  laserdisc diff monday tuesday --json | jq -r 'select(.change == "gone").service'`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return withDatasets(ctx, args, func(*record.Manifest) error { return nil }, func(list []*analysis.Dataset) error {
				return printDiff(ctx, cmd.OutOrStdout(), args, list, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each service that differs")
	return cmd
}

// diffMemory is how many bytes of services diff holds; the others wait in temporary files.
const diffMemory = 256 << 20

// differences are what diff counts.
type differences struct {
	same, found, gone, changed uint64
	state, label, software     uint64    // of those that changed; one may have changed in several
	unprobed                   [2]uint64 // left out, because A, or B, did not probe them
	states, labels             map[[2]string]uint64
}

// printDiff sets two datasets side by side, as text or as lines of JSON.
func printDiff(ctx context.Context, w io.Writer, names []string, list []*analysis.Dataset, asJSON bool) error {
	var probed [2]func(netip.AddrPort) bool
	var untold []string
	for i, d := range list {
		var err error
		if probed[i], err = probedBy(d); err != nil {
			return fmt.Errorf("%s: targets: %w", names[i], err)
		}
		if probed[i] == nil {
			untold = append(untold, fmt.Sprintf("%s does not tell its targets: they are taken to be all of the other's", names[i]))
		}
	}
	d := differences{states: make(map[[2]string]uint64), labels: make(map[[2]string]uint64)}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	err := analysis.EachPairing(ctx, list[0], list[1], diffMemory, func(p analysis.Pairing) error {
		missing := -1 // the side that did not find it
		switch {
		case p.Was == nil:
			missing = 0
		case p.Is == nil:
			missing = 1
		}
		if missing >= 0 && probed[missing] != nil && !probed[missing](p.Service) {
			d.unprobed[missing]++
			return nil
		}
		if change := d.count(p); asJSON && change != "same" {
			return lines.Encode(diffLine{p.Service, change, sightingOf(p.Was), sightingOf(p.Is)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	differ := d.found + d.gone + d.changed
	if differ+d.same == 0 && d.unprobed != [2]uint64{} {
		return errors.New("nothing to compare: what each found, the other did not probe")
	}
	if asJSON {
		for _, text := range untold {
			fmt.Fprintln(os.Stderr, "laserdisc:", text)
		}
	} else if err := d.print(w, names, list, untold); err != nil {
		return err
	}
	if differ > 0 {
		if differ == 1 {
			return verdictError{errors.New("1 service differs")}
		}
		return verdictError{fmt.Errorf("%s services differ", plotters.Thousands(int(differ)))}
	}
	return nil
}

// probedBy tells which services a dataset's runs probed; nil if that is not known of each of them.
func probedBy(d *analysis.Dataset) (func(netip.AddrPort) bool, error) {
	type part struct {
		set *target.Set
		end uint64 // the first position that was not probed
	}
	var parts []part
	for _, run := range d.Runs() {
		for _, m := range run.Recorded() {
			if m.Targets == nil || m.Observed != nil || m.Partial != "" {
				return nil, nil
			}
			set, err := compileTargets(m)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part{set, set.Len() - min(m.NotProbed, set.Len())})
		}
	}
	return func(service netip.AddrPort) bool {
		return slices.ContainsFunc(parts, func(p part) bool {
			position, ok := p.set.PositionOf(service)
			return ok && position < p.end
		})
	}, nil
}

// count takes a service into account, and says how it changed.
func (d *differences) count(p analysis.Pairing) string {
	const nothing = "-"
	switch {
	case p.Was == nil:
		d.found++
		d.states[[2]string{nothing, p.Is.State.String()}]++
		d.labels[[2]string{nothing, labelOf(p.Is)}]++
		return "found"
	case p.Is == nil:
		d.gone++
		d.states[[2]string{p.Was.State.String(), nothing}]++
		d.labels[[2]string{labelOf(p.Was), nothing}]++
		return "gone"
	}
	d.states[[2]string{p.Was.State.String(), p.Is.State.String()}]++
	d.labels[[2]string{labelOf(p.Was), labelOf(p.Is)}]++
	state, label, software := p.Was.State != p.Is.State, p.Was.Label != p.Is.Label, otherSoftware(p.Was.Software, p.Is.Software)
	for counter, differs := range map[*uint64]bool{&d.state: state, &d.label: label, &d.software: software} {
		if differs {
			*counter++
		}
	}
	if !state && !label && !software {
		d.same++
		return "same"
	}
	d.changed++
	return "changed"
}

// otherSoftware reports whether two names are of different software. One that another begins with may have been cut off, with its
// response.
func otherSoftware(a, b string) bool {
	return a != b && (a == "" || b == "" || !strings.HasPrefix(a, b) && !strings.HasPrefix(b, a))
}

func labelOf(s *analysis.Sighting) string { return cmp.Or(s.Label, "none") }

func (d *differences) print(w io.Writer, names []string, list []*analysis.Dataset, untold []string) error {
	for i, one := range list {
		part := ""
		if slices.ContainsFunc(one.Runs(), func(m *record.Manifest) bool { return m.Partial != "" }) {
			part = ", a part of its record: what it lacks counts as found or gone"
		}
		if err := printf(w, "%c: %s (dataset %s%s)\n", 'A'+i, names[i], one.Digest()[:16], part); err != nil {
			return err
		}
	}
	for _, text := range untold {
		if err := printf(w, "%s\n", text); err != nil {
			return err
		}
	}
	err := writeTable(w, "services|", [][]string{
		{plotters.Thousands(int(d.same)), "the same"},
		{plotters.Thousands(int(d.changed)), "changed"},
		{plotters.Thousands(int(d.state)), "in state"},
		{plotters.Thousands(int(d.label)), "in label"},
		{plotters.Thousands(int(d.software)), "in software"},
		{plotters.Thousands(int(d.gone)), "gone"},
		{plotters.Thousands(int(d.found)), "found"},
		{plotters.Thousands(int(d.unprobed[1])), "not probed by B"},
		{plotters.Thousands(int(d.unprobed[0])), "not probed by A"},
	})
	if err != nil {
		return err
	}
	for _, matrix := range []struct {
		name  string
		cells map[[2]string]uint64
	}{{"state", d.states}, {"label", d.labels}} {
		if err := printConfusion(w, matrix.name, matrix.cells); err != nil {
			return err
		}
	}
	return printCaveats(w, list)
}

// printConfusion prints a confusion matrix, of which most cells are empty, by its others: one for each value in A what it is in B, the
// most first.
func printConfusion(w io.Writer, name string, cells map[[2]string]uint64) error {
	type cell struct {
		from, to string
		n        uint64
	}
	var list []cell
	for pair, n := range cells {
		list = append(list, cell{pair[0], pair[1], n})
	}
	slices.SortFunc(list, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.n, a.n), cmp.Compare(a.to, b.to))
	})
	var rows [][]string
	for _, c := range list {
		rows = append(rows, []string{c.from, c.to, plotters.Thousands(int(c.n))})
	}
	if len(rows) == 0 {
		return nil
	}
	if err := printf(w, "\n"); err != nil {
		return err
	}
	return writeTable(w, fmt.Sprintf("%s in A|in B|services", name), rows)
}

// diffLine is a service that differs, as a line of JSON.
type diffLine struct {
	Service netip.AddrPort `json:"service"`
	Change  string         `json:"change"` // "found", "gone" or "changed"
	Was     *sighting      `json:"was,omitempty"`
	Is      *sighting      `json:"is,omitempty"`
}

type sighting struct {
	State    string `json:"state"`
	Label    string `json:"label,omitempty"`
	Evidence string `json:"evidence,omitempty"`
	Software string `json:"software,omitempty"`
}

func sightingOf(s *analysis.Sighting) *sighting {
	if s == nil {
		return nil
	}
	line := &sighting{State: s.State.String(), Label: s.Label, Software: s.Software}
	if s.Label != "" {
		line.Evidence = s.Evidence.String()
	}
	return line
}
