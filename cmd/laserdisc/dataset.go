package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/capture/anonymize"
	"laserdisc/capture/record"
)

func datasetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dataset",
		Short: "Check a dataset or a record, and make one that can be given to others",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("want laserdisc dataset verify, or anonymize")
		},
	}
	cmd.AddCommand(verifyCommand(), anonymizeCommand())
	for _, sub := range cmd.Commands() {
		sub.Args = withUsage(sub.Args)
	}
	return cmd
}

func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR...",
		Short: "Compare the tables of datasets and the packets of runs with what their manifests tell",
		Long: `Read all there is in directories, and compare it with what they say of it. Of a dataset, every row of
every part: their order, number and digest; and all bytes of the parts, and the manifests of its runs, by
their SHA-256. Of a run, every packet: that each chunk is there, in its place and whole, and that there
are as many packets of each kind as the scan counted. What is not as it should be is exit code 1; a DIR
that is neither is exit code 2.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			for _, dir := range args {
				if err := verify(ctx, cmd.OutOrStdout(), dir); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// verify checks what dir holds: a dataset, a run, or both.
func verify(ctx context.Context, w io.Writer, dir string) error {
	if record.Packets(dir) != "" {
		_, found, err := record.Verify(ctx, dir)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			return verdictError{err}
		}
		fmt.Fprintf(w, "%s: %d packets sent, %d received: as the manifest counts\n", dir, found.Sent, found.Received)
		if !analysis.IsDataset(dir) {
			return nil
		}
	}
	d, err := analysis.Open(dir)
	if err == nil {
		err = d.Verify(ctx)
	} else if !analysis.IsDataset(dir) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return verdictError{err}
	}
	fmt.Fprintf(w, "%s: %d services, %d attempts: digest %s\n", dir, d.Services(), d.Attempts(), d.Digest())
	return nil
}

// captureFile is the anonymized record's name.
const captureFile = "capture.pcapng"

func anonymizeCommand() *cobra.Command {
	var out, keyFile string
	cmd := &cobra.Command{
		Use:   "anonymize DATASET|RUN|CAPTURE --key FILE --out DIR",
		Short: "Replace every address and host name in tables or packets by others",
		Long: `Make of a dataset, or of the packets of a run or a capture, one that has other addresses: by Crypto-PAn,
which keeps prefixes, in headers and tables; and what names addresses and hosts in payloads by text of
the same length and form. States and labels stay. docs/anonymize.md has the rules, and what they leave.

A dataset becomes a dataset in DIR. Packets become DIR/capture.pcapng, which "laserdisc replay" reads as
a capture: whom a scan talks to decides its source ports and sequence numbers, so that with other
addresses it could not be played back. Of a directory that is both a run and a dataset, both are made.

FILE has the key, 64 hexadecimal digits. If there is no such file, it is made, with a random key. With
it others are made comparable, and addresses are found out: keep it secret, or destroy it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return anonymizeAll(ctx, cmd, args[0], out, keyFile)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for what is made (made if missing)")
	cmd.Flags().StringVar(&keyFile, "key", "", "file of the key; made if missing")
	_ = cmd.MarkFlagRequired("out")
	_ = cmd.MarkFlagRequired("key")
	return cmd
}

func anonymizeAll(ctx context.Context, cmd *cobra.Command, path, out, keyFile string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	isDataset := info.IsDir() && analysis.IsDataset(path)
	hasPackets := !info.IsDir() || record.Packets(path) != ""
	if !isDataset && !hasPackets {
		return fmt.Errorf("%s is neither a dataset nor a run", path)
	}
	if record.Packets(out) != "" {
		return fmt.Errorf("%s holds a record: name another directory", out)
	}
	if analysis.IsDataset(out) {
		return fmt.Errorf("%s holds a dataset: name another directory", out)
	}
	key, made, err := anonymize.LoadKey(keyFile)
	if err != nil {
		return err
	}
	if made {
		fmt.Fprintf(cmd.ErrOrStderr(), "laserdisc: made %s with a random key: whoever has it can find the addresses out\n", keyFile)
	}
	if hasPackets {
		if err := anonymizePackets(ctx, cmd, path, out, key); err != nil {
			return err
		}
	}
	if !isDataset {
		return nil
	}
	debug.SetMemoryLimit(mergeMemory / 8 * 7)
	from, err := analysis.Open(path)
	if err != nil {
		return err
	}
	d, err := from.Anonymize(ctx, out, key, analysis.Options{Memory: mergeMemory / 2})
	var relabeled *analysis.RelabeledError
	if errors.As(err, &relabeled) {
		return verdictError{err}
	}
	if err != nil {
		return err
	}
	for _, m := range from.Runs() {
		warnSeed(cmd.ErrOrStderr(), m)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d services, %d attempts\ndigest %s\n", d.Services(), d.Attempts(), d.Digest())
	return nil
}

func anonymizePackets(ctx context.Context, cmd *cobra.Command, path, out string, key *anonymize.Key) (err error) {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	name := filepath.Join(out, captureFile)
	if _, err := os.Stat(name); err == nil {
		return fmt.Errorf("%s is there already: name another directory", name)
	}
	f, err := os.CreateTemp(out, ".laserdisc-")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(f.Name()) // which is not whole, or has its name
		}
	}()
	result, err := key.Record(ctx, path, f, out)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	if m, err := record.LoadManifest(path); err == nil {
		warnSeed(cmd.ErrOrStderr(), m)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d packets", name, result.Packets)
	if result.Blank > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), ", of which %d are blank: neither TCP nor an ICMP error about it, or not whole", result.Blank)
	}
	fmt.Fprintln(cmd.OutOrStdout())
	if result.Relabeled > 0 {
		return verdictError{fmt.Errorf("%d streams would have another label, %s", result.Relabeled, result.First)}
	}
	return nil
}

// guessable seeds are below this: someone who tries them all finds the addresses out, for ports and sequence numbers are
// functions of seed and address.
const guessable = 1 << 40

func warnSeed(w io.Writer, m *record.Manifest) {
	for _, r := range m.Recorded() {
		if r.Observed == nil && r.Synthetic == "" && r.Seed < guessable {
			fmt.Fprintf(w, "laserdisc: the scan's seed was %d, which can be guessed: who does finds out the addresses by source ports and sequence numbers\n", r.Seed)
			return
		}
	}
}
