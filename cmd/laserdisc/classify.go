package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"laserdisc/capture/formats"
)

func classifyCommand() *cobra.Command {
	explain := false
	cmd := &cobra.Command{
		Use:   "classify [FILE...]",
		Short: "Label saved responses: JSON lines, those of LZR and ZGrab2 too",
		Long: `Read JSON lines from files, or from standard input, and write each back with what its response is:

  label     name of a protocol ("laserdisc protocols" lists them), "unknown", "echo" (our own bytes
            came back), "all-ones" (every byte is FFh), or "" if the server sent nothing
  evidence  certain, likely, weak or none
  bytes     how much of the response it took
  matches   every signature that matched, in order of precedence
  details   sub-labels, such as the status and the server's software
  why       with --explain: the rule that gave the label, its specification and version, and the
            bytes that decided, by offset, in hex and as text; all others could be written over

Fields of these names that a line has already are replaced. The response is in one of these fields:

  received_hex, received_base64
            what the server sent; with sent_hex or sent_base64, what had been sent to it, an echo
            is recognised as well
  response  of services.jsonl, as laserdisc scan writes it
  data      of LZR: text, in which bytes over 7Fh may be lost; evidence that rests on a lost byte
            is at most likely
  data.*.result
            of ZGrab2: banner, the answer of http, the identification of ssh, and the bytes that
            dnp3, modbus, drda, mysql and redis keep (the last three with ZGrab2's --verbose or
            --debug). The rest keep no bytes. Of several modules the one with the best evidence
            counts, then the first

A line that cannot be read is named on standard error by its number and left out; the rest goes on,
and the exit code is 2. A line can have up to 16 MiB.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{standardInput}
			}
			bad := 0
			for _, name := range args {
				n, err := classify(cmd, name, explain)
				if err != nil {
					return err
				}
				bad += n
			}
			if bad > 0 {
				return fmt.Errorf("%d of the lines could not be read", bad)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&explain, "explain", false, "say why: the rule, its specification, the bytes that decided")
	return cmd
}

// standardInput is named in messages as it is asked for: with no file.
const standardInput = "standard input"

// classify labels the lines of a file, and counts those that it could not read.
func classify(cmd *cobra.Command, name string, explain bool) (bad int, err error) {
	r := cmd.InOrStdin()
	if name != standardInput {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		r = f
	}
	err = formats.Classify(cmd.OutOrStdout(), r, explain, func(line int, err error) {
		bad++
		fmt.Fprintf(cmd.ErrOrStderr(), "laserdisc: %s:%d: %v\n", name, line, err)
	})
	if err != nil {
		return bad, fmt.Errorf("%s: %w", name, err)
	}
	return bad, nil
}
