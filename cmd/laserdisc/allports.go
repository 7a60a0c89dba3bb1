package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
)

func allPortsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "allports DIR...",
		Short: "Print how many ephemeral probes it takes to tell all-ports firewalls, for runs with --ephemeral-probes",
		Long: `For 1, 2, ... ephemeral probes, up to as many as the runs made: how many hosts acknowledged data on
all of them, and which share of the services that acknowledge data and say nothing is theirs. DIR
is what replay made.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printAllPorts(cmd.Context(), cmd.OutOrStdout(), args...)
		},
	}
}

func printAllPorts(ctx context.Context, w io.Writer, dirs ...string) error {
	from, err := openDatasets(dirs)
	if err != nil {
		return err
	}
	for _, d := range from {
		if d.Manifest().EphemeralProbes == 0 {
			return fmt.Errorf("%s: the scan was made without --ephemeral-probes", d.Dir())
		}
	}
	fold := new(analysis.AllPorts)
	if err := analysis.FoldAll(ctx, from, fold); err != nil {
		return err
	}
	steps, hosts, services := fold.Steps()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "probes\thosts\tshare of hosts\tservices\tshare of services\t")
	for _, s := range steps {
		fmt.Fprintf(table, "%d\t%d\t%.2f %%\t%d\t%.2f %%\t\n", s.Probes, s.Hosts, percent(uint64(s.Hosts), uint64(hosts)),
			s.Services, percent(uint64(s.Services), uint64(services)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "n = %d hosts that acknowledged data and said nothing, %d services\n", hosts, services)
	return err
}
