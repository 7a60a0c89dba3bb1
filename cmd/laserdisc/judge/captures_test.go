package judge

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
	"laserdisc/replay"
)

var capturesDir = flag.String("captures", "", "run TestCaptures over the captures in this directory and below")

// TestCaptures has tshark say which connections of other projects' captures show a service: a SYN-ACK, and data behind it. Each
// must be among the attempts. Then labels are held against tshark's protocol and, where nDPI's result for a capture is beside it
// as NAME.out, nDPI's.
//
// What tshark said is kept beside each capture as NAME.tshark, for it takes a second to start.
func TestCaptures(t *testing.T) {
	if *capturesDir == "" {
		t.Skip("make captures runs it")
	}
	paths, err := capturesIn(*capturesDir)
	if err != nil {
		t.Fatal(err)
	}
	results := make([]judged, len(paths))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 3) // tshark uses one core
	for i, path := range paths {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			results[i] = judgeCapture(t, path)
		})
	}
	wg.Wait()

	var unread, streams, found int
	var total besides
	for i := range results {
		r := &results[i]
		if r.err != nil {
			unread++
			t.Logf("%s: %v", paths[i], r.err)
			continue
		}
		streams += r.visible
		found += r.visible - len(r.missed)
		for _, m := range r.missed {
			t.Errorf("%s: %s", paths[i], m)
		}
		total.add(&r.labels)
	}
	t.Logf("%d captures, of which tshark or laserdisc cannot read %d; of %d connections with a SYN-ACK and data behind it %d are found",
		len(paths), unread, streams, found)
	t.Logf("Labels beside nDPI's protocols and tshark's:\n%s", total.String())
	if found == 0 {
		t.Error("no connection: that proves nothing")
	}
}

func capturesIn(dir string) (paths []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, ".out") && !strings.HasSuffix(path, ".tshark") {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}

// judged is what a capture came to.
type judged struct {
	err     error
	visible int      // connections that show a service
	missed  []string // those of them that are not found
	labels  besides
}

// seenStream is a connection as tshark has it.
type seenStream struct {
	client, server netip.AddrPort
	synack, data   uint64 // numbers of the frames with the SYN-ACK and with the first data behind it; 0 if there is none
	tunnelled      bool
	name           string // of the protocol right above TCP in the server's first data; "" if tshark has none
}

// judgeCapture compares the connections of one capture.
func judgeCapture(t *testing.T, path string) (r judged) {
	streams, err := tsharkStreams(path)
	if err != nil {
		return judged{err: fmt.Errorf("tshark: %w", err)}
	}
	found := map[[2]netip.AddrPort][]*session.Attempt{}
	rows := attemptRows(func(a *session.Attempt) {
		key := [2]netip.AddrPort{a.Source, a.Service}
		found[key] = append(found[key], a.Clone())
	})
	if _, err = replay.Observe(t.Context(), []string{path}, replay.Options{Workers: 1}, func(int) replay.Rows { return rows }); err != nil {
		return judged{err: err}
	}
	opinions := ndpiOpinions(path + ".out")
	for _, s := range streams {
		if s.synack == 0 || s.data == 0 {
			continue
		}
		r.visible++
		key := [2]netip.AddrPort{s.client, s.server}
		at := slices.IndexFunc(found[key], func(a *session.Attempt) bool { return a.State == session.SendsData })
		if at < 0 {
			what := "no attempt"
			if len(found[key]) > 0 {
				what = found[key][0].State.String()
			}
			r.missed = append(r.missed, fmt.Sprintf("%v to %v, SYN-ACK in frame %d, data in frame %d: %s", s.client, s.server, s.synack, s.data, what))
			continue
		}
		a := found[key][at]
		found[key] = slices.Delete(found[key], at, at+1)
		r.labels.take(a, opinions[key], s.name, fmt.Sprintf("%s frame %d: %v to %v %.60q", filepath.Base(path), s.synack, s.client, s.server, a.Response))
	}
	return r
}

// attemptRows takes the attempts of a capture.
type attemptRows func(*session.Attempt)

func (f attemptRows) Attempt(a *session.Attempt) error { f(a); return nil }
func (attemptRows) Service(*session.Service) error     { return nil }
func (attemptRows) Resumed([]netip.AddrPort)           {}

// tsharkStreams has tshark tell the connections of a capture, the innermost of a tunnel.
func tsharkStreams(path string) ([]*seenStream, error) {
	out, err := os.ReadFile(path + ".tshark")
	if errors.Is(err, fs.ErrNotExist) {
		args := []string{"-n", "-r", path, "-o", "http.desegment_body:FALSE", "-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=l"}
		for _, f := range streamFields {
			args = append(args, "-e", f)
		}
		var said bytes.Buffer
		cmd := exec.Command("tshark", args...)
		cmd.Stderr = &said
		out, err = cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(out) > 0 { // it has read up to a damaged frame
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
		}
		err = os.WriteFile(path+".tshark", out, 0o644)
	}
	if err != nil {
		return nil, err
	}
	streams := map[int]*seenStream{}
	for line := range strings.Lines(string(out)) {
		if err := addFrame(streams, strings.Split(strings.TrimSuffix(line, "\n"), "\t")); err != nil {
			return nil, fmt.Errorf("%w in %q", err, line)
		}
	}
	var list []*seenStream
	for _, n := range slices.Sorted(maps.Keys(streams)) {
		list = append(list, streams[n])
	}
	return list, nil
}

