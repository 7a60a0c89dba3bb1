package main

import (
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

func allPortsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "allports DIR",
		Short: "Print how many ephemeral probes it takes to tell all-ports firewalls, for a run with --ephemeral-probes",
		Long: `For 1, 2, ... ephemeral probes, up to as many as the run made: how many hosts acknowledged data on
all of them, and which share of the services that acknowledge data and say nothing is theirs. DIR
is what replay made.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return printAllPorts(cmd.OutOrStdout(), args[0]) },
	}
}

func printAllPorts(w io.Writer, dir string) error {
	m, err := record.LoadManifest(dir)
	if err != nil {
		return err
	}
	if m.EphemeralProbes == 0 {
		return fmt.Errorf("%s: the scan was made without --ephemeral-probes", dir)
	}
	if err := hasTables(dir); err != nil {
		return err
	}
	acked := make(map[netip.Addr]int) // by host: how many of its probes were acknowledged before one was not
	err = eachAttempt(dir, func(a *session.Attempt) error {
		if a.Visit != session.Ephemeral {
			return nil
		}
		host := a.Service.Addr()
		if _, ok := acked[host]; !ok {
			acked[host] = m.EphemeralProbes
		}
		if a.State < session.AcksData {
			acked[host] = min(acked[host], a.Number)
		}
		return nil
	})
	if err != nil {
		return err
	}
	unknown := make(map[netip.Addr]int)
	total := 0
	err = analysis.ReadServices(filepath.Join(dir, "services.parquet"), func(s *session.Service) error {
		if s.State == session.AcksData || s.State == session.AllPorts {
			unknown[s.Service.Addr()]++
			total++
		}
		return nil
	})
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "probes\thosts\tshare of hosts\tservices\tshare of services\t")
	for k := 1; k <= m.EphemeralProbes; k++ {
		hosts, services := 0, 0
		for host, n := range acked {
			if n >= k {
				hosts++
				services += unknown[host]
			}
		}
		fmt.Fprintf(table, "%d\t%d\t%.2f %%\t%d\t%.2f %%\t\n", k, hosts, percent(uint64(hosts), uint64(len(acked))), services, percent(uint64(services), uint64(total)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "n = %d hosts that acknowledged data and said nothing, %d services\n", len(acked), total)
	return err
}
