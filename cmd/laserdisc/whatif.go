package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// whatIfOptions are how the supposed scan differs from the recorded one.
type whatIfOptions struct {
	handshakes    string
	drop, without []string
	all           bool
	timeout, wait time.Duration
	ports, sample string
}

func whatIfCommand() *cobra.Command {
	var o whatIfOptions
	cmd := &cobra.Command{
		Use:   "whatif RUN|DATASET",
		Short: "Tell what a recorded scan would have found with other handshakes, waits, ports or a smaller sample",
		Long: `Tell, from one record, which services another scan would have found, and what they would have taken, beside what
the recorded one found and took. The flags are those of scan; what is not given is as it was recorded. The policy
of the scan itself decides on what was recorded: it says what comes next after each attempt.

It supposes that attempts at a service do not depend on those before them. Services do depend on them, some: one
in ten Telnet servers, say, answers nobody for two minutes after a wrong handshake (paper, section 4.3).
Record with --all-handshakes and --random-order, so that no handshake always comes after the same ones, and
--pause, if that is what you are after.

A scan that stops at the first data does not record what it might have said later: of a service that the other
scan would have told what the record never told it nobody can tell, and it is counted by that handshake.
Waiting cannot be longer than it was, nor a sample larger.

The share is of the services that the recorded scan found: how many of them the other finds, too, with its
interval over services or over hosts, as the sample was drawn. Where there are some of which nobody can tell, it
is between what it is if all of them are lost and if none is, and has no interval.

Packets and bytes are what is sent in connections to services that answered, from the IP header on, as order has
them: without TCP options and what acknowledges a long response's further segments. SYNs to other targets
are not among them.`,
		Example: `  laserdisc whatif run --handshakes http,tls
  laserdisc whatif run --drop dns,redis --timeout 2s
  laserdisc whatif run --sample 0.1% --ports 80,443`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := allProtocols("without", o.without); err != nil {
				return err
			}
			if cmd.Flags().NFlag() == 0 {
				return errors.New("as it was recorded, it would be what it was: say what is another thing, such as --handshakes http,tls")
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return withDatasets(ctx, args, func(*record.Manifest) error { return nil }, func(list []*analysis.Dataset) error {
				return o.run(ctx, cmd.OutOrStdout(), cmd.Flags().Changed, list[0])
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.handshakes, "handshakes", "", "what to say, in this order, of what was said")
	f.StringSliceVar(&o.drop, "drop", nil, "handshakes to leave out of the recorded order")
	f.BoolVar(&o.all, "all-handshakes", false, "try every handshake, whatever comes back; =false to stop at the first data")
	f.DurationVar(&o.timeout, "timeout", 0, "for the answer to a handshake; at most as recorded")
	f.DurationVar(&o.wait, "wait", 0, "how long the handshake wait listens; at most as recorded")
	f.StringVarP(&o.ports, "ports", "p", "", "probe these ports only")
	f.StringVar(&o.sample, "sample", "", "probe this share of the targets: 0.1%, 1/1000 or 0.001; at most as recorded")
	withoutFlag(cmd, &o.without)
	return cmd
}

// run supposes, and prints.
func (o *whatIfOptions) run(ctx context.Context, w io.Writer, given func(string) bool, d *analysis.Dataset) error {
	if len(d.Runs()) != 1 {
		return fmt.Errorf("%s has %d runs: name a dataset of one", d.Dir(), len(d.Runs()))
	}
	m := d.Manifest()
	other := analysis.Supposition{Settings: m.Settings, Without: o.without}
	s := &other.Settings
	s.Followup = nil
	if o.handshakes != "" {
		s.Handshakes = strings.Split(o.handshakes, ",")
		s.RandomOrder = false
	}
	for _, name := range o.drop {
		i := slices.Index(s.Handshakes, name)
		if i < 0 {
			return fmt.Errorf("--drop: %q is not among the handshakes: %s", name, strings.Join(s.Handshakes, ", "))
		}
		s.Handshakes = slices.Delete(slices.Clone(s.Handshakes), i, i+1)
	}
	if given("all-handshakes") {
		s.AllHandshakes = o.all
	}
	for _, time := range []struct {
		name     string
		to       time.Duration
		recorded *session.Duration
	}{{"timeout", o.timeout, &s.Timeout}, {"wait", o.wait, &s.Wait}} {
		switch {
		case !given(time.name):
		case m.Observed != nil:
			return fmt.Errorf("--%s: nobody knows how long the client of a capture would have waited", time.name)
		case time.to <= 0 || time.to > timeOf(*time.recorded):
			return fmt.Errorf("--%s %v: the recorded scan waited for %v, and what would have come later nobody knows", time.name, time.to, *time.recorded)
		default:
			*time.recorded = session.Duration(time.to)
		}
	}
	if m.Observed != nil {
		s.Timeout, s.Wait = math.MaxInt64/4, math.MaxInt64/4
	}
	targets, err := o.narrow(m, &other)
	if err != nil {
		return err
	}
	result, err := d.Suppose(ctx, other)
	if err != nil {
		return err
	}
	if err := printWhatIf(w, d, result, targets); err != nil {
		return err
	}
	return printCaveats(w, []*analysis.Dataset{d})
}

func timeOf(d session.Duration) time.Duration { return time.Duration(d) }

// narrow has the supposed scan probe fewer targets, and says in words how many.
func (o *whatIfOptions) narrow(m *record.Manifest, other *analysis.Supposition) (targets string, err error) {
	var ports []uint16
	if o.ports != "" {
		if ports, err = target.ParsePorts(o.ports, datasets.PortSets()); err != nil {
			return "", fmt.Errorf("--ports: %w", err)
		}
		other.Probes = func(service netip.AddrPort) bool {
			_, ok := slices.BinarySearch(ports, service.Port())
			return ok
		}
	}
	if o.sample == "" {
		return "", nil
	}
	if m.Targets == nil || m.Observed != nil {
		return "", errors.New("--sample: nobody knows the targets of what was recorded")
	}
	share, err := target.ParseFraction(o.sample)
	if err != nil {
		return "", fmt.Errorf("--sample: %w", err)
	}
	if m.Sample != nil && share.Float() > float64(m.Sample.Numerator)/float64(m.Sample.Denominator) {
		return "", fmt.Errorf("--sample %s: the recorded one was %d/%d", o.sample, m.Sample.Numerator, m.Sample.Denominator)
	}
	set, err := compileTargets(m)
	if err != nil {
		return "", fmt.Errorf("targets: %w", err)
	}
	smaller, err := resample(m, o.sample)
	if err != nil {
		return "", fmt.Errorf("targets: %w", err)
	}
	onPort := other.Probes
	other.Probes = func(service netip.AddrPort) bool {
		_, drawn := smaller.PositionOf(service)
		return drawn && (onPort == nil || onPort(service))
	}
	return fmt.Sprintf("targets: %s of %s, on all ports\n", plotters.Thousands(int(smaller.Len())), plotters.Thousands(int(set.Len()))), nil
}

func printWhatIf(w io.Writer, d *analysis.Dataset, r *analysis.WhatIf, targets string) error {
	err := printf(w, "%s services answered the recorded scan\n%s", plotters.Thousands(int(r.Services)), targets)
	for _, name := range slices.Sorted(maps.Keys(r.Lacking)) {
		err = errors.Join(err, printf(w, "of %s nobody can tell: %s was never said to them\n", plotters.Thousands(int(r.Lacking[name])), name))
	}
	lacking := uint64(0)
	for _, n := range r.Lacking {
		lacking += n
	}
	if lacking > 0 && lacking == r.Services {
		return errors.Join(err, errors.New("nothing can be told: the other scan begins with what the record has said to nobody"))
	}
	var rows [][]string
	var notes []string
	count := func(n uint64) string { return plotters.Thousands(int(n)) }
	for _, level := range r.Levels {
		share, shareErr := level.Kept.Share(analysis.DesignOf(d.Manifest()))
		if shareErr != nil {
			return shareErr
		}
		cell, between := "", ""
		kept, _ := level.Kept.Services()
		switch {
		case level.Untold > 0:
			all := float64(level.Recorded)
			cell = fmt.Sprintf("%.2f to %.2f %%", 100*float64(kept)/all, 100*float64(kept+level.Untold)/all)
		case level.Recorded > 0:
			cell = inPercent(share.Value)
			if share.HasInterval() {
				between = fmt.Sprintf("%.2f to %.2f %%", 100*share.Lo, 100*share.Hi)
			}
			for _, warning := range share.Warnings {
				notes = append(notes, fmt.Sprintf("%s: %s", level.Name, warning))
			}
		}
		rows = append(rows, []string{level.Name, count(level.Recorded), count(level.Supposed), cell, between})
	}
	for _, cost := range []struct {
		name               string
		recorded, supposed uint64
	}{
		{"connections", r.Recorded.Attempts, r.Supposed.Attempts},
		{"packets", r.Recorded.Packets, r.Supposed.Packets},
		{"bytes", r.Recorded.Bytes, r.Supposed.Bytes},
		{"seconds, all added", r.Recorded.Nanoseconds / 1e9, r.Supposed.Nanoseconds / 1e9},
	} {
		share := ""
		if cost.recorded > 0 {
			share = inPercent(float64(cost.supposed) / float64(cost.recorded))
		}
		rows = append(rows, []string{cost.name, count(cost.recorded), count(cost.supposed), share, ""})
	}
	err = errors.Join(err, writeTable(w, "|recorded|what if|share|95 % interval", rows))
	for _, note := range notes {
		err = errors.Join(err, printf(w, "%s\n", note))
	}
	return errors.Join(err, printf(w, "supposed: that attempts at a service do not depend on those before them\n"))
}
