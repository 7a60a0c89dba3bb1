package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/analysis/predict"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// predictOptions are the flags of predict.
type predictOptions struct {
	known  string
	probes int
	out    string
	csv    string
}

func predictCommand() *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict DIR|RUN",
		Short: "Predict from a sample of hosts which ports of others are worth a probe, and write them as a list that scan takes",
		Long: `Learn from a scan of a sample of hosts on all ports (--sample-by host) which services come together,
after GPS (Izhikevich et al., SIGCOMM 2022). DIR is what replay made; a RUN is played back first.
Counted are services that sent data. A host that has one on more than 100 ports, and on more than a
tenth of all, is left out.

The plan is to probe a few ports on every address first, the most popular ones, and then on each host
that was found what its services predict, in the order of the expected yield: by a service's port, port
and label, these in the host's AS (if the tables have it) and /24, and how popular its port is. Of
several the one that promises the most counts. At least 3 hosts of the sample must have it; what fewer
than 3 have besides is predicted by the popularity of the port alone.

It is tried on each tenth of the sample's hosts with what the other nine tell. The table has how many
probes to each address find a share of all services: in random order (exhaustive), port by port by
popularity, and by the plan with so many ports first. "effective networks" is as how many /24s of one
size those of the sample vary, in which share of their services is on the first ports; below 50 there
is a warning, for one gateway can then be most of what is found.

With --known, a scan of other hosts on the first ports, --probes and --out, LIST has the next probes,
ADDRESS:PORT a line, the highest yield first: laserdisc scan takes it. (It permutes them: for a scan
in the order of the list, scan one part of it after the other.) "expected" is the share of them that
find a service, as on the tenths that nothing was learnt from, with an interval over hosts of 95 %.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if given := cmd.Flags().Changed; given("known") != given("probes") || given("known") != given("out") {
				return errors.New("--known, --probes and --out go together: the list is of so many probes on the hosts that are known")
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return withDatasets(ctx, args, sampledByHost, func(d []*analysis.Dataset) error {
				return o.run(ctx, cmd.OutOrStdout(), d[0])
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.known, "known", "", "scan of hosts on the first ports, a dataset or a run: predict what else they have")
	f.IntVar(&o.probes, "probes", 0, "how many probes to predict")
	f.StringVarP(&o.out, "out", "o", "", "file for the list of them")
	f.StringVar(&o.csv, "csv", "", "file for the curves of the table")
	return cmd
}

// sampledByHost refuses a run that does not tell of hosts as a whole.
func sampledByHost(m *record.Manifest) error {
	if d := analysis.DesignOf(m); d.Unit != estimate.ByHost && (d.Drawn == 0 || d.Drawn != d.Of) {
		return errors.New("it is no sample of hosts: predicting takes a scan with --sample-by host that came to its end, all its shards merged")
	}
	_, err := scannedPorts(m)
	return err
}

// scannedPorts are the ports that each address was probed on, ascending.
func scannedPorts(m *record.Manifest) ([]uint16, error) {
	var spec target.Spec
	if len(m.Targets) > 0 {
		if err := json.Unmarshal(m.Targets, &spec); err != nil {
			return nil, fmt.Errorf("manifest: targets: %w", err)
		}
	}
	if spec.Ports == "" || m.Domain == nil || m.Domain.Services != m.Domain.Addresses*m.Domain.Ports {
		return nil, errors.New("not every address was probed on the same ports: its targets brought ports of their own")
	}
	return target.ParsePorts(spec.Ports, datasets.PortSets())
}

// inventory is the services of a dataset's hosts.
func inventory(ctx context.Context, d *analysis.Dataset) (s *predict.Sample, everywhere int, err error) {
	m := d.Manifest()
	ports, err := scannedPorts(m)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", d.Dir(), err)
	}
	fold := new(analysis.Inventory)
	if err := d.Fold(ctx, fold); err != nil {
		return nil, 0, err
	}
	s, everywhere = fold.Sample(m, ports)
	return s, everywhere, nil
}

// shares are the shares of the services that the table has.
var shares = []float64{0.5, 0.8, 0.9, 0.95, 0.99}

func (o *predictOptions) run(ctx context.Context, w io.Writer, d *analysis.Dataset) error {
	if len(d.Runs()) > 1 {
		return fmt.Errorf("%s has several runs, and one sample is to be learnt from", d.Dir())
	}
	s, everywhere, err := inventory(ctx, d)
	if err != nil {
		return err
	}
	if o.known == "" {
		e, err := predict.Evaluate(s, nil)
		if err != nil {
			return err
		}
		return errors.Join(
			printSample(w, s, e, everywhere),
			printPlans(w, e),
			printBest(w, s, e),
			o.writeCurves(e),
			printCaveats(w, []*analysis.Dataset{d}))
	}
	return withDatasets(ctx, []string{o.known}, func(m *record.Manifest) error { _, err := scannedPorts(m); return err },
		func(known []*analysis.Dataset) error {
			k, _, err := inventory(ctx, known[0])
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(k.Ports, func(p uint16) bool { return !slices.Contains(s.Ports, p) }); i >= 0 {
				return fmt.Errorf("%s was made on port %d, and %s was not: nothing is known of what it predicts", o.known, k.Ports[i], d.Dir())
			}
			e, err := predict.Evaluate(s, k.Ports)
			if err != nil {
				return err
			}
			return errors.Join(
				printSample(w, s, e, everywhere),
				printPlans(w, e),
				o.writeCurves(e),
				o.writeList(w, s, k),
				printCaveats(w, []*analysis.Dataset{d}))
		})
}

func printSample(w io.Writer, s *predict.Sample, e *predict.Evaluation, everywhere int) error {
	err := printf(w, "n = %d services that sent data, on %d hosts, of %d addresses on %d ports; drawn from %d\n",
		e.Services, e.Hosts, s.Addresses, len(s.Ports), s.Of)
	if everywhere > 0 {
		err = errors.Join(err, printf(w, "left out: %d hosts that answer on more than a tenth of the ports\n", everywhere))
	}
	return err
}

// printPlans prints how many probes find how much, on the hosts that nothing was learnt from.
func printPlans(w io.Writer, e *predict.Evaluation) error {
	head := "first ports|hosts known|effective networks"
	exhaustive := []string{"exhaustive", "", ""}
	popularity := []string{"popularity", "", ""}
	var few []string // plans of which too few networks decide
	for _, share := range shares {
		head += fmt.Sprintf("|%g %%", 100*share)
		exhaustive = append(exhaustive, fmt.Sprintf("%.1f", e.Exhaustive(share)))
		popularity = append(popularity, needed(e, e.Popularity, share))
	}
	rows := [][]string{exhaustive, popularity}
	for _, p := range e.Plans {
		cells := []string{strconv.Itoa(p.First), strconv.Itoa(p.Known), fmt.Sprintf("%.1f", p.OnFirst.EffectiveHosts)}
		if slices.Contains(p.OnFirst.Warnings, estimate.TooFewHosts) {
			few = append(few, strconv.Itoa(p.First))
		}
		for _, share := range shares {
			cells = append(cells, needed(e, p.Curve, share))
		}
		rows = append(rows, cells)
	}
	err := errors.Join(printf(w, "\nProbes to each address that find a share of the services, on hosts that nothing was learnt from:\n"), writeTable(w, head, rows))
	if len(few) > 0 {
		err = errors.Join(err, printf(w, "warning: %s with %s ports first: a few networks, /24s or /48s,\ndecide what is found, and of other hosts it says little\n",
			estimate.TooFewHosts, strings.Join(few, ", ")))
	}
	return err
}

// needed is how many probes a share takes, nothing if it is never found.
func needed(e *predict.Evaluation, curve []predict.Point, share float64) string {
	probes, ok := e.Probes(curve, share)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.1f", probes)
}

// printBest prints the plan that finds most services with the fewest probes, and what predicts most in it.
func printBest(w io.Writer, s *predict.Sample, e *predict.Evaluation) error {
	best, fewest := e.Best()
	if best == nil {
		return printf(w, "\nNo plan finds %g %% of the services: too few hosts are known by its first ports.\n", 100*predict.Usual)
	}
	first := predict.Popular(s, best.First)
	err := printf(w, "\n%g %% take %.1f times fewer probes than in random order", 100*predict.Usual, e.Exhaustive(predict.Usual)/fewest)
	if popular, ok := e.Probes(e.Popularity, predict.Usual); ok {
		err = errors.Join(err, printf(w, ", %.1f times fewer than by popularity", popular/fewest))
	}
	return errors.Join(err, printf(w, ",\nwith these %d ports first:\n%s\n", len(first), joinPorts(first)), printPairs(w, predict.Learn(s, first)))
}

func joinPorts(ports []uint16) string {
	var texts []string
	for _, p := range ports {
		texts = append(texts, strconv.Itoa(int(p)))
	}
	return strings.Join(texts, ",")
}

// mostPairs is how many pairs are printed.
const mostPairs = 10

func printPairs(w io.Writer, m *predict.Model) error {
	var rows [][]string
	for _, p := range m.Pairs(mostPairs) {
		rows = append(rows, []string{p.Given, p.Predicts, strconv.Itoa(p.Hosts), fmt.Sprintf("%.3f %%", 100*p.Chance),
			strconv.Itoa(p.Services)})
	}
	if len(rows) == 0 {
		return printf(w, "\nNo 3 hosts of the sample have something in common.\n")
	}
	return errors.Join(printf(w, "\nWhat predicts most services of the sample better than all else:\n"),
		writeTable(w, "known of a host|predicts|hosts|chance|services", rows))
}

// writeCurves writes the curves of the table.
func (o *predictOptions) writeCurves(e *predict.Evaluation) (err error) {
	if o.csv == "" {
		return nil
	}
	lines := [][]string{{"order", "first_ports", "probes_per_address", "services", "share"}}
	curve := func(order string, first int, points []predict.Point) {
		for _, p := range points {
			lines = append(lines, []string{order, strconv.Itoa(first), strconv.FormatFloat(p.Probes, 'f', 6, 64),
				strconv.Itoa(p.Services), strconv.FormatFloat(float64(p.Services)/float64(max(1, e.Services)), 'f', 6, 64)})
		}
	}
	curve("exhaustive", 0, []predict.Point{{}, {Probes: float64(e.Ports), Services: e.Services}})
	curve("popularity", 0, e.Popularity)
	for _, p := range e.Plans {
		curve("predicted", p.First, p.Curve)
	}
	f, err := os.Create(o.csv)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return csv.NewWriter(f).WriteAll(lines)
}

// writeList writes the list of probes, and says what they are expected to find.
func (o *predictOptions) writeList(w io.Writer, s, known *predict.Sample) (err error) {
	list, err := predict.Learn(s, known.Ports).List(known, o.probes)
	if err != nil {
		return err
	}
	rate, err := predict.HitRate(s, known.Ports, list.PerHost())
	if err != nil {
		return err
	}
	if list.Len() == 0 {
		return errors.New("no probe is left to predict: the known services are on all ports that the sample has services on")
	}
	f, err := os.Create(o.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := bufio.NewWriter(f)
	var line []byte
	for i := range list.Len() {
		line = append(list.At(i).AppendTo(line[:0]), '\n')
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return printf(w, "\n%s: %d probes of %d hosts\nexpected: %v\n", o.out, list.Len(), list.Hosts(), rate)
}
