package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/analysis/asn"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/replay"
)

// replayOptions are what a playback may take, which changes nothing in its result, and what its tables get besides.
type replayOptions struct {
	workers int
	memory  byteSize
	ases    string // a file of prefixes and their ASes, or ""

	scanners []string // of a capture: the prefixes or addresses of whose connections count, or all
	ongoing  bool     // of a capture: whether connections count that began before it
}

// clients are the prefixes of --scanner; an address is one of full length.
func (o *replayOptions) clients() (list []netip.Prefix, err error) {
	for _, text := range o.scanners {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			at, bad := netip.ParseAddr(text)
			if bad != nil {
				return nil, fmt.Errorf("--scanner %q: neither an address nor a prefix such as 192.0.2.0/24", text)
			}
			p = netip.PrefixFrom(at, at.BitLen())
		}
		list = append(list, p)
	}
	return list, nil
}

// mostWorkers is more than any machine has use for.
const mostWorkers = 1024

func (o *replayOptions) flags(cmd *cobra.Command) {
	o.workers, o.memory = runtime.NumCPU(), 1<<30
	cmd.Flags().IntVar(&o.workers, "workers", o.workers, "parallel workers; the result does not depend on it")
	cmd.Flags().Var(&o.memory, "memory", "memory to stay within, such as 64MiB or 4GiB; what exceeds it waits in temporary files")
}

