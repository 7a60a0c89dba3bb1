package record

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// run runs a tool that these tests need, and returns what it prints. It fails
// without the tool: `make test` installs what is missing.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	return string(out)
}

// complaints returns what tshark and capinfos say on standard error.
func complaints(t *testing.T, file string) string {
	t.Helper()
	var all strings.Builder
	for _, cmd := range []*exec.Cmd{exec.Command("tshark", "-n", "-r", file), exec.Command("capinfos", file)} {
		cmd.Stderr = &all
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(&all, err)
		}
	}
	return strings.ReplaceAll(all.String(), "Running as user \"root\" and group \"root\". This could be dangerous.\n", "")
}

// conversation is what a scan sends and receives, and how often it has what
// the manifest counts.
func conversation(t *testing.T) ([]Frame, Counters) {
	t.Helper()
	us, them := net.IPv4(192, 0, 2, 1).To4(), net.IPv4(198, 51, 100, 7).To4()
	var frames []Frame
	add := func(d Direction, next layers.IPProtocol, rest ...gopacket.SerializableLayer) []byte {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: next, SrcIP: us, DstIP: them}
		if d == Received {
			ip.SrcIP, ip.DstIP = them, us
		}
		if tcp, ok := rest[0].(*layers.TCP); ok {
			if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
				t.Fatal(err)
			}
		}
		eth := &layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: layers.EthernetTypeIPv4}
		b := gopacket.NewSerializeBuffer()
		all := append([]gopacket.SerializableLayer{eth, ip}, rest...)
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
			t.Fatal(err)
		}
		n := len(frames)
		frames = append(frames, Frame{Number: uint64(n + 1), Time: testStart.UnixNano() + int64(n), Direction: d,
			LinkType: linkEthernet, Length: uint32(len(b.Bytes())), Data: bytes.Clone(b.Bytes())})
		return b.Bytes()
	}
	out := func() *layers.TCP { return &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 100, Window: 1000} }
	in := func() *layers.TCP { return &layers.TCP{SrcPort: 80, DstPort: 40000, Seq: 500, Window: 1000} }
	hello := gopacket.Payload("GET / HTTP/1.1\r\n\r\n")

	syn := out()
	syn.SYN = true
	quoted := bytes.Clone(add(Sent, layers.IPProtocolTCP, syn))[14:]
	for range 2 { // the second is a retransmission
		synack := in()
		synack.SYN, synack.ACK, synack.Ack = true, true, 101
		add(Received, layers.IPProtocolTCP, synack)
	}
	request := out()
	request.ACK, request.PSH, request.Seq, request.Ack = true, true, 101, 501
	add(Sent, layers.IPProtocolTCP, request, hello)
	padded := in() // an acknowledgement as short as Ethernet frames must not be
	padded.ACK, padded.Seq, padded.Ack = true, 501, 119
	add(Received, layers.IPProtocolTCP, padded)
	padding := &frames[len(frames)-1]
	padding.Data = append(padding.Data, make([]byte, 60-len(padding.Data))...)
	padding.Length = 60
	response := in()
	response.ACK, response.Seq, response.Ack = true, 501, 119
	add(Received, layers.IPProtocolTCP, response, gopacket.Payload("HTTP/1.1 200 OK\r\n\r\n"))
	reset := out()
	reset.RST, reset.Seq = true, 119
	add(Sent, layers.IPProtocolTCP, reset)
	refused := in()
	refused.RST, refused.ACK, refused.Ack = true, true, 101
	add(Received, layers.IPProtocolTCP, refused)
	// An error quotes our SYN; it is no SYN, sent or received.
	add(Received, layers.IPProtocolICMPv4,
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 1)}, gopacket.Payload(quoted))

	return frames, Counters{
		Launched: 1, Sent: 3, SentSYN: 1, SentRST: 1, SentPayload: 1,
		Received: 6, ReceivedSYNACK: 2, ReceivedRST: 1, ReceivedPayload: 1, ReceivedICMP: 1, Services: 1,
	}
}

