package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// labPrefix is where the built-in population lives (RFC 2544: benchmarking).
const labPrefix = "198.18.0.0/15"

// farLink lays the wire, once for all tests: they take turns on it.
var farLink = sync.OnceValues(func() (link.Link, error) {
	return lab.Wire([]netip.Prefix{netip.MustParsePrefix(labPrefix)})
})

// farEnd is the far end's side of the veth pair, as seen from here only by its hardware address.
func farEnd(t testing.TB) packetAddress {
	far, err := farLink()
	if err != nil {
		t.Fatal(err)
	}
	return packetAddress(far.Info().SourceMAC)
}

type packetAddress [6]byte

func (a packetAddress) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5])
}

// newTestLab is the built-in population, with a loss of its own or (below 0) the population's.
func newTestLab(t testing.TB, loss float64) *lab.Network {
	network, err := newLab(datasets.DefaultPopulation, 1, loss)
	if err != nil {
		t.Fatal(err)
	}
	return network
}

// serveLab answers for the network until the test ends.
func serveLab(t testing.TB, network *lab.Network) {
	far, err := farLink()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serveOn(context.Background(), far, network))
}

// laserdisc runs a command line in this process, and fails the test if that fails.
func laserdisc(t testing.TB, args ...string) {
	if code := run(args); code != 0 {
		t.Fatalf("laserdisc %s: exit code %d", strings.Join(args, " "), code)
	}
}

// scanned is a run and what it found.
type scanned struct {
	dir      string
	manifest *record.Manifest
	services map[netip.AddrPort]*session.Service
	probed   []netip.AddrPort
}

// scanAndReplay scans the lab over the wire.
func scanAndReplay(t testing.TB, args ...string) scanned {
	dir := filepath.Join(t.TempDir(), "run")
	laserdisc(t, append([]string{"scan", labPrefix, "--open", labPrefix, "--out", dir}, args...)...)
	s := readRun(t, dir)
	if s.manifest.Counters.Launched != uint64(len(s.probed)) {
		t.Fatalf("%d of %d targets were probed", s.manifest.Counters.Launched, len(s.probed))
	}
	return s
}

// readRun plays a run back and reads its services.
func readRun(t testing.TB, dir string) scanned {
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
	s := scanned{dir: dir, services: map[netip.AddrPort]*session.Service{}}
	var err error
	if s.manifest, err = record.LoadManifest(dir); err != nil {
		t.Fatal(err)
	}
	if s.manifest.Drops != (record.Drops{}) {
		t.Fatalf("the machine was too slow for this test: %+v", s.manifest.Drops)
	}
	if err := eachService(t, dir+"-tables", func(v *session.Service) error {
		s.services[v.Service] = v.Clone()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var spec target.Spec
	if err := json.Unmarshal(s.manifest.Targets, &spec); err != nil {
		t.Fatal(err)
	}
	set, err := target.Compile(spec, datasets.PortSets())
	if err != nil {
		t.Fatal(err)
	}
	for it := set.Iterate(); ; {
		target, ok := it.Next()
		if !ok {
			break
		}
		s.probed = append(s.probed, target)
	}
	return s
}

// confusion counts (true, found) pairs.
type confusion map[[2]string]int

// String is a line for each pair; those off the diagonal are marked.
func (c confusion) String() string {
	var b strings.Builder
	for _, k := range slices.SortedFunc(maps.Keys(c), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) }) {
		mark := ""
		if k[0] != k[1] {
			mark = "  <-- differs"
		}
		fmt.Fprintf(&b, "%8d  %-36s %s%s\n", c[k], k[0], k[1], mark)
	}
	return b.String()
}

// judge compares every probed target with the lab's truth: its state, and its label.
func (s scanned) judge(network *lab.Network) (table confusion, wrong []netip.AddrPort) {
	table = confusion{}
	for _, target := range s.probed {
		state, label, ok := network.Expect(target, s.manifest.Handshakes, s.manifest.AllHandshakes)
		want, got := "no service", "no service"
		if ok {
			want = strings.TrimSpace(state + " " + label)
		}
		if v, found := s.services[target]; found {
			got = strings.TrimSpace(v.State.String() + " " + v.Label)
		}
		table[[2]string{want, got}]++
		if want != got {
			wrong = append(wrong, target)
		}
	}
	return table, wrong
}

