package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"laserdisc/datasets"
)

// samples are what datasets.Sample has of each kind: runs, and captures.
var samples = map[string][]string{
	"lab":     {"ports", "all"},
	"servers": {"servers.pcapng.zst"},
}

// playSample writes a sample into dir, plays it back, and returns the datasets that are made of it.
func playSample(ctx context.Context, name, dir string) ([]string, error) {
	list, ok := samples[name]
	if !ok {
		return nil, fmt.Errorf("--sample %s: there are lab and servers", name)
	}
	if err := writeTree(dir, datasets.Sample()); err != nil {
		return nil, err
	}
	o := replayOptions{workers: runtime.NumCPU(), memory: 1 << 30}
	if name == "lab" {
		o.ases = filepath.Join(dir, "ases.txt")
	}
	var tables []string
	for _, s := range list {
		short, _, _ := strings.Cut(s, ".")
		out := filepath.Join(dir, short+"-tables")
		result, _, err := play(ctx, []string{filepath.Join(dir, s)}, out, o)
		if err != nil {
			return nil, err
		}
		if result.Difference != nil {
			return nil, verdictError{result.Difference}
		}
		tables = append(tables, out)
	}
	return tables, nil
}

// writeTree writes the files of a tree into dir, over those of the same names.
func writeTree(dir string, tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if e.IsDir() {
			return os.MkdirAll(to, 0o777)
		}
		content, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o666)
	})
}
