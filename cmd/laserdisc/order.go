package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
	"laserdisc/replay"
	"laserdisc/replay/order"
)

func orderCommand() *cobra.Command {
	var ports string
	cmd := &cobra.Command{
		Use:   "order DIR|RUN --ports PORTS",
		Short: "Print the greedy optimal order of handshakes (the paper's Table 2) for a run with --all-handshakes",
		Long: `Find the order in which to try handshakes so that few of them identify many services: repeatedly
the one that identifies the most services still unidentified, leaving out services that speak what
their port leads one to expect. DIR is what replay made; a RUN is played back first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printOrder(cmd.OutOrStdout(), args[0], ports)
		},
	}
	cmd.Flags().StringVarP(&ports, "ports", "p", "assigned", `ports to look at: "assigned", "ephemeral", "paper", "all", or a list`)
	return cmd
}

func printOrder(w io.Writer, dir, list string) error {
	ports, err := target.ParsePorts(list, datasets.PortSets())
	if err != nil {
		return fmt.Errorf("--ports: %w", err)
	}
	m, err := record.LoadManifest(dir)
	if err != nil {
		return err
	}
	if !m.AllHandshakes {
		return fmt.Errorf("%s: not every service was tried with every handshake, as a scan with --all-handshakes does: an order needs one", dir)
	}
	trials := analysis.NewTrials(m.Handshakes)
	if err := eachAttempt(dir, trials.Add); err != nil {
		return err
	}
	services := order.On(trials.Order(datasets.Expected), ports)
	unexpected := order.Unexpected(services)
	steps := order.Greedy(unexpected, trials.Handshakes())
	if len(steps) == 0 {
		return fmt.Errorf("%s: no unexpected service was identified on the %d ports of %q", dir, len(ports), list)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rank\thandshake\tgained\tcoverage\tcumulative\t")
	for _, s := range steps {
		fmt.Fprintf(table, "%d\t%s\t%d\t%.2f %%\t%.2f %%\t\n", s.Rank, s.Handshake, s.Gained, 100*s.Share, 100*s.CumulativeShare)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "n = %d services that some handshake identifies, of %d that sent or acknowledged data; expected protocols left out: %d\n",
		steps[len(steps)-1].Cumulative, len(unexpected), len(services)-len(unexpected))
	if m.Synthetic != "" {
		fmt.Fprintf(w, "synthetic population %s: no measurement of the Internet\n", m.Synthetic)
	}
	return nil
}

// eachAttempt passes on the attempts in dir's table, or of dir's record if it has no table.
func eachAttempt(dir string, attempt func(*session.Attempt) error) error {
	path := filepath.Join(dir, "attempts.parquet")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return analysis.ReadAttempts(path, attempt)
	}
	result, err := replay.Run(dir, runtime.NumCPU())
	if err != nil {
		return err
	}
	if result.Difference != nil {
		return verdictError{result.Difference}
	}
	for _, a := range result.Attempts {
		if err := attempt(a); err != nil {
			return err
		}
	}
	return nil
}