// TestWiresharkAgrees has tshark count what the manifest counts, by the
// filters that Counters documents.
func TestWiresharkAgrees(t *testing.T) {
	frames, counters := conversation(t)
	m := testManifest()
	m.Counters = counters
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, m, frames)
	file := filepath.Join(dir, chunkName(0))
	if said := complaints(t, file); said != "" {
		t.Error(said)
	}
	for _, c := range []struct {
		count  uint64
		filter string
	}{
		{counters.Sent, "frame.interface_id==0"},
		{counters.Sent, `frame.interface_name=="sent"`},
		{counters.SentSYN, "frame.interface_id==0 && tcp.flags.syn==1 && tcp.flags.ack==0"},
		{counters.SentRST, "frame.interface_id==0 && tcp.flags.reset==1"},
		{counters.SentPayload, "frame.interface_id==0 && tcp.len>0"},
		{counters.Received, "frame.interface_id==1"},
		{counters.ReceivedSYNACK, "frame.interface_id==1 && tcp.flags.syn==1 && tcp.flags.ack==1 && !icmp && !icmpv6"},
		{counters.ReceivedRST, "frame.interface_id==1 && tcp.flags.reset==1 && !icmp && !icmpv6"},
		{counters.ReceivedPayload, "frame.interface_id==1 && tcp.len>0 && !icmp && !icmpv6"},
		{counters.ReceivedICMP, "frame.interface_id==1 && (icmp || icmpv6)"},
	} {
		if n := strings.Count(run(t, "tshark", "-n", "-r", file, "-Y", c.filter), "\n"); n != int(c.count) {
			t.Errorf("%s: tshark has %d, the manifest %d", c.filter, n, c.count)
		}
	}
	sameAsTshark(t, file)

	info := run(t, "capinfos", "-M", file)
	for _, line := range []string{"Number of packets:   9", "Name = sent", "Name = received", "Time precision = nanoseconds (9)",
		"Capture length = 262144", `"seed":"18446744073709551615"`, "Capture application: laserdisc", "Number of stat entries = 1"} {
		if !strings.Contains(info, line) {
			t.Errorf("capinfos does not say %q:\n%s", line, info)
		}
	}
}

// sameAsTshark compares number, time and lengths of all frames of a file.
// tshark prints no time where there is none, and no interface for blocks that
// it numbers but that are not packets.
func sameAsTshark(t *testing.T, file string) {
	t.Helper()
	r, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frames, _ := readAll(r)
	cmd := exec.Command("tshark", "-n", "-r", file, "-T", "fields", "-E", "separator=,",
		"-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len", "-e", "frame.interface_id")
	out, _ := cmd.Output() // an error in the file is one for both, as the frames show
	var theirs, ours []string
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if f[4] != "" {
			theirs = append(theirs, strings.Join(f[:4], " "))
		}
	}
	for _, f := range frames {
		at := ""
		if f.Time != 0 {
			at = fmt.Sprintf("%d.%09d", f.Time/1e9, f.Time%1e9)
		}
		ours = append(ours, fmt.Sprintf("%d %s %d %d", f.Number, at, len(f.Data), f.Length))
	}
	if a, b := strings.Join(theirs, "\n"), strings.Join(ours, "\n"); a != b {
		t.Errorf("%s: tshark reads\n%s\nwe read\n%s", file, a, b)
	}
}

