package judge

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

var tsharkFile = flag.String("pcap", "", "packets for TestTshark, instead of a scan of the lab; may be compressed with zstd")

// TestTshark compares labels with the protocol that tshark gives each TCP stream: of a recorded scan of the lab, every
// handshake on every service, or of the file of -pcap.
func TestTshark(t *testing.T) {
	t.Parallel()
	if *tsharkFile != "" {
		agreement(t, readStreams(t, *tsharkFile))
		return
	}
	dir := filepath.Join(t.TempDir(), "run")
	laserdisc(t, "scan", labPrefix, "--open", labPrefix, "--lab", datasets.DefaultPopulation, "--loss", "0", "--seed", "1",
		"--ports", "paper", "--sample", "1%", "--sample-by", "host", "--rate", "0", "--all-handshakes", "--handshakes", "all", "--out", dir)
	laserdisc(t, "replay", dir, "--out", dir+"-tables")
	streams := readStreams(t, filepath.Join(dir, "packets-00000.pcapng"))
	sameBytes(t, streams, dir+"-tables")
	agreement(t, streams)
}

// stream is a TCP connection as tshark sees it: what either side sent, and what that is said to be.
type stream struct {
	client, server netip.AddrPort
	sent, received half
}

// half is one direction: segments by their relative sequence number, and the names of protocols right above TCP.
type half struct {
	segments map[int][]byte
	names    map[string]bool
}

func (h *half) add(sequence int, payload []byte, protocols string) {
	if h.segments == nil {
		h.segments, h.names = map[int][]byte{}, map[string]bool{}
	}
	if len(payload) > len(h.segments[sequence]) {
		h.segments[sequence] = payload
	}
	_, above, _ := strings.Cut(protocols, ":tcp:")
	name, _, _ := strings.Cut(above, ":")
	// A segment of a message that ends in a later one has no name; what does not parse is no opinion.
	if name != "" && name != "data" && !strings.Contains(above, "_ws.malformed") {
		h.names[name] = true
	}
}

// bytes puts the segments together, up to the first gap and to the limit of a scan's response.
func (h *half) bytes() (b []byte) {
	for _, sequence := range slices.Sorted(maps.Keys(h.segments)) {
		have, payload := len(b)+1, h.segments[sequence]
		if sequence > have {
			break
		}
		if overlap := have - sequence; overlap < len(payload) {
			b = append(b, payload[overlap:]...)
		}
	}
	return b[:min(len(b), session.Defaults().ResponseLimit)]
}

