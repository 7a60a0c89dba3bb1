package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

// mergeMemory is what a merge stays within, in bytes: half of it are rows.
const mergeMemory = 1 << 30

func mergeCommand() *cobra.Command {
	var out string
	var apart bool
	cmd := &cobra.Command{
		Use:   "merge DATASET... --out DATASET",
		Short: "Make one dataset of several: of the shards of one scan, or of runs at several times and places",
		Long: `Make one dataset of several that replay made. Shards of one scan (--shard i/n) become that scan's
result; those that are missing are named. Other runs stay apart, as runs of one dataset: the column
run has their numbers, in the order of the arguments. Of a service that is in several runs, order,
report and allports count the first.

Shards that are not of one scan, such as those of another seed or with other handshakes, are
refused; with --runs they stay apart, as runs.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			var list []*analysis.Dataset
			for _, path := range args {
				d, err := openPlayedBack(path)
				if err != nil {
					return err
				}
				list = append(list, d)
			}
			if record.Packets(out) != "" {
				return fmt.Errorf("%s holds a record: name another directory", out)
			}
			debug.SetMemoryLimit(mergeMemory / 8 * 7)
			d, err := analysis.Merge(ctx, list, out, apart, analysis.Options{Memory: mergeMemory / 2})
			if errors.Is(err, analysis.ErrOtherScan) {
				return fmt.Errorf("%w; with --runs they stay apart, as runs of one dataset", err)
			}
			if err != nil {
				return err
			}
			describeMerged(cmd.OutOrStdout(), d)
			return printCaveats(cmd.OutOrStdout(), []*analysis.Dataset{d})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for the merged dataset (made if missing)")
	cmd.Flags().BoolVar(&apart, "runs", false, "keep shards apart, as runs")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// openPlayedBack opens a dataset. A record is none yet: its playback is worth keeping, beside the merged one.
func openPlayedBack(path string) (*analysis.Dataset, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || !analysis.IsDataset(path) && record.Packets(path) != "" {
		return nil, fmt.Errorf("%s is no dataset yet: laserdisc replay %s --out DATASET makes one of it", path, path)
	}
	return analysis.Open(path)
}

// describeMerged tells what a dataset was merged of.
func describeMerged(w io.Writer, d *analysis.Dataset) {
	m := d.Manifest()
	has := len(m.Shards)
	switch missing := m.Missing(); {
	case len(d.Runs()) > 1:
		fmt.Fprintf(w, "%d runs\n", len(d.Runs()))
	case missing != "":
		fmt.Fprintf(w, "%d of the %d shards of one scan; missing: %s\n", has, m.Sample.Shards, missing)
	case has > 0:
		fmt.Fprintf(w, "all %d shards of one scan\n", has)
	default:
		fmt.Fprintln(w, "1 run")
	}
	fmt.Fprintf(w, "%d services, %d attempts\n", d.Services(), d.Attempts())
	fmt.Fprintf(w, "digest %s\n", d.Digest())
}
