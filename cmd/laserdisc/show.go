package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

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

A RUN is played back, all of the service's host, and every packet compared. Of a CAPTURE that something
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
			out := &storyPrinter{w: w, service: service, json: lines}
			return errors.Join(show(ctx, out, args[0], pcap), w.Flush())
		},
	}
	cmd.Flags().StringVar(&pcap, "pcap", "", "file to write the service's packets to, as pcapng")
	cmd.Flags().BoolVar(&lines, "json", false, "write JSON lines")
	return cmd
}

// show tells the service's story from what path is.
func show(ctx context.Context, out *storyPrinter, path, pcap string) error {
	return showPackets(ctx, out, path, pcap)
}

// showPackets tells the service's story from the packets of a run or a capture.
func showPackets(ctx context.Context, out *storyPrinter, path, pcap string) error {
	if pcap != "" {
		f, err := os.OpenFile(pcap, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		defer f.Close()
		out.cut = f
	}
	result, err := replay.Show(ctx, path, out.service, out)
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
		return printf(os.Stderr, "laserdisc: the story may lack its end: %v\n", result.Truncated)
	}
	return nil
}
