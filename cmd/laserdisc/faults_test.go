package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"laserdisc/capture/formats"
	"laserdisc/capture/handshake"
	"laserdisc/capture/lab"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// faultsLab are hosts of which half begin their sequence numbers just before 2^32.
const faultsLab = "testdata/faults.json"

// wrappingTargets are services in it at whose first connection a scan with seed 7 does so too: within 256 bytes.
var wrappingTargets = []string{"198.18.6.200:22926", "198.18.8.2:37431", "198.18.11.96:14401", "198.18.12.26:14993", "198.18.15.131:60034"}

// TestFaults shows, by the records of real scans, that LZR's faults are not ours. They are those of ../shared/peers.md, in its
// order. It numbers eleven; the last is two here: what a scan keeps to and leaves behind, and when it says that things happened.
func TestFaults(t *testing.T) {
	plain, lines := printed(t, "--format", "lzr", "--handshakes", "tls,http,dns,redis")
	lossy, lossyLines := printed(t, "198.18.128.0/20", "--loss", "0.05", "--format", "lzr", "--handshakes", "http,tls,dns,redis")
	flows, lossyFlows := readFlows(t, plain), readFlows(t, lossy)
	wire := scanWire(t)

	t.Run("1 a host that never acknowledged data gets no further handshake", func(t *testing.T) {
		failsFast(t, plain, flows)
		failsFast(t, lossy, lossyFlows)
		for _, args := range [][]string{{"--handshakes", "wait,http,tls,dns"}, {"--handshakes", "http,tls,dns", "--all-handshakes"}} {
			dir, _ := printed(t, args...)
			failsFast(t, dir, readFlows(t, dir))
		}
	})
	t.Run("2 ephemeral probes find acknowledging firewalls at any number and with one handshake", func(t *testing.T) {
		for _, probes := range []int{1, 5} {
			for _, handshakes := range []string{"http", "http,tls"} {
				dir, lines := printed(t, "198.18.128.0/17", "--ports", "80", "--format", "lzr", "--handshakes", handshakes, "--ephemeral-probes", strconv.Itoa(probes))
				firewallsFound(t, readFlows(t, dir), lines, probes)
			}
		}
	})
	t.Run("3 a retransmission is well-formed and a kernel takes it", func(t *testing.T) {
		wellFormed(t, lossy, lossyFlows)
		kernelTakesIt(t)
	})
	t.Run("4 ACKed is what the packets say", func(t *testing.T) {
		ackedByPackets(t, flows, lines)
		ackedByPackets(t, lossyFlows, lossyLines)
	})
	t.Run("5 payloads are whole", func(t *testing.T) { payloadsWhole(t, plain, lines) })
	t.Run("6 lists of ip and port are read and bad lines named", func(t *testing.T) { listsRead(t) })
	t.Run("7 SYNs have a kernel's options", func(t *testing.T) { kernelsSYN(t, plain, lossy) })
	t.Run("8 labels depend on bytes alone", func(t *testing.T) {
		labelsOfBytes(t)
		badSignatures(t)
	})
	t.Run("9 hellos are small and honest", func(t *testing.T) { hellosFit(t) })
	t.Run("10 packets are in order and counted and sequence numbers wrap and the run ends", wire.judge)
	t.Run("11 block list and seed and manifest hold", func(t *testing.T) { repeatable(t) })
	t.Run("12 times are of capture and a slow pipe costs its lag", func(t *testing.T) {
		endsAtPackets(t, flows, lines)
		wire.timesOfCapture(t)
		slowPipe(t)
	})
}

// flow is a connection as the record has it: its segments, in their order.
type flow struct {
	client, server netip.AddrPort
	segments       []packet.Segment
}

// readFlows returns a record's connections in the order of their SYNs.
func readFlows(t *testing.T, dir string) (flows []*flow) {
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	begun := map[[2]netip.AddrPort]*flow{}
	for {
		var frame record.Frame
		if err := r.Next(&frame); errors.Is(err, io.EOF) {
			return flows
		} else if err != nil {
			t.Fatal(err)
		}
		var s packet.Segment
		if s.Decode(frame.LinkType, slices.Clone(frame.Data)) != nil || s.ICMP != 0 {
			continue
		}
		s.Time, s.Number = frame.Time, frame.Number
		key := [2]netip.AddrPort{s.Src, s.Dst}
		if frame.Direction == record.Received {
			key = [2]netip.AddrPort{s.Dst, s.Src}
		} else if begun[key] == nil && s.Flags == packet.SYN {
			begun[key] = &flow{client: s.Src, server: s.Dst}
			flows = append(flows, begun[key])
		}
		if f := begun[key]; f != nil {
			f.segments = append(f.segments, s)
		}
	}
}

// byService sorts flows by the service that they are to.
func byService(flows []*flow) map[netip.AddrPort][]*flow {
	of := map[netip.AddrPort][]*flow{}
	for _, f := range flows {
		of[f.server] = append(of[f.server], f)
	}
	return of
}

// progress is what either side had of the other at a segment of a flow. Numbers are relative, as the first of each side is 0.
type progress struct {
	said      []byte // by us
	acked     int    // of it
	got       int    // bytes from the server, without a gap
	connected bool
	over      bool // one has reset
	irs       uint32
	end       int         // where a FIN is
	early     map[int]int // segments: where they begin and end
}

