package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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
			for _, dir := range args {
				if err := hasTables(dir); err != nil {
					return err
				}
			}
			if err := reports.Write(out, args); err != nil {
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

// hasTables refuses what scan wrote, and replay did not.
func hasTables(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "services.parquet"))
	if errors.Is(err, fs.ErrNotExist) && record.Packets(dir) != "" {
		return fmt.Errorf("%s is a record without tables: laserdisc replay %s --out DIR makes them", dir, dir)
	}
	return nil
}