// readStreams has tshark dissect a file, by what the bytes look like before it goes by port numbers, and without waiting for
// the end of a page of which a scan hears the beginning.
func readStreams(t *testing.T, path string, more ...string) []*stream {
	fields := []string{"tcp.stream", "tcp.seq", "tcp.flags", "tcp.srcport", "tcp.dstport", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.payload", "frame.protocols"}
	args := []string{"-r", path, "-o", "tcp.try_heuristic_first:TRUE", "-o", "http.desegment_body:FALSE", "-Y", "tcp && !icmp && !icmpv6", "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", append(args, more...)...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var streams []*stream
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != len(fields) {
			t.Fatalf("tshark: %q", line)
		}
		var n [5]int
		for i := range n {
			v, err := strconv.ParseInt(f[i], 0, 64)
			if err != nil {
				t.Fatalf("tshark, %s: %v", fields[i], err)
			}
			n[i] = int(v)
		}
		payload, err := hex.DecodeString(f[9])
		if err != nil {
			t.Fatalf("tshark, %s: %v", fields[9], err)
		}
		for len(streams) <= n[0] {
			streams = append(streams, &stream{})
		}
		from := netip.AddrPortFrom(netip.MustParseAddr(cmp.Or(f[5], f[7])), uint16(n[3]))
		to := netip.AddrPortFrom(netip.MustParseAddr(cmp.Or(f[6], f[8])), uint16(n[4]))
		streams[n[0]].add(from, to, n[1], n[2], payload, f[10])
	}
	return streams
}

// add takes one segment in.
func (s *stream) add(from, to netip.AddrPort, sequence, flags int, payload []byte, protocols string) {
	const syn, ack = 0x02, 0x10
	switch {
	case flags&(syn|ack) == syn:
		s.client, s.server = from, to
	case flags&syn != 0:
		s.client, s.server = to, from
	}
	switch {
	case len(payload) == 0:
	case from == s.server:
		s.received.add(sequence, payload, protocols)
	default:
		s.sent.add(sequence, payload, protocols)
	}
}

// sameBytes fails the test unless every response in the tables is what tshark finds in the stream, and the other way round.
func sameBytes(t *testing.T, streams []*stream, tables string) {
	found := map[[2]netip.AddrPort][]byte{}
	for _, s := range streams {
		if b := s.received.bytes(); len(b) > 0 {
			found[[2]netip.AddrPort{s.client, s.server}] = b
		}
	}
	responses := len(found)
	eachAttempt(t, tables, func(a *session.Attempt) {
		key := [2]netip.AddrPort{a.Source, a.Service}
		if !bytes.Equal(found[key], a.Response) {
			t.Errorf("%v to %v: tshark finds %q, the table has %q", a.Source, a.Service, found[key], a.Response)
		}
		delete(found, key)
	})
	for key, b := range found {
		t.Errorf("%v to %v: tshark finds %q, and the table has no attempt", key[0], key[1], b)
	}
	t.Logf("%d responses, the same bytes in tshark and in the table", responses)
}

// tsharkNames are what tshark calls the protocols of our table, where the names differ, and what carries them.
var tsharkNames = map[string][]string{
	"ipp": {"http"}, "kubernetes": {"http", "tls"}, "socks5": {"socks"}, "pop3": {"pop"}, "redis": {"resp"}, "memcached": {"memcache"},
	"smb": {"nbss"}, "rdp": {"tpkt", "cotp"}, "siemens": {"tpkt", "cotp"}, "postgres": {"pgsql"}, "mssql": {"tds"}, "oracle": {"tns"},
	"modbus": {"mbtcp"}, "omronfins": {"omron"}, "mongodb": {"mongo", "http"}, "tls": {"tls"}, "echo": {"echo"},
}

func agrees(label, name string) bool {
	return label == name || slices.Contains(tsharkNames[label], name)
}

// Two reasons for which tshark gives a stream a name that has nothing to do with the server's bytes.
const (
	byPort   = "(of the port)"   // the dissector registered for the server's port takes whatever comes
	byClient = "(of the client)" // the dissector that knew the client's bytes stays with the stream
)

// refused is tshark's opinion of bytes that it was asked to read as what the label says, and could not.
const refused = "(asked: no)"

// dissectors are what tshark is asked to read the bytes of a label with.
var dissectors = map[string]string{
	"http": "http", "ipp": "http", "tls": "tls", "kubernetes": "tls", "ssh": "ssh", "ftp": "ftp", "smtp": "smtp", "pop3": "pop", "imap": "imap",
	"telnet": "telnet", "mysql": "mysql", "vnc": "vnc", "dns": "dns", "pptp": "pptp", "postgres": "pgsql", "mqtt": "mqtt", "amqp": "amqp",
	"redis": "resp", "rdp": "tpkt", "siemens": "tpkt", "mssql": "tds", "smb": "nbss", "modbus": "mbtcp", "dnp3": "dnp3", "memcached": "memcache",
	"rtsp": "rtsp", "sip": "sip", "x11": "x11", "bgp": "bgp", "enip": "enip", "omronfins": "omron", "oracle": "tns",
	"socks5": "socks",
}

// opinion is what tshark says of a stream where that is not what the label says: a protocol, or a reason; "" if it has no
// opinion or agrees.
func (s *stream) opinion(label string, ports map[int]string) string {
	for name := range s.received.names {
		if agrees(label, name) {
			return ""
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.received.names)) {
		switch {
		case s.sent.names[name]:
			return byClient
		case ports[int(s.server.Port())] == name:
			return byPort
		default:
			return name
		}
	}
	return ""
}

// agreement counts streams by what tshark and the labels say, prints the counts, and fails the test over a disagreement
// that docs/tshark.md does not have.
func agreement(t *testing.T, streams []*stream) {
	ports, listed := portDissectors(t), listedDisagreements(t)
	agreed, confirmed, silent, disagreements := map[string]int{}, map[string]int{}, map[string]int{}, map[[2]string]int{}
	examples := map[[2]string]*stream{}
	disagree := func(opinion, label string, s *stream) {
		disagreements[[2]string{opinion, label}]++
		examples[[2]string{opinion, label}] = s
	}
	var open []*stream // to be asked about again
	var labels, named []string
	var v handshake.Verdict
	for _, s := range streams {
		handshake.Classify(&v, s.sent.bytes(), s.received.bytes())
		if v.Label == "" {
			continue
		}
		name := v.Label
		if v.Evidence == handshake.Weak || v.Evidence == handshake.Likely {
			name += ", " + v.Evidence.String()
		}
		opinion := s.opinion(v.Label, ports)
		if opinion == "" && len(s.received.names) > 0 {
			agreed[v.Label]++
			continue
		}
		if opinion == byPort || opinion == byClient {
			disagree(opinion, "any", s)
		} else if opinion != "" {
			disagree(opinion, name, s)
			continue
		}
		open, labels, named = append(open, s), append(labels, v.Label), append(named, name)
	}
	for i, yes := range askAgain(t, open, labels) {
		switch label := labels[i]; {
		case dissectors[label] == "":
			silent[label]++
		case yes:
			confirmed[label]++
		default:
			disagree(refused, named[i], open[i])
		}
	}
	t.Logf("Streams by label:\n%s", agreementTable(agreed, confirmed, silent))
	t.Logf("Disagreements:\n%s", disagreementTable(disagreements))
	for pair, s := range examples {
		if !listed[pair] {
			t.Errorf("tshark says %s, laserdisc %s, and %s does not say who is right: %v to %v, %.80q to %.80q", pair[0], pair[1], tsharkDoc,
				s.server, s.client, s.received.bytes(), s.sent.bytes())
		}
	}
	if len(agreed) == 0 {
		t.Error("tshark agrees on no stream: that proves nothing")
	}
}

// askAgain has tshark read each response as what its label says, and nothing else of the stream: it is laid out anew, from a
// port that stands for the label. The answer is yes where the dissector reads it and does not find it malformed.
func askAgain(t *testing.T, streams []*stream, labels []string) []bool {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(dissectors))
	var asked []int
	for i, s := range streams {
		if port, ok := slices.BinarySearch(names, labels[i]); ok {
			asked = append(asked, i)
			layOut(t, w, i, firstPort+port, s.received.bytes())
		}
	}
	path := filepath.Join(t.TempDir(), "asked.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	var args []string
	for i, name := range names {
		args = append(args, "-d", fmt.Sprintf("tcp.port==%d,%s", firstPort+i, dissectors[name]))
	}
	yes := make([]bool, len(streams))
	for n, s := range readStreams(t, path, args...) {
		i := asked[n]
		for name := range s.received.names {
			yes[i] = yes[i] || agrees(labels[i], name)
		}
	}
	return yes
}

// firstPort is that of the first label, when tshark is asked again: a range in which nothing is registered.
const firstPort = 20001

// layOut writes a server's side of a connection of which it is the i-th.
func layOut(t *testing.T, w *pcapgo.Writer, i, port int, received []byte) {
	s := packet.Segment{
		Src:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), uint16(port)),
		Dst:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i >> 16)}), 61000),
		Flags: packet.SYN | packet.ACK, Window: 1 << 15, TTL: 64,
	}
	write := func() {
		frame := s.AppendFrame(nil, packet.MAC{2}, packet.MAC{2, 1})
		if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
			t.Fatal(err)
		}
	}
	write()
	s.Flags, s.Seq = packet.PSH|packet.ACK, 1
	for part := range slices.Chunk(received, 1400) {
		s.Payload = part
		write()
		s.Seq += uint32(len(part))
	}
	s.Flags, s.Payload = packet.FIN|packet.ACK, nil // what it says lasts until here
	write()
}