// received is what may be acknowledged: a FIN counts as a byte.
func (p *progress) received() int {
	if p.end > 0 && p.got == p.end-1 {
		return p.end
	}
	return p.got
}

// each calls visit with each segment, and what was the case before it.
func (f *flow) each(visit func(s *packet.Segment, sent bool, p *progress)) (p progress) {
	p.early = map[int]int{}
	first := f.segments[0].Seq + 1
	for i := range f.segments {
		s := &f.segments[i]
		sent := s.Src == f.client
		if visit != nil {
			visit(s, sent, &p)
		}
		switch at := int(int32(s.Seq - first)); {
		case p.over:
		case !sent:
			p.receive(s, int(int32(s.Ack-first)))
		case at == len(p.said):
			p.said = append(p.said, s.Payload...)
		}
		p.over = p.over || s.Flags.Has(packet.RST)
	}
	return p
}

func (p *progress) receive(s *packet.Segment, acked int) {
	switch {
	case !p.connected:
		p.connected, p.irs = s.Flags.Has(packet.SYN|packet.ACK) && acked == 0, s.Seq
		return
	case s.Flags.Has(packet.ACK) && acked <= len(p.said):
		p.acked = max(p.acked, acked)
	}
	at := int(int32(s.Seq - p.irs - 1))
	if s.Flags.Has(packet.FIN) {
		p.end = at + len(s.Payload) + 1
	}
	if len(s.Payload) > 0 && !s.Flags.Has(packet.RST) {
		p.early[at] = max(p.early[at], at+len(s.Payload))
	}
	for more := true; more; {
		more = false
		for from, to := range p.early {
			if from <= p.got && to > p.got {
				p.got, more = to, true
			}
		}
	}
}

// failsFast fails the test if a service that has acknowledged nothing gets another handshake, or one that acknowledged and was
// silent does not.
func failsFast(t *testing.T, dir string, flows []*flow) {
	m, err := record.LoadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	deaf, hearing := 0, 0
	for service, flows := range byService(flows) {
		acked := false
		for i, f := range flows {
			p := f.each(nil)
			acked = acked || p.acked > 0
			more := i+1 < len(flows)
			switch {
			case m.Handshakes[i] == "wait": // says nothing that could be acknowledged
			case !acked && more:
				t.Errorf("%v never acknowledged data, and gets a handshake %d", service, i+2)
			case !acked && len(p.said) > 0:
				deaf++
			case p.acked > 0 && len(p.early) == 0 && i+1 < len(m.Handshakes): // nor is one silent whose first bytes were lost
				if hearing++; !more {
					t.Errorf("%v acknowledged data and was silent, and gets no handshake %d", service, i+2)
				}
			}
		}
	}
	t.Logf("%v, all %v: %d services never acknowledged data, %d handshakes were acknowledged and not answered", m.Handshakes, m.AllHandshakes, deaf, hearing)
	if deaf < 50 || hearing < 50 {
		t.Error("too few to prove anything")
	}
}

// firewallsFound compares what was probed and found with the lab's truth.
func firewallsFound(t *testing.T, flows []*flow, lines [][]byte, probes int) {
	network := newTestLab(t, 0)
	probed := map[netip.Addr][]*flow{}
	for _, f := range flows {
		if f.server.Port() != 80 {
			probed[f.server.Addr()] = append(probed[f.server.Addr()], f)
		}
	}
	firewalls, honest := 0, 0
	for _, l := range readLZR(t, lines) {
		truth, _ := network.At(netip.AddrPortFrom(l.Source, l.Port))
		isFirewall := truth.Host == "acknowledging firewall"
		ports := map[uint16]bool{}
		for _, f := range probed[l.Source] {
			ports[f.server.Port()] = true
			if isFirewall && f.each(nil).acked == 0 {
				t.Errorf("%v: data on port %d was not acknowledged", l.Source, f.server.Port())
			}
			if f.server.Port() < 49152 {
				t.Errorf("port %d is not ephemeral", f.server.Port())
			}
		}
		switch {
		case l.Firewall != isFirewall:
			t.Errorf("%v is %s, ackingFirewall %v", l.Source, truth.Host, l.Firewall)
		case (isFirewall || len(ports) > 0) && len(ports) != probes:
			t.Errorf("%v: %d ports of %d were probed", l.Source, len(ports), probes)
		case isFirewall:
			firewalls++
		case len(ports) > 0:
			honest++
		}
	}
	t.Logf("%d probes: %d firewalls, %d honest hosts asked", probes, firewalls, honest)
	if firewalls < 50 || honest < 50 {
		t.Error("too few to prove anything")
	}
}

