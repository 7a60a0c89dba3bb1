package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/datasets"
)

func labCommand() *cobra.Command {
	var device, population, truth string
	var seed uint64
	var loss float64
	cmd := &cobra.Command{
		Use:   "lab --interface DEVICE",
		Short: "Serve a simulated Internet on an interface, for any scanner",
		Long: `Answer on an interface in place of the hosts of a population: simulated, synthetic, and the same
for the same seed. Route the population's prefixes to an address of this interface, from a
network namespace whose only way out is this wire. Ends with Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			network, err := newLab(population, seed, loss)
			if err != nil {
				return err
			}
			if truth != "" {
				if err := writeTruth(truth, network); err != nil {
					return err
				}
			}
			if device == "" {
				return nil // the truth was all that was asked for
			}
			wire, err := link.Serve(device, network.Prefixes())
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			fmt.Fprintf(cmd.ErrOrStderr(), "laserdisc: population %s on %s, seed %d\n", population, device, seed)
			return lab.Serve(ctx, wire, network)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&device, "interface", "i", "", "interface to answer on")
	f.StringVar(&population, "population", datasets.DefaultPopulation, "population file, or the name of a built-in one")
	f.StringVar(&truth, "truth", "", "write what every service is to this file, as JSON lines")
	f.Uint64Var(&seed, "seed", 1, "seed of the hosts and of the network's faults")
	f.Float64Var(&loss, "loss", -1, "share of packets lost, 0 to 1 (default: the population's)")
	return cmd
}

// writeTruth writes what every service is, and every host whose ports are all the same.
func writeTruth(path string, network *lab.Network) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return network.WriteTruth(f, nil)
}
