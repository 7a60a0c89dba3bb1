package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

// openDatasets opens datasets, and plays back what is a run or a capture, into directories in dir. What a command needs of
// a run, it checks before that is played back; its error follows the run's name. With a damageError there are datasets of what
// could be read.
func openDatasets(ctx context.Context, paths []string, dir string, check func(*record.Manifest) error) ([]*analysis.Dataset, error) {
	debug.SetGCPercent(400) // for a pass over tables leaves one row group's columns after another, and keeps some megabytes
	var list []*analysis.Dataset
	var damage error
	for i, path := range paths {
		d, err := openDataset(ctx, path, filepath.Join(dir, fmt.Sprintf("tables-%d", i+1)), check)
		if errors.As(err, new(damageError)) {
			damage, err = cmp.Or(damage, err), nil
		}
		if err != nil {
			return nil, err
		}
		for _, m := range d.Runs() {
			if err := check(m); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		list = append(list, d)
	}
	return list, damage
}

func openDataset(ctx context.Context, path, tables string, check func(*record.Manifest) error) (*analysis.Dataset, error) {
	info, err := os.Stat(path)
	if err != nil && path != record.StandardInput {
		return nil, err
	}
	if info != nil && info.IsDir() {
		if analysis.IsDataset(path) || !record.IsRun(path) {
			return analysis.Open(path)
		}
		m, err := record.LoadManifest(path)
		if err != nil {
			return nil, err
		}
		if err := check(m); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	result, d, err := play(ctx, []string{path}, tables, replayOptions{workers: runtime.NumCPU(), memory: 1 << 30})
	if err == nil && result.Difference != nil {
		err = verdictError{result.Difference}
	}
	if err == nil && result.Damage != nil {
		err = verdictError{result.Damage}
		if result.Manifest.Observed != nil {
			err = damageError{fmt.Errorf("not all of the capture could be read: %w", result.Damage)}
		}
	}
	return d, err
}

// withDatasets does something with datasets that are played back for it alone.
func withDatasets(ctx context.Context, paths []string, check func(*record.Manifest) error, do func([]*analysis.Dataset) error) error {
	dir, err := os.MkdirTemp("", "laserdisc-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	list, damage := openDatasets(ctx, paths, dir, check)
	if damage != nil && !errors.As(damage, new(damageError)) {
		return damage
	}
	if err := do(list); err != nil {
		return err
	}
	return damage
}

// printCaveats says below a result what it is not: of the whole scan, of the Internet.
func printCaveats(w io.Writer, from []*analysis.Dataset) error {
	var populations []string
	for _, d := range from {
		for i, m := range d.Runs() {
			name := d.Dir()
			if len(d.Runs()) > 1 {
				name = fmt.Sprintf("%s, run %d", name, i)
			}
			if m.Synthetic != "" && !slices.Contains(populations, m.Synthetic) {
				populations = append(populations, m.Synthetic)
			}
			for _, caveat := range m.Caveats() {
				if _, err := fmt.Fprintf(w, "%s: %s\n", name, caveat); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range populations {
		if _, err := fmt.Fprintf(w, "synthetic population %s: no measurement of the Internet\n", name); err != nil {
			return err
		}
	}
	return nil
}
