package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/datasets"
)

// isolated is set in the environment of a demo that runs in a network namespace of its own.
const isolated = "LASERDISC_ISOLATED"

// demoScans are the demo's scans, which have together what every exhibit of a report needs. The lab's hosts are near: time-outs are
// shorter than the defaults, and half a minute is saved for each second. Two scans go over a wire. Those that would take an hour of
// waiting go over a link in memory, where time is simulated.
var demoScans = []struct {
	name      string
	simulated bool
	args      []string
}{
	// Many handshakes on the paper's ports, each by itself, for orders, the matrix, options and certificates.
	{"ports", true, []string{"--ports", "paper", "--sample", "10%", "--sample-by", "host", "--rate", "100000", "--timeout", "2s", "--wait", "2s",
		"--all-handshakes", "--pause", "2m", "--random-order", "--ephemeral-probes", "5", "--handshakes", "wait,newlines,tls,tls-legacy,tls12,http," +
			"http-options,dns,pptp,pptp-badcookie,oracle,redis,postgres,mqtt,smb,rdp,mssql,mongodb,modbus,siemens,ipmi,memcached"}},
	// Where protocols live.
	{"all", false, []string{"--ports", "all", "--sample", "0.05%", "--rate", "150000", "--timeout", "2s"}},
	// What is on all ports of a host.
	{"hosts", true, []string{"--ports", "all", "--sample", "0.1%", "--sample-by", "host", "--ephemeral-probes", "5", "--timeout", "2s", "--rate", "150000"}},
	// The same targets as ports, in as few packets as that takes.
	{"quick", false, []string{"--ports", "paper", "--sample", "10%", "--sample-by", "host", "--rate", "100000", "--timeout", "2s", "--wait", "2s",
		"--ephemeral-probes", "5", "--handshakes", "wait,tls,http,dns,pptp"}},
	// Why services acknowledge nothing.
	{"liveness", true, []string{"--ports", "paper", "--sample", "4%", "--sample-by", "host", "--liveness", "--revisit", "5m", "--rate", "100000"}},
	// The same in whole blocks.
	{"blocks", true, []string{"--ports", "80,443,7547", "--sample", "10%", "--sample-by", "/24", "--handshakes", "http,tls", "--revisit", "5m", "--rate", "100000"}},
	// Whether a wrong handshake spoils the right one.
	{"followup", true, []string{"--ports", "paper", "--sample", "10%", "--sample-by", "host", "--followup", "0s,1s,5s,30s,120s",
		"--handshakes", "wait,tls,http", "--rate", "100000"}},
}

func demoCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "demo --out DIR",
		Short: "Scan a simulated Internet, play it back, and draw the figures, in network namespaces of its own",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Getenv(isolated) != "" {
				return demo(cmd, out, false)
			}
			err := isolate(cmd)
			var refused *exec.ExitError
			if err == nil || errors.As(err, &refused) {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "laserdisc: no network namespace of its own (%v): using a simulated link in memory\n", err)
			return demo(cmd, out, true)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "out/demo", "directory for everything that the demo makes")
	return cmd
}

// isolate runs this command line again in network namespaces that have no way out.
func isolate(cmd *cobra.Command) error {
	child := exec.Command("/proc/self/exe", os.Args[1:]...)
	child.Env = append(os.Environ(), isolated+"=1")
	child.SysProcAttr = lab.Isolation()
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := child.Start(); err != nil {
		return err
	}
	return child.Wait()
}

// demo does the main job from the scan to the report.
func demo(cmd *cobra.Command, out string, memory bool) error {
	w := cmd.OutOrStdout()
	network, err := newLab(datasets.DefaultPopulation, 1, -1)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if !memory {
		stop, err := serve(cmd.Context(), network)
		if err != nil {
			return err
		}
		defer stop()
	}
	ases := filepath.Join(out, "ases.txt")
	if err := step(w, "lab", "--asn", ases); err != nil {
		return err
	}
	var tables []string
	for _, s := range demoScans {
		run := filepath.Join(out, s.name)
		table := filepath.Join(out, s.name+"-tables")
		tables = append(tables, table)
		if err := step(w, demoScan(network, memory || s.simulated, append(s.args, "--out", run)...)...); err != nil {
			return err
		}
		if err := step(w, "replay", run, "--asn", ases, "--out", table); err != nil {
			return err
		}
	}
	for _, ports := range []string{"assigned", "ephemeral"} {
		if err := step(w, "order", tables[0], "--ports", ports, "--identify", "own", "--weight", "port"); err != nil {
			return err
		}
	}
	report := filepath.Join(out, "report")
	return step(w, append([]string{"report", "--out", report}, tables...)...)
}

// demoScan is the command line of one of the demo's scans.
func demoScan(network *lab.Network, memory bool, args ...string) []string {
	population := "--synthetic" // on a wire
	if memory {
		population = "--lab"
	}
	line := append([]string{"scan", population, datasets.DefaultPopulation, "--seed", "1"}, args...)
	for _, p := range network.Prefixes() {
		line = append(line, p.String(), "--open", p.String())
	}
	return line
}

// serve answers for the lab's hosts at the far end of a wire until stop is called.
func serve(ctx context.Context, network *lab.Network) (stop func(), err error) {
	far, err := lab.Wire(network.Prefixes())
	if err != nil {
		return nil, err
	}
	return serveOn(ctx, far, network), nil
}

// serveOn answers on a link until stop is called.
func serveOn(ctx context.Context, far link.Link, network *lab.Network) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := lab.Serve(ctx, far, network); err != nil {
			fmt.Fprintln(os.Stderr, "laserdisc: lab:", err)
		}
	}()
	return func() { cancel(); <-done }
}

// step shows a command line and carries it out.
func step(w io.Writer, args ...string) error {
	fmt.Fprint(w, "\n$ laserdisc")
	for _, a := range args {
		fmt.Fprint(w, " ", a)
	}
	fmt.Fprintln(w)
	if code := run(args); code != 0 {
		return fmt.Errorf("demo: laserdisc %s: exit code %d", args[0], code)
	}
	return nil
}