func replayCommand() *cobra.Command {
	var out string
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay RUN|CAPTURE... --out DIR",
		Short: "Play a recorded run back, compare every packet, write its attempts and services as tables",
		Long: `Play a recorded run back: the record's events go through the scan's own loop, and every packet
that it sends is compared with the recorded one. Prints how many packets and services there were,
the digest of the result, and "identical" or the first difference; a difference is exit code 1.
A record that was cut off is played back as far as it goes; one that is damaged, as far as it can be
read, and that is exit code 1.

DIR becomes a dataset: attempts.parquet, services.parquet, and dataset.json, which describes them.
Until it is complete, DIR stays as it was.

A CAPTURE is a pcap or pcapng file that something else made (ZMap and LZR, ZGrab, whatever tcpdump
saw), compressed or not; "-" is the standard input; of a directory, it is all
captures in it. Several are one capture: parts of it, or one for each direction or interface. There is
nothing to compare with: states and labels are told from the packets as they stand, in the order of
their times. Where a capture is damaged it is read on behind that if it is sure where; what could not
be read is told of, and is exit code 3, as is a capture that was cut off. docs/captures.md has more.

Whoever sends a SYN is a client. With --scanner only the connections of such clients count, in a
capture in which others speak, too. Connections that began before the capture are left out and
counted; --all-connections takes those that sent data both ways.

With --asn, services get the columns asn, as_name and prefix: who announced their address. FILE is a
text of prefixes and ASes, as CAIDA (pfx2as), pyasn or iptoasn.com have it, gzipped or not, or a
MaxMind DB (.mmdb); take one of the time of the scan. dataset.json names it with its SHA-256.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.workers < 1 || o.workers > mostWorkers {
				return fmt.Errorf("--workers %d: 1 to %d are possible", o.workers, mostWorkers)
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return playBack(ctx, cmd.OutOrStdout(), args, out, o)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for the dataset (made if missing)")
	cmd.Flags().StringVar(&o.ases, "asn", "", "file of prefixes and the ASes that announce them: text, or a MaxMind DB (.mmdb)")
	cmd.Flags().StringSliceVar(&o.scanners, "scanner", nil, "of a capture, only connections of these clients: addresses or prefixes")
	cmd.Flags().BoolVar(&o.ongoing, "all-connections", false, "of a capture, take connections that began before it, too")
	o.flags(cmd)
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// playBack plays back the run or the capture at paths, makes a dataset of it in out, and tells how it went.
func playBack(ctx context.Context, w io.Writer, paths []string, out string, o replayOptions) error {
	result, dataset, err := play(ctx, paths, out, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d packets, %d services, %d attempts\n", result.Packets, dataset.Services(), dataset.Attempts())
	fmt.Fprintf(w, "digest %s\n", dataset.Digest())
	if result.Manifest.Observed != nil {
		fmt.Fprintln(w, "observed: there is no scan to play back")
		printSkipped(w, result)
		printConnections(w, result)
		return printReading(w, result)
	}
	if result.Difference != nil {
		return verdictError{result.Difference}
	}
	if result.Damage != nil {
		return verdictError{fmt.Errorf("identical as far as the record could be read: %w", result.Damage)}
	}
	if result.Truncated != nil && !result.Manifest.End.IsZero() {
		return verdictError{fmt.Errorf("identical as far as the record goes, but its scan had an end, which is missing: %w", result.Truncated)}
	}
	if result.Truncated != nil {
		fmt.Fprintf(w, "identical as far as the record goes: %v\n", result.Truncated)
		return nil
	}
	if found, told := result.Counters, result.Manifest.Counters; found.Sent != told.Sent || found.Received != told.Received {
		return verdictError{fmt.Errorf("identical, but the record has %d frames that were sent and %d that were received, and its manifest counts %d and %d",
			found.Sent, found.Received, told.Sent, told.Received)}
	}
	if missing := notThere(paths[0], "manifest.json", "services.jsonl"); len(missing) > 0 {
		return verdictError{fmt.Errorf("identical, as far as can be told by the packets: %s has no %s, with what the scan counted and found when it ran",
			paths[0], strings.Join(missing, " and no "))}
	}
	services := func(each func(*session.Service) error) error {
		return dataset.EachService(ctx, func(s *session.Service, _ int) error { return each(s) })
	}
	if err := result.Agrees(paths[0], services); err != nil {
		return verdictError{err}
	}
	fmt.Fprintln(w, "identical")
	return nil
}

// notThere gives the names of those files that a directory does not have.
func notThere(dir string, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return !errors.Is(err, os.ErrNotExist)
	})
}

// printSkipped tells what of a capture is not in its tables: other traffic than TCP, and what could not be read.
func printSkipped(w io.Writer, r *replay.Result) {
	if r.Other > 0 {
		fmt.Fprintf(w, "%d frames of other traffic than TCP\n", r.Other)
	}
	var frames uint64
	for _, s := range r.Skipped {
		frames += s.Frames
	}
	if frames > 0 {
		fmt.Fprintf(w, "%d frames skipped:\n", frames)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "%8d %v\n", s.Frames, s)
	}
}

// printConnections tells whose connections a capture has, and which were left out.
func printConnections(w io.Writer, r *replay.Result) {
	if len(r.Clients) == 0 && r.OfOthers > 0 {
		fmt.Fprintf(w, "no client within --scanner; %d attempts of others\n", r.OfOthers)
	}
	if n := len(r.Clients); n > 0 {
		noun := "clients"
		if n == 1 {
			noun = "client"
		}
		fmt.Fprintf(w, "%d %s:", n, noun)
		for i, c := range r.Clients[:min(n, 3)] {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, " %s (%d)", c.Addr, c.Attempts)
		}
		if n > 3 {
			fmt.Fprint(w, ", ...")
		}
		if r.OfOthers > 0 {
			fmt.Fprintf(w, "; %d attempts of others", r.OfOthers)
		}
		fmt.Fprintln(w)
	}
	if r.Left > 0 {
		fmt.Fprintf(w, "%d connections that began before the capture were left out; --all-connections takes them\n", r.Left)
	}
}

// printReading tells how the files of a capture could be read.
func printReading(w io.Writer, r *replay.Result) error {
	if n := len(r.Manifest.Observed.Further); n > 0 {
		fmt.Fprintf(w, "%d files as one capture\n", n+1)
	}
	if r.Duplicates > 0 {
		fmt.Fprintf(w, "%d packets that the capture has twice counted once\n", r.Duplicates)
	}
	for _, remark := range r.Remarks {
		fmt.Fprintln(w, remark)
	}
	if r.Damage == nil {
		return nil
	}
	for _, place := range r.Places {
		fmt.Fprintf(w, "damage: %v\n", place)
	}
	if more := r.DamagedPlaces - uint64(len(r.Places)); more > 0 {
		fmt.Fprintf(w, "damage: %d places more\n", more)
	}
	return damageError{fmt.Errorf("not all of the capture could be read: %w", r.Damage)}
}

// play plays back a run, or observes a capture, and makes a dataset of it.
func play(ctx context.Context, paths []string, out string, o replayOptions) (*replay.Result, *analysis.Dataset, error) {
	run := false
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil && path != record.StandardInput {
			return nil, nil, err
		}
		if record.IsRun(path) {
			if len(paths) > 1 {
				return nil, nil, fmt.Errorf("%s is a run: it is played back alone", path)
			}
			run = true
		}
		other, err := os.Stat(out)
		if same := err == nil && info != nil && os.SameFile(info, other); err == nil && record.Packets(out) != "" && !same {
			return nil, nil, fmt.Errorf("%s holds another record: name another directory", out)
		} else if same && !run {
			return nil, nil, fmt.Errorf("%s is read: name another directory", out)
		}
	}
	debug.SetMemoryLimit(int64(o.memory / 8 * 7)) // which does not count all that a process takes
	options := analysis.Options{Memory: int(o.memory / 4), Workers: o.workers, Observed: !run}
	clients, err := o.clients()
	if err != nil {
		return nil, nil, err
	}
	if run && (o.ongoing || len(clients) > 0) {
		return nil, nil, fmt.Errorf("%s is a run: --scanner and --all-connections are for captures", paths[0])
	}
	if o.ases != "" {
		if options.ASes, err = asn.Open(o.ases); err != nil {
			return nil, nil, err
		}
	}
	builder, err := analysis.Create(out, options)
	if err != nil {
		return nil, nil, err
	}
	if builder.Stale != "" {
		fmt.Fprintf(os.Stderr, "laserdisc: removed %s, which a run that was killed had left\n", builder.Stale)
	}
	p := newPlayProgress(os.Stderr)
	playing := replay.Options{Workers: o.workers, Progress: p.show, Clients: clients, Ongoing: o.ongoing}
	sink := func(of int) replay.Rows { return builder.Partition(of) }
	var result *replay.Result
	if run {
		if playing.Index, err = builder.Index(); err != nil {
			return nil, nil, errors.Join(err, builder.Abort())
		}
		result, err = replay.Run(ctx, paths[0], playing, sink)
	} else {
		result, err = replay.Observe(ctx, paths, playing, sink)
	}
	defer p.end()
	if err != nil {
		return nil, nil, errors.Join(err, builder.Abort())
	}
	p.stage("writing tables")
	m := result.Manifest
	m.Partial = partial(result)
	if m.Observed != nil {
		m.Laserdisc, m.Revision = version, revision()
	} else if m.End.IsZero() { // nobody has counted
		told := m.Counters
		m.Counters = result.Counters
		m.Counters.Launched = max(told.Launched, result.Counters.Launched)
	}
	dataset, err := builder.Close(ctx, []*record.Manifest{m})
	return result, dataset, err
}

// partial says why tables have not all of a record, or nothing.
func partial(r *replay.Result) string {
	switch {
	case r.Difference != nil:
		return "playback differs from it, and stopped there: " + r.Difference.Error()
	case r.DamagedPlaces > 1:
		return fmt.Sprintf("%d places cannot be read; the first: %v", r.DamagedPlaces, r.Damage)
	case r.Damage != nil:
		return r.Damage.Error()
	case r.Truncated != nil:
		return r.Truncated.Error()
	}
	return ""
}