func readLZR(t *testing.T, lines [][]byte) (list []formats.LZR) {
	for _, text := range lines {
		var l formats.LZR
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}

// wellFormed judges everything that was sent on a lossy link: a segment begins where the acknowledged bytes end, has the
// hello's, and acknowledges what came and no more. tshark has to find the same retransmissions, and no fault in them.
func wellFormed(t *testing.T, dir string, flows []*flow) {
	retransmitted, saved, answered := map[string]bool{}, 0, 0
	for _, f := range flows {
		again := false
		p := f.each(func(s *packet.Segment, sent bool, p *progress) {
			if !sent || !p.connected || s.Flags.Has(packet.RST) {
				return
			}
			at := int(int32(s.Seq - f.segments[0].Seq - 1))
			if acks := int(int32(s.Ack - p.irs - 1)); acks < 0 || acks > p.received() {
				t.Errorf("%v, frame %d acknowledges %d bytes, and %d came", f.server, s.Number, acks, p.got)
			}
			if len(s.Payload) == 0 || len(p.said) == 0 {
				return
			}
			again = true
			retransmitted[strconv.FormatUint(s.Number, 10)] = true
			if at != p.acked || p.acked == len(p.said) || !bytes.Equal(s.Payload, p.said[at:]) || !s.Flags.Has(packet.PSH) {
				t.Errorf("%v, frame %d: %d bytes from %d on, %v; said %d, acknowledged %d", f.server, s.Number, len(s.Payload), at, s.Flags, len(p.said), p.acked)
			}
		})
		if again && p.acked > 0 {
			saved++
		}
		if !again && p.acked > 0 && p.got == 0 {
			answered++
		}
	}
	faults := []string{"tcp.analysis.ack_lost_segment", "tcp.analysis.lost_segment", "tcp.analysis.out_of_order", "tcp.analysis.window_full", "_ws.malformed"}
	filter := "frame.interface_id==0 && (tcp.analysis.retransmission && tcp.len>0 || " + strings.Join(faults, " || ") + ")"
	for _, row := range dissect(t, dir, filter, append([]string{"frame.number", "_ws.expert.message", "tcp.len", "tcp.analysis.retransmission"}, faults...)...) {
		again := row[2] != "0" && row[3] != ""
		if again {
			if !retransmitted[row[0]] {
				t.Errorf("to tshark frame %s is a retransmission", row[0])
			}
			delete(retransmitted, row[0])
		}
		if !again || strings.Join(row[4:], "") != "" {
			t.Errorf("tshark on frame %s: %s", row[0], row[1])
		}
	}
	for number := range retransmitted {
		t.Errorf("to tshark frame %s is no retransmission", number)
	}
	t.Logf("%d services had the hello from its retransmission; %d acknowledged it, said nothing, and got nothing more", saved, answered)
	if saved < 50 || answered < 50 {
		t.Error("too few to prove anything")
	}
}

// dissect has tshark print fields of the frames that a filter selects, in a run directory or a file.
func dissect(t *testing.T, path, filter string, fields ...string) (rows [][]string) {
	t.Helper()
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "packets-00000.pcapng")
	}
	args := []string{"-r", path, "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// kernelAddress is where this machine's kernel serves, behind a wire of which kernelWire is our end.
const (
	kernelAddress = "203.0.113.129"
	kernelWire    = "faults0"
)

// kernelServer lays a wire to a namespace where the kernel's TCP answers: an HTTP server on port 1001, to which nothing gets
// through without PSH, and on port 1002 a server that reads and is silent.
func kernelServer(t *testing.T) {
	sh := func(script string) error {
		if out, err := exec.Command("sh", "-e", "-c", script).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	thread, laid, served := make(chan int), make(chan bool), make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread stays in the namespace, and ends
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		thread <- unix.Gettid()
		<-laid
		err := sh(`ip link set lo up; ip address add ` + kernelAddress + `/32 dev lo
			ip address add 203.0.113.2/30 dev faults1; ip link set faults1 up
			nft add table ip lossy; nft add chain ip lossy in '{ type filter hook input priority 0; }'
			nft add rule ip lossy in tcp dport 1001 ip length '>' 60 tcp flags '&' psh == 0 drop`)
		served <- errors.Join(err, listen(t, kernelAddress+":1001", func(c net.Conn) {
			if _, err := bufio.NewReader(c).ReadString('\n'); err == nil {
				_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\nServer: kernel\r\n\r\n"))
			}
		}), listen(t, kernelAddress+":1002", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
	}()
	if err := sh(fmt.Sprintf(`ip link add %s type veth peer name faults1 netns %d
		ip address add 203.0.113.1/30 dev %[1]s; ip link set %[1]s up; ip route add %[3]s via 203.0.113.2`, kernelWire, <-thread, kernelAddress)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sh("ip link delete " + kernelWire); err != nil {
			t.Error(err)
		}
	})
	laid <- true
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}

// listen serves each connection until the test ends.
func listen(t *testing.T, at string, serve func(net.Conn)) error {
	l, err := net.Listen("tcp4", at)
	if err != nil {
		return err
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(c)
				c.Close()
			}()
		}
	}()
	return nil
}

// kernelTakesIt: a kernel that lost the hello takes its retransmission, and one that acknowledged it gets no other.
func kernelTakesIt(t *testing.T) {
	kernelServer(t)
	dir := filepath.Join(t.TempDir(), "run")
	laserdisc(t, "scan", kernelAddress+":1001", kernelAddress+":1002", "--open", "203.0.113.0/24", "--handshakes", "http",
		"--timeout", "2500ms", "--cooldown", "1s", "--out", dir)
	services := readServices(t, dir)
	for _, f := range readFlows(t, dir) {
		var hellos []packet.Segment
		p := f.each(func(s *packet.Segment, sent bool, _ *progress) {
			if sent && len(s.Payload) > 0 {
				hellos = append(hellos, *s)
			}
		})
		s := services[f.server]
		switch f.server.Port() {
		case 1001:
			if s.State != session.SendsData || s.Label != "http" || len(hellos) != 2 {
				t.Fatalf("%+v after %d hellos", s, len(hellos))
			}
			if a, b := hellos[0], hellos[1]; a.Seq != b.Seq || a.Ack != b.Ack || !bytes.Equal(a.Payload, b.Payload) || a.Flags != packet.ACK || b.Flags != packet.PSH|packet.ACK {
				t.Errorf("the hello %+v, and again %+v", a, b)
			}
		case 1002:
			if s.State != session.AcksData || len(hellos) != 1 || p.acked != len(p.said) {
				t.Errorf("%+v after %d hellos, %d bytes of %d acknowledged", s, len(hellos), p.acked, len(p.said))
			}
		}
	}
	if len(services) != 2 {
		t.Errorf("%d services of a kernel's two", len(services))
	}
}