func agreementTable(agreed, confirmed, silent map[string]int) string {
	labels := maps.Clone(agreed)
	maps.Copy(labels, confirmed)
	maps.Copy(labels, silent)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "label\tagrees\tagrees when asked\tknows no such protocol\t")
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", label, agreed[label], confirmed[label], silent[label])
	}
	w.Flush()
	return b.String()
}

func disagreementTable(disagreements map[[2]string]int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "tshark\tlaserdisc\tstreams\t")
	for _, pair := range slices.SortedFunc(maps.Keys(disagreements), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) }) {
		fmt.Fprintf(w, "%s\t%s\t%d\t\n", pair[0], pair[1], disagreements[pair])
	}
	w.Flush()
	return b.String()
}

// portDissectors are the protocols that tshark has registered for TCP ports.
func portDissectors(t *testing.T) map[int]string {
	out, err := exec.Command("tshark", "-G", "decodes").Output()
	if err != nil {
		t.Fatalf("tshark -G decodes: %v", err)
	}
	ports := map[int]string{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "tcp.port" {
			if port, err := strconv.Atoi(f[1]); err == nil {
				ports[port] = f[2]
			}
		}
	}
	return ports
}

// tsharkDoc lists the disagreements in a table: tshark, laserdisc, who is right, why.
const tsharkDoc = "../../../docs/tshark.md"

func listedDisagreements(t *testing.T) map[[2]string]bool {
	text, err := os.ReadFile(tsharkDoc)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[[2]string]bool{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 6 {
			listed[[2]string{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])}] = true
		}
	}
	return listed
}
