package judge

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
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
	"text/tabwriter"
	"time"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// The fleet: servers that others wrote, as Debian packages them. testdata/fleet has a script for each, which starts it in
// the foreground in an empty directory, on addresses that nobody else has; its first lines say what it needs and serves:
//
//	#: package NAME...
//	#: unpack NAME...
//	#: serves ADDRESS:PORT PROTOCOL ["first"] ["unnamed"] [STATE]
//
// Packages that no other may be installed beside are unpacked instead, by .ci/fleet. The protocol is what the server
// really speaks. Any that is not in the table of handshakes must come out as unknown;
// "none" says nothing. "first" is a server that speaks before it is spoken to, "unnamed" one whose
// answers do not tell what it speaks. STATE is what must become of the service,
// where that is not to send data.
const (
	fleetDir    = "testdata/fleet"
	unpackedDir = "../../../out/servers"
)

// startTime is how long a server may take until it listens: RabbitMQ's, on a busy machine.
const startTime = 90 * time.Second

// farNamespace makes the servers' world: their addresses, certificates, and file systems that hide what the host runs.
// Its process is the first of its namespace of process numbers: all servers end with it.
const farNamespace = `set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
cp -r $SCRIPTS /run/scripts # the checkout may be in what is hidden next
mkdir /run/unpacked
[ ! -d $UNPACKED ] || mount --bind $UNPACKED /run/unpacked
mount -t tmpfs -o mode=1777 tmpfs /tmp
hostname fleet.test
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
ip link set lo up
for a in $ADDRESSES; do ip address add $a dev lo; done
mkdir $KEYS /run/lock
cd $KEYS
openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.crt -days 30 -subj /CN=fleet.test 2>/dev/null
cat rsa.crt rsa.key > rsa.pem
chmod 644 *
echo ready
exec sleep infinity`

// nearNamespace lays the wire to the servers, and then runs a command.
const nearNamespace = `set -e
ip link add fl-near type veth peer name fl-far netns $FAR
raise() {
	in=$1 name=$2
	$in ethtool -K $name tx off tso off gso off gro off >/dev/null
	shift 2
	for a; do $in ip address add $a dev $name nodad; done
	$in ip link set $name up
}
raise env fl-near 198.18.0.1/24 198.18.0.2/24 2001:2:0:f::1/64
raise "nsenter --target $FAR --net" fl-far 198.18.0.254/24 2001:2:0:f::fe/64
ip route add 198.18.0.0/15 via 198.18.0.254
ip route add 2001:2::/48 via 2001:2:0:f::fe
exec "$@"`

