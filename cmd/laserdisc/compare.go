package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/formats"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

func compareCommand() *cobra.Command {
	var margin float64
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Set two scans of the same targets side by side, of laserdisc or of other tools (the paper's Table 4)",
		Long: `Set side by side what two scans found, and what they took. A and B are each a directory that replay made,
a RUN or a capture, which is played back first, or a file of another tool's results:

  ZMap     -O json, or CSV with a line of column names; saddr and sport have to be among the fields
  LZR      its JSON lines, also those of scan --format lzr
  ZGrab2   its JSON lines

Counted is on targets that both tried, as far as that is known: laserdisc's manifest tells, and ZGrab2 has a
line for each. Those of ZMap and LZR are taken to be the other side's. What one side found elsewhere is left
out, and its number is said. Up to 8 million services and, unless both scans have the same targets, 8 million
targets are held.

Services, and hosts with one at least, that both found, A alone, B alone, by how far they got:

  McNemar      p, exact, of that one of the two finds no more than the other: small if it does
  equivalence  p of that the shares which the two have of all that is found differ by the margin or more: small
               if they do not (TOST, score)
  ports        p, Smirnov, of that what the two found is on the same ports in the same shares

Each takes what it counts for independent; services of one host are not, so that of these the hosts' are the
better ones. "Same label" is over services that both identified.

Bytes are of what was sent, from the IP header on. How much faster and how much less is said where both scans
probed the same targets. Times of other tools are from their first line with a time to their last.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(margin > 0 && margin < 1) {
				return fmt.Errorf("--margin %g: a share above 0 and below 1, such as 0.01", margin)
			}
			ctx, stop := untilInterrupted(cmd.Context())
			defer stop()
			dir, err := os.MkdirTemp("", "laserdisc-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			var sides [2]*side
			for i, path := range args {
				if sides[i], err = openSide(ctx, path, fmt.Sprintf("%s/%d", dir, i)); err != nil {
					return err
				}
			}
			return printComparison(cmd.OutOrStdout(), sides[0], sides[1], margin)
		},
	}
	cmd.Flags().Float64Var(&margin, "margin", 0.01, "difference of shares that counts as none, in the test of equivalence")
	return cmd
}

// side is one of the two scans.
type side struct {
	path     string
	tool     string
	findings *analysis.Findings

	dataset *analysis.Dataset // of laserdisc; nil of another tool
	tried   []netip.AddrPort  // all targets of another tool that tells of them
	tells   bool              // whether it does
	first   time.Time         // of the times in another tool's lines; zero if there are none
	last    time.Time
}

// maxCompared is how many targets are held.
const maxCompared = 1 << 23

func openSide(ctx context.Context, path, dir string) (*side, error) {
	head := make([]byte, 4)
	if f, err := os.Open(path); err == nil {
		info, err := f.Stat()
		n, _ := io.ReadFull(f, head) // a short file has no more, and a directory nothing
		head = head[:n]
		f.Close()
		if err == nil && info.Mode().IsRegular() && len(bytes.TrimPrefix(head, byteOrderMark)) == 0 {
			return nil, fmt.Errorf("%s: the file is empty", path)
		}
	}
	if isText(head) {
		return openResults(path)
	}
	list, err := openDatasets(ctx, []string{path}, dir, func(*record.Manifest) error { return nil })
	if err != nil {
		return nil, err
	}
	s := &side{path: path, tool: "laserdisc", dataset: list[0], findings: analysis.OfDataset()}
	return s, list[0].Fold(ctx, s.findings)
}

// byteOrderMark is what some programs begin a text with, which says that it is UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// isText reports whether a file that begins so is of lines, and no capture.
func isText(head []byte) bool {
	head = bytes.TrimPrefix(head, byteOrderMark)
	return len(head) > 0 && !slices.ContainsFunc(head, func(b byte) bool { return b < ' ' && b != '\t' && b != '\n' && b != '\r' || b > '~' })
}

// openResults reads another tool's file.
func openResults(path string) (*side, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &side{path: path}
	lines := bufio.NewReader(f)
	if start, _ := lines.Peek(len(byteOrderMark)); bytes.Equal(start, byteOrderMark) {
		_, _ = lines.Discard(len(byteOrderMark)) // which are there
	}
	// What the tool tells of is known behind the first line, and that it is the same for all.
	all := analysis.OfDataset()
	tool, err := formats.ReadFound(lines, func(one *formats.Found) error {
		if !one.Time.IsZero() {
			if s.first.IsZero() || one.Time.Before(s.first) {
				s.first = one.Time
			}
			if one.Time.After(s.last) {
				s.last = one.Time
			}
		}
		if len(s.tried) == maxCompared {
			s.tried = unique(s.tried)
			if len(s.tried) > maxCompared/2 {
				return fmt.Errorf("more than %d services", len(s.tried))
			}
		}
		s.tried = append(s.tried, one.Service)
		switch {
		case one.Label != "":
			return all.Found(one.Service, analysis.Identifies, one.Label)
		case one.Acks:
			return all.Found(one.Service, analysis.Acks, "")
		case one.Answers:
			return all.Found(one.Service, analysis.Connects, "")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if tool == nil {
		return nil, fmt.Errorf("%s: the file has no line but empty ones", path)
	}
	var tells []analysis.Level
	for level, does := range map[analysis.Level]bool{analysis.Connects: tool.Answers, analysis.Acks: tool.Acks, analysis.Identifies: tool.Identifies} {
		if does {
			tells = append(tells, level)
		}
	}
	s.tool, s.tells, s.findings = tool.Name, tool.Targets, all.Telling(tells...)
	if s.tells {
		s.tried = unique(s.tried)
	} else {
		s.tried = nil
	}
	return s, nil
}

func unique(list []netip.AddrPort) []netip.AddrPort {
	slices.SortFunc(list, netip.AddrPort.Compare)
	return slices.Compact(list)
}

// manifest is that of the side's one run; nil if it has several, or none.
func (s *side) manifest() *record.Manifest {
	if s.dataset == nil || len(s.dataset.Runs()) != 1 {
		return nil
	}
	return s.dataset.Runs()[0]
}

// targets are all that the side tried, in order; known is false if nobody can tell.
func (s *side) targets() (list []netip.AddrPort, known bool, err error) {
	if s.dataset == nil {
		return s.tried, s.tells, nil
	}
	for _, run := range s.dataset.Runs() {
		for _, m := range run.Recorded() {
			if m.Targets == nil || m.Observed != nil {
				return nil, false, nil
			}
			if list, err = appendTargets(list, m); err != nil {
				return nil, false, fmt.Errorf("%s: targets: %w", s.path, err)
			}
		}
	}
	return unique(list), true, nil
}

// appendTargets adds those that a scan probed.
func appendTargets(list []netip.AddrPort, m *record.Manifest) ([]netip.AddrPort, error) {
	if m.TargetCount-m.NotProbed > uint64(maxCompared-len(list)) {
		return nil, fmt.Errorf("more than %d: scans with other targets can be compared up to so many", maxCompared)
	}
	set, err := compileTargets(m)
	if err != nil {
		return nil, err
	}
	for position := range m.TargetCount - m.NotProbed {
		if t, ok := set.At(position); ok {
			list = append(list, t)
		}
	}
	return list, nil
}

// compileTargets makes the set of a scan's targets anew.
func compileTargets(m *record.Manifest) (*target.Set, error) {
	var spec target.Spec
	if err := json.Unmarshal(m.Targets, &spec); err != nil {
		return nil, err
	}
	set, err := target.Compile(spec, datasets.PortSets())
	if err == nil && set.Digest() != m.TargetDigest {
		err = errors.New("their lists are others than when they were scanned")
	}
	return set, err
}

// resample makes the set of targets that a scan would have had with a smaller sample: a subset of those that it had.
func resample(m *record.Manifest, share string) (*target.Set, error) {
	var spec target.Spec
	if err := json.Unmarshal(m.Targets, &spec); err != nil {
		return nil, err
	}
	spec.Sample = share
	return target.Compile(spec, datasets.PortSets())
}

// sameTargets reports whether two runs of laserdisc probed the same targets, all of them.
func sameTargets(a, b *record.Manifest) bool {
	whole := func(m *record.Manifest) bool {
		return m != nil && m.Sample != nil && m.Sample.Shards == 1 && m.NotProbed == 0 && m.EndedBy == record.EndedTargets && m.Partial == "" && len(m.Shards) == 0
	}
	return whole(a) && whole(b) && a.TargetDigest == b.TargetDigest
}

// sameClock reports whether the time of both scans passed, or that of both was simulated.
func sameClock(a, b *record.Manifest) bool { return a.Link.Kind == b.Link.Kind }

// common leaves out what was found at targets of one side alone, and says so.
func common(w io.Writer, a, b *side) error {
	if m := a.manifest(); sameTargets(m, b.manifest()) {
		return printf(w, "targets: the same %s, both probed all\n", plotters.Thousands(int(m.Counters.Launched)))
	}
	first, firstKnown, err := a.targets()
	if err != nil {
		return err
	}
	second, secondKnown, err := b.targets()
	if err != nil {
		return err
	}
	both := first
	switch {
	case !firstKnown && !secondKnown:
		return printf(w, "targets: neither side tells which they were; they are taken to be the same\n")
	case !firstKnown:
		both = second
		err = printf(w, "targets: %s of B; those of A are not known, and taken to be the same\n", plotters.Thousands(len(second)))
	case !secondKnown:
		err = printf(w, "targets: %s of A; those of B are not known, and taken to be the same\n", plotters.Thousands(len(first)))
	default:
		both = slices.DeleteFunc(slices.Clone(first), func(t netip.AddrPort) bool { return !has(second, t) })
		err = printf(w, "targets: %s common, %s of A alone, %s of B alone\n", plotters.Thousands(len(both)),
			plotters.Thousands(len(first)-len(both)), plotters.Thousands(len(second)-len(both)))
	}
	if err != nil {
		return err
	}
	is := func(t netip.AddrPort) bool { return has(both, t) }
	outA, outB := a.findings.Keep(is), b.findings.Keep(is)
	if empty := func(f *analysis.Findings) bool { return f.Len() == 0 }; empty(a.findings) && outA > 0 || empty(b.findings) && outB > 0 {
		return errors.New("the services of one side are all at targets that the other did not probe: nothing is to be compared")
	}
	return printf(w, "left out, at other targets: %s services of A, %s of B\n", plotters.Thousands(outA), plotters.Thousands(outB))
}

func has(list []netip.AddrPort, t netip.AddrPort) bool {
	_, found := slices.BinarySearchFunc(list, t, netip.AddrPort.Compare)
	return found
}

func printComparison(w io.Writer, a, b *side, margin float64) error {
	for _, one := range []struct {
		name string
		*side
	}{{"A", a}, {"B", b}} {
		about := one.tool
		if one.dataset != nil {
			about += ", dataset " + one.dataset.Digest()[:16]
		}
		if err := printf(w, "%s: %s (%s)\n", one.name, one.path, about); err != nil {
			return err
		}
	}
	if err := common(w, a, b); err != nil {
		return err
	}
	agreements := analysis.Compare(a.findings, b.findings)
	if len(agreements) == 0 {
		return fmt.Errorf("%s and %s tell of nothing that both know", a.tool, b.tool)
	}
	var rows [][]string
	for _, g := range agreements {
		for _, unit := range []struct {
			name  string
			pairs estimate.Pairs
		}{{"services", g.Services}, {"hosts", g.Hosts}} {
			row := []string{g.Level.String(), unit.name}
			for _, n := range []uint64{unit.pairs.Both, unit.pairs.First, unit.pairs.Second} {
				row = append(row, plotters.Thousands(int(n)))
			}
			tests, err := testPairs(g, unit.pairs, margin)
			if err != nil {
				return err
			}
			if unit.name == "hosts" {
				tests[2] = ""
			}
			rows = append(rows, append(row, tests...))
		}
	}
	err := writeTable(w, fmt.Sprintf("|found|both|only A|only B|McNemar p|equivalence p (%g)|ports p", margin), rows)
	for _, g := range agreements {
		if g.Level == analysis.Identifies {
			err = errors.Join(err, printf(w, "same label: %s of %s services that both identified\n",
				plotters.Thousands(int(g.Same)), plotters.Thousands(int(g.Services.Both))))
		}
	}
	return errors.Join(err, printCost(w, a, b), printSideCaveats(w, a, b))
}

// testPairs gives the p of McNemar's test, of equivalence and of Smirnov's; "" where there is nothing to test.
func testPairs(g analysis.Agreement, pairs estimate.Pairs, margin float64) ([]string, error) {
	if pairs.Both+pairs.First+pairs.Second == 0 {
		return []string{"", "", ""}, nil
	}
	equivalent, err := pairs.Equivalence(margin)
	if err != nil {
		return nil, err
	}
	list := []string{fmt.Sprintf("%.3g", pairs.McNemar().P), fmt.Sprintf("%.3g", equivalent.P), ""}
	if first, second := g.Ports(); len(first) > 0 && len(second) > 0 {
		ports, err := estimate.Smirnov(first, second)
		if err != nil {
			return nil, err
		}
		list[2] = fmt.Sprintf("%.3g", ports.P)
	}
	return list, nil
}

// duration is how long the side took; 0 if that is not known.
func (s *side) duration() time.Duration {
	m := s.manifest()
	switch {
	case m == nil:
		return s.last.Sub(s.first)
	case m.End.IsZero():
		return 0
	}
	return m.End.Sub(m.Start)
}

// printCost sets side by side what the two took.
func printCost(w io.Writer, a, b *side) error {
	var counters [2]record.Counters
	for i, s := range []*side{a, b} {
		if m := s.manifest(); m != nil && m.Observed == nil {
			counters[i] = m.Counters
		}
	}
	var rows [][]string
	row := func(name string, of func(record.Counters) uint64) {
		cells := []string{name}
		for _, c := range counters {
			cell := ""
			if n := of(c); n > 0 {
				cell = plotters.Thousands(int(n))
			}
			cells = append(cells, cell)
		}
		rows = append(rows, cells)
	}
	durations := []string{"seconds"}
	for _, s := range []*side{a, b} {
		cell := ""
		if d := s.duration(); d > 0 {
			cell = fmt.Sprintf("%.1f", d.Seconds())
		}
		durations = append(durations, cell)
	}
	rows = append(rows, durations)
	row("targets probed", func(c record.Counters) uint64 { return c.Launched })
	row("packets sent", func(c record.Counters) uint64 { return c.Sent })
	row("bytes sent", func(c record.Counters) uint64 { return c.SentBytes })
	row("SYN: packets", func(c record.Counters) uint64 { return c.SentSYN })
	row("SYN: bytes", func(c record.Counters) uint64 { return c.SentSYNBytes })
	row("with data: packets", func(c record.Counters) uint64 { return c.SentPayload })
	row("with data: bytes", func(c record.Counters) uint64 { return c.SentPayloadBytes })
	row("RST: packets", func(c record.Counters) uint64 { return c.SentRST })
	row("RST: bytes", func(c record.Counters) uint64 { return c.SentRSTBytes })
	row("other: packets", func(c record.Counters) uint64 { return c.Sent - c.SentSYN - c.SentPayload - c.SentRST })
	row("other: bytes", func(c record.Counters) uint64 {
		return c.SentBytes - c.SentSYNBytes - c.SentPayloadBytes - c.SentRSTBytes
	})
	if err := writeTable(w, "|A|B", rows); err != nil {
		return err
	}
	if !sameTargets(a.manifest(), b.manifest()) {
		return nil
	}
	if first, second := a.duration(), b.duration(); first > 0 && second > 0 && sameClock(a.manifest(), b.manifest()) {
		if err := printf(w, "A was %.2f times as fast as B\n", second.Seconds()/first.Seconds()); err != nil {
			return err
		}
	}
	if first, second := counters[0].SentBytes, counters[1].SentBytes; first > 0 && second > 0 {
		return printf(w, "A saved %.1f %% of the bytes that B sent\n", 100*(1-float64(first)/float64(second)))
	}
	return nil
}

func printSideCaveats(w io.Writer, sides ...*side) error {
	var list []*analysis.Dataset
	for _, s := range sides {
		if s.dataset != nil {
			list = append(list, s.dataset)
		}
	}
	return printCaveats(w, list)
}
