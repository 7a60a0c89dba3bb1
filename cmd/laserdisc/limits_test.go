package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// scanInMemory scans a part of the lab in memory and plays the record back.
func scanInMemory(t *testing.T, args ...string) (string, *record.Manifest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	laserdisc(t, append([]string{"scan", "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--seed", "7", "--out", dir}, args...)...)
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
	m, err := record.LoadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// syn is a SYN of a record.
type syn struct {
	at       int64
	from, to netip.AddrPort
	seq      uint32
}

func synsOf(t *testing.T, dir string) (syns []syn) {
	t.Helper()
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var f record.Frame
	var s packet.Segment
	for r.Next(&f) == nil {
		if f.Direction == record.Sent && s.Decode(f.LinkType, f.Data) == nil && s.Flags == packet.SYN {
			syns = append(syns, syn{f.Time, s.Src, s.Dst, s.Seq})
		}
	}
	return syns
}

// Each limit stops the probing, lets what is in flight finish, and is named.
func TestLimits(t *testing.T) {
	const part = "198.18.0.0/22"
	_, all := scanInMemory(t, part, "--ports", "80,443")
	if all.EndedBy != record.EndedTargets || all.Counters.Launched != 2048 {
		t.Fatalf("without a limit: %d probed, ended by %s", all.Counters.Launched, all.EndedBy)
	}
	for _, c := range []struct {
		args     []string
		by       string
		from, to uint64 // targets probed
	}{
		{[]string{"--max-targets", "100"}, record.EndedMaxTargets, 100, 100},
		{[]string{"--max-targets", "12.3%"}, record.EndedMaxTargets, 252, 252},
		{[]string{"--max-targets", "100%"}, record.EndedMaxTargets, 2048, 2048},
		{[]string{"--max-runtime", "500ms", "--rate", "1000"}, record.EndedMaxRuntime, 200, 510},
		{[]string{"--max-results", "10", "--handshakes", "http", "--timeout", "200ms", "--rate", "1000"}, record.EndedMaxResults, 11, 2000},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			_, m := scanInMemory(t, append([]string{part, "--ports", "80,443"}, c.args...)...)
			if m.EndedBy != c.by || m.Interrupted {
				t.Errorf("ended by %q, interrupted %v", m.EndedBy, m.Interrupted)
			}
			if n := m.Counters.Launched; n < c.from || n > c.to {
				t.Errorf("%d targets probed, want %d to %d", n, c.from, c.to)
			}
			if m.NotProbed != 2048-m.Counters.Launched {
				t.Errorf("%d targets probed of 2048, %d not", m.Counters.Launched, m.NotProbed)
			}
			if m.MaxResults > m.Counters.Services {
				t.Errorf("ended with %d services of %d", m.Counters.Services, m.MaxResults)
			}
		})
	}
	for _, bad := range []string{"0", "-1", "x", "0%", "101%", "NaN%"} {
		if code := run([]string{"scan", part, "--open", labPrefix, "--ports", "80", "--dry-run", "--max-targets=" + bad}); code != 2 {
			t.Errorf("--max-targets %s: exit code %d", bad, code)
		}
	}
}

// With --probes 3 a target that does not answer gets three SYNs, a second apart, the same but for
// their timestamps; on a lossy network that finds more.
func TestProbes(t *testing.T) {
	const part = "198.18.0.0/23"
	dir, m := scanInMemory(t, part, "--ports", "80", "--loss", "0.3", "--probes", "3", "--handshakes", "http")
	_, once := scanInMemory(t, part, "--ports", "80", "--loss", "0.3", "--handshakes", "http")
	if m.Counters.Launched != 512 || m.Counters.Services < once.Counters.Services*5/4 {
		t.Errorf("%d targets, %d services; with one probe %d", m.Counters.Launched, m.Counters.Services, once.Counters.Services)
	}
	times := map[netip.AddrPort][]syn{}
	for _, s := range synsOf(t, dir) {
		times[s.to] = append(times[s.to], s)
	}
	thrice := 0
	for to, syns := range times {
		if len(syns) == 3 {
			thrice++
		}
		for i, s := range syns[1:] {
			if s.seq == syns[0].seq && (s.from != syns[0].from || s.at-syns[i].at < 1e9) {
				t.Errorf("%v: probes %v", to, syns)
			}
		}
	}
	if len(times) != 512 || thrice < 300 {
		t.Errorf("%d targets, %d probed three times", len(times), thrice)
	}
}