var streamFields = []string{
	"frame.number", "tcp.stream", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.srcport", "tcp.dstport", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
	"tcp.len", "frame.protocols", "_ws.col.Protocol",
}

func addFrame(streams map[int]*seenStream, f []string) error {
	if len(f) != len(streamFields) {
		return errors.New("not as many fields as asked for")
	}
	if f[1] == "" || f[4] == "" || f[5] == "" { // a header that is cut
		return nil
	}
	var n [4]uint64
	for i, text := range []string{f[0], f[1], f[4], cmp.Or(f[11], "0")} {
		v, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return err
		}
		n[i] = v
	}
	frame, flags, length := n[0], n[2], n[3]
	// The innermost IP header is the last in the list of protocols.
	srcAddr, dstAddr := f[7], f[8]
	above, _, _ := strings.Cut(f[12], ":tcp")
	if last := strings.LastIndex(f[12], ":tcp"); last >= 0 {
		above = f[12][:last]
	}
	if strings.LastIndex(above, ":ipv6") > strings.LastIndex(above, ":ip:") && !strings.HasSuffix(above, ":ip") {
		srcAddr, dstAddr = f[9], f[10]
	}
	from, err := netip.ParseAddr(srcAddr)
	if err != nil {
		return nil //nolint:nilerr // no IP
	}
	to, err := netip.ParseAddr(dstAddr)
	if err != nil {
		return nil
	}
	srcPort, _ := strconv.ParseUint(f[5], 10, 16)
	dstPort, _ := strconv.ParseUint(f[6], 10, 16)
	src, dst := netip.AddrPortFrom(from, uint16(srcPort)), netip.AddrPortFrom(to, uint16(dstPort))
	s := streams[int(n[1])]
	if s == nil {
		s = &seenStream{}
		streams[int(n[1])] = s
	}
	const syn, ack = 0x02, 0x10
	switch {
	case flags&(syn|ack) == syn|ack && s.synack == 0:
		s.client, s.server, s.synack = dst, src, frame
	case s.synack != 0 && s.data == 0 && src == s.server && length > 0 && flags&(syn|4) == 0:
		s.data = frame
		_, name, _ := strings.Cut(f[12][strings.LastIndex(f[12], ":tcp")+1:], ":")
		name, _, _ = strings.Cut(name, ":")
		s.name = name
	}
	return nil
}

// ndpiLine is nDPI's result for a flow: its ends, and the protocol that it is and that it carries.
var ndpiLine = regexp.MustCompile(`\tTCP (\S+):(\d+) <?->\s?(\S+):(\d+) .*?\[proto: [\d.]+/([^\]]+)\]`)

// ndpiOpinions reads nDPI's result for a capture; there may be none.
func ndpiOpinions(path string) map[[2]netip.AddrPort]string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	opinions := map[[2]netip.AddrPort]string{}
	for _, m := range ndpiLine.FindAllStringSubmatch(string(text), -1) {
		var end [2]netip.AddrPort
		for i := range end {
			addr, _ := netip.ParseAddr(strings.Trim(m[1+2*i], "[]"))
			port, _ := strconv.ParseUint(m[2+2*i], 10, 16)
			end[i] = netip.AddrPortFrom(addr, uint16(port))
		}
		opinions[end] = m[5]
		opinions[[2]netip.AddrPort{end[1], end[0]}] = m[5]
	}
	return opinions
}

// besides counts connections by what two say of them.
type besides struct {
	ndpi, tshark map[[2]string]int // by the other's protocol and our label
	examples     map[[2]string]string
}

func (c *besides) take(a *session.Attempt, ndpi, tshark, where string) {
	c.init()
	label := a.Verdict.Label
	if a.Verdict.Evidence == handshake.Weak {
		label += ", weak"
	}
	for _, o := range []struct {
		by   map[[2]string]int
		mark string
		name string
	}{{c.ndpi, "nDPI ", ndpi}, {c.tshark, "tshark ", tshark}} {
		o.by[[2]string{o.name, label}]++
		if c.examples[[2]string{o.mark + o.name, label}] == "" {
			c.examples[[2]string{o.mark + o.name, label}] = where
		}
	}
}

func (c *besides) init() {
	if c.ndpi == nil {
		c.ndpi, c.tshark, c.examples = map[[2]string]int{}, map[[2]string]int{}, map[[2]string]string{}
	}
}

func (c *besides) add(o *besides) {
	c.init()
	for k, n := range o.ndpi {
		c.ndpi[k] += n
	}
	for k, n := range o.tshark {
		c.tshark[k] += n
	}
	for k, e := range o.examples {
		if c.examples[k] == "" {
			c.examples[k] = e
		}
	}
}

func (c *besides) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, o := range []struct {
		by   map[[2]string]int
		mark string
	}{{c.ndpi, "nDPI "}, {c.tshark, "tshark "}} {
		for _, k := range slices.SortedFunc(maps.Keys(o.by), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) }) {
			fmt.Fprintf(w, "%d\t%s%s\t%s\t%s\n", o.by[k], o.mark, k[0], k[1], c.examples[[2]string{o.mark + k[0], k[1]}])
		}
	}
	w.Flush()
	return b.String()
}
