// Package reports draws the tables and figures of the LZR paper (Izhikevich, Teixeira, Durumeric,
// USENIX Security 2021) from the tables of one or more runs, with the published values beside the
// measured ones where the paper gives them.
//
// Each figure has a file of its own with the function that computes its values and the one that
// draws them. Every figure is written as PNG, SVG and PDF, and the numbers behind it as CSV; all
// four are the same bytes each time.
package reports

import (
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
)

// Write makes the report of the runs in dirs, each with manifest.json, services.parquet and
// attempts.parquet as `laserdisc replay` leaves them: the figures and index.html, in out, which
// is made if it does not exist. A service that is in several runs counts in the first only. What
// needs every handshake tried (Figure 10, Table 2) is made from the runs with --all-handshakes,
// and left out where there are none.
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
	census census
	trials *analysis.Trials // nil if no run tried every handshake
}

type run struct {
	Dir      string
	Manifest *record.Manifest
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
	d := &data{census: make(census)}
	counted, tried := make(firstRun), make(firstRun)
	for i, dir := range dirs {
		m, err := record.LoadManifest(dir)
		if err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		d.runs = append(d.runs, run{dir, m})
		if err := d.count(dir, counted.is(i)); err != nil {
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
	return d, nil
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

func (d *data) count(dir string, counts func(netip.AddrPort) bool) error {
	return analysis.ReadServices(filepath.Join(dir, "services.parquet"), func(s *session.Service) error {
		if counts(s.Service) {
			k := kind{port: s.Service.Port(), state: s.State}
			if s.Evidence >= handshake.Likely {
				k.label = s.Label
			}
			d.census[k]++
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

// figures makes every figure that the data allows, in the paper's order.
func (d *data) figures() []figure {
	note := d.note()
	figures := []figure{
		figure05(stackPorts(d.census), note),
		figure09(coverProtocols(d.census), note),
	}
	if d.trials != nil {
		figures = append(figures, figure10(fillMatrix(d.trials), note), table2(bestOrders(d.trials), note))
	}
	return figures
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
