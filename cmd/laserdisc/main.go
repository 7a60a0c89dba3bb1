// Command laserdisc scans sub-samples of the Internet's services, records every packet, plays
// the record back, and draws the figures.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes a command line and returns the exit code: 0, 1 for a result that is not as it
// should be (a playback that differs), 2 for a command that could not be carried out, 3 for a result of a capture that is damaged or
// cut off: it is of what could be read.
func run(args []string) int {
	root := &cobra.Command{
		Use:           "laserdisc",
		Short:         "Scan, record, play back: where Internet services really live",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return noneEmpty(cmd.Flags()) }
	root.AddCommand(scanCommand(args), labCommand(), replayCommand(), showCommand(), mergeCommand(), relabelCommand(), datasetCommand(),
		orderCommand(), compareCommand(), diffCommand(), whatIfCommand(), reportCommand(), allPortsCommand(), predictCommand(), unknownsCommand(),
		classifyCommand(), protocolsCommand(), demoCommand(), versionCommand())
	for _, cmd := range root.Commands() {
		cmd.Args = withUsage(cmd.Args)
	}
	root.SetArgs(args)
	stdout := &output{Writer: os.Stdout}
	root.SetOut(stdout)
	err := root.Execute()
	if err == nil {
		err = stdout.err
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "laserdisc:", err)
	switch {
	case errors.As(err, new(damageError)):
		return 3
	case errors.As(err, new(verdictError)):
		return 1
	}
	return 2
}

// output remembers what went wrong with it first: a result that nobody can read is none.
type output struct {
	io.Writer
	err error
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// verdictError is the error of a command that did its work and found something wrong.
type verdictError struct{ error }

func (e verdictError) Unwrap() error { return e.error }

// damageError is the error of a command that did its work with a capture of which not all can be read.
type damageError struct{ error }

func (e damageError) Unwrap() error { return e.error }

// noneEmpty refuses flags that are given and empty, as in --sample "$SHARE" where nothing set SHARE: without its sample,
// list or lab a scan would be another one.
func noneEmpty(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if text := f.Value.String(); text == "" || text == "[]" {
			err = fmt.Errorf("--%s is given, and empty", f.Name)
		}
	})
	return err
}

// withUsage makes an error about arguments say which there should be.
func withUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		return nil
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return fmt.Errorf("%w: want %s", err, cmd.UseLine())
		}
		return nil
	}
}
