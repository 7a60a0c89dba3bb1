package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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
				if onlyRecord(dir) {
					return fmt.Errorf("%s is a record without tables: laserdisc replay %s --out DIR makes them", dir, dir)
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

// onlyRecord tells whether dir is what scan wrote, and not what replay did.
func onlyRecord(dir string) bool {
	_, record := os.Stat(filepath.Join(dir, "packets.pcapng"))
	_, tables := os.Stat(filepath.Join(dir, "services.parquet"))
	return record == nil && errors.Is(tables, fs.ErrNotExist)
}
