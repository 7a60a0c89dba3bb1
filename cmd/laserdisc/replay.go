package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/record"
	"laserdisc/replay"
)

func replayCommand() *cobra.Command {
	var out string
	var workers int
	cmd := &cobra.Command{
		Use:   "replay RUN|CAPTURE --out DIR",
		Short: "Play a recorded run back, compare every packet, write attempts.parquet and services.parquet",
		Long: `Play a recorded run back: the record's events go through the scan's own loop, and every packet
that it sends is compared with the recorded one. Prints how many packets and services there were,
the digest of the result, and "identical" or the first difference; a difference is exit code 1.
A record that was cut off is played back as far as it goes.

A CAPTURE is a pcap or pcapng file, of both directions, that something else made (ZMap and LZR,
ZGrab, whatever tcpdump saw). There is nothing to compare with: states and labels are told from the
packets as they stand.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return playBack(cmd.OutOrStdout(), args[0], out, workers)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for the tables (made if missing)")
	cmd.Flags().IntVar(&workers, "workers", runtime.NumCPU(), "parallel workers; the result does not depend on it")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// playBack replays dir, writes its tables to out, and tells how it went.
func playBack(w io.Writer, dir, out string, workers int) error {
	capture, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if other, err := os.Stat(out); err == nil && record.Packets(out) != "" && !os.SameFile(capture, other) {
		return fmt.Errorf("%s holds another record, whose manifest.json the tables' would replace: name another directory", out)
	}
	var result *replay.Result
	if capture.IsDir() {
		result, err = replay.Run(dir, workers)
	} else {
		result, err = observe(dir)
	}
	if err != nil {
		return err
	}
	digest, err := writeTables(out, result)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d packets, %d services, %d attempts\n", result.Packets, len(result.Services), len(result.Attempts))
	fmt.Fprintf(w, "digest %s\n", digest)
	if result.Manifest.Observed != nil {
		fmt.Fprintln(w, "observed: there is no scan to play back")
		if result.Unread > 0 {
			fmt.Fprintf(w, "%d frames could not be read; the first: %v\n", result.Unread, result.FirstUnread)
		}
		if result.Truncated != nil {
			fmt.Fprintf(w, "as far as the capture goes: %v\n", result.Truncated)
		}
		return nil
	}
	if result.Difference != nil {
		return verdictError{result.Difference}
	}
	if result.Truncated != nil {
		fmt.Fprintf(w, "identical as far as the record goes: %v\n", result.Truncated)
		return nil
	}
	if err := result.Agrees(dir); err != nil {
		return verdictError{err}
	}
	fmt.Fprintln(w, "identical")
	return nil
}

// observe reads a capture that something else made.
func observe(path string) (*replay.Result, error) {
	result, err := replay.Observe(path)
	if err != nil {
		return nil, err
	}
	result.Manifest.Laserdisc, result.Manifest.Revision = version, revision()
	return result, nil
}

// writeTables writes both tables and the manifest, and returns one digest over all rows.
func writeTables(out string, result *replay.Result) (string, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	attempts, err := analysis.CreateAttempts(filepath.Join(out, "attempts.parquet"))
	if err != nil {
		return "", err
	}
	for _, a := range result.Attempts {
		if err := attempts.Append(a); err != nil {
			return "", err
		}
	}
	if err := attempts.Close(); err != nil {
		return "", err
	}
	services, err := analysis.CreateServices(filepath.Join(out, "services.parquet"))
	if err != nil {
		return "", err
	}
	for _, s := range result.Services {
		if err := services.Append(s); err != nil {
			return "", err
		}
	}
	if err := services.Close(); err != nil {
		return "", err
	}
	both := sha256.Sum256([]byte(attempts.Digest() + services.Digest()))
	return hex.EncodeToString(both[:]), record.SaveManifest(out, result.Manifest)
}