// corpus returns the files of a directory of pcapng's test suite, which come
// with gopacket (github.com/hadrielk/pcapng-test-generator).
func corpus(t *testing.T, order string) []string {
	t.Helper()
	module := strings.TrimSpace(run(t, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/gopacket"))
	files, err := filepath.Glob(filepath.Join(module, "pcapgo", "tests", order, "*.pcapng"))
	if err != nil || len(files) < 25 {
		t.Fatal(len(files), err)
	}
	return files
}

// TestCorpus reads a test suite as capinfos and tshark do.
func TestCorpus(t *testing.T) {
	for _, order := range []string{"le", "be"} {
		for _, file := range corpus(t, order) {
			name := order + "/" + strings.TrimSuffix(filepath.Base(file), ".pcapng")
			t.Run(name, func(t *testing.T) { testCorpusFile(t, file, name) })
		}
	}
}

func testCorpusFile(t *testing.T, file, name string) {
	t.Parallel()
	if strings.HasSuffix(name, "test901") { // its second section is of version 2.0
		r, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		frames, err := readAll(r)
		if e, ok := err.(*FormatError); !ok || e.Problem != "pcapng version 2.0, not 1.0" || len(frames) != 1 {
			t.Error(len(frames), err)
		}
		return
	}
	frames, r := mustRead(t, file)
	if r.Manifest() != nil {
		t.Error("a manifest")
	}
	fields := strings.Split(strings.TrimSpace(run(t, "capinfos", "-T", "-m", "-r", "-c", "-d", file)), ",")
	length := 0
	for _, f := range frames {
		length += int(f.Length)
	}
	if fields[1] != strconv.Itoa(len(frames)) || fields[2] != strconv.Itoa(length) {
		t.Errorf("%d frames of %d bytes; capinfos says %v", len(frames), length, fields)
	}
	switch filepath.Base(name) {
	case "test008", "test016", "test018", "test101", "test102", "test202", "test902":
		sameAsTshark(t, file)
	}
}

// TestRewritten has other tools write what we wrote, and reads that.
func TestRewritten(t *testing.T) {
	frames, _ := conversation(t)
	dir := t.TempDir()
	record(t, filepath.Join(dir, "run"), testManifest(), frames)
	file := filepath.Join(dir, "run", chunkName(0))

	unnamed := make([]Frame, len(frames)) // in pcap the direction is lost
	copy(unnamed, frames)
	for i := range unnamed {
		unnamed[i].Direction = Received
	}
	micro := make([]Frame, len(frames))
	copy(micro, unnamed)
	for i := range micro {
		micro[i].Time -= micro[i].Time % 1000
	}
	twice := append(append([]Frame(nil), frames...), frames...)
	for i := range twice {
		twice[i].Number = uint64(i + 1)
	}
	for _, c := range []struct {
		name string
		args []string // with OUT for the file to write
		want []Frame
	}{
		{"nano.pcap", []string{"tcpdump", "-r", file, "--time-stamp-precision=nano", "-w", "OUT"}, unnamed},
		{"micro.pcap", []string{"tcpdump", "-r", file, "-w", "OUT"}, micro},
		{"edited.pcap", []string{"editcap", "-F", "nsecpcap", file, "OUT"}, unnamed},
		{"edited.pcapng", []string{"editcap", "-F", "pcapng", file, "OUT"}, frames},
		{"filtered.pcapng", []string{"tshark", "-n", "-r", file, "-w", "OUT", "-Y", "frame"}, frames},
		{"merged.pcapng", []string{"mergecap", "-a", "-w", "OUT", file, file}, twice},
		{"compressed.gz", []string{"sh", "-c", "gzip -c " + file + " >OUT"}, frames},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(dir, c.name)
			for i := range c.args {
				c.args[i] = strings.ReplaceAll(c.args[i], "OUT", out)
			}
			run(t, c.args[0], c.args[1:]...)
			got, _ := mustRead(t, out)
			sameFrames(t, c.want, got)
		})
	}
}

// TestTcpdumpReads has tcpdump, whose reader is libpcap's, read a record.
func TestTcpdumpReads(t *testing.T) {
	frames, _ := conversation(t)
	dir := filepath.Join(t.TempDir(), "run")
	record(t, dir, testManifest(), frames)
	out := run(t, "tcpdump", "-n", "-r", filepath.Join(dir, chunkName(0)), "tcp[tcpflags] == tcp-syn")
	if strings.Count(out, "\n") != 1 || !strings.Contains(out, "192.0.2.1.40000 > 198.51.100.7.80") {
		t.Error(out)
	}
}
