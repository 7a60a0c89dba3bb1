// Command laserdisc scans sub-samples of the Internet's services, records every packet, plays
// the record back, and draws the figures.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes a command line and returns the exit code: 0, 1 for a result that is not as it
// should be (a playback that differs), 2 for a command that could not be carried out.
func run(args []string) int {
	root := &cobra.Command{
		Use:           "laserdisc",
		Short:         "Scan, record, play back: where Internet services really live",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(scanCommand(args), labCommand(), replayCommand(), orderCommand(), reportCommand(),
		classifyCommand(), protocolsCommand(), demoCommand(), versionCommand())
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "laserdisc:", err)
	var verdict verdictError
	if errors.As(err, &verdict) {
		return 1
	}
	return 2
}

// verdictError is the error of a command that did its work and found something wrong.
type verdictError struct{ error }

func (e verdictError) Unwrap() error { return e.error }
