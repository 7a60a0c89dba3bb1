package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/replay"
)

func showCommand() *cobra.Command {
	var pcap string
	var lines bool
	cmd := &cobra.Command{
		Use:   "show RUN|DATASET|CAPTURE ADDR:PORT",
		Short: "Tell a service's story, packet by packet, and why it is labelled as it is",
		Long: `Show every packet of one service, sent (>) and received (<): the number of its frame, when it came and how
long after the service's first, flags, sequence numbers (from each end's first), window, TTL, options, and
payload, of which the first 256 bytes; and behind each the state that its attempt is in then. Each attempt
ends with what was said in it and what came of it. At the end stands what the service is, and which bytes
by which signature and specification say so. An IPv6 address stands in brackets: [2001:db8::1]:443.

A RUN is played back, as far as the service depends on it, and every packet compared. Of a CAPTURE that something
else made the story is told as replay would observe it. A DATASET leads to the packets that it was made
from; if they are not there, its rows are shown, and where the packets would be.

With --pcap, the packets are written to FILE, a pcapng in which each has its frame number and state as a
comment. With --json, each packet, attempt and service is a line, with all of the payload.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := netip.ParseAddrPort(args[1])
			if err != nil || service.Port() == 0 {
				return fmt.Errorf("%q is no service: want ADDR:PORT, as in 192.0.2.1:443 or [2001:db8::1]:443", args[1])
			}
			service = netip.AddrPortFrom(service.Addr().Unmap().WithZone(""), service.Port())
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			w := bufio.NewWriter(cmd.OutOrStdout())
			out := &storyPrinter{w: w, remarks: cmd.ErrOrStderr(), service: service, json: lines}
			return errors.Join(show(ctx, out, args[0], pcap), w.Flush())
		},
	}
	cmd.Flags().StringVar(&pcap, "pcap", "", "file to write the service's packets to, as pcapng")
	cmd.Flags().BoolVar(&lines, "json", false, "write JSON lines")
	return cmd
}

// show tells the service's story from what path is.
func show(ctx context.Context, out *storyPrinter, path, pcap string) error {
	if !analysis.IsDataset(path) {
		return showPackets(ctx, out, []string{path}, replay.Options{}, nil, pcap)
	}
	d, err := analysis.Open(path)
	if err != nil {
		return err
	}
	from, index, problem := packetsOf(d, out.service)
	if problem != nil {
		if pcap != "" {
			return problem
		}
		return showRows(ctx, out, d, problem)
	}
	var options replay.Options
	if o := d.Manifest().Observed; o != nil {
		options.Clients, options.Ongoing = o.Clients, o.Ongoing
	}
	if err := showPackets(ctx, out, from, options, index, pcap); err != nil {
		return err
	}
	found, err := d.ServicesAt(ctx, out.service)
	if err != nil {
		return err
	}
	for _, s := range found {
		if p := out.found; p != nil && (s.State != p.State || s.Label != p.Label || s.Evidence != p.Evidence) {
			return verdictError{fmt.Errorf("the tables of %s say otherwise: %v, %s; they are of other packets, or of another laserdisc", path,
				s.State, labelled(s.Label, s.Evidence))}
		}
	}
	return nil
}

// packetsOf finds the packets that a dataset was made from, and what of them has to be read for a service; all of them, if that is nil.
// The error says where they would be.
func packetsOf(d *analysis.Dataset, service netip.AddrPort) (paths []string, index *record.Index, err error) {
	if len(d.Runs()) > 1 || len(d.Manifest().Shards) > 0 {
		return nil, nil, fmt.Errorf("%s was merged: the packets are in the records of its runs", d.Dir())
	}
	if o := d.Manifest().Observed; o != nil {
		for _, file := range o.Files() {
			if _, err := os.Stat(file.Path); err != nil {
				return nil, nil, fmt.Errorf("the packets would be in the capture: %w", err)
			}
			paths = append(paths, file.Path)
		}
		return paths, nil, nil
	}
	at := filepath.Join(d.Dir(), record.IndexFile)
	index, err = record.Lookup(at, service)
	switch {
	case index == nil && errors.Is(err, fs.ErrNotExist) && record.Packets(d.Dir()) != "":
		return []string{d.Dir()}, nil, nil
	case index == nil && errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("where the packets are is not known: %s has no %s, which replay writes", d.Dir(), record.IndexFile)
	case index == nil:
		return nil, nil, err
	case err != nil && !errors.Is(err, record.ErrStale):
		return nil, nil, fmt.Errorf("the packets would be in %s: %w", index.Record, err)
	}
	if err != nil || index.Whole {
		return []string{index.Record}, nil, nil
	}
	return []string{index.Record}, index, nil
}

// showRows shows what a dataset's tables say of a service, where its packets are not at hand.
func showRows(ctx context.Context, out *storyPrinter, d *analysis.Dataset, problem error) error {
	tried, err := d.AttemptsAt(ctx, out.service)
	if err != nil {
		return err
	}
	found, err := d.ServicesAt(ctx, out.service)
	if err != nil {
		return err
	}
	if len(tried) == 0 {
		return verdictError{fmt.Errorf("%s has no attempt at %v", d.Dir(), out.service)}
	}
	fmt.Fprintf(out.remarks, "laserdisc: %v: this is what the tables say\n", problem)
	if err := out.Manifest(d.Manifest()); err != nil {
		return err
	}
	for _, a := range tried {
		if err := out.row(a); err != nil {
			return err
		}
	}
	for _, s := range found {
		out.found = s
		if err := out.end(); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return out.end()
	}
	return nil
}

// showPackets tells the service's story from the packets of a run or a capture.
func showPackets(ctx context.Context, out *storyPrinter, paths []string, o replay.Options, index *record.Index, pcap string) error {
	if pcap != "" {
		f, err := os.OpenFile(pcap, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		defer f.Close()
		out.cut = f
	}
	path := paths[0]
	if record.IsRun(path) && index == nil {
		fmt.Fprintf(out.remarks, "laserdisc: all of %s is read, for want of an index: show a dataset that replay made of it\n", path)
	}
	result, err := replay.Show(ctx, paths, o, index, out.service, out)
	if err != nil {
		return err
	}
	if err := out.end(); err != nil {
		return err
	}
	switch {
	case result.Difference != nil:
		return verdictError{fmt.Errorf("the story ends where playback differs: %w", result.Difference)}
	case result.Damage != nil:
		return verdictError{fmt.Errorf("the story may lack packets: %w", result.Damage)}
	case out.packets == 0:
		return verdictError{fmt.Errorf("%s has no packet of %v", path, out.service)}
	case result.Truncated != nil:
		fmt.Fprintf(out.remarks, "laserdisc: the story may lack its end: %v\n", result.Truncated)
	}
	return nil
}
