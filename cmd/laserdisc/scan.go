package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"laserdisc/capture"
	"laserdisc/capture/handshake"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// scanOptions are the flags of scan.
type scanOptions struct {
	arguments  []string         // the whole command line
	resumed    *record.Manifest // of the scan that is gone on with, if it is one
	out        string
	targets    target.Spec
	seed       uint64
	rate       uint64
	handshakes string
	session    session.Config
	cooldown   time.Duration
	device     string
	sources    []string
	sourcePort string
	gatewayMAC string
	synthetic  string
	lab        string
	loss       float64
}

func scanCommand(arguments []string) *cobra.Command {
	_, cmd := newScan(arguments)
	return cmd
}

// newScan makes the command, and the options that it fills in.
func newScan(arguments []string) (*scanOptions, *cobra.Command) {
	o := &scanOptions{arguments: arguments, session: session.Defaults()}
	var resumed string
	cmd := &cobra.Command{
		Use:   "scan TARGET... --ports PORTS --out RUN",
		Short: "Scan a sub-sample of services and record every packet",
		Long: `Probe targets, find out what the services that answer speak, and record every packet in the run
directory: packets.pcapng, manifest.json, services.jsonl. A TARGET is a prefix, an address, an
ADDRESS:PORT, or a file of these. Ctrl-C stops probing and finishes what is in flight; a second
one stops at once. Either way the record is closed, and plays back.

Scan only what you may: see the README on ethics.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if resumed != "" {
				if cmd.Flags().NFlag() > 1 || len(args) > 0 {
					return fmt.Errorf("--resume goes on by the scan's own command line: give nothing else")
				}
				return resume(cmd, resumed)
			}
			if len(args) == 0 {
				return fmt.Errorf("no targets: name a prefix, an address, an ADDRESS:PORT, or a file of these")
			}
			if o.out == "" {
				return fmt.Errorf("no run directory: name one with --out")
			}
			o.targets.Targets = args
			if !cmd.Flags().Changed("seed") {
				o.seed = randomSeed()
			}
			return o.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "run directory, to be made")
	f.StringVar(&resumed, "resume", "", "go on with the interrupted or killed scan in this run directory")
	f.StringVarP(&o.targets.Ports, "ports", "p", "", `ports: numbers, ranges, "all", and the sets "paper", "assigned", "ephemeral"`)
	f.Uint64Var(&o.seed, "seed", 0, "seed of order, sample, ports and sequence numbers (default: random; it is in the manifest)")
	f.StringVar(&o.targets.Sample, "sample", "", "share of the targets to probe: 0.1%, 1/1000 or 0.001 (default all)")
	f.StringVar(&o.targets.SampleBy, "sample-by", "service", "what the sample is drawn of: service, or host (the same hosts on all ports)")
	f.StringVar(&o.targets.Shard, "shard", "", "i/n: the i-th of n disjoint parts, i from 1 to n")
	f.StringSliceVar(&o.targets.Allow, "allow", nil, "file of prefixes: probe nothing else")
	f.StringSliceVar(&o.targets.Block, "block", nil, "file of prefixes not to probe")
	f.StringSliceVar(&o.targets.Open, "open", nil, "prefix of special-use space that may be probed (all of it is blocked otherwise)")
	f.Uint64VarP(&o.rate, "rate", "r", 10000, "packets a second, all that is sent; 0 is no limit")
	f.StringVar(&o.handshakes, "handshakes", "wait,tls,http,dns,redis", "what to say, in this order")
	f.BoolVar(&o.session.All, "all-handshakes", false, "try every handshake, whatever comes back")
	f.BoolVar(&o.session.Push, "push", false, "set PSH on a handshake's first data at once (costs 0.6 % of the hosts)")
	f.BoolVar(&o.session.Liveness, "liveness", false, "the paper's Algorithm 1: two newlines, eight retransmissions, 102 s; says only what acknowledges data")
	f.IntVar(&o.session.EphemeralProbes, "ephemeral-probes", 0, "try so many random ephemeral ports of a host that acknowledges data and is silent: one that acknowledges data on all of them is a firewall (the paper takes 5)")
	f.BoolVar(&o.session.SkipAllPorts, "skip-all-ports", false, "probe such a host no further")
	f.DurationVar(&o.session.Revisit, "revisit", 0, "so long after a service acknowledged nothing, look again from the same and from a fresh source (needs two --source-ip)")
	f.DurationVar(&o.session.Timeout, "timeout", o.session.Timeout, "for the answer to a SYN or to a handshake")
	f.DurationVar(&o.session.Wait, "wait", o.session.Wait, "how long the handshake wait listens")
	f.DurationVar(&o.session.RetransmitAfter, "retransmit-after", o.session.RetransmitAfter, "send again what was not acknowledged for so long")
	f.IntVar(&o.session.Retransmits, "retransmits", o.session.Retransmits, "how many times")
	f.DurationVar(&o.cooldown, "cooldown", 8*time.Second, "wait for answers after the last probe")
	f.StringVarP(&o.device, "interface", "i", "", "interface (default: that of the route to the first target)")
	f.StringSliceVar(&o.sources, "source-ip", nil, "source address (default: that of the route)")
	f.StringVar(&o.sourcePort, "source-port", o.session.SourcePorts.String(), "range of source ports")
	f.StringVar(&o.gatewayMAC, "gateway-mac", "", "Ethernet address to send to (default: that of the route's gateway)")
	f.StringVar(&o.synthetic, "synthetic", "", "name of the simulated population that is scanned; tables and figures show it")
	f.StringVar(&o.lab, "lab", "", "scan this population in memory, with no network and no privileges, in simulated time")
	f.Float64Var(&o.loss, "loss", -1, "with --lab: share of packets lost (default: the population's)")
	return o, cmd
}

// liveness sets what the paper's Algorithm 1 says: a kernel's retransmissions, which start after
// 0.2 s, eight of them.
func (o *scanOptions) liveness() {
	o.handshakes = "newlines"
	o.session.Retransmits, o.session.RetransmitAfter = 8, 200*time.Millisecond
	o.session.Timeout = 511 * o.session.RetransmitAfter
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

func (o *scanOptions) run(cmd *cobra.Command) error {
	if o.cooldown < 0 {
		return fmt.Errorf("--cooldown %v: a time to wait is not below zero", o.cooldown)
	}
	if o.session.Liveness {
		o.liveness()
	}
	o.targets.Seed = o.seed
	set, err := target.Compile(o.targets, datasets.PortSets())
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	for _, e := range set.Excluded() {
		fmt.Fprintf(stderr, "laserdisc: %s: %s%s keeps out %d targets\n", e.Reason, e.Entry, note(e.Note), e.Targets)
	}
	if set.Len() == 0 {
		return fmt.Errorf("no targets: nothing is left after sample, shard and lists")
	}
	m, err := o.manifest(set)
	if err != nil {
		return err
	}
	var past history
	if o.resumed != nil {
		if past, err = o.playHistory(set); err != nil {
			return err
		}
	}
	wire, err := o.open(m, set, past.last)
	if err != nil {
		return err
	}
	defer wire.Close()
	s := &capture.Scan{Dir: o.out, Manifest: m, Targets: set.Iterate(), Link: wire, Cooldown: o.cooldown}
	if o.resumed != nil {
		if err := o.takeUp(s, set, past); err != nil {
			return err
		}
	}
	if terminal(os.Stderr) {
		s.Status = newStatusLine(os.Stderr, m, o.cooldown).show
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	defer stopOnSignal(s, cancel)()
	if err := s.Run(ctx); err != nil {
		return err
	}
	summary(stderr, m, o.out)
	return nil
}

// stopOnSignal makes the first Ctrl-C stop the probing and the second one everything.
func stopOnSignal(s *capture.Scan, cancel func()) (release func()) {
	stop := make(chan struct{})
	s.Stop = stop
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, unix.SIGTERM)
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

// manifest says all that the scan does.
func (o *scanOptions) manifest(set *target.Set) (*record.Manifest, error) {
	handshakes, err := handshake.Parse(o.handshakes)
	if err != nil {
		return nil, fmt.Errorf("--handshakes: %w", err)
	}
	ports, err := parseSourcePorts(o.sourcePort)
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(o.targets)
	if err != nil {
		return nil, err
	}
	m := &record.Manifest{
		Laserdisc: version, Revision: revision(), Go: runtime.Version(), GOARCH: runtime.GOARCH,
		Synthetic: o.synthetic, Arguments: append([]string{"laserdisc"}, o.arguments...),
		Seed: o.seed, CookieKey: capture.CookieKey(o.seed),
		Targets: spec, TargetDigest: set.Digest(), TargetCount: set.Len(), Lists: []record.ListDigest{},
		AllHandshakes: o.session.All, Push: o.session.Push, Liveness: o.session.Liveness,
		EphemeralProbes: o.session.EphemeralProbes, SkipAllPorts: o.session.SkipAllPorts, Revisit: record.Duration(o.session.Revisit),
		Timeout: record.Duration(o.session.Timeout), Wait: record.Duration(o.session.Wait),
		RetransmitAfter: record.Duration(o.session.RetransmitAfter), Retransmits: o.session.Retransmits,
		Gather: record.Duration(o.session.Gather), ResponseLimit: o.session.ResponseLimit,
		Rate: o.rate, SourcePorts: ports,
	}
	for _, l := range set.Lists() {
		m.Lists = append(m.Lists, record.ListDigest(l))
	}
	for _, h := range handshakes {
		m.Handshakes = append(m.Handshakes, h.Name)
	}
	return m, nil
}

func parseSourcePorts(text string) (r record.PortRange, err error) {
	if _, err := fmt.Sscanf(text, "%d-%d", &r.First, &r.Last); err != nil || r.First == 0 || r.Last < r.First {
		return r, fmt.Errorf("--source-port %q: want FIRST-LAST, as in 61000-65535", text)
	}
	return r, nil
}

// open opens the link and notes in the manifest where packets come from. Time has to have got past
// that of a record that is gone on with.
func (o *scanOptions) open(m *record.Manifest, set *target.Set, past int64) (link.Link, error) {
	now := time.Now().UnixNano()
	if o.lab != "" {
		return o.openLab(m, max(now, past))
	}
	if now < past {
		return nil, fmt.Errorf("%s ends at %v: this machine's clock is before that", o.out, time.Unix(0, past).UTC())
	}
	cfg := link.Config{Interface: o.device, Targets: examples(set), FirstPort: m.SourcePorts.First, LastPort: m.SourcePorts.Last}
	for _, text := range o.sources {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("--source-ip: %w", err)
		}
		cfg.Sources = append(cfg.Sources, a)
	}
	if o.gatewayMAC != "" {
		mac, err := net.ParseMAC(o.gatewayMAC)
		if err != nil {
			return nil, fmt.Errorf("--gateway-mac: %w", err)
		}
		cfg.GatewayMAC = mac
	}
	wire, err := link.Open(cfg)
	if err != nil {
		return nil, err
	}
	if m.Sources = cfg.Sources; len(m.Sources) == 0 {
		info := wire.Info()
		for _, a := range []netip.Addr{info.Source4, info.Source6} {
			if a.IsValid() {
				m.Sources = append(m.Sources, a)
			}
		}
	}
	return wire, nil
}

// examples returns the first target of each address family, for the look-up of routes. It looks
// at no more than a few thousand: a list that mixes families mixes them in that order too.
func examples(set *target.Set) []netip.Addr {
	var found [2]netip.Addr
	targets := set.Iterate()
	for range 4096 {
		t, ok := targets.Next()
		if !ok {
			break
		}
		family := 0
		if t.Addr().Is6() {
			family = 1
		}
		if !found[family].IsValid() {
			found[family] = t.Addr()
		}
	}
	return slices.DeleteFunc(found[:], func(a netip.Addr) bool { return !a.IsValid() })
}

// openLab puts the scan before a simulated Internet in memory. Its time starts now, and then is
// the simulation's.
func (o *scanOptions) openLab(m *record.Manifest, start int64) (link.Link, error) {
	network, err := newLab(o.lab, 1, o.loss)
	if err != nil {
		return nil, err
	}
	m.Synthetic = o.lab
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"} { // two, for --revisit
		m.Sources = append(m.Sources, netip.MustParseAddr(a))
	}
	return link.NewMemory(network, start), nil
}

// newLab makes a network of a population: a file, or the name of a built-in one. A loss of 0 or
// more takes the place of the population's own.
func newLab(name string, seed uint64, loss float64) (*lab.Network, error) {
	p, err := loadPopulation(name)
	if err != nil {
		return nil, err
	}
	if loss >= 0 {
		p.Network.Loss = loss
		if err := p.Network.Check(); err != nil {
			return nil, fmt.Errorf("--loss: %w", err)
		}
	}
	return lab.New(p, seed), nil
}

func loadPopulation(name string) (*lab.Population, error) {
	if text, err := datasets.Population(name); err == nil {
		return lab.Parse(name, text)
	} else if _, missing := os.Stat(name); missing != nil {
		return nil, fmt.Errorf("%w; nor is there such a file", err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return lab.Parse(name, text)
}

// summary tells how a scan went.
func summary(w io.Writer, m *record.Manifest, dir string) {
	var b strings.Builder
	c := m.Counters
	elapsed := m.End.Sub(m.Start)
	fmt.Fprintf(&b, "%d of %d targets probed in %v; %d packets sent, %d received, %d dropped\n",
		c.Launched, m.TargetCount, elapsed.Round(time.Millisecond), c.Sent, c.Received, m.Drops.Kernel)
	fmt.Fprintf(&b, "%d services answered (hit rate %.3f %%); seed %d\n", c.Services, percent(c.Services, c.Launched), m.Seed)
	if m.Interrupted {
		b.WriteString("interrupted: not every target was probed\n")
	}
	fmt.Fprintf(&b, "record: %s\n", dir)
	fmt.Fprint(w, b.String())
}

// note puts what is known of an entry into brackets.
func note(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func percent(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
