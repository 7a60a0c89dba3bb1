package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"laserdisc/capture/lab"
	"laserdisc/capture/lab/published"
	"laserdisc/capture/link"
	"laserdisc/capture/record"
	"laserdisc/datasets"
)

func labCommand() *cobra.Command {
	var device, population, truth, ases, attack string
	var seed uint64
	var loss float64
	var publishedToo bool
	cmd := &cobra.Command{
		Use:   "lab --interface DEVICE | --truth FILE | --published",
		Short: "Serve a simulated Internet on an interface, for any scanner",
		Long: `Answer on an interface in place of the hosts of a population: simulated, synthetic, and the same
for the same seed. Route the population's prefixes to an address of this interface, from a
network namespace whose only way out is this wire. Ends with Ctrl-C. --truth and --asn write what
there is to know of it, for which no interface is needed.

With --published, print the numbers that the paper published, each beside the lab's, which are
counted from what its services are and not from a scan. "ratio" is the lab's number divided by the
published one; "note" is ok if they differ by a tenth at most, or else "off"; for the default population
it is the section of datasets/paper/contradictions.md that has the arithmetic.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if device == "" && truth == "" && ases == "" && !publishedToo {
				return errors.New("nothing to do: name an interface to answer on (--interface), or a file for the truth (--truth) or for its ASes (--asn), or ask for --published")
			}
			network, err := newLab(population, seed, loss)
			if err != nil {
				return err
			}
			switch given := cmd.Flags().Changed; {
			case given("loss") && device == "":
				return errors.New("--loss has no effect without --interface: what --truth, --asn and --published tell of is no traffic")
			case attack != "" && device == "":
				return errors.New("--hostile has no effect without --interface")
			case attack != "" && given("loss"):
				return errors.New("--loss has no effect with --hostile, whose network loses nothing")
			case given("seed") && device == "" && truth == "" && !publishedToo:
				return errors.New("--seed has no effect with --asn alone: the population's ASes do not depend on it")
			}
			if truth != "" {
				if err := writeFile(truth, func(w io.Writer) error { return network.WriteTruth(w, nil) }); err != nil {
					return err
				}
			}
			if ases != "" {
				if err := writeFile(ases, network.Population().WriteASes); err != nil {
					return err
				}
			}
			if publishedToo {
				if err := printPublished(cmd.OutOrStdout(), population, network); err != nil {
					return err
				}
			}
			if device == "" {
				return nil // these were all that was asked for
			}
			peer := link.Peer(network)
			if attack != "" {
				if peer, err = lab.NewHostile(attack, seed); err != nil {
					return fmt.Errorf("--hostile: %w", err)
				}
			}
			wire, err := link.Serve(device, network.Prefixes())
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			fmt.Fprintf(cmd.ErrOrStderr(), "laserdisc: population %s on %s, seed %d\n", population, device, seed)
			return lab.Serve(ctx, wire, peer)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&device, "interface", "i", "", "interface to answer on")
	f.StringVar(&population, "population", datasets.DefaultPopulation, "population file, or the name of a built-in one")
	f.StringVar(&attack, "hostile", "", "have every address of the population's prefixes attack whoever scans it, in this way: "+attackNames())
	f.StringVar(&truth, "truth", "", "write what every service is to this file, as JSON lines")
	f.StringVar(&ases, "asn", "", "write which AS announces which prefix to this file, as replay --asn reads it")
	f.BoolVar(&publishedToo, "published", false, "print the paper's numbers beside the lab's")
	f.Uint64Var(&seed, "seed", 1, "seed of the hosts and of the network's faults")
	f.Float64Var(&loss, "loss", -1, "share of packets lost, 0 to 1 (default: the population's)")
	return cmd
}

func attackNames() string {
	var names []string
	for _, a := range lab.Attacks() {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

// writeFile makes a file of what write gives.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

// printPublished prints every published number that a lab can have, and the lab's.
func printPublished(w io.Writer, population string, network *lab.Network) error {
	numbers := published.Take(network).Numbers()
	var rows [][]string
	within := 0
	for _, n := range numbers {
		note, ratio := "off", fmt.Sprintf("%.2f", n.Ratio())
		if math.IsNaN(n.Lab) {
			ratio = ""
		}
		if n.Agrees() {
			note = "ok"
			within++
		} else if c, ok := published.Excuse(n); ok && population == datasets.DefaultPopulation {
			note = c.Name
		}
		rows = append(rows, []string{n.Where, n.What, plain(n.Published), plain(n.Lab), ratio, note})
	}
	return errors.Join(writeTable(w, "where|what|published|lab|ratio|note", rows),
		printf(w, "%d of %d published numbers within %.0f %% of the lab's; synthetic population %s: no measurement of the Internet\n",
			within, len(numbers), 100*published.Tolerance, population))
}

// plain writes a share or a count with four digits, or all before the point; nothing for what is not there.
func plain(x float64) string {
	switch {
	case math.IsNaN(x):
		return ""
	case x >= 1000:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.4g", x)
}

// openLab puts the scan before a simulated Internet in memory. Its time starts now, and then is
// the simulation's.
func (o *scanOptions) openLab(m *record.Manifest, start int64) (link.Link, error) {
	network, err := newLab(o.lab, 1, o.loss)
	if err != nil {
		return nil, err
	}
	m.Synthetic = o.lab
	return labLink(network, m, start), nil
}

// labLink puts a scan before a network in memory.
func labLink(network *lab.Network, m *record.Manifest, start int64) link.Link {
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"} { // two, for --revisit
		m.Sources = append(m.Sources, netip.MustParseAddr(a))
	}
	return link.NewMemory(network, start)
}

// newLab makes a network of a population: a file, or the name of a built-in one. A loss takes the
// place of the population's own, but -1.
func newLab(name string, seed uint64, loss float64) (*lab.Network, error) {
	p, err := loadPopulation(name)
	if err != nil {
		return nil, err
	}
	if loss != -1 {
		p.Network.Loss = loss
		if err := p.Network.Check(); err != nil {
			return nil, fmt.Errorf("--loss: %w", err)
		}
	}
	return lab.New(p, seed), nil
}

func loadPopulation(name string) (*lab.Population, error) {
	if text, err := datasets.Population(name); err == nil {
		return lab.Parse(name, text)
	} else if _, missing := os.Stat(name); missing != nil {
		return nil, fmt.Errorf("%w; nor is there such a file", err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return lab.Parse(name, text)
}
