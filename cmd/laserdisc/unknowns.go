package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/analysis/unknowns"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
)

func unknownsCommand() *cobra.Command {
	var out string
	var without []string
	cmd := &cobra.Command{
		Use:   "unknowns DIR|RUN...",
		Short: "Cluster what services said that nobody recognises, and propose signatures",
		Long: `Gather the services labelled unknown, cluster their responses, and propose a signature for each
cluster: what all of its responses have in common, bytes at their places ("220 ", 2 bytes, "ok") and
words behind them (.. "ready"). DIR is what replay made; a RUN is played back first.

Responses are alike by their first 16 bytes, each at its place, earlier ones weighing more, or by the
sequences of three bytes among their first 128 that both have. At most 1,500 different ones are
compared with each other at once, drawn by their bytes; the others are added to the clusters found, and
what is like none of them is compared next. A cluster has 3 services at least.

"mistaken" is how many services that are recognised have the signature too. Below each cluster are the
ports of its services, the handshakes that drew it, and examples.

With --out, a file of Go for each signature: to be named, looked up, and made more precise, then moved
to capture/handshake with a line in its table (docs/protocols.md). "laserdisc relabel" says what moves.

With --without, services of these protocols are gathered as if their signatures were missing, and it is
told how well the clusters find them again: a cluster's share of a protocol's services, the share of
the cluster that they are, and of several, the adjusted Rand index over them (1: one cluster for each protocol).`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := allProtocols("without", without); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			return withDatasets(ctx, args, func(*record.Manifest) error { return nil }, func(d []*analysis.Dataset) error {
				return printUnknowns(ctx, cmd.OutOrStdout(), d, without, out)
			})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "directory for the proposals as Go files (made if missing)")
	withoutFlag(cmd, &without)
	return cmd
}

func withoutFlag(cmd *cobra.Command, without *[]string) {
	cmd.Flags().StringSliceVar(without, "without", nil, "protocols whose signatures are to be taken as missing")
}

// allProtocols refuses what is not the name of a protocol that has a signature.
func allProtocols(flag string, list []string) error {
	for _, name := range list {
		if p, ok := handshake.Lookup(name); !ok || p.Match == nil {
			return fmt.Errorf("--%s: no signature is called %q: `laserdisc protocols` lists them", flag, name)
		}
	}
	return nil
}

func printUnknowns(ctx context.Context, w io.Writer, from []*analysis.Dataset, without []string, out string) error {
	fold := analysis.NewUnrecognised(without)
	if err := analysis.FoldAll(ctx, from, fold); err != nil {
		return err
	}
	responses, kept := fold.Responses()
	clusters, rest := unknowns.Group(responses)
	signatures := make([]unknowns.Signature, len(clusters))
	for i := range clusters {
		signatures[i] = unknowns.Propose(&clusters[i])
	}
	mistaken := analysis.NewMistaken(signatures, without)
	if err := analysis.FoldAll(ctx, from, mistaken); err != nil {
		return err
	}
	services, left := 0, 0
	for _, r := range responses {
		services += len(r.Services)
	}
	for _, r := range rest {
		left += len(r.Services)
	}
	err := printf(w, "n = %d services that nobody recognises, with %d different responses; %d services are in no cluster\n", services, len(responses), left)
	if kept > 1 {
		err = errors.Join(err, printf(w, "of 1 in %d of the different responses: there were too many to hold\n", kept))
	}
	for i := range clusters {
		err = errors.Join(err, printCluster(w, i+1, &clusters[i], &signatures[i], mistaken.Services()[i]))
	}
	if len(without) > 0 {
		err = errors.Join(err, printFoundAgain(w, clusters, rest))
	}
	if out != "" {
		err = errors.Join(err, writeProposals(w, out, clusters, signatures))
	}
	return errors.Join(err, printCaveats(w, from))
}

// mostExamples is how many responses of a cluster are shown.
const mostExamples = 2