// The whole on a real wire, judged by the lab's truth: no service missed, none invented, every
// state and label right.
func TestLive(t *testing.T) {
	for _, c := range []struct{ name, handshakes, sample string }{
		{"default", "", "1%"},
		{"http first", "http,tls,wait,dns", "1%"},
		{"all handshakes", "all", "0.4%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			network := newTestLab(t, 0) // a new one: hosts that shun remember a source
			serveLab(t, network)
			// The lab's hosts are near, and the latest of them answers after 3 s.
			args := []string{"--ports", "paper", "--sample", c.sample, "--rate", "20000", "--seed", "5",
				"--timeout", "3500ms", "--wait", "3500ms", "--cooldown", "4s"}
			switch c.handshakes {
			case "":
			case "all":
				args = append(args, "--all-handshakes")
			default:
				args = append(args, "--handshakes", c.handshakes)
			}
			s := scanAndReplay(t, args...)
			table, wrong := s.judge(network)
			t.Logf("true, found:\n%s", table)
			for _, target := range wrong[:min(10, len(wrong))] {
				truth, _ := network.At(target)
				t.Errorf("%v is %+v, found %+v", target, truth, s.services[target])
			}
			if len(s.services) < 500 {
				t.Errorf("only %d services: too few to prove anything", len(s.services))
			}
			countsAgree(t, s)
		})
	}
}

// With one packet in a hundred lost, whatever is missed or mistaken is a service that lost one.
func TestLiveLoss(t *testing.T) {
	network := newTestLab(t, 0.01)
	serveLab(t, network)
	s := scanAndReplay(t, "--ports", "paper", "--sample", "1%", "--rate", "20000", "--seed", "6")
	table, wrong := s.judge(network)
	t.Logf("true, found:\n%s", table)
	lost := map[netip.AddrPort]bool{}
	for l := range network.Lost() {
		lost[l.Service] = true
	}
	for _, target := range wrong {
		if !lost[target] {
			t.Errorf("%v is mistaken, and lost nothing", target)
		}
	}
	t.Logf("%d of %d mistaken, %d services lost packets", len(wrong), len(s.services), len(lost))
}

// chunksOf returns the files of a record's packets, in order.
func chunksOf(t *testing.T, dir string) []string {
	t.Helper()
	chunks, err := filepath.Glob(filepath.Join(dir, "packets-*"))
	if err != nil || len(chunks) == 0 {
		t.Fatal(dir, chunks, err)
	}
	return chunks
}

// tshark counts the record's packets as the manifest does: it reads each chunk once, and counts what each filter selects.
func countsAgree(t *testing.T, s scanned) {
	c := s.manifest.Counters
	type count struct {
		filter string
		want   uint64
		size   uint64 // bytes from the IP header on, of what was sent
	}
	counts := []count{
		{"frame.interface_id==0", c.Sent, c.SentBytes},
		{"frame.interface_id==0 && tcp.flags.syn==1 && tcp.flags.ack==0", c.SentSYN, c.SentSYNBytes},
		{"frame.interface_id==0 && tcp.flags.reset==1", c.SentRST, c.SentRSTBytes},
		{"frame.interface_id==0 && tcp.len>0", c.SentPayload, c.SentPayloadBytes},
		{"frame.interface_id==1", c.Received, 0},
		{"frame.interface_id==1 && tcp.flags.syn==1 && tcp.flags.ack==1 && !icmp && !icmpv6", c.ReceivedSYNACK, 0},
		{"frame.interface_id==1 && tcp.flags.reset==1 && !icmp && !icmpv6", c.ReceivedRST, 0},
		{"frame.interface_id==1 && tcp.len>0 && !icmp && !icmpv6", c.ReceivedPayload, 0},
		{"frame.interface_id==1 && (icmp || icmpv6)", c.ReceivedICMP, 0},
	}
	statistics := "io,stat,0"
	for _, q := range counts {
		statistics += fmt.Sprintf(",%s,ipv6 && %[1]s,SUM(ip.len)ip.len && %[1]s,SUM(ipv6.plen)ipv6.plen && %[1]s", q.filter)
	}
	found := make([]count, len(counts))
	for _, chunk := range chunksOf(t, s.dir) {
		cmd := exec.Command("tshark", "-q", "-r", chunk, "-z", statistics)
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark: %v: %s", err, complaints.String())
		}
		for line := range strings.Lines(complaints.String()) {
			if !strings.Contains(line, "Running as user") {
				t.Errorf("tshark complains: %s", line)
			}
		}
		_, row, _ := strings.Cut(string(out), "<>") // the only interval; behind its end are frames and bytes of what is counted, and sums
		cells := strings.Split(row, "|")[1:]
		if len(cells) < 6*len(counts) {
			t.Fatalf("tshark says %s", out)
		}
		for i := range found {
			var n [6]uint64
			for j := range n {
				if n[j], err = strconv.ParseUint(strings.TrimSpace(cells[6*i+j]), 10, 64); err != nil {
					t.Fatalf("%v in %s", err, out)
				}
			}
			found[i].want += n[0]
			found[i].size += n[4] + n[5] + 40*n[2]
		}
	}
	for i, q := range counts {
		if found[i].want != q.want {
			t.Errorf("tshark counts %d packets of %s, the manifest %d", found[i].want, q.filter, q.want)
		}
		if sent := strings.Contains(q.filter, "id==0"); sent && found[i].size != q.size {
			t.Errorf("tshark counts %d bytes of %s, the manifest %d", found[i].size, q.filter, q.size)
		}
	}
}

