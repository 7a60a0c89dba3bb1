package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

func orderCommand() *cobra.Command {
	var ports string
	cmd := &cobra.Command{
		Use:   "order DIR|RUN... --ports PORTS",
		Short: "Print the greedy optimal order of handshakes (the paper's Table 2) for runs with --all-handshakes",
		Long: `Find the order in which to try handshakes so that few of them identify many services: repeatedly
the one that identifies the most services still unidentified, leaving out services that speak what
their port leads one to expect. DIR is what replay made; a RUN is played back first.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := target.ParsePorts(ports, datasets.PortSets())
			if err != nil {
				return fmt.Errorf("--ports: %w", err)
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return withDatasets(ctx, args, triesAll, func(d []*analysis.Dataset) error {
				err := printOrder(ctx, cmd.OutOrStdout(), d, list)
				if errors.Is(err, errNoOrder) {
					return fmt.Errorf("%w on the %d ports of %q", err, len(list), ports)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&ports, "ports", "p", "assigned", `ports to look at: "assigned", "ephemeral", "paper", "all", or a list`)
	return cmd
}

// triesAll refuses a run that an order cannot be computed for.
func triesAll(m *record.Manifest) error {
	if !m.AllHandshakes {
		return errors.New("not every service was tried with every handshake, as a scan with --all-handshakes does: an order needs one")
	}
	return nil
}

var errNoOrder = errors.New("no unexpected service was identified")

func printOrder(ctx context.Context, w io.Writer, from []*analysis.Dataset, ports []uint16) error {
	responses := new(analysis.Responses)
	if err := analysis.FoldAll(ctx, from, responses); err != nil {
		return err
	}
	var handshakes, populations []string
	for _, d := range from {
		for _, m := range d.Runs() {
			handshakes = append(handshakes, m.Handshakes...)
			if m.Synthetic != "" && !slices.Contains(populations, m.Synthetic) {
				populations = append(populations, m.Synthetic)
			}
		}
	}
	handshakes, patterns := responses.Patterns(handshakes)
	on := analysis.On(patterns, ports)
	unexpected := analysis.Unexpected(on)
	steps := order.Greedy(analysis.Identified(unexpected), handshakes)
	if len(steps) == 0 {
		return errNoOrder
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rank\thandshake\tgained\tcoverage\tcumulative\t")
	for _, s := range steps {
		fmt.Fprintf(table, "%d\t%s\t%d\t%.2f %%\t%.2f %%\t\n", s.Rank, s.Handshake, s.Gained, 100*s.Share, 100*s.CumulativeShare)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	acked, expected := 0, 0
	for _, p := range on {
		expected += p.Services
	}
	for _, p := range unexpected {
		expected -= p.Services
		if p.AckedData {
			acked += p.Services
		}
	}
	fmt.Fprintf(w, "n = %d services that some handshake identifies, of %d that sent or acknowledged data; expected protocols left out: %d\n",
		steps[len(steps)-1].Cumulative, acked, expected)
	for _, name := range populations {
		fmt.Fprintf(w, "synthetic population %s: no measurement of the Internet\n", name)
	}
	return nil
}
