package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
)

func allPortsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "allports DIR|RUN...",
		Short: "Print how many ephemeral probes it takes to tell all-ports firewalls, for runs with --ephemeral-probes",
		Long: `For 1, 2, ... ephemeral probes, up to as many as the runs made: how many hosts acknowledged data on
all of them, and which share of the services that acknowledge data and say nothing is theirs. DIR
is what replay made; a RUN is played back first.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return withDatasets(ctx, args, probesEphemeral, func(d []*analysis.Dataset) error {
				return printAllPorts(ctx, cmd.OutOrStdout(), d...)
			})
		},
	}
}

// probesEphemeral refuses a run that says nothing of all-ports firewalls.
func probesEphemeral(m *record.Manifest) error {
	if m.EphemeralProbes == 0 {
		return errors.New("the scan was made without --ephemeral-probes")
	}
	return nil
}

func printAllPorts(ctx context.Context, w io.Writer, from ...*analysis.Dataset) error {
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
	if _, err := fmt.Fprintf(w, "n = %d hosts that acknowledged data and said nothing, %d services\n", hosts, services); err != nil {
		return err
	}
	return printCaveats(w, from)
}