// The wire is laid between namespaces that have no other interface.
func TestNoWayOut(t *testing.T) {
	farEnd(t)
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if name := l.Attrs().Name; name != "lo" && name != lab.Near {
			t.Errorf("interface %s leads out of the test's namespace", name)
		}
	}
}

// Ctrl-C stops the probing, finishes what is in flight, and closes the record; a second one stops
// at once. Either way the record plays back, and says that it was interrupted.
func TestInterrupt(t *testing.T) {
	serveLab(t, newTestLab(t, 0))
	for _, c := range []struct {
		name  string
		twice bool
	}{{"once", false}, {"twice", true}} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			cmd := exec.Command(laserdiscBinary(t), "scan", labPrefix, "--open", labPrefix, "--ports", "paper", "--rate", "20000",
				"--timeout", "1s", "--wait", "1s", "--cooldown", "1s", "--out", dir)
			var output bytes.Buffer
			cmd.Stderr = &output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			interrupted := time.Now()
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if c.twice {
				time.Sleep(200 * time.Millisecond)
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, output.String())
			}
			if took := time.Since(interrupted); c.twice && took > 5*time.Second {
				t.Errorf("the second Ctrl-C took %v", took)
			}
			if !strings.Contains(output.String(), "interrupted") {
				t.Errorf("the summary does not say so:\n%s", output.String())
			}
			m, err := record.LoadManifest(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !m.Interrupted || m.End.IsZero() || m.Counters.Launched == 0 {
				t.Errorf("manifest: interrupted %v, end %v, launched %d", m.Interrupted, m.End, m.Counters.Launched)
			}
			laserdisc(t, "replay", dir, "--out", dir+"-tables")
		})
	}
}

// laserdiscBinary links the test binary under the name that makes it a laserdisc.
func laserdiscBinary(t *testing.T) string {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "laserdisc")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// A record that cannot be written ends the scan with an error that says so; what was written
// before plays back.
func TestDiskFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	cmd := exec.Command("sh", "-c", `ulimit -f 2000; trap "" XFSZ; exec "$0" "$@"`, laserdiscBinary(t),
		"scan", labPrefix, "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--ports", "paper", "--sample", "1%", "--seed", "1", "--out", dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || strings.Count(string(out), "file too large") != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
}

// IPv6 is scanned as IPv4 is.
func TestLiveIPv6(t *testing.T) {
	text, err := os.ReadFile("testdata/ipv6.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Parse("testdata/ipv6.json", text)
	if err != nil {
		t.Fatal(err)
	}
	network := lab.New(p, 1)
	prefix := p.Prefixes[0].String()
	dir := filepath.Join(t.TempDir(), "run")
	laserdisc(t, "scan", prefix, "--open", prefix, "--lab", "testdata/ipv6.json", "--ports", "22,80", "--seed", "1", "--out", dir)
	s := readRun(t, dir)
	table, wrong := s.judge(network)
	t.Logf("true, found:\n%s", table)
	if len(wrong) > 0 || len(s.services) < 100 {
		t.Errorf("%d mistaken of %d services", len(wrong), len(s.services))
	}
	countsAgree(t, s)
}
