package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
)

func relabelCommand() *cobra.Command {
	var without []string
	cmd := &cobra.Command{
		Use:   "relabel DIR...",
		Short: "Label the responses of datasets by this program's signatures, and print what moved",
		Long: `Label every response in datasets by the table of signatures that this program has, and print the
services whose label or evidence is another than the dataset's, by what it was and what it is, with
examples. DIR is what replay made with an older or another table. It stays as it is: to have tables with
the new labels, play the record back.

An echo stays one, because a signature has no part in it.

With --without, the signatures of these protocols count as missing: what would be lost without them, or
be recognised as something else.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := allProtocols("without", without); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			var list []*analysis.Dataset
			for _, path := range args {
				d, err := analysis.Open(path)
				if err != nil && !analysis.IsDataset(path) {
					return fmt.Errorf("%w: relabel compares a dataset's labels, and playing a record back makes new ones", err)
				}
				if err != nil {
					return err
				}
				list = append(list, d)
			}
			return printMoves(ctx, cmd.OutOrStdout(), list, without)
		},
	}
	withoutFlag(cmd, &without)
	return cmd
}

func printMoves(ctx context.Context, w io.Writer, from []*analysis.Dataset, without []string) error {
	fold := analysis.NewRelabel(without)
	if err := analysis.FoldAll(ctx, from, fold); err != nil {
		return err
	}
	moves, services, err := fold.Moves()
	if err != nil {
		return err
	}
	moved := 0
	var rows [][]string
	for _, m := range moves {
		moved += m.Services
		rows = append(rows, []string{m.From.Label, m.From.Evidence.String(), m.To.Label, m.To.Evidence.String(), strconv.Itoa(m.Services)})
	}
	err = printf(w, "%d of %d services that sent data have another label or evidence\n", moved, services)
	if moved == 0 {
		return errors.Join(err, printCaveats(w, from))
	}
	err = errors.Join(err, writeTable(w, "from|evidence|to|evidence|services", rows))
	for _, m := range moves {
		err = errors.Join(err, printf(w, "\n%s, %v, to %s, %v:\n", m.From.Label, m.From.Evidence, m.To.Label, m.To.Evidence))
		for _, e := range m.Examples {
			err = errors.Join(err, printf(w, "  %v  by %s  %s\n    %x\n", e.Service, e.Handshake, shown(string(e.Response)), e.Response))
		}
	}
	return errors.Join(err, printCaveats(w, from))
}