// near is a command in a namespace of its own, with a wire to that of the servers' process or thread.
func near(t testing.TB, far int, args ...string) *exec.Cmd {
	built(t)
	cmd := exec.Command("sh", append([]string{"-c", nearNamespace, "near"}, args...)...)
	cmd.Env = append(os.Environ(), "FAR="+strconv.Itoa(far))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// fleetServer is a script and what its first lines say.
type fleetServer struct {
	name     string
	script   string
	packages []string
	unpacked []string
	services []fleetService
}

type fleetService struct {
	at       netip.AddrPort
	protocol string
	first    bool
	unnamed  bool
	state    session.State
}

// readFleet reads the first lines of all scripts.
func readFleet(t *testing.T) (fleet []fleetServer) {
	scripts, err := filepath.Glob(filepath.Join(fleetDir, "*.sh"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%s has no scripts: %v", fleetDir, err)
	}
	for _, script := range scripts {
		absolute, err := filepath.Abs(script)
		if err != nil {
			t.Fatal(err)
		}
		s := fleetServer{name: strings.TrimSuffix(filepath.Base(script), ".sh"), script: absolute}
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 3 || words[0] != "#:" {
				continue
			}
			switch words[1] {
			case "package":
				s.packages = append(s.packages, words[2:]...)
			case "unpack":
				s.unpacked = append(s.unpacked, words[2:]...)
			case "serves":
				service, err := parseFleetService(words[2:])
				if err != nil {
					t.Fatalf("%s: %q: %v", script, strings.TrimSpace(line), err)
				}
				s.services = append(s.services, service)
			}
		}
		fleet = append(fleet, s)
	}
	return fleet
}

func parseFleetService(words []string) (s fleetService, err error) {
	if len(words) < 2 {
		return s, fmt.Errorf("want an address with a port, and a protocol")
	}
	s.protocol, s.state = words[1], session.SendsData
	if s.at, err = netip.ParseAddrPort(words[0]); err != nil {
		return s, err
	}
	for _, word := range words[2:] {
		switch word {
		case "first":
			s.first = true
		case "unnamed":
			s.unnamed = true
		default:
			if err := s.state.UnmarshalText([]byte(word)); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// missing returns the packages that are not there.
func (s *fleetServer) missing() (names []string) {
	for _, name := range s.packages {
		status, err := exec.Command("dpkg-query", "--show", "--showformat=${db:Status-Status}", name).Output()
		if err != nil || string(status) != "installed" {
			names = append(names, name)
		}
	}
	for _, name := range s.unpacked {
		if _, err := os.Stat(filepath.Join(unpackedDir, "usr/share/doc", name)); err != nil {
			names = append(names, name)
		}
	}
	return names
}

// fleetWorld is where the servers run.
type fleetWorld struct {
	process int // the first one there, as seen from here
	logs    string
}

// newFleetWorld makes the servers' namespaces. They end, and all in them, with the test.
func newFleetWorld(t *testing.T, fleet []fleetServer) *fleetWorld {
	var addresses []string
	for _, s := range fleet {
		for _, service := range s.services {
			address := fmt.Sprintf("%s/%d", service.at.Addr(), service.at.Addr().BitLen())
			if !slices.Contains(addresses, address) {
				addresses = append(addresses, address)
			}
		}
	}
	unpacked, err := filepath.Abs(unpackedDir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", farNamespace)
	cmd.Env = append(os.Environ(), "KEYS=/run/keys", "ADDRESSES="+strings.Join(addresses, " "), "SCRIPTS="+fleetDir, "UNPACKED="+unpacked)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the servers' namespace: %q, %v: %s", line, err, complaints.String())
	}
	return &fleetWorld{process: cmd.Process.Pid, logs: t.TempDir()}
}

// start starts a server in the world.
func (w *fleetWorld) start(t *testing.T, s *fleetServer) {
	cmd := w.command("sh", "-c", `mkdir -p /run/fleet/$NAME; cd /run/fleet/$NAME; exec sh -eu $SCRIPT`)
	cmd.Env = append(os.Environ(), "KEYS=/run/keys", "FLEET=/run/scripts", "UNPACKED=/run/unpacked", "NAME="+s.name, "SCRIPT=/run/scripts/"+s.name+".sh")
	output, err := os.Create(w.logOf(s))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }() // it ends with the world
}

func (w *fleetWorld) logOf(s *fleetServer) string { return filepath.Join(w.logs, s.name) }

// command is one to run in the world.
func (w *fleetWorld) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--target", strconv.Itoa(w.process), "--net", "--pid", "--mount", "--uts"}, args...)...)
}

// listening returns what servers listen on, an unspecified address standing for all.
func (w *fleetWorld) listening(t *testing.T) map[netip.AddrPort]bool {
	out, err := w.command("ss", "--no-header", "--listening", "--tcp", "--numeric").Output()
	if err != nil {
		t.Fatalf("ss: %v", err)
	}
	on := map[netip.AddrPort]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 4 {
			continue
		}
		if at, err := netip.ParseAddrPort(strings.Replace(words[3], "*:", "[::]:", 1)); err == nil {
			on[netip.AddrPortFrom(at.Addr().Unmap(), at.Port())] = true
		}
	}
	return on
}

// await waits until a server listens wherever it is to, and returns where it does not in the time given.
func (w *fleetWorld) await(t *testing.T, s *fleetServer, until time.Time) (not []netip.AddrPort) {
	for {
		on := w.listening(t)
		not = not[:0]
		for _, service := range s.services {
			port := service.at.Port()
			if !on[service.at] && !on[netip.AddrPortFrom(netip.IPv6Unspecified(), port)] &&
				!(service.at.Addr().Is4() && on[netip.AddrPortFrom(netip.IPv4Unspecified(), port)]) {
				not = append(not, service.at)
			}
		}
		if len(not) == 0 || time.Now().After(until) {
			return not
		}
		time.Sleep(200 * time.Millisecond)
	}
}

var fleetRecord = flag.String("fleet", "", "keep what TestFleet records in this directory, to be made anew")

// scanFleet scans all services with every handshake, from a namespace of its own, and returns the tables.
func scanFleet(t *testing.T, w *fleetWorld, fleet []fleetServer) (tables string) {
	dir := t.TempDir()
	if *fleetRecord != "" {
		dir = *fleetRecord
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	var list strings.Builder
	for _, s := range fleet {
		for _, service := range s.services {
			fmt.Fprintln(&list, service.at)
		}
	}
	targets, run := filepath.Join(dir, "targets"), filepath.Join(dir, "run")
	if err := os.WriteFile(targets, []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := near(t, w.process, "laserdisc", "scan", targets, "--out", run, "--open", "198.18.0.0/15", "--open", "2001:2::/48",
		"--handshakes", "all", "--all-handshakes", "--timeout", "2s", "--wait", "4s", "--rate", "2000", "--seed", "1")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scan: %v\n%s", err, text)
	}
	laserdisc(t, "replay", run, "--out", dir+"/tables")
	return dir + "/tables"
}

// fleetResult is what a scan made of one service.
type fleetResult struct {
	state    session.State
	label    string
	evidence handshake.Evidence
	by       []string // handshakes whose answers showed the protocol
	wrong    []string // handshakes whose answers got another label, and that
	mistaken bool     // some of these with more than weak evidence
}

// alsoTrue are labels that are right for single answers of a service with another protocol.
var alsoTrue = map[string][]string{
	"tls":         {"http"}, // many say in plain HTTP that they want TLS
	"ipp":         {"http"}, // which carries it
	"tor-control": {"http"}, // weak: it says in HTTP that it does not speak it
}

// readFleetResults reads what was found of each service.
func readFleetResults(t *testing.T, tables string, fleet []fleetServer) map[netip.AddrPort]*fleetResult {
	results, protocols := map[netip.AddrPort]*fleetResult{}, map[netip.AddrPort]string{}
	for _, s := range fleet {
		for _, service := range s.services {
			results[service.at], protocols[service.at] = &fleetResult{}, service.protocol
		}
	}
	eachAttempt(t, tables, func(a *session.Attempt) {
		r, protocol := results[a.Service], protocols[a.Service]
		if r == nil {
			t.Fatalf("%v was not to be scanned", a.Service)
		}
		if !a.State.Connected() {
			r.state = a.State // a refusal makes no service
		}
		switch label := a.Verdict.Label; {
		case label == protocol:
			r.by = append(r.by, a.Handshake.Name)
		case label != "" && label != handshake.Unknown && !slices.Contains(alsoTrue[protocol], label):
			r.wrong = append(r.wrong, fmt.Sprintf("%s: %s (%s)", a.Handshake.Name, label, a.Verdict.Evidence))
			r.mistaken = r.mistaken || a.Verdict.Evidence > handshake.Weak || label == handshake.Echo
		}
	})
	eachService(t, tables, func(s *session.Service) {
		r := results[s.Service]
		r.state, r.label, r.evidence = s.State, s.Label, s.Evidence
	})
	return results
}

// judge says what is wrong with a result, or nothing.
func (s *fleetService) judge(r *fleetResult) (faults []string) {
	_, listed := handshake.Lookup(s.protocol)
	listed = (listed || s.protocol == handshake.Echo) && !s.unnamed
	switch {
	case listed && r.label != s.protocol:
		faults = append(faults, "not recognised")
	case !listed && r.label != "" && r.label != handshake.Unknown && !slices.Contains(alsoTrue[s.protocol], r.label):
		faults = append(faults, "not unknown")
	}
	if r.mistaken {
		faults = append(faults, "wrong label")
	}
	if (listed || s.state != session.SendsData) && r.state != s.state {
		faults = append(faults, "state")
	}
	if listed && s.first && !slices.Contains(r.by, "wait") {
		faults = append(faults, "speaks first, not heard")
	}
	return faults
}

// absentFile is where make test finds what TestFleet did not run: go test hides what passing tests say.
const absentFile = "../../../out/absent.txt"

// absent says what is not run, and why.
func absent(t *testing.T, format string, args ...any) {
	t.Logf(format, args...)
	if err := os.MkdirAll(filepath.Dir(absentFile), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(absentFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, format+"\n", args...)
}

// root reports whether this is a real root, not one of a namespace.
func root() bool {
	users, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Contains(string(users), "4294967295")
}

// TestFleet scans those servers of the fleet that are installed, with every handshake: each must be recognised, on its own
// port and on others, and none by a wrong label.
func TestFleet(t *testing.T) {
	t.Parallel()
	if !root() {
		absent(t, "TestFleet is skipped: the servers run as users of their own, which takes root")
		t.SkipNow()
	}
	var fleet []fleetServer
	for _, s := range readFleet(t) {
		if names := s.missing(); len(names) > 0 {
			absent(t, "absent: %s, for want of %s (make fleet installs what there is)", s.name, strings.Join(names, ", "))
			continue
		}
		fleet = append(fleet, s)
	}
	if len(fleet) == 0 {
		absent(t, "TestFleet is skipped: nothing of the fleet is installed; make fleet does that")
		t.SkipNow()
	}
	w := newFleetWorld(t, fleet)
	for i := range fleet {
		w.start(t, &fleet[i])
	}
	until := time.Now().Add(startTime)
	for i := range fleet {
		s := &fleet[i]
		if not := w.await(t, s, until); len(not) > 0 {
			text, _ := os.ReadFile(w.logOf(s))
			text = text[max(0, len(text)-2000):]
			if *fleetRecord != "" {
				t.Errorf("%s does not listen on %v: %s", s.name, not, text)
			}
			// A server that does not come up on this machine says nothing of the scanner.
			absent(t, "absent: %s on %v, which does not listen: %s", s.name, not, text)
			s.services = slices.DeleteFunc(s.services, func(v fleetService) bool { return slices.Contains(not, v.at) })
		}
	}
	fleet = slices.DeleteFunc(fleet, func(s fleetServer) bool { return len(s.services) == 0 })
	if len(fleet) == 0 {
		absent(t, "TestFleet is skipped: no server of the fleet came up")
		t.SkipNow()
	}
	results := readFleetResults(t, scanFleet(t, w, fleet), fleet)

	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "server\tservice\ttrue\tfound\tstate\tby\twrong\tfault")
	count := 0
	for _, s := range fleet {
		for _, service := range s.services {
			r := results[service.at]
			faults := strings.Join(service.judge(r), ", ")
			if faults != "" {
				t.Errorf("%s %v: %s", s.name, service.at, faults)
			}
			by := strings.Join(r.by[:min(3, len(r.by))], ",")
			if more := len(r.by) - 3; more > 0 {
				by += fmt.Sprintf(" +%d", more)
			}
			fmt.Fprintf(table, "%s\t%v\t%s\t%s %v\t%v\t%s\t%s\t%s\n", s.name, service.at, service.protocol, r.label, r.evidence,
				r.state, by, strings.Join(r.wrong, "; "), faults)
			count++
		}
	}
	table.Flush()
	t.Logf("%d services of %d servers:\n%s", count, len(fleet), text.String())
}
