package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"laserdisc/capture"
	"laserdisc/capture/formats"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// scanOptions are the flags of scan.
type scanOptions struct {
	plan       record.Manifest  // what decides the scan; the manifest of its run
	resumed    *record.Manifest // of the scan that is gone on with, if it is one
	out        string
	targets    target.Spec
	handshakes string
	maxTargets string
	permission bool
	from       string
	dryRun     bool
	format     string
	feedZGrab  bool
	onlyData   bool
	statusFile string
	device     string
	sources    []string
	sourcePort string
	followup   []time.Duration
	gatewayMAC string
	key        string
	lab        string
	loss       float64
}

func scanCommand(arguments []string) *cobra.Command {
	_, cmd := newScan(arguments)
	return cmd
}

// newScan makes the command, and the options that it fills in.
func newScan(arguments []string) (*scanOptions, *cobra.Command) {
	o := &scanOptions{plan: record.Manifest{
		Arguments: append([]string{"laserdisc"}, arguments...), Settings: session.Defaults(), ChunkSize: record.DefaultChunkSize,
	}}
	var resumed string
	cmd := &cobra.Command{
		Use:   "scan TARGET... --ports PORTS --out RUN",
		Short: "Scan a sub-sample of services and record every packet",
		Long: `Probe targets, find out what the services that answer speak, and record every packet in the run
directory: packets-00000.pcapng and so on, manifest.json, services.jsonl. A TARGET is a prefix, an address, an
ADDRESS:PORT, a file of these, or - for standard input. Ctrl-C stops probing and finishes what is
in flight, as a limit does; a second one stops at once. Either way the record is closed, and plays
back. Started by root, the scan becomes who called sudo, or nobody, before it sends anything.

Scan only what you may: see the README on ethics.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if resumed != "" {
				if cmd.Flags().NFlag() > 1 || len(args) > 0 {
					return fmt.Errorf("--resume goes on by the scan's own command line: give nothing else")
				}
				return resume(cmd, resumed)
			}
			o.targets.Targets = args
			if err := o.check(cmd.Flags()); err != nil {
				return err
			}
			if !cmd.Flags().Changed("seed") {
				o.plan.Seed = randomSeed()
			}
			return o.run(cmd)
		},
	}
	f, m := cmd.Flags(), &o.plan
	duration := func(p *session.Duration, name string, usual time.Duration, usage string) {
		f.DurationVar((*time.Duration)(p), name, usual, usage)
	}
	f.StringVarP(&o.out, "out", "o", "", "run directory, to be made")
	f.Var((*byteSize)(&o.plan.ChunkSize), "chunk", "size at which a new file of packets is begun: 64MiB, 1GiB, ...; one that is finished can be moved away while the scan runs")
	f.StringVar(&m.Compression, "compress", "", "zstd: compress the packets as they are recorded, to about a quarter")
	f.StringVar(&resumed, "resume", "", "go on with the interrupted or killed scan in this run directory")
	f.StringVarP(&o.targets.Ports, "ports", "p", "", `ports: numbers, ranges, "all", and the sets "paper", "assigned", "ephemeral"`)
	f.Uint64Var(&m.Seed, "seed", 0, "seed of the targets' order, of the sample, and of what is drawn for each service (default: random; it is in the manifest)")
	f.StringVar(&o.key, "key", "", "the cookie_key of another run's manifest, to send the same packets again; whoever knows it can forge answers of the targets (default: random)")
	f.StringVar(&o.targets.Sample, "sample", "", "share of the targets to probe: 0.1%, 1/1000 or 0.001 (default all)")
	f.StringVar(&o.targets.SampleBy, "sample-by", "service", "what the sample is drawn of: service, host (the same hosts on all ports), or a prefix length such as /24 (whole blocks of consecutive addresses, on all ports)")
	f.StringVar(&o.targets.Shard, "shard", "", "i/n: the i-th of n disjoint parts, i from 1 to n")
	f.StringSliceVar(&o.targets.Allow, "allow", nil, "file of prefixes: probe nothing else")
	f.StringSliceVar(&o.targets.Block, "block", nil, "file of prefixes not to probe")
	f.StringSliceVar(&o.targets.Open, "open", nil, "prefix of special-use space that may be probed (all of it is blocked otherwise)")
	f.Uint64VarP(&m.Rate, "rate", "r", 10000, "packets a second, all that is sent; 0 is no limit")
	f.StringVar(&o.handshakes, "handshakes", strings.Join(m.Handshakes, ","), "what to say, in this order (see --random-order)")
	f.DurationVar((*time.Duration)(&m.Pause), "pause", 0, "with --all-handshakes: let a service that sent data rest for so long before the next handshake, which the answered one may spoil for up to two minutes")
	f.BoolVar(&m.RandomOrder, "random-order", false, "say it in an order that is drawn for each service, by the seed; wait keeps its place")
	f.BoolVar(&m.AllHandshakes, "all-handshakes", false, "try every handshake, whatever comes back")
	f.BoolVar(&m.Push, "push", false, "set PSH on a handshake's first data at once (costs 0.6 % of the hosts)")
	f.BoolVar(&m.Liveness, "liveness", false, "the paper's Algorithm 1: two newlines, eight retransmissions, 102 s; says only what acknowledges data")
	f.IntVar(&m.EphemeralProbes, "ephemeral-probes", 0, "try so many random ephemeral ports of a host that acknowledges data and is silent: one that acknowledges data on all of them is a firewall (the paper takes 5)")
	f.BoolVar(&m.SkipAllPorts, "skip-all-ports", false, "probe such a host no further")
	duration(&m.Revisit, "revisit", 0, "so long after a service acknowledged nothing, look again from the same and from a fresh source (needs two --source-ip)")
	f.DurationSliceVar(&o.followup, "followup", nil, "tell a service that sent data the first handshake that drew it once more: after a wrong one and one of these times, or alone, as is drawn for each (the paper: 0s,1s,5s,30s,120s); it waits for the longest of them before that, so that the scan takes so much longer")
	duration(&m.Timeout, "timeout", time.Duration(m.Timeout), "for the answer to a SYN or to a handshake")
	duration(&m.Wait, "wait", time.Duration(m.Wait), "how long the handshake wait listens")
	duration(&m.RetransmitAfter, "retransmit-after", time.Duration(m.RetransmitAfter), "send again what was not acknowledged for so long")
	f.IntVar(&m.Retransmits, "retransmits", m.Retransmits, "how many times")
	duration(&m.Cooldown, "cooldown", 8*time.Second, "wait for answers after the last probe")
	f.IntVar(&m.Probes, "probes", 1, "SYNs to a target that does not answer, a second apart")
	f.StringVar(&o.maxTargets, "max-targets", "", "probe no more than this number or share of the targets: 1000 or 5%")
	f.Uint64Var(&m.MaxResults, "max-results", 0, "stop probing when so many services have been found; 0 is no limit")
	duration(&m.MaxRuntime, "max-runtime", 0, "stop probing after so long; 0 is no limit")
	f.BoolVar(&o.permission, "i-have-permission", false, "scan more than 65,536 addresses of other people's without a block list: whoever runs this network knows, and answers for it")
	f.StringVar(&m.Contact, "contact", "", "how to reach you, an address or a page: part of the User-Agent")
	f.StringVar(&o.from, "from", "", "zmap: go on from the SYN-ACKs that zmap -O json writes to standard input, instead of from targets")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the targets in their order, and send nothing")
	f.StringVar(&o.format, "format", "", "lzr: write LZR's JSON lines to standard output as services are found")
	f.BoolVar(&o.feedZGrab, "feed-zgrab", false, "write ip,,label,port to standard output as services are found, for zgrab2 multiple")
	f.BoolVar(&o.onlyData, "only-data", false, "with --format: only services that sent data")
	f.StringVar(&o.statusFile, "status-file", "", "append a line of JSON each second to this file (/dev/stderr is one)")
	f.StringVarP(&o.device, "interface", "i", "", "interface (default: that of the route to the first target)")
	f.StringSliceVar(&o.sources, "source-ip", nil, "source address, FIRST-LAST, or prefix; several share the targets (default: that of the route)")
	f.StringVar(&o.sourcePort, "source-port", m.SourcePorts.String(), "range of source ports")
	f.StringVar(&o.gatewayMAC, "gateway-mac", "", "Ethernet address to send to (default: that of the route's gateway)")
	f.StringVar(&m.Synthetic, "synthetic", "", "name of the simulated population that is scanned; tables and figures show it")
	f.StringVar(&o.lab, "lab", "", "scan this population in memory, with no network and no privileges, in simulated time")
	f.Float64Var(&o.loss, "loss", -1, "with --lab: share of packets lost (default: the population's)")
	return o, cmd
}

// liveness sets what the paper's Algorithm 1 says: a kernel's retransmissions, which start after
// 0.2 s, eight of them.
func (o *scanOptions) liveness() {
	o.handshakes = "newlines"
	o.plan.Retransmits, o.plan.RetransmitAfter = 8, session.Duration(200*time.Millisecond)
	o.plan.Timeout = 511 * o.plan.RetransmitAfter
}

// longest is what a time can be: several in a row stay far from the year 2262, where nanoseconds end.
const longest = 365 * 24 * time.Hour

// check reports flags that make no sense, or do not go together.
func (o *scanOptions) check(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if d, other := flags.GetDuration(f.Name); other == nil && (d < 0 || d > longest) {
			err = fmt.Errorf("--%s %v: a time is 0s to %v", f.Name, d, longest)
		}
	})
	given := func(names ...string) bool { return slices.ContainsFunc(names, flags.Changed) }
	narrowed := o.targets
	narrowed.Targets, narrowed.SampleBy = nil, ""
	switch {
	case err != nil:
		return err
	case o.plan.Probes < 1 || o.plan.Probes > 100:
		return fmt.Errorf("--probes %d: 1 to 100 are possible", o.plan.Probes)
	case o.from != "" && o.from != "zmap":
		return fmt.Errorf("--from %q: zmap is the only one", o.from)
	case o.from != "" && (len(o.targets.Targets) > 0 || !reflect.DeepEqual(narrowed, target.Spec{})):
		return fmt.Errorf("--from zmap takes the services from standard input: give targets, ports, samples and lists to zmap")
	case o.from != "" && (o.lab != "" || o.dryRun || o.plan.Probes > 1):
		return fmt.Errorf("--from zmap probes nothing itself, so that --lab, --dry-run and --probes have no effect")
	case o.lab != "" && given("interface", "source-ip", "gateway-mac", "synthetic"):
		return fmt.Errorf("--lab is a network of its own, so that --interface, --source-ip, --gateway-mac and --synthetic have no effect")
	case o.key != "" && o.lab != "":
		return fmt.Errorf("--key has no effect with --lab, where the key follows from the seed")
	case o.lab == "" && given("loss"):
		return fmt.Errorf("--loss is of a simulated network: it goes with --lab")
	case o.plan.Liveness && given("handshakes", "timeout", "retransmits", "retransmit-after"):
		return fmt.Errorf("--liveness says what is sent and how long is waited, so that --handshakes, --timeout, --retransmits and --retransmit-after have no effect")
	case o.plan.SkipAllPorts && o.plan.EphemeralProbes == 0:
		return fmt.Errorf("--skip-all-ports: no host is found to be such a one without --ephemeral-probes")
	case o.from == "" && len(o.targets.Targets) == 0:
		return fmt.Errorf("no targets: name a prefix, an address, an ADDRESS:PORT, or a file of these")
	case o.plan.Compression != "" && o.plan.Compression != "zstd":
		return fmt.Errorf("--compress %q: zstd is the only one", o.plan.Compression)
	case o.out == "" && !o.dryRun:
		return fmt.Errorf("no run directory: name one with --out")
	}
	return o.ineffective(given)
}

// ineffective reports a flag that changes nothing for want of another: who gave it expects another scan than would be made.
func (o *scanOptions) ineffective(given func(...string) bool) error {
	if o.plan.Liveness { // which has handshakes of its own
		o.liveness()
	}
	handshakes, err := handshake.Parse(o.handshakes)
	if err != nil {
		return fmt.Errorf("--handshakes: %w", err)
	}
	speaking := 0
	for _, p := range handshakes {
		if p.Hello != nil {
			speaking++
		}
	}
	waits := speaking < len(handshakes)
	switch {
	case given("pause") && !o.plan.AllHandshakes:
		return errors.New("--pause has no effect without --all-handshakes: a service that sent data gets no other handshake")
	case o.plan.RandomOrder && speaking < 2:
		return fmt.Errorf("--random-order has no effect with --handshakes %s: wait keeps its place, and it takes two others to change theirs", o.handshakes)
	case given("wait") && !waits && o.plan.Liveness:
		return errors.New("--wait has no effect with --liveness, which does not say the handshake wait")
	case given("wait") && !waits:
		return fmt.Errorf("--wait has no effect with --handshakes %s: it is about the handshake wait", o.handshakes)
	case o.plan.Push && speaking == 0:
		return fmt.Errorf("--push has no effect with --handshakes %s, which say nothing", o.handshakes)
	case given("retransmit-after") && o.plan.Retransmits == 0:
		return errors.New("--retransmit-after has no effect with --retransmits 0")
	case o.onlyData && o.format == "":
		return errors.New("--only-data has no effect without --format, whose lines it is about")
	case o.permission && o.lab != "":
		return errors.New("--i-have-permission has no effect with --lab, where nobody is scanned")
	case o.permission && o.from != "":
		return errors.New("--i-have-permission has no effect with --from zmap, which has probed already")
	}
	return nil
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

func (o *scanOptions) run(cmd *cobra.Command) error {
	stderr := cmd.ErrOrStderr()
	set, err := o.compile(stderr)
	if err != nil {
		return err
	}
	m, err := o.manifest(set)
	if err != nil {
		return err
	}
	if o.key != "" && !o.dryRun && o.resumed == nil {
		fmt.Fprintln(stderr, "laserdisc: --key: while this scan runs, whoever knows the key can forge answers of its targets, and so what it sends them and lists")
	}
	if o.dryRun {
		return printTargets(cmd.OutOrStdout(), set, m.MaxTargets)
	}
	if err := o.consent(set); err != nil {
		return err
	}
	var past history
	if o.resumed != nil {
		if past, err = o.playHistory(cmd.Context(), set); err != nil {
			return err
		}
	}
	print, err := o.printer(cmd.OutOrStdout(), m)
	if err != nil {
		return err
	}
	if print != nil {
		signal.Ignore(unix.SIGPIPE) // a reader that leaves is an error, and the record is closed
	}
	status, closeStatus, err := o.status(m)
	if err != nil {
		return err
	}
	wire, err := o.open(m, set, past.last)
	if err != nil {
		return errors.Join(err, closeStatus())
	}
	s := &capture.Scan{Dir: o.out, Manifest: m, Link: wire, Status: status, Found: print}
	err = o.scan(cmd.Context(), s, set, past)
	if err = errors.Join(err, closeStatus()); err != nil {
		return err
	}
	summary(stderr, m, o.out)
	return nil
}

// scan runs s, and closes its link.
func (o *scanOptions) scan(ctx context.Context, s *capture.Scan, set *target.Set, past history) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var privileged *keeper
	defer func() {
		closing := s.Link.Close
		if privileged != nil {
			closing = func() error { return privileged.do(s.Link.Close) }
		}
		if closed := closing(); !errors.Is(err, closed) { // it may say again what ended the scan
			err = errors.Join(err, closed)
		}
	}()
	if uid, gid := user(); o.lab == "" && mayDrop(uid) {
		if err := givable(s.Dir, uid); err != nil {
			return err
		}
		s.Opened = func() (err error) {
			privileged, err = dropPrivileges(s.Dir, uid, gid)
			return err
		}
	}
	switch {
	case o.from != "":
		s.Adopted = formats.ReadZMap(ctx, os.Stdin, s.Manifest.Sources, s.Manifest.SourcePorts.First, s.Manifest.SourcePorts.Last)
	case o.resumed != nil:
		if err := o.takeUp(s, set, past); err != nil {
			return err
		}
	default:
		s.Targets = set.Iterate()
	}
	defer stopOnSignal(s, cancel)()
	return s.Run(ctx)
}

// compile resolves the targets, and tells what is kept out of them. There are none to be known
// beforehand if they come from ZMap.
func (o *scanOptions) compile(stderr io.Writer) (*target.Set, error) {
	if o.from != "" {
		return nil, nil
	}
	o.targets.Seed = o.plan.Seed
	set, err := target.Compile(o.targets, datasets.PortSets())
	if err != nil {
		return nil, err
	}
	if sample := set.Sample(); sample.Unit == "block" && sample.Drawn == sample.Of && sample.Numerator < sample.Denominator {
		return nil, fmt.Errorf("--sample-by: the targets are in %d blocks of /%d, and the share asked for is all of them: take a longer prefix", sample.Of, sample.Bits)
	}
	for _, e := range set.Excluded() {
		fmt.Fprintf(stderr, "laserdisc: %s: %s%s keeps out %d targets\n", e.Reason, e.Entry, note(e.Note), e.Targets)
	}
	if set.Len() == 0 {
		return nil, fmt.Errorf("no targets: nothing is left after sample, shard and lists")
	}
	return set, nil
}

// mostAddresses may be scanned without further ado: a /16's.
const mostAddresses = 1 << 16

// consent refuses a large scan of other people's hosts that nobody has thought about.
func (o *scanOptions) consent(set *target.Set) error {
	if set == nil || o.lab != "" || o.permission || len(o.targets.Block) > 0 {
		return nil
	}
	if n := min(set.Public(), set.Len()); n > mostAddresses {
		return fmt.Errorf("this may probe %d addresses of other people's, more than a /16: give the list of those who asked not to be scanned (--block), or say that whoever runs this network knows of the scan and answers for it (--i-have-permission)", n)
	}
	return nil
}

// printTargets writes what would be probed, in order.
func printTargets(w io.Writer, set *target.Set, limit uint64) error {
	b := bufio.NewWriter(w)
	var line []byte
	targets := set.Iterate()
	for n := uint64(0); limit == 0 || n < limit; n++ {
		t, ok := targets.Next()
		if !ok {
			break
		}
		line = append(t.AppendTo(line[:0]), '\n')
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// stopOnSignal makes the first Ctrl-C stop the probing and the second one everything. A terminal that is gone does as Ctrl-C
// does, unless nohup has it ignored.
func stopOnSignal(s *capture.Scan, cancel func()) (release func()) {
	stop := make(chan struct{})
	s.Stop = stop
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, unix.SIGTERM)
	if !signal.Ignored(unix.SIGHUP) {
		signal.Notify(signals, unix.SIGHUP)
	}
	go func() {
		if _, ok := <-signals; ok {
			close(stop)
		}
		if _, ok := <-signals; ok {
			cancel()
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// note puts what is known of an entry into brackets.
func note(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