// ackedByPackets compares ACKed of each line with the connection that the line is about.
func ackedByPackets(t *testing.T, flows []*flow, lines [][]byte) {
	of := map[[2]netip.AddrPort]*flow{}
	for _, f := range flows {
		of[[2]netip.AddrPort{f.client, f.server}] = f
	}
	count := map[bool]int{}
	for _, l := range readLZR(t, lines) {
		f := of[[2]netip.AddrPort{netip.AddrPortFrom(l.Dest, l.OwnPort), netip.AddrPortFrom(l.Source, l.Port)}]
		if f == nil {
			t.Errorf("%v:%d: the line's connection is not in the record", l.Source, l.Port)
			continue
		}
		p := f.each(nil)
		if l.ACKed != (p.acked > 0) {
			t.Errorf("%v: ACKed %v, and %d of %d bytes were acknowledged", f.server, l.ACKed, p.acked, len(p.said))
		}
		count[l.ACKed]++
	}
	t.Logf("ACKed: %v", count)
	if count[true] < 50 || count[false] < 50 {
		t.Error("too few to prove anything")
	}
}

// payloadsWhole compares the data of each line, and of services.jsonl, with what tshark finds in the stream.
func payloadsWhole(t *testing.T, dir string, lines [][]byte) {
	streams := receivedStreams(t, dir)
	services := readServices(t, dir)
	long, binary := 0, 0
	for _, l := range readLZR(t, lines) {
		service := netip.AddrPortFrom(l.Source, l.Port)
		b := streams[[2]netip.AddrPort{netip.AddrPortFrom(l.Dest, l.OwnPort), service}]
		if !bytes.Equal(l.Raw, b) || !bytes.Equal(services[service].Response, b) {
			t.Errorf("%v: tshark finds %q, the line has %q, services.jsonl %q", service, b, l.Raw, services[service].Response)
		}
		if len(b) > 1024 {
			long++
		}
		if !utf8.Valid(b) {
			binary++
		}
	}
	t.Logf("%d payloads of more than 1,024 bytes, %d that are not UTF-8", long, binary)
	if long < 20 || binary < 20 {
		t.Error("too few to prove anything")
	}
}

// receivedStreams has tshark put together what each server said to each client, up to the first gap and to the limit of a scan's
// response.
func receivedStreams(t *testing.T, dir string) map[[2]netip.AddrPort][]byte {
	segments := map[[2]netip.AddrPort]map[int][]byte{} // by their relative sequence number
	for _, f := range dissect(t, dir, "frame.interface_id==1 && tcp.len>0 && !icmp", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.seq", "tcp.payload") {
		stream := [2]netip.AddrPort{netip.MustParseAddrPort(f[2] + ":" + f[3]), netip.MustParseAddrPort(f[0] + ":" + f[1])}
		sequence, err := strconv.Atoi(f[4])
		if err != nil {
			t.Fatal(err)
		}
		payload, err := hex.DecodeString(f[5])
		if err != nil {
			t.Fatal(err)
		}
		if segments[stream] == nil {
			segments[stream] = map[int][]byte{}
		}
		if len(payload) > len(segments[stream][sequence]) {
			segments[stream][sequence] = payload
		}
	}
	streams := map[[2]netip.AddrPort][]byte{}
	for stream, parts := range segments {
		var b []byte
		for _, sequence := range slices.Sorted(maps.Keys(parts)) {
			if have := len(b) + 1; sequence <= have {
				b = append(b, parts[sequence][min(have-sequence, len(parts[sequence])):]...)
			}
		}
		streams[stream] = b[:min(len(b), session.Defaults().ResponseLimit)]
	}
	return streams
}