// The dry run prints what the scan probes, in its order; and a manifest is enough to probe it
// again: the same targets, ports and sequence numbers.
func TestRepeatable(t *testing.T) {
	command := []string{"198.18.0.0/20", "--ports", "paper", "--sample", "1%", "--shard", "2/3", "--block", "198.18.3.0/24", "--max-targets", "500"}
	dir, m := scanInMemory(t, append(command, "--handshakes", "http")...)
	var out bytes.Buffer
	_, cmd := newScan(nil)
	cmd.SetOut(&out)
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetArgs(append(command, "--open", labPrefix, "--seed", "7", "--dry-run"))
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	var printed []string
	syns := synsOf(t, dir)
	for line := range strings.Lines(out.String()) {
		printed = append(printed, strings.TrimSpace(line))
	}
	if len(printed) != 500 || m.Counters.Launched != 500 {
		t.Fatalf("%d targets printed, %d probed", len(printed), m.Counters.Launched)
	}
	var probed []string
	for _, s := range syns {
		if to := s.to.String(); len(probed) < 500 && !slices.Contains(probed, to) {
			probed = append(probed, to)
		}
	}
	if !slices.Equal(printed, probed) {
		t.Error("the dry run prints other targets than the scan probes")
	}

	again := filepath.Join(t.TempDir(), "again")
	args := slices.Clone(m.Arguments[1:])
	args[slices.Index(args, "--out")+1] = again
	args[slices.Index(args, "--seed")+1] = strconv.FormatUint(m.Seed, 10)
	laserdisc(t, args...)
	strip := func(syns []syn) (list []string) {
		seen := map[netip.AddrPort]bool{}
		for _, s := range syns {
			if !seen[s.to] {
				seen[s.to] = true
				list = append(list, fmt.Sprint(s.from, s.to, s.seq))
			}
		}
		return list
	}
	if !slices.Equal(strip(syns), strip(synsOf(t, again))) {
		t.Error("the second scan probes otherwise")
	}
	want := []target.Exclusion{{Reason: "block list", Entry: "198.18.3.0/24", Targets: 256 * uint64(len(datasets.PortSets()["paper"]))}}
	if !slices.Equal(m.Excluded, want) {
		t.Errorf("excluded: %v", m.Excluded)
	}

	// What estimates need: a /20 without a /24, on all of the ports, of which 1 % was drawn, and of that a third.
	ports := uint64(len(datasets.PortSets()["paper"]))
	if domain := (target.Domain{Addresses: 4096 - 256, Ports: ports, Services: (4096 - 256) * ports}); *m.Domain != domain {
		t.Errorf("domain %+v, want %+v", *m.Domain, domain)
	}
	drawn := (4096*ports + 99) / 100
	if sample := (target.Sample{Unit: "service", Numerator: 1, Denominator: 100, Drawn: drawn, Of: 4096 * ports, Shard: 2, Shards: 3}); *m.Sample != sample {
		t.Errorf("sample %+v, want %+v", *m.Sample, sample)
	}
	set, err := target.Compile(specOf(t, m), datasets.PortSets())
	if err != nil {
		t.Fatal(err)
	}
	position := uint64(0) // past 500 targets, and those on the block list between them
	for n := 0; n < 500; position++ {
		if _, ok := set.At(position); ok {
			n++
		}
	}
	if m.NotProbed != m.TargetCount-position {
		t.Errorf("%d of %d not probed, want those from %d on", m.NotProbed, m.TargetCount, position)
	}
}