func printCluster(w io.Writer, number int, c *unknowns.Cluster, s *unknowns.Signature, mistaken int) error {
	signature := s.String()
	if !s.Enough() {
		signature = cmp.Or(signature, "nothing") + ", which is too little in common for a signature"
	}
	ports, drawn := make(map[string]int), make(map[string]int)
	for _, r := range c.Responses {
		drawn[r.Handshake] += len(r.Services)
		for _, at := range r.Services {
			ports[strconv.Itoa(int(at.Port()))]++
		}
	}
	err := printf(w, "\n%d: %d services, %d hosts, %d different responses; mistaken: %d\n  %s\n  ports %s; by %s\n", number, c.Services(), c.Hosts(),
		len(c.Responses), mistaken, signature, most(ports, 8), most(drawn, 8))
	for _, r := range c.Responses[:min(mostExamples, len(c.Responses))] {
		data := r.Data[:min(48, len(r.Data))]
		err = errors.Join(err, printf(w, "  %v  %s\n    %x\n", r.Services[0], shown(data), data))
	}
	return err
}

// shown is bytes as text, with dots for what is none.
func shown(data string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '.'
		}
		return c
	}, data)
}

// most lists the most frequent names with their counts, and says how many others there are.
func most(counts map[string]int, n int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	var parts []string
	for _, name := range names[:min(n, len(names))] {
		parts = append(parts, fmt.Sprintf("%s (%d)", name, counts[name]))
	}
	if more := len(names) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d others", more))
	}
	return strings.Join(parts, ", ")
}

// printFoundAgain compares the clusters with the labels of the services whose signatures were withheld.
func printFoundAgain(w io.Writer, clusters []unknowns.Cluster, rest []*unknowns.Response) error {
	type pair = struct {
		A string
		B int
	}
	both := make(map[pair]int)
	all := make([]int, len(clusters))
	count := func(r *unknowns.Response, cluster int) {
		if r.Label != handshake.Unknown {
			both[pair{r.Label, cluster}] += len(r.Services)
		}
	}
	for i := range clusters {
		all[i] = clusters[i].Services()
		for _, r := range clusters[i].Responses {
			count(r, i)
		}
	}
	for i, r := range rest {
		count(r, len(clusters)+i) // each is alone
	}
	services, in, largest := make(map[string]int), make(map[string]int), make(map[string]int)
	for p, n := range both {
		services[p.A] += n
		if p.B >= len(clusters) {
			continue
		}
		in[p.A]++
		if old, ok := largest[p.A]; !ok || n > both[pair{p.A, old}] || n == both[pair{p.A, old}] && p.B < old {
			largest[p.A] = p.B
		}
	}
	var rows [][]string
	for _, label := range slices.Sorted(maps.Keys(services)) {
		cells := []string{label, strconv.Itoa(services[label]), strconv.Itoa(in[label]), "", "", ""}
		if i, ok := largest[label]; ok {
			n := both[pair{label, i}]
			cells[3], cells[4], cells[5] = strconv.Itoa(i+1), inPercent(float64(n)/float64(services[label])), inPercent(float64(n)/float64(all[i]))
		}
		rows = append(rows, cells)
	}
	err := errors.Join(printf(w, "\nProtocols whose signatures were withheld:\n"),
		writeTable(w, "protocol|services|clusters|largest|has of them|are of it", rows))
	if len(services) > 1 {
		err = errors.Join(err, printf(w, "adjusted Rand index %.4f\n", unknowns.AdjustedRand(both)))
	}
	return err
}

// writeProposals writes a file for each signature that is one.
func writeProposals(w io.Writer, dir string, clusters []unknowns.Cluster, signatures []unknowns.Signature) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for i := range clusters {
		if !signatures[i].Enough() {
			continue
		}
		name := fmt.Sprintf("unlisted%d", i+1)
		text, err := signatures[i].Go(name, &clusters[i])
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name+".go")
		if err := os.WriteFile(path, text, 0o666); err != nil {
			return err
		}
		if err := printf(w, "%s\n", path); err != nil {
			return err
		}
	}
	return nil
}
