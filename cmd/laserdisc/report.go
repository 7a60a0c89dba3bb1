package main

import (
	"fmt"

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