// listsRead scans the documented list from standard input, and tries what else may stand in one.
func listsRead(t *testing.T) {
	const list = "198.18.0.9:80\n198.18.0.9:8080\r\n\n  198.18.7.7:65535 # a note\n[2001:2:0:1::7]:22\n2001:2:0:1::8\n198.18.0.10:443"
	scan := func(input string, args ...string) (stdout, stderr string, code int) {
		cmd := exec.Command(laserdiscBinary(t), append([]string{"scan", "-", "--open", labPrefix, "--open", "2001:2::/48", "--ports", "22"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		var out, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaints
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
	}
	want := []string{"198.18.0.10:443", "198.18.0.9:80", "198.18.0.9:8080", "198.18.7.7:65535", "[2001:2:0:1::7]:22", "[2001:2:0:1::8]:22"}
	dir := filepath.Join(t.TempDir(), "run")
	if _, complaint, code := scan(list, "--lab", faultsLab, "--cooldown", "1s", "--out", dir); code != 0 {
		t.Fatalf("exit code %d: %s", code, complaint)
	}
	var probed []string
	for _, s := range synsOf(t, dir) {
		probed = append(probed, s.to.String())
	}
	slices.Sort(probed)
	if !slices.Equal(slices.Compact(probed), want) {
		t.Errorf("probed %v", probed)
	}
	for _, bad := range []string{"198.18.0.1;80", "198.18.0.1:", ":80", "198.18.0.1:65536", "198.18.0.1:0", "198.18.0.1:-1", "198.18.0.1:80:80", "198.18.0:80",
		"[2001:2:0:1::1:80", "2001:2:0:1::1]:80", "[198.18.0.1]:80:", "198.18.0.0/33", "host:80", ",", "\x00\xff", "198.18.0.1:80 198.18.0.2:80", strings.Repeat("1", 1<<17)} {
		_, complaint, code := scan("198.18.0.9:80\n"+bad+"\n", "--dry-run")
		if code != 2 || !strings.Contains(complaint, "standard input:2: ") || strings.Contains(complaint, "goroutine") {
			t.Errorf("%.40q: exit code %d: %.300s", bad, code, complaint)
		}
	}
}

// kernelsSYN has tshark compare every SYN of scans with one that this machine's kernel sends.
func kernelsSYN(t *testing.T, dirs ...string) {
	// The shift of the window scale is left out: a kernel's depends on its memory.
	fields := []string{"tcp.option_kind", "tcp.options.mss_val", "tcp.window_size_value", "tcp.options.timestamp.tsecr", "ip.ttl", "ip.flags.df"}
	const filter = "tcp.flags.syn==1 && tcp.flags.ack==0"
	kernelServer(t)
	file := filepath.Join(t.TempDir(), "kernel.pcapng")
	cmd := exec.Command("dumpcap", "-i", kernelWire, "-c", "1", "-w", file, "-f", "tcp[tcpflags] == tcp-syn")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for complaints := bufio.NewScanner(stderr); complaints.Scan() && !strings.HasPrefix(complaints.Text(), "File: "); {
		t.Log(complaints.Text())
	}
	c, err := net.Dial("tcp4", kernelAddress+":1002")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	kernels := dissect(t, file, filter, fields...)
	if len(kernels) != 1 {
		t.Fatalf("%d SYNs of the kernel", len(kernels))
	}
	t.Logf("the kernel's SYN: %v", kernels[0])
	for _, dir := range dirs {
		n := 0
		for _, row := range dissect(t, dir, "frame.interface_id==0 && "+filter, fields...) {
			if n++; !slices.Equal(row, kernels[0]) {
				t.Fatalf("ours: %v", row)
			}
		}
		if n < 10000 {
			t.Errorf("%d SYNs: too few to prove anything", n)
		}
	}
}

// labelsOfBytes scans the same services with handshakes in other orders and numbers: the same answer has the same label, and
// a service to which the same is said in another order too.
func labelsOfBytes(t *testing.T) {
	type answer struct{ handshake, response string }
	labels, same := map[answer]string{}, 0
	seen := map[string]bool{}
	var services []map[netip.AddrPort]found
	for _, args := range []string{
		"--handshakes wait,http,tls,smtp,ssh,redis,dns --all-handshakes",
		"--handshakes dns,redis,ssh,smtp,tls,http,wait --all-handshakes",
		"--handshakes ssh,http,dns --all-handshakes --push",
		"--handshakes wait,http", "--handshakes http", "--handshakes tls",
	} {
		dir, _ := printed(t, append(strings.Fields(args), "--ports", "21-25,53,80,110,143,443,3306,3389,5060,8080")...)
		services = append(services, findings(readRun(t, dir).services))
		if err := eachAttempt(t, dir+"-tables", func(a *session.Attempt) error {
			if len(a.Response) == 0 {
				return nil
			}
			key := answer{response: string(a.Response)}
			if a.Verdict.Label == handshake.Echo { // of what was said
				key.handshake = a.Handshake.Name
			}
			label := fmt.Sprintf("%s, %v", a.Verdict.Label, a.Verdict.Evidence)
			if was, ok := labels[key]; ok {
				if same++; was != label {
					t.Errorf("%q is %s, and with %s %s", key.response, was, args, label)
				}
			}
			labels[key], seen[a.Verdict.Label] = label, true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for service, f := range services[0] {
		if other := services[1][service]; other.label != f.label {
			t.Errorf("%v is %v %q, and in another order %v %q", service, f.state, f.label, other.state, other.label)
		}
	}
	t.Logf("%d services, %d answers, again %d times; %d labels", len(services[0]), len(labels), same, len(seen))
	if len(services[0]) < 1000 || same < 5000 || len(seen) < 10 {
		t.Error("too few to prove anything")
	}
}

// badSignatures asks classify about what LZR's signatures take for a protocol, and about the real thing.
func badSignatures(t *testing.T) {
	for _, c := range []struct {
		response string
		label    string
		certain  bool // that it is, or that it is not
	}{
		{"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<p>This page is also there over HTTPS</p>", "tls", false},
		{"220 ftp.example.org, or by HTTPS\r\n", "tls", false},
		{"\x16\x03\x01\x00\x02\x02\x28", "tls", false},
		{"\x15\x03\x01\x00\x02\x02\x28", "tls", true},
		{"-ERR unknown command 'GET'\r\n", "pop3", false},
		{"-ERR wrong number of arguments for 'pop3' command\r\n", "pop3", false},
		{"+OK\r\n", "pop3", false},
		{"+OK POP3 server ready\r\n", "pop3", true},
		{"ERROR\r\n", "memcached", false},
		{"500 ERROR\r\n", "memcached", false},
		{"\x81", "memcached", false},
		{"VERSION 1.6.18\r\n", "memcached", true},
		{"\x05\xff", "telnet", false},
		{"a\xfdbcd", "telnet", false},
		{"\x00\xfb\x01", "telnet", false},
		{"see telnet.example.org\r\n", "telnet", false},
		{"\xff\xfd\x18\xff\xfb\x01", "telnet", true},
		{"\x03\x00\x00\x0b\x06\xd0\x00\x00\x12\x34\x00", "siemens", false},
		{"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x02\x00\x00\x00", "siemens", false},
		{"\x03\x00\x00\x16\x11\xd0\x00\x01\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02", "siemens", false},
		{"\x03\x00\x00\x1b\x02\xf0\x80\x32\x03\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\xf0\x00\x00\x01\x00\x01\x00\xf0", "siemens", true},
	} {
		cmd := exec.Command(laserdiscBinary(t), "classify")
		cmd.Stdin = strings.NewReader(`{"received_base64":"` + base64.StdEncoding.EncodeToString([]byte(c.response)) + `"}`)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var is struct{ Label, Evidence string }
		if err := json.Unmarshal(out, &is); err != nil {
			t.Fatal(err)
		}
		if (is.Label == c.label && is.Evidence == "certain") != c.certain {
			t.Errorf("%q is %s (%s)", c.response, is.Label, is.Evidence)
		}
	}
}

// hellosFit has tshark read what is said to each service, at the ports where it looks for these protocols.
func hellosFit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	laserdisc(t, "scan", "198.18.0.0/26", "--open", labPrefix, "--lab", faultsLab, "--ports", "80,445,1883,20000",
		"--handshakes", "all", "--all-handshakes", "--seed", "7", "--out", dir)
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
	says := map[[2]netip.AddrPort]string{}
	if err := eachAttempt(t, dir+"-tables", func(a *session.Attempt) error {
		says[[2]netip.AddrPort{a.Source, a.Service}] = a.Handshake.Name
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	agents := map[string]int{}
	hellos := map[string]map[string]bool{"dnp3": {}, "mqtt": {}, "smb": {}, "http": {}} // by frame
	ports := map[uint16]string{80: "http", 445: "smb", 1883: "mqtt", 20000: "dnp3"}
	for _, f := range readFlows(t, dir) {
		name := says[[2]netip.AddrPort{f.client, f.server}]
		left := false
		f.each(func(s *packet.Segment, sent bool, p *progress) {
			left = left || s.Flags.Has(packet.RST)
			if !sent || len(s.Payload) == 0 || len(p.said) > 0 {
				return
			}
			if bytes.Contains(s.Payload, []byte("Mozilla")) {
				t.Errorf("%s poses as a browser: %q", name, s.Payload)
			}
			if _, rest, ok := bytes.Cut(s.Payload, []byte("User-Agent: ")); ok {
				agent, _, _ := strings.Cut(string(rest), "\r\n")
				agents[name+", "+agent]++
			}
			if ports[f.server.Port()] == name {
				hellos[name][strconv.FormatUint(s.Number, 10)] = true
			}
		})
		if name == "mqtt" && !left && f.each(nil).connected {
			t.Errorf("%v: the session is left open", f.server)
		}
	}
	for who := range agents {
		if name, agent, _ := strings.Cut(who, ", "); agent != handshake.UserAgent || !strings.Contains(agent, "scan") {
			t.Errorf("%s calls itself %q", name, agent)
		}
	}
	rows := []struct {
		name, want string
		fields     []string
	}{
		{"dnp3", "0x0564 5 9 10", []string{"dnp3.start", "dnp3.len", "dnp3.ctl.prifunc", "tcp.len"}}, // one frame, which asks for the link's status
		{"mqtt", "1 1 0 0", []string{"mqtt.msgtype", "mqtt.conflag.cleansess", "mqtt.conflag.willflag", "mqtt.clientid_len"}},
		{"smb", "0x72 NT LM 0.12,SMB 2.002,SMB 2.???", []string{"smb.cmd", "smb.dialect.name"}},
		{"http", "GET " + handshake.UserAgent, []string{"http.request.method", "http.user_agent"}},
	}
	fields, either := []string{"frame.number"}, "" // tshark reads the record once for all four
	for _, c := range rows {
		fields = append(fields, c.fields...)
		either += " || " + c.fields[0]
	}
	frames := dissect(t, dir, "frame.interface_id==0 && tcp.len>0 && ("+strings.TrimPrefix(either, " || ")+")", fields...)
	at := 1
	for _, c := range rows {
		n := 0
		for _, frame := range frames {
			if frame[at] == "" || !hellos[c.name][frame[0]] {
				continue
			}
			if n++; strings.Join(frame[at:at+len(c.fields)], " ") != c.want {
				t.Errorf("to tshark the hello of %s is %q", c.name, frame)
			}
		}
		at += len(c.fields)
		if n != len(hellos[c.name]) || n < 10 {
			t.Errorf("%s: tshark knows %d hellos of %d", c.name, n, len(hellos[c.name]))
		}
	}
	services := map[string]int{}
	for _, s := range readServices(t, dir) {
		services[s.Label]++
	}
	t.Logf("User-Agents: %v; services: %v", agents, services)
	if services["dnp3"] == 0 || services["mqtt"] == 0 || services["smb"] == 0 || services["http"] == 0 || len(agents) < 4 {
		t.Error("too few to prove anything")
	}
}

// wireScan is a scan on the real wire that was stopped for a while, and went on.
type wireScan struct {
	scanned
	network           *lab.Network
	stopped, went     time.Time
	virtual, resident int // kB, the most
}

func scanWire(t *testing.T) (w wireScan) {
	text, err := os.ReadFile(faultsLab)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Parse(faultsLab, text)
	if err != nil {
		t.Fatal(err)
	}
	w.network = lab.New(p, 1)
	far, err := farLink()
	if err != nil {
		t.Fatal(err)
	}
	defer serveOn(context.Background(), far, w.network)() // others take their turns on the wire
	dir := filepath.Join(t.TempDir(), "run")
	key := session.KeyOf(7) // with which wrappingTargets wrap
	cmd := exec.Command(laserdiscBinary(t), append([]string{"scan", "198.18.0.0/21", "--open", labPrefix, "--ports", "80,443,8443", "--handshakes", "tls,http", "--seed", "7", "--key", hex.EncodeToString(key[:]), "--rate", "3000",
		"--timeout", "1500ms", "--cooldown", "2s", "--out", dir}, wrappingTargets...)...)
	var output bytes.Buffer
	cmd.Stderr = &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := false; !begun; time.Sleep(10 * time.Millisecond) {
		info, err := os.Stat(filepath.Join(dir, "services.jsonl"))
		begun = err == nil && info.Size() > 0 // after a second, of two of probing
	}
	signal := func(s unix.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatalf("%v\n%s", err, output.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	signal(unix.SIGSTOP)
	w.stopped = time.Now()
	time.Sleep(150 * time.Millisecond)
	for name, most := range map[string]*int{"VmPeak": &w.virtual, "VmHWM": &w.resident} {
		if _, err := fmt.Sscanf(statusOf(t, cmd.Process.Pid)[0][name], "%d kB", most); err != nil {
			t.Fatal(err)
		}
	}
	w.went = time.Now()
	signal(unix.SIGCONT)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	w.scanned = readRun(t, dir)
	return w
}

func (w *wireScan) judge(t *testing.T) {
	m := w.manifest
	if table, wrong := w.scanned.judge(w.network); len(wrong) > 0 || len(w.services) < 500 {
		t.Errorf("true, found:\n%s", table)
	}
	countsAgree(t, w.scanned)
	if m.EndedBy != record.EndedTargets || m.Interrupted {
		t.Errorf("ended by %s, interrupted %v", m.EndedBy, m.Interrupted)
	}
	// Nothing was lost or held back on this wire, so that nothing is out of order: in time, or in its connection.
	for _, row := range dissect(t, w.dir, "frame.time_delta < 0 || tcp.analysis.out_of_order || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.fast_retransmission", "frame.number", "_ws.expert.message") {
		t.Errorf("tshark on frame %s: %s", row[0], row[1])
	}
	ours, theirs := 0, 0
	for _, f := range readFlows(t, w.dir) {
		p := f.each(nil)
		if f.segments[0].Seq+1+uint32(len(p.said)) < f.segments[0].Seq {
			ours++
		}
		if p.irs+1+uint32(p.got) < p.irs {
			theirs++
		}
	}
	t.Logf("%d of our hellos and %d answers pass 2^32; at most %d MB of memory, %d MB of addresses", ours, theirs, w.resident>>10, w.virtual>>10)
	if ours < len(wrappingTargets) || theirs < 100 {
		t.Error("too few to prove anything")
	}
	if w.virtual > 4<<20 || w.resident > 256<<10 { // five channels of 200 million pointers are 8 GB
		t.Error("too much memory")
	}
}

// timesOfCapture: what arrived while the scanner stood still has the time at which it arrived, in the record and in the result.
// (What it then sent has that of what it answers, by design.)
func (w *wireScan) timesOfCapture(t *testing.T) {
	r, err := record.Open(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	times, meanwhile := map[uint64]int64{}, 0
	var f record.Frame
	for r.Next(&f) == nil {
		times[f.Number] = f.Time
		if f.Direction == record.Received && f.Time > w.stopped.UnixNano() && f.Time < w.went.UnixNano() {
			meanwhile++
		}
	}
	began := 0
	for service, s := range w.services {
		if s.First != times[s.Frame] {
			t.Errorf("%v: first at %d, but its frame %d is of %d", service, s.First, s.Frame, times[s.Frame])
		}
		if s.First > w.stopped.UnixNano() && s.First < w.went.UnixNano() {
			began++
		}
	}
	t.Logf("%d frames and %d services of the %v in which the scanner stood still", meanwhile, began, w.went.Sub(w.stopped).Round(time.Millisecond))
	if meanwhile < 20 || began < 3 {
		t.Error("too few to prove anything")
	}
}

// endsAtPackets: Timestamp is the time of a frame of the service.
func endsAtPackets(t *testing.T, flows []*flow, lines [][]byte) {
	type moment struct {
		service netip.AddrPort
		at      int64
	}
	moments := map[moment]bool{}
	for _, f := range flows {
		for _, s := range f.segments {
			moments[moment{f.server, s.Time}] = true
		}
	}
	for _, l := range readLZR(t, lines) {
		if service := netip.AddrPortFrom(l.Source, l.Port); !moments[moment{service, l.Timestamp.UnixNano()}] {
			t.Errorf("%v: Timestamp %v is no frame's", service, l.Timestamp)
		}
	}
	if len(lines) < 500 {
		t.Error("too few to prove anything")
	}
}

// slowPipe: a pipe from ZMap that lags by seconds delays a service by that and no more. It is told nothing before ZMap has
// reported it, for whoever sends a SYN-ACK may be anybody.
func slowPipe(t *testing.T) {
	const lag = 2 * time.Second
	gateway := farEnd(t).String()
	serveLab(t, newTestLab(t, 0))
	dir := t.TempDir()
	cmd := exec.Command("bash", "-o", "pipefail", "-c", fmt.Sprintf("zmap --interface=%s --gateway-mac=%s --source-ip=192.0.2.1 --source-port=61000-65535 --target-port=80 --rate=4000"+
		" --blacklist-file=/dev/null --cooldown-time=1 --quiet --output-module=json --output-fields=saddr,daddr,sport,dport,seqnum,acknum,window"+
		" --output-filter='success = 1 && repeat = 0' 198.18.32.0/21 2>zmap.log | (sleep %.0f; cat) |"+
		" %s scan --from zmap --interface %[1]s --gateway-mac %[2]s --source-ip 192.0.2.1 --handshakes http --timeout 1s --cooldown 1s --seed 5 --out run",
		lab.Near, gateway, lag.Seconds(), laserdiscBinary(t)))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r, err := record.Open(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	came, took := map[netip.AddrPort]int64{}, []time.Duration{}
	var f record.Frame
	var s packet.Segment
	for r.Next(&f) == nil {
		switch {
		case f.Direction != record.Received || s.Decode(f.LinkType, f.Data) != nil || s.ICMP != 0:
		case s.Flags.Has(packet.SYN) && came[s.Src] == 0:
			came[s.Src] = f.Time
		case !s.Flags.Has(packet.SYN) && came[s.Src] > 0:
			took = append(took, time.Duration(f.Time-came[s.Src]))
			came[s.Src] = -1 // once
		}
	}
	if len(took) < 100 {
		t.Fatalf("%d services answered: too few to prove anything", len(took))
	}
	slices.Sort(took)
	t.Logf("%d services answered the hello, half of them within %v of their SYN-ACK, the last after %v", len(took), took[len(took)/2], took[len(took)-1])
	if took[len(took)-1] > lag+lag/4 {
		t.Error("too slow")
	}
}

// repeatable: the block list is kept to, the seed decides, and the manifest says all of it.
func repeatable(t *testing.T) {
	const blocked = "198.18.2.0/24"
	list := filepath.Join(t.TempDir(), "blocked")
	text := []byte(blocked + " # asked us to\n198.18.4.128/25\n")
	if err := os.WriteFile(list, text, 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"198.18.0.0/20", "--ports", "80", "--handshakes", "http", "--cooldown", "1s"}
	ours := func(syns []syn) (list []string) {
		for _, s := range syns {
			list = append(list, fmt.Sprint(s.from, s.to, s.seq))
		}
		return list
	}
	open, _ := scanInMemory(t, args...)
	dir, m := scanInMemory(t, append(args, "--block", list)...)
	again, _ := scanInMemory(t, append(args, "--block", list)...)
	other, _ := scanInMemory(t, append(args, "--block", list, "--seed", "8")...)
	in := func(syns []syn) (n int) {
		for _, s := range syns {
			if a := s.to.Addr(); netip.MustParsePrefix(blocked).Contains(a) || netip.MustParsePrefix("198.18.4.128/25").Contains(a) {
				n++
			}
		}
		return n
	}
	if all, kept := in(synsOf(t, open)), in(synsOf(t, dir)); all != 256+128 || kept > 0 {
		t.Errorf("%d of the blocked were probed without a list, %d with it", all, kept)
	}
	sum := sha256.Sum256(text)
	if m.Seed != 7 || m.CookieKey == (session.Key{}) || m.TargetCount != 4096 || m.Counters.Launched != 4096-256-128 || len(m.Lists) != 1 || m.Lists[0].SHA256 != hex.EncodeToString(sum[:]) || m.Lists[0].Entries != 2 ||
		len(m.Excluded) != 1 || m.Excluded[0].Targets != 256+128 || m.Start.IsZero() || m.End.IsZero() {
		t.Errorf("the manifest says %+v", m)
	}
	a, b, c := ours(synsOf(t, dir)), ours(synsOf(t, again)), ours(synsOf(t, other))
	if !slices.Equal(a, b) || slices.Equal(a, c) || len(a) < 3712 {
		t.Errorf("%d SYNs; the same with the same seed: %v, with another: %v", len(a), slices.Equal(a, b), slices.Equal(a, c))
	}
}