func specOf(t *testing.T, m *record.Manifest) (spec target.Spec) {
	if err := json.Unmarshal(m.Targets, &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// A scan of more than a /16 of other people's addresses wants a block list or a word.
func TestConsent(t *testing.T) {
	for _, c := range []struct {
		args string
		fine bool
	}{
		{"1.0.0.0/15 --ports 80", false},
		{"1.0.0.0/15 --ports 80 --sample 50%", true},
		{"1.0.0.0/16 --ports all", true},
		{"1.0.0.0/15 --ports 80 --i-have-permission", true},
		{"1.0.0.0/15 --ports 80 --block 1.0.0.0/24", true},
		{labPrefix + " --ports 80 --open " + labPrefix, true},
		{labPrefix + " 1.0.0.0/15 --ports 80 --open 0.0.0.0/0", false},
	} {
		o, cmd := newScan(nil)
		if err := cmd.ParseFlags(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		o.targets.Targets = cmd.Flags().Args()
		set, err := o.compile(&bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.consent(set); (err == nil) != c.fine {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

// A status line each second, and one at the end whose counters are the manifest's.
func TestStatusFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	_, m := scanInMemory(t, "198.18.0.0/22", "--ports", "80,443", "--rate", "500", "--status-file", path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var phases []string
	var last statusJSON
	for line := range bytes.Lines(text) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		last = statusJSON{}
		if err := d.Decode(&last); err != nil {
			t.Fatal(err)
		}
		if len(phases) == 0 || phases[len(phases)-1] != last.Phase {
			phases = append(phases, last.Phase)
		}
		if last.Targets != 2048 || last.SentPerSecond > 750 || last.Phase == "probing" && (last.Left == nil || *last.Left > 10) {
			t.Errorf("%s", line)
		}
	}
	if !slices.Equal(phases, []string{"probing", "finishing", "ended"}) || last.Counters != m.Counters {
		t.Errorf("phases %v, last counters %+v, manifest %+v", phases, last.Counters, m.Counters)
	}
	if n, want := bytes.Count(text, []byte("\n")), int(m.End.Sub(m.Start)/time.Second); n < want-1 || n > want+2 {
		t.Errorf("%d lines for %d seconds", n, want)
	}
}

// The contact is in what is sent, and in the manifest, from which playback says the same.
func TestContactLine(t *testing.T) {
	const contact = "https://scan.example.org/"
	dir, m := scanInMemory(t, "198.18.0.0/24", "--ports", "80", "--handshakes", "http", "--contact", contact)
	packets, err := os.ReadFile(filepath.Join(dir, "packets-00000.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(packets, []byte("research scan; "+contact+")")); m.Contact != contact || n == 0 {
		t.Errorf("manifest has %q, %d packets", m.Contact, n)
	}
}

func TestParseSources(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"192.0.2.1", "[192.0.2.1]"},
		{"192.0.2.1,192.0.2.9", "[192.0.2.1 192.0.2.9]"},
		{"192.0.2.254-192.0.3.1", "[192.0.2.254 192.0.2.255 192.0.3.0 192.0.3.1]"},
		{"203.0.113.8/30", "[203.0.113.8 203.0.113.9 203.0.113.10 203.0.113.11]"},
		{"2001:db8::fffe/127,192.0.2.1", "[2001:db8::fffe 2001:db8::ffff 192.0.2.1]"},
		{"0.0.0.0", ""}, {"127.0.0.1", ""}, {"::1", ""}, {"224.0.0.1", ""}, {"255.255.255.254-255.255.255.255", ""},
		{"x", ""}, {"192.0.2.1-", ""}, {"192.0.2.2-192.0.2.1", ""}, {"192.0.2.1-2001:db8::1", ""},
		{"10.0.0.0/8", ""}, {"::/0", ""}, {"192.0.2.1,192.0.2.0/30", ""}, {"fe80::1%x-fe80::2%x", ""},
	} {
		got, err := parseSources(strings.Split(c.text, ","))
		if (err == nil) != (c.want != "") || err == nil && fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, %v", c.text, got, err)
		}
	}
}

// Several source addresses share the targets.
func TestSeveralSources(t *testing.T) {
	network := newTestLab(t, 0)
	serveLab(t, network)
	s := scanAndReplay(t, "--ports", "80", "--sample", "5%", "--rate", "20000", "--seed", "8", "--handshakes", "http",
		"--source-ip", "192.0.2.1", "--source-ip", "203.0.113.0/25")
	used := map[netip.Addr]int{}
	for _, s := range synsOf(t, s.dir) {
		used[s.from.Addr()]++
	}
	if len(s.manifest.Sources) != 129 || len(used) != 129 {
		t.Errorf("%d sources in the manifest, %d used", len(s.manifest.Sources), len(used))
	}
	if table, wrong := s.judge(network); len(wrong) > 0 || len(s.services) < 50 {
		t.Errorf("%d services; true, found:\n%s", len(s.services), table)
	}
}

// A scan that root starts is nobody's, or who called sudo, when it sends: no thread has a
// capability but one, which has CAP_NET_ADMIN and does not use it until it takes the guard down.
func TestPrivileges(t *testing.T) {
	serveLab(t, newTestLab(t, 0))
	if os.Geteuid() != 0 {
		t.Fatal("the tests run as root of their own namespace")
	}
	for _, c := range []struct {
		name     string
		env      []string
		uid, gid int
	}{
		{"nobody", nil, nobody, nobody},
		{"sudo", []string{"SUDO_UID=1234", "SUDO_GID=4321"}, 1234, 4321},
	} {
		if !mapped("/proc/self/uid_map", c.uid) {
			c.uid, c.gid = 0, 0 // a user namespace with root alone
		}
		t.Run(c.name, func(t *testing.T) {
			closed := filepath.Join(t.TempDir(), "closed") // to whom the scan becomes
			if err := os.Mkdir(closed, 0o700); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(closed, "run")
			cmd := exec.Command(laserdiscBinary(t), "scan", labPrefix, "--open", labPrefix, "--ports", "80", "--rate", "8000", "--handshakes", "http",
				"--max-runtime", "2s", "--timeout", "1s", "--cooldown", "1s", "--chunk", "1MiB", "--out", dir)
			cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SUDO_") }), c.env...)
			var output bytes.Buffer
			cmd.Stderr = &output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1500 * time.Millisecond)
			threads := statusOf(t, cmd.Process.Pid)
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, output.String())
			}
			keepers := 0
			for _, s := range threads {
				id := fmt.Sprintf("%d\t%[1]d\t%[1]d\t%[1]d", c.uid)
				if s["Uid"] != id || s["Gid"] != strings.ReplaceAll(id, strconv.Itoa(c.uid), strconv.Itoa(c.gid)) {
					t.Errorf("uid %s, gid %s", s["Uid"], s["Gid"])
				}
				if c.uid == 0 {
					continue
				}
				if s["NoNewPrivs"] != "1" {
					t.Errorf("NoNewPrivs: %s", s["NoNewPrivs"])
				}
				if s["CapEff"] != "0000000000000000" || s["CapInh"] != s["CapEff"] || s["CapAmb"] != s["CapEff"] {
					t.Errorf("capabilities: %v", s)
				}
				switch s["CapPrm"] {
				case "0000000000000000":
				case "0000000000001000":
					keepers++
				default:
					t.Errorf("permitted: %s", s["CapPrm"])
				}
			}
			if c.uid != 0 && (keepers != 1 || len(threads) < 3) {
				t.Errorf("%d of %d threads may administer the network", keepers, len(threads))
			}
			chunks := chunksOf(t, dir)
			if len(chunks) < 2 {
				t.Errorf("%d chunks: none was begun by who the scan became", len(chunks))
			}
			for _, path := range append(chunks, filepath.Join(dir, "manifest.json")) {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != c.uid || int(owner.Gid) != c.gid {
					t.Errorf("%s is %d:%d's", path, owner.Uid, owner.Gid)
				}
			}
			m, err := record.LoadManifest(dir)
			if err != nil || m.EndedBy != record.EndedMaxRuntime || m.End.IsZero() || m.Counters.Services == 0 {
				t.Errorf("manifest: %+v, %v", m, err)
			}
			laserdisc(t, "replay", dir, "--out", dir+"-tables")
			conn, err := nftables.New()
			if err != nil {
				t.Fatal(err)
			}
			tables, err := conn.ListTablesOfFamily(nftables.TableFamilyNetdev)
			if err != nil || len(tables) > 0 {
				t.Errorf("the guard is still up: %v, %v", tables, err)
			}
		})
	}
}

// What else is in a directory is not given away with the record.
func TestGive(t *testing.T) {
	dir := t.TempDir()
	uid := os.Getuid()
	if err := errors.Join(givable(filepath.Join(dir, "new"), uid+1), givable(dir, uid+1)); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"manifest.json", "notes"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := givable(dir, uid); err != nil {
		t.Error(err)
	}
	if err := givable(dir, uid+1); err == nil || !strings.Contains(err.Error(), "holds notes") {
		t.Error(err)
	}
	to := nobody
	if !mapped("/proc/self/uid_map", to) {
		to = uid // a user namespace with root alone
	}
	if err := give(dir, to, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{".": to, "manifest.json": to, "notes": uid} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := int(info.Sys().(*syscall.Stat_t).Uid); got != want {
			t.Errorf("%s is user %d's, not %d's", name, got, want)
		}
	}
}

// statusOf reads /proc/PID/status of each thread of a process.
func statusOf(t *testing.T, pid int) (threads []map[string]string) {
	t.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended since
		}
		status := map[string]string{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			status[name] = strings.TrimSpace(value)
		}
		threads = append(threads, status)
	}
	return threads
}
