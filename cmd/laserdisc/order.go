package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/target"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

func orderCommand() *cobra.Command {
	var ports string
	cmd := &cobra.Command{
		Use:   "order DIR... --ports PORTS",
		Short: "Print the greedy optimal order of handshakes (the paper's Table 2) for runs with --all-handshakes",
		Long: `Find the order in which to try handshakes so that few of them identify many services: repeatedly
the one that identifies the most services still unidentified, leaving out services that speak what
their port leads one to expect. DIR is what replay made.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := target.ParsePorts(ports, datasets.PortSets())
			if err != nil {
				return fmt.Errorf("--ports: %w", err)
			}
			from, err := openDatasets(args)
			if err != nil {
				return err
			}
			return printOrder(cmd, from, list, ports)
		},
	}
	cmd.Flags().StringVarP(&ports, "ports", "p", "assigned", `ports to look at: "assigned", "ephemeral", "paper", "all", or a list`)
	return cmd
}

func printOrder(cmd *cobra.Command, from []*analysis.Dataset, ports []uint16, list string) error {
	var first []string
	for _, d := range from {
		m := d.Manifest()
		if !m.AllHandshakes {
			return fmt.Errorf("%s: not every service was tried with every handshake, as a scan with --all-handshakes does: an order needs one", d.Dir())
		}
		first = append(first, m.Handshakes...)
	}
	responses := new(analysis.Responses)
	if err := analysis.FoldAll(cmd.Context(), from, responses); err != nil {
		return err
	}
	handshakes, all := responses.Patterns(first)
	on := analysis.On(all, ports)
	unexpected := analysis.Unexpected(on)
	steps := order.Greedy(analysis.Identified(unexpected), handshakes)
	if len(steps) == 0 {
		return fmt.Errorf("%s: no unexpected service was identified on the %d ports of %q", from[0].Dir(), len(ports), list)
	}
	w := cmd.OutOrStdout()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rank\thandshake\tgained\tcoverage\tcumulative\t")
	for _, s := range steps {
		fmt.Fprintf(table, "%d\t%s\t%d\t%.2f %%\t%.2f %%\t\n", s.Rank, s.Handshake, s.Gained, 100*s.Share, 100*s.CumulativeShare)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	acked, left := 0, 0
	for _, p := range unexpected {
		left += p.Services
		if p.AckedData {
			acked += p.Services
		}
	}
	services := 0
	for _, p := range on {
		services += p.Services
	}
	fmt.Fprintf(w, "n = %d services that some handshake identifies, of %d that sent or acknowledged data; expected protocols left out: %d\n",
		steps[len(steps)-1].Cumulative, acked, services-left)
	printSynthetic(cmd, from)
	return nil
}
