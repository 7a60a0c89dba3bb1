package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/reports"
)

func reportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report DIR... --out OUT",
		Short: "Draw the paper's figures and tables from what replay made, and a page that shows them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := openDatasets(args)
			if err != nil {
				return err
			}
			if err := reports.Write(cmd.Context(), out, from); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s/index.html\n", out)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for the report (made if missing)")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// openDatasets opens what replay made.
func openDatasets(dirs []string) ([]*analysis.Dataset, error) {
	var list []*analysis.Dataset
	for _, dir := range dirs {
		if err := hasTables(dir); err != nil {
			return nil, err
		}
		d, err := analysis.Open(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// hasTables refuses what scan wrote, and replay did not.
func hasTables(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "services.parquet"))
	if errors.Is(err, fs.ErrNotExist) && record.Packets(dir) != "" {
		return fmt.Errorf("%s is a record without tables: laserdisc replay %s --out DIR makes them", dir, dir)
	}
	return nil
}

// printSynthetic says below a result whether it is one of simulated hosts.
func printSynthetic(cmd *cobra.Command, from []*analysis.Dataset) {
	for _, d := range from {
		if name := d.Manifest().Synthetic; name != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "synthetic population %s: no measurement of the Internet\n", name)
		}
	}
}
