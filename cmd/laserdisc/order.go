package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/datasets"
	"laserdisc/replay/order"
)

func orderCommand() *cobra.Command {
	var ports, identify, weight string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "order DIR|RUN... --ports PORTS",
		Short: "Print the greedy optimal order of handshakes (the paper's Table 2) for runs with --all-handshakes",
		Long: `Find the order in which to try handshakes so that few of them identify many services: repeatedly
the one that identifies the most services still unidentified. DIR is what replay made; a RUN is played
back first.

Counted are the services that sent or acknowledged data: those of services.parquet whose state is
sends_data or acks_data. Left out are those that speak what their port leads one to expect. So it is
neither those that only a fresh source got an answer from, nor those of hosts that acknowledge data
on every port, if the scan looked for that (--ephemeral-probes).

  --identify answer   a handshake identifies a service if what it drew is certainly or likely some
                      protocol's, of whatever protocol
  --identify own      if it is that of the handshake, and the service's label too: tls-legacy
                      identifies tls, wait the protocols whose server speaks first
  --weight service    every service counts alike
  --weight port       every port counts alike: a service counts for one part of the services on its
                      port that some handshake identifies

The order: "gained" is how many services a handshake identifies that none before it does, "coverage"
the share that this is of all that can be identified, as they count; it is between "from" and "to" in
95 % of 1,000 resamples of the hosts (bootstrap, percentiles). "at rank" is the share of the resamples
whose own greedy order has the handshake at this rank; the table of ranks has all ranks.

Beside it: "optimum" is the cumulative coverage of the best choice of so many handshakes, for up to 5,
and "gap" how much more that is; "held out" that of greedy orders learnt on nine tenths of the hosts, on
the tenth. What it takes to try the handshake on all services that are left, for each service gained:
"packets" that we send, from the SYN to the reset; "bytes" of these, with 40 of headers each (IPv6: 60)
and the handshake once; "seconds" from the SYN to the attempt's end. The orders by packets, bytes and
seconds take next what gains the most for its cost.

The adaptive order tries at most 5 handshakes, by the class of the port (the protocol that is expected
there, ephemeral, unassigned) and by what the ones before showed: nothing acknowledged, acks_data, or
sends_data that identifies nothing. It tells apart what 50 services tell. What it saves against the
first 5 of the order is counted on hosts that neither was learnt from, tenth by tenth: in handshakes
for each service identified, those tried in vain included.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := target.ParsePorts(ports, datasets.PortSets())
			if err != nil {
				return fmt.Errorf("--ports: %w", err)
			}
			counting := analysis.Counting{Ports: list, Seed: seed}
			if counting.Own, err = oneOf("identify", identify, "answer", "own"); err != nil {
				return err
			}
			if counting.ByPort, err = oneOf("weight", weight, "service", "port"); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return withDatasets(ctx, args, triesAll, func(d []*analysis.Dataset) error {
				err := printOrder(ctx, cmd.OutOrStdout(), d, counting)
				if errors.Is(err, errNoOrder) {
					return fmt.Errorf("%w on the %d ports of %q", err, len(list), ports)
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&ports, "ports", "p", "assigned", `ports to look at: "assigned", "ephemeral", "paper", "all", or a list`)
	f.StringVar(&identify, "identify", "answer", `what a handshake identifies: what it makes "answer", or services of its "own" protocol`)
	f.StringVar(&weight, "weight", "service", `what counts alike: every "service", or every "port"`)
	f.Uint64Var(&seed, "seed", 1, "seed of the resamples and tenths of hosts: another one shows what chance does to them")
	return cmd
}

// oneOf reads a flag that has two values, and reports whether it is the second.
func oneOf(flag, value, first, second string) (bool, error) {
	if value != first && value != second {
		return false, fmt.Errorf("--%s: %q is neither %s nor %s", flag, value, first, second)
	}
	return value == second, nil
}

// triesAll refuses a run that an order cannot be computed for.
func triesAll(m *record.Manifest) error {
	if !m.AllHandshakes {
		return errors.New("not every service was tried with every handshake, as a scan with --all-handshakes does: an order needs one")
	}
	return nil
}

// sameHandshakes reports whether two runs tried the same, in whatever order.
func sameHandshakes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

var errNoOrder = errors.New("no unexpected service was identified")

// fewServices is how many identified services make an order that is not to be relied on without a word.
const fewServices = 200

// exactSteps is up to how many handshakes the best choice is looked for.
const exactSteps = 5

func printOrder(ctx context.Context, w io.Writer, from []*analysis.Dataset, counting analysis.Counting) error {
	counting.Handshakes = from[0].Manifest().Handshakes
	for _, d := range from {
		for _, m := range d.Runs() {
			if !sameHandshakes(m.Handshakes, counting.Handshakes) {
				return fmt.Errorf("%s tried %s, and %s tried %s: what was not tried everywhere has no place in one order",
					d.Dir(), strings.Join(m.Handshakes, ","), from[0].Dir(), strings.Join(counting.Handshakes, ","))
			}
		}
	}
	trials := analysis.NewTrials(counting)
	if err := analysis.FoldAll(ctx, from, trials); err != nil {
		return err
	}
	o, err := trials.Outcomes(0)
	if err != nil {
		return err
	}
	steps := order.Greedy(order.Patterns(o.Services), o.Handshakes)
	if len(steps) == 0 {
		return errNoOrder
	}
	bootstrap := o.Bootstrap(steps)
	acked := 0
	for _, s := range o.Services {
		acked += s.Services
	}
	n := steps[len(steps)-1].Cumulative

	err = errors.Join(
		printSteps(w, steps, bootstrap),
		printf(w, "n = %d services that some handshake identifies, of %d that sent or acknowledged data; expected protocols left out: %d\n",
			n, acked, o.Expected))
	if n < fewServices {
		err = errors.Join(err, printf(w, "warning: fewer than %d services identified: few hosts decide ranks and shares\n", fewServices))
	}
	return errors.Join(err, printCaveats(w, from),
		printRanks(w, bootstrap),
		printWorth(w, o, steps),
		printByCost(w, o, steps),
		printAdaptive(w, o))
}

func printf(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return err
}

// writeTable writes rows of cells under a head, aligned to the right. A cell that is empty is "-".
func writeTable(w io.Writer, head string, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, strings.ReplaceAll(head, "|", "\t")+"\t")
	for _, cells := range rows {
		for _, cell := range cells {
			fmt.Fprint(table, cmp.Or(cell, "-"), "\t")
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

func inPercent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

func printSteps(w io.Writer, steps []order.Step, b *analysis.Bootstrap) error {
	var rows [][]string
	for i, s := range steps {
		rows = append(rows, []string{fmt.Sprint(s.Rank), s.Handshake, fmt.Sprint(s.Gained), inPercent(s.Share),
			inPercent(b.Gains[i].Lo), inPercent(b.Gains[i].Hi), inPercent(s.CumulativeShare), fmt.Sprintf("%.0f %%", 100*float64(b.At(i, i))/analysis.Resamples)})
	}
	return writeTable(w, "rank|handshake|gained|coverage|from|to|cumulative|at rank", rows)
}

// printRanks tells how often each handshake has each rank.
func printRanks(w io.Writer, b *analysis.Bootstrap) error {
	var rows [][]string
	for i, name := range b.Handshakes {
		cells, later, all := []string{name}, 0, 0
		for rank, n := range b.Ranks[i] {
			all += n
			if rank >= exactSteps {
				later += n
			}
		}
		for rank := range exactSteps {
			cells = append(cells, often(b.At(i, rank)))
		}
		rows = append(rows, append(cells, often(later), often(analysis.Resamples-all)))
	}
	return errors.Join(printf(w, "\nRanks in %d resamples of the hosts, in percent:\n", analysis.Resamples),
		writeTable(w, "handshake|1|2|3|4|5|later|never", rows))
}

// often is a number of resamples in percent, nothing for none.
func often(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", 100*float64(n)/analysis.Resamples)
}

// printWorth puts the order beside the best choice, hosts that it was not learnt from, and what it costs.
func printWorth(w io.Writer, o *analysis.Outcomes, steps []order.Step) error {
	var rows [][]string
	patterns := order.Patterns(o.Services)
	prices, held := order.Prices(steps, o.Services, o.Handshakes), o.HeldOut(len(steps))
	for i, s := range steps {
		optimum, gap := "", ""
		if i < exactSteps {
			best := order.Exact(patterns, o.Handshakes, i+1).Share
			optimum, gap = inPercent(best), inPercent(best-s.CumulativeShare)
		}
		rows = append(rows, []string{fmt.Sprint(s.Rank), s.Handshake, optimum, gap, inPercent(held[i]),
			fmt.Sprintf("%.1f", prices[i].Packets), fmt.Sprintf("%.0f", prices[i].Bytes), fmt.Sprintf("%.2f", prices[i].Seconds)})
	}
	return errors.Join(printf(w, "\nCumulative coverage, optimal and held out; what each service gained takes:\n"),
		writeTable(w, "rank|handshake|optimum|gap|held out|packets|bytes|seconds", rows))
}

// printByCost puts the orders by cost beside that by count.
func printByCost(w io.Writer, o *analysis.Outcomes, steps []order.Step) error {
	orders := [][]order.Step{steps}
	for _, unit := range []order.Unit{order.InPackets, order.InBytes, order.InSeconds} {
		orders = append(orders, order.Cheapest(o.Services, o.Handshakes, unit))
	}
	var rows [][]string
	for i := range slices.MaxFunc(orders, func(a, b []order.Step) int { return len(a) - len(b) }) {
		cells := []string{fmt.Sprint(i + 1)}
		for _, steps := range orders {
			if i < len(steps) {
				cells = append(cells, steps[i].Handshake)
			} else {
				cells = append(cells, "") // nothing is left to gain
			}
		}
		rows = append(rows, cells)
	}
	return errors.Join(printf(w, "\nThe order by count, and by cost:\n"), writeTable(w, "rank|by count|by packets|by bytes|by seconds", rows))
}

// printAdaptive prints the adaptive order, and what it saves against the fixed one.
func printAdaptive(w io.Writer, o *analysis.Outcomes) error {
	fixed, adaptive, all := o.Efforts()
	if fixed.Identified == 0 || adaptive.Identified == 0 {
		return printf(w, "\nToo few services to learn an order on some hosts and try it on others.\n")
	}
	return printf(w, `
At most %d handshakes, held out: tried for each service identified, and coverage:
     fixed  %.2f  %s
  adaptive  %.2f  %s  saves %.1f %%
The adaptive order:
%s`, order.Depth, fixed.PerService(), inPercent(fixed.Identified/all), adaptive.PerService(), inPercent(adaptive.Identified/all),
		100*(1-adaptive.PerService()/fixed.PerService()), order.Adapt(o.Services, o.Handshakes))
}
