package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"laserdisc/capture/record"
	"laserdisc/reports"
)

func reportCommand() *cobra.Command {
	var out, sample string
	var width float64
	cmd := &cobra.Command{
		Use:   "report DIR|RUN... --out OUT",
		Short: "Draw the paper's figures and tables, and a page that shows them",
		Long: `Draw the paper's figures and tables from datasets, and a page that shows them. DIR is what replay
made; a RUN is played back first, into a dataset in OUT, which is no directory of a dataset or run itself.
Of a report that was made there before, report.json names the files; those that this one does not
write are removed, and no others.

--sample takes two small recorded scans of the lab that laserdisc carries along, and writes them to
OUT/sample; --sample=servers a capture of real servers in network namespaces.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if sample != "" && len(args) > 0 {
				return fmt.Errorf("--sample draws what laserdisc carries along, so that %s has no effect", args[0])
			}
			if sample != "" {
				return nil
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := reports.CheckOut(out); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			if sample != "" {
				var err error
				if args, err = playSample(ctx, sample, filepath.Join(out, "sample")); err != nil {
					return err
				}
			}
			list, damage := openDatasets(ctx, args, out, func(*record.Manifest) error { return nil })
			if damage != nil && !errors.As(damage, new(damageError)) {
				return damage
			}
			if err := reports.Write(ctx, out, list, width); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s/index.html\n", out)
			if err := printCaveats(cmd.OutOrStdout(), list); err != nil {
				return err
			}
			return damage
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for the report (made if missing)")
	cmd.Flags().StringVar(&sample, "sample", "", "draw what laserdisc carries along: lab or servers")
	cmd.Flags().Lookup("sample").NoOptDefVal = "lab"
	cmd.Flags().Float64Var(&width, "width", reports.DefaultWidth, "inches that the text of the page is wide, of two columns")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}
