package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const quiet = 200 * time.Millisecond // after which nothing more is expected

// families are the ways to the lab.
var families = []struct {
	name          string
	scanner, host netip.Addr
}{
	{"IPv4", scanner4, host4},
	{"IPv6", scanner6, host6},
}

// Every frame arrives once, unchanged, in order, and with a time of its own.
func TestDelivery(t *testing.T) {
	w := newWire(t)
	lab, scanner := w.serve(), w.open()
	from, to := scanner.Info().SourceMAC, scanner.Info().GatewayMAC
	const count, burst = 20_000, 100

	var sent [][]byte
	for i := range count {
		f := families[i%2]
		sent = append(sent, segment{
			source:      netip.AddrPortFrom(f.scanner, testPort),
			destination: netip.AddrPortFrom(f.host, uint16(1+i%1000)),
			flags:       "S", sequence: uint32(i), payload: bytes.Repeat([]byte{byte(i)}, i%1400),
		}.frame(from, to))
	}
	before := lab.Now()
	done := make(chan error, 1)
	go func() { done <- sendPaced(scanner, sent, burst) }()

	received := 0
	for last := int64(0); received < count; received++ {
		f, ok, err := lab.Receive(lab.Now() + int64(2*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if !bytes.Equal(f.Data, sent[received]) {
			t.Fatalf("frame %d differs: got %d bytes, sent %d", received, len(f.Data), len(sent[received]))
		}
		if f.Time < before || f.Time > lab.Now() || f.Time < last {
			t.Fatalf("frame %d: time %d is not between %d and now", received, f.Time, max(before, last))
		}
		last = f.Time
	}
	if received != count {
		t.Errorf("%d of %d frames received", received, count)
	}
	got := stats(t, lab)
	if got.KernelDrops != 0 || got.Received != uint64(count) {
		t.Errorf("lab: %+v", got)
	}
	if err := errors.Join(<-done, scanner.Close()); err != nil {
		t.Fatal(err)
	}
	if got := stats(t, scanner); got.Sent != count || got.SendErrors != 0 {
		t.Errorf("scanner, closed: %+v", got)
	}
}

// sendPaced sends a burst each millisecond.
func sendPaced(l Link, frames [][]byte, burst int) error {
	for i, frame := range frames {
		if err := l.Send(frame); err != nil {
			return err
		}
		if (i+1)%burst == 0 {
			if err := l.Flush(); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}
	return l.Flush()
}

func TestInfo(t *testing.T) {
	w := newWire(t)
	lab, scanner := w.serve().Info(), w.open().Info()
	if scanner.Kind != "packet" || scanner.Interface != scannerDevice || scanner.MTU != 1500 {
		t.Errorf("scanner: %+v", scanner)
	}
	if scanner.GatewayMAC != lab.SourceMAC {
		t.Errorf("gateway is %x, should be %x", scanner.GatewayMAC, lab.SourceMAC)
	}
	if scanner.Source4 != scanner4 || scanner.Source6 != scanner6 {
		t.Errorf("sources are %v and %v, should be %v and %v", scanner.Source4, scanner.Source6, scanner4, scanner6)
	}
	if !slices.IsSorted(scanner.Offloads) || !slices.Contains(scanner.Offloads, "tx-checksum") || !slices.Contains(scanner.Offloads, "tso") {
		t.Errorf("offloads of a veth: %q", scanner.Offloads)
	}
}

// Polling an idle link costs no time, waiting takes what it was given, and an
// answer is there within milliseconds.
func TestReceiveTimes(t *testing.T) {
	w := newWire(t)
	lab, scanner := w.serve(), w.open()
	least := time.Hour // of ten, for others may have the processor
	for range 10 {
		start := time.Now()
		if _, ok, err := scanner.Receive(0); ok || err != nil {
			t.Fatalf("poll: %v, %v", ok, err)
		}
		least = min(least, time.Since(start))
	}
	if least > 10*time.Millisecond {
		t.Errorf("a poll takes %v", least)
	}
	start := time.Now()
	if _, ok, err := scanner.Receive(scanner.Now() + int64(30*time.Millisecond)); ok || err != nil || time.Since(start) < 30*time.Millisecond {
		t.Errorf("wait: %v, %v after %v", ok, err, time.Since(start))
	}
	var waits []time.Duration
	for range 50 {
		start = time.Now()
		send(t, lab, answer(lab, scanner, families[0].host, families[0].scanner, testPort))
		if n := len(receive(t, scanner, 1, time.Second)); n != 1 {
			t.Fatal("no answer")
		}
		waits = append(waits, time.Since(start))
	}
	slices.Sort(waits)
	t.Logf("from send to receive: median %v, most %v", waits[25], waits[49])
	if waits[25] > 10*time.Millisecond {
		t.Errorf("median wait is %v", waits[25])
	}
}

// answer is a SYN-ACK, to which a kernel without a socket answers with a reset.
func answer(lab, scanner Link, host, to netip.Addr, port uint16) []byte {
	return segment{
		source:      netip.AddrPortFrom(host, 80),
		destination: netip.AddrPortFrom(to, port),
		flags:       "SA", sequence: 1000, ack: 1,
	}.frame(lab.Info().SourceMAC, scanner.Info().SourceMAC)
}

// resets sends SYN-ACKs to the scanner and counts the resets that come back.
func resets(t *testing.T, lab, scanner Link, port uint16) int {
	t.Helper()
	for _, f := range families {
		for range 20 {
			send(t, lab, answer(lab, scanner, f.host, f.scanner, port))
		}
	}
	count := 0
	for _, frame := range receive(t, lab, 1000, quiet) {
		if tcp := tcpOf(frame); tcp != nil && tcp.RST {
			count++
		}
	}
	return count
}

// The kernel of the scanner resets nothing in the source ports while the link is
// open; it does outside of them, and afterwards.
func TestKernelSendsNoResets(t *testing.T) {
	w := newWire(t)
	lab, scanner := w.serve(), w.open()
	if n := resets(t, lab, scanner, testPort); n != 0 {
		t.Errorf("%d resets while open", n)
	}
	if n := len(receive(t, scanner, 1000, quiet)); n != 40 {
		t.Errorf("%d of 40 SYN-ACKs received", n)
	}
	if n := resets(t, lab, scanner, DefaultFirstPort-1); n != 40 {
		t.Errorf("%d of 40 SYN-ACKs to another port reset: the guard is too wide, or the test blind", n)
	}
	if err := scanner.Close(); err != nil {
		t.Fatal(err)
	}
	if n := resets(t, lab, scanner, testPort); n != 40 {
		t.Errorf("%d of 40 SYN-ACKs reset after Close: the guard is still there", n)
	}
}

// The kernel of the lab answers in no way for the prefixes, even if it has their
// addresses and forwards; its own addresses still answer.
func TestServerIsQuiet(t *testing.T) {
	w := newWire(t)
	w.in(w.lab, func() error {
		for _, name := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte("1"), 0); err != nil {
				return err
			}
		}
		return bringUp("lo", host4)
	})
	lab, scanner := w.serve(), w.open()
	from, to := scanner.Info().SourceMAC, scanner.Info().GatewayMAC
	probe := func(f, host netip.Addr) [][]byte {
		send(t, scanner, segment{
			source:      netip.AddrPortFrom(f, testPort),
			destination: netip.AddrPortFrom(host, 80),
			flags:       "S",
		}.frame(from, to))
		return receive(t, scanner, 10, quiet)
	}
	for _, f := range families {
		if answers := probe(f.scanner, f.host); len(answers) != 0 {
			t.Errorf("%s: the lab's kernel answered: %x", f.name, answers)
		}
	}
	if n := len(receive(t, lab, 10, quiet)); n != 2 {
		t.Errorf("%d of 2 SYNs received", n)
	}
	for _, own := range []struct{ from, to netip.Addr }{{scanner4, gateway4}, {scanner6, gateway6}} {
		if answers := probe(own.from, own.to); len(answers) != 1 || tcpOf(answers[0]) == nil || !tcpOf(answers[0]).RST {
			t.Errorf("%v should have answered with a reset: %x", own.to, answers)
		}
	}
}

// rulesets describes all tables of a namespace, down to the rules.
func rulesets(t *testing.T, w *wire) (tables []string) {
	t.Helper()
	w.in(w.scanner, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		all, err := conn.ListTables()
		if err != nil {
			return err
		}
		for _, table := range all {
			text := strconv.Itoa(int(table.Family)) + " " + table.Name
			chains, err := conn.ListChainsOfTableFamily(table.Family)
			if err != nil {
				return err
			}
			for _, chain := range chains {
				if chain.Table.Name != table.Name {
					continue
				}
				rules, err := conn.GetRules(table, chain)
				if err != nil {
					return err
				}
				text += " " + chain.Name
				for _, r := range rules {
					text += " " + strconv.FormatUint(r.Handle, 10)
				}
			}
			tables = append(tables, text)
		}
		return nil
	})
	return tables
}

// addUserTables makes tables that are not ours, one of them with a name like ours.
func addUserTables(w *wire) {
	w.t.Helper()
	w.in(w.scanner, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		for _, name := range []string{"filter", "laserdisc", "laserdisc_1", "my_laserdisc_1_1"} {
			table := conn.AddTable(&nftables.Table{Name: name, Family: nftables.TableFamilyNetdev})
			chain := conn.AddChain(&nftables.Chain{
				Name: "in", Table: table, Type: nftables.ChainTypeFilter, Device: scannerDevice,
				Hooknum: nftables.ChainHookIngress, Priority: nftables.ChainPriorityFilter,
			})
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{&expr.Counter{}}})
		}
		conn.AddTable(&nftables.Table{Name: "laserdisc_1_1", Family: nftables.TableFamilyIPv4})
		return conn.Flush()
	})
}

// One table comes with each link and goes with it; those of the user stay.
func TestUserTablesStay(t *testing.T) {
	w := newWire(t)
	addUserTables(w)
	before := rulesets(t, w)
	if len(before) != 5 {
		t.Fatalf("tables: %q", before)
	}
	one, two := w.open(), w.open()
	if during := rulesets(t, w); len(during) != len(before)+2 {
		t.Errorf("with two links: %q", during)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if during := rulesets(t, w); len(during) != len(before)+1 {
		t.Errorf("with one link: %q", during)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	if after := rulesets(t, w); !slices.Equal(before, after) {
		t.Errorf("before %q, after %q", before, after)
	}
}

const crashVariable = "LINK_TEST_CRASH"

// crash opens a link in the namespace it was given as file 3, says so, and waits
// to be killed.
func crash() {
	err := inNamespace(netns.NsHandle(3), func() error {
		_, err := Open(Config{Targets: []netip.Addr{host4}, FirstPort: DefaultFirstPort, LastPort: DefaultLastPort})
		return err
	})
	if err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("open")
	io.Copy(io.Discard, os.Stdin) // ends with the parent at the latest
}

// A process that is killed leaves nothing. What it leaves where the kernel does not know tables with owners is cleaned up by
// the next one, which leaves that of a living process alone.
func TestCrash(t *testing.T) {
	w := newWire(t)
	addUserTables(w)
	before := rulesets(t, w)
	for _, how := range []unix.Signal{unix.SIGKILL, unix.SIGQUIT, unix.SIGABRT, unix.SIGSEGV} {
		dead, end := startCrash(t, w)
		if left := rulesets(t, w); len(left) != len(before)+1 {
			t.Fatalf("a living process: %q", left)
		}
		if err := dead.Process.Signal(how); err != nil {
			t.Fatal(err)
		}
		end()
		if left := rulesets(t, w); !slices.Equal(before, left) {
			t.Errorf("before %q, after %v: %q", before, how, left)
		}
	}
	w.in(w.scanner, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		conn.AddTable(&nftables.Table{Name: "laserdisc_1_0", Family: nftables.TableFamilyNetdev}) // no owner, and no lock
		return conn.Flush()
	})
	_, _ = startCrash(t, w)
	scanner := w.open()
	if left := rulesets(t, w); len(left) != len(before)+2 {
		t.Errorf("a living process and this one: %q", left)
	}
	if err := scanner.Close(); err != nil {
		t.Fatal(err)
	}
	left := rulesets(t, w)
	if len(left) != len(before)+1 || !slices.Equal(left[:len(before)], before) {
		t.Errorf("before %q, after, with a living process: %q", before, left)
	}
}

func startCrash(t *testing.T, w *wire) (child *exec.Cmd, kill func()) {
	t.Helper()
	duplicate, err := unix.Dup(int(w.scanner))
	if err != nil {
		t.Fatal(err)
	}
	namespace := os.NewFile(uintptr(duplicate), "namespace")
	defer namespace.Close()
	child = exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), crashVariable+"=1")
	child.ExtraFiles = []*os.File{namespace}
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() { // unless it ends by itself
		timer := time.AfterFunc(time.Second, func() { child.Process.Kill() })
		defer timer.Stop()
		child.Wait()
	}
	t.Cleanup(kill)
	said := make([]byte, 500)
	if n, _ := out.Read(said); string(said[:n]) != "open" {
		t.Fatalf("child: %s", said[:n])
	}
	return child, kill
}

// What the peer's TCP hands down in one piece arrives in one piece, larger than
// the MTU and with its checksum not filled in.
func TestMergedFrame(t *testing.T) {
	w := newWire(t)
	lab := w.serve()
	data := make([]byte, 5_000) // within the first window of ten segments
	for i := range data {
		data[i] = byte(i * 7)
	}
	dialled := make(chan error, 1)
	go func() {
		dialled <- inNamespace(w.scanner, func() error {
			c, err := net.DialTimeout("tcp", netip.AddrPortFrom(host4, 80).String(), 5*time.Second)
			if err != nil {
				return err
			}
			_, err = c.Write(data)
			c.Close()
			return err
		})
	}()
	syn := receive(t, lab, 1, 2*time.Second)
	if len(syn) != 1 {
		t.Fatal("no SYN")
	}
	acceptSYN(t, lab, syn[0])
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
	largest := 0
	var got []byte
	start := tcpOf(syn[0]).Seq + 1
	for _, frame := range receive(t, lab, 100, quiet) {
		largest = max(largest, len(frame))
		if tcp := tcpOf(frame); len(tcp.Payload) > 0 && tcp.Seq == start+uint32(len(got)) {
			got = append(got, tcp.Payload...)
		}
	}
	if largest <= lab.Info().MTU+ethernetHeader {
		t.Errorf("largest frame has %d bytes", largest)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes received, or others", len(got), len(data))
	}
}

// acceptSYN answers a SYN.
func acceptSYN(t *testing.T, lab Link, syn []byte) {
	t.Helper()
	tcp := tcpOf(syn)
	source := netip.AddrFrom4([4]byte(syn[offset4+12:]))
	send(t, lab, segment{
		source:      netip.AddrPortFrom(host4, uint16(tcp.DstPort)),
		destination: netip.AddrPortFrom(source, uint16(tcp.SrcPort)),
		flags:       "SA", sequence: 1, ack: tcp.Seq + 1,
	}.frame(lab.Info().SourceMAC, [6]byte(syn[6:12])))
}

// The filter at work: what is not ours never comes, whoever's checksum is right.
func TestOnlyOursReceived(t *testing.T) {
	w := newWire(t)
	lab, scanner := w.serve(), w.open()
	// What the kernels say to each other, and TCP to other ports.
	w.in(w.scanner, func() error {
		if c, err := net.DialTimeout("tcp", netip.AddrPortFrom(gateway4, 80).String(), time.Second); err == nil {
			c.Close()
		}
		return nil
	})
	send(t, lab,
		answer(lab, scanner, host4, scanner4, DefaultFirstPort-1),
		answer(lab, scanner, host4, scanner4, DefaultFirstPort),
		answer(lab, scanner, host6, scanner6, DefaultLastPort),
		answer(lab, scanner, host6, scanner6, DefaultFirstPort-1),
	)
	var ports []uint16
	for _, frame := range receive(t, scanner, 10, quiet) {
		ports = append(ports, uint16(tcpOf(frame).DstPort))
	}
	if !slices.Equal(ports, []uint16{DefaultFirstPort, DefaultLastPort}) {
		t.Errorf("received to ports %v", ports)
	}
}

// A source address that no interface has: the answers that are sent to our MAC
// address arrive, and the kernel leaves them alone.
func TestForeignSource(t *testing.T) {
	w := newWire(t)
	foreign := netip.MustParseAddr("198.19.7.7")
	lab := w.serve()
	scanner := w.openWith(Config{
		Targets: []netip.Addr{host4}, Sources: []netip.Addr{foreign},
		FirstPort: 40000, LastPort: 40010, // no harm: the kernel's own connections have another address
	})
	if got := scanner.Info().Source4; got != foreign {
		t.Errorf("source is %v", got)
	}
	send(t, lab, answer(lab, scanner, host4, foreign, 40010), answer(lab, scanner, host4, scanner4, 40010))
	if n := len(receive(t, scanner, 10, quiet)); n != 1 {
		t.Errorf("%d frames received, not 1", n)
	}
}

// A reader that stalls loses frames, and each of them is counted.
func TestDropsAreCounted(t *testing.T) {
	w := newWire(t)
	lab, scanner := w.serve(), w.open()
	frame := segment{
		source:      netip.AddrPortFrom(scanner4, testPort),
		destination: netip.AddrPortFrom(host4, 80),
		flags:       "S", payload: make([]byte, 1400),
	}.frame(scanner.Info().SourceMAC, scanner.Info().GatewayMAC)
	const count = 70_000
	for range count {
		if err := scanner.Send(frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := scanner.Close(); err != nil {
		t.Fatal(err)
	}
	first := stats(t, lab).KernelDrops
	received := len(receive(t, lab, count, quiet))
	drops := stats(t, lab).KernelDrops
	if first == 0 || received == 0 || drops+uint64(received) != count {
		t.Errorf("%d dropped (%d at first) and %d received, of %d", drops, first, received, count)
	}
}

func TestSendErrors(t *testing.T) {
	w := newWire(t)
	scanner := w.open()
	for _, length := range []int{0, 13, 1515} {
		if err := scanner.Send(make([]byte, length)); err == nil {
			t.Errorf("a frame of %d bytes was taken", length)
		}
	}
	frame := segment{
		source:      netip.AddrPortFrom(scanner4, testPort),
		destination: netip.AddrPortFrom(host4, 80),
		flags:       "S",
	}.frame(scanner.Info().SourceMAC, scanner.Info().GatewayMAC)
	send(t, scanner, frame)
	w.in(w.scanner, func() error {
		l, err := netlink.LinkByName(scannerDevice)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(l)
	})
	err := errors.Join(scanner.Send(frame), scanner.Send(frame), scanner.Flush())
	if err == nil || !strings.Contains(err.Error(), "network is down") {
		t.Errorf("error of sending is %v", err)
	}
	if _, _, err := scanner.Receive(scanner.Now() + int64(time.Second)); err == nil || !strings.Contains(err.Error(), "network is down") {
		t.Errorf("error of receiving is %v", err)
	}
	if got, err := scanner.Stats(); got.Sent != 1 || got.SendErrors != 2 || err == nil || !strings.Contains(err.Error(), "has gone down") {
		t.Errorf("%+v, %v", got, err)
	}
	if err := scanner.Close(); err == nil {
		t.Error("Close forgets the error")
	}
	if err := scanner.Send(frame); err != ErrClosed {
		t.Errorf("error after Close is %v", err)
	}
}

// An interface that is taken away ends the scan with an error, not with a wait;
// nothing stays behind.
func TestInterfaceVanishes(t *testing.T) {
	w := newWire(t)
	var scanner Link
	w.in(w.scanner, func() (err error) {
		scanner, err = Open(Config{Targets: []netip.Addr{host4}, FirstPort: testPort, LastPort: testPort})
		return err
	})
	w.in(w.scanner, func() error {
		l, err := netlink.LinkByName(scannerDevice)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
	if _, _, err := scanner.Receive(scanner.Now() + int64(time.Second)); err == nil {
		t.Error("Receive says nothing")
	}
	if err := scanner.Close(); err == nil {
		t.Error("Close says nothing, although the counters are lost")
	}
	if left := rulesets(t, w); len(left) != 0 {
		t.Errorf("tables left behind: %q", left)
	}
}

// An interface whose queue is full is asked again; here it is a socket that is
// read only once it is full.
func TestFullInterface(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	const count = 2000
	read := make(chan error)
	go func() {
		for writable(pair[0]) {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // for the sender to find out
		read <- readNumbers(pair[1], count)
	}()
	s := newSender(pair[0])
	for i := range count {
		if err := s.add(binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	if s.sent != count || s.failed != 0 || s.retries == 0 {
		t.Errorf("sent %d, failed %d, retries %d", s.sent, s.failed, s.retries)
	}
}

func writable(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
	return n != 0 || err != nil
}

// readNumbers expects 0, 1, 2, ... count-1.
func readNumbers(fd, count int) error {
	defer unix.Close(fd)
	buffer := make([]byte, 8)
	for i := 0; i < count; {
		n, err := unix.Read(fd, buffer)
		switch {
		case err == unix.EAGAIN:
			time.Sleep(time.Millisecond)
		case err != nil || n != 4 || binary.BigEndian.Uint32(buffer) != uint32(i):
			return fmt.Errorf("frame %d: %x, %w", i, buffer[:max(n, 0)], err)
		default:
			i++
		}
	}
	return nil
}

// What cannot work is refused with a word on what to do.
func TestOpenErrors(t *testing.T) {
	w := newWire(t)
	w.in(w.scanner, func() error {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lk-down"}, PeerName: "lk-peer"}); err != nil {
			return err
		}
		dead := netip.MustParsePrefix("198.18.240.0/20")
		return errors.Join(bringUp("lo"), addRoute(dead, netip.MustParseAddr("198.19.0.3")))
	})
	dead := netip.MustParseAddr("198.18.240.1")
	nowhere := netip.MustParseAddr("192.0.2.1")
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	for _, c := range []struct {
		name, says string
		cfg        Config
	}{
		{"no target", "no target", Config{}},
		{"no route", "no route to 192.0.2.1", Config{Targets: []netip.Addr{nowhere}}},
		{"on the local network", "--gateway-mac", Config{Targets: []netip.Addr{gateway4}}},
		{"no route by the interface", "no gateway on lk-scanner leads to 192.0.2.1", Config{Targets: []netip.Addr{nowhere}, Interface: scannerDevice}},
		{"ourselves", "address of this machine", Config{Targets: []netip.Addr{scanner4}}},
		{"gateway that does not answer", "198.19.0.3 does not say", Config{Targets: []netip.Addr{dead}}},
		{"unknown interface", "find the interface", Config{Targets: []netip.Addr{host4}, Interface: "lk-none", GatewayMAC: mac}},
		{"interface that is down", "ip link set lk-down up", Config{Targets: []netip.Addr{host4}, Interface: "lk-down", GatewayMAC: mac}},
		{"not Ethernet", "not Ethernet", Config{Targets: []netip.Addr{host4}, Interface: "lo", GatewayMAC: mac}},
		{"short MAC address", "has 3 bytes", Config{Targets: []netip.Addr{host4}, GatewayMAC: mac[:3]}},
		{"no ports", "not a range", Config{Targets: []netip.Addr{host4}}},
		{"ports the wrong way", "not a range", Config{Targets: []netip.Addr{host4}, FirstPort: 2, LastPort: 1}},
		{"the kernel's ports", "ip_local_port_range", Config{Targets: []netip.Addr{host4}, FirstPort: 60999, LastPort: 61001}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := inNamespace(w.scanner, func() error {
				l, err := Open(c.cfg)
				if err == nil {
					l.Close()
				}
				return err
			})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v, should say %q", err, c.says)
			}
		})
	}
	if left := rulesets(t, w); len(left) != 0 {
		t.Errorf("tables left behind: %q", left)
	}
}

// With a gateway's MAC address, targets on the local network can be scanned, and
// those without a route.
func TestGatewayMAC(t *testing.T) {
	w := newWire(t)
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	for _, target := range []netip.Addr{gateway4, netip.MustParseAddr("192.0.2.1")} {
		scanner := w.openWith(Config{
			Interface: scannerDevice, Targets: []netip.Addr{target}, GatewayMAC: mac,
			FirstPort: DefaultFirstPort, LastPort: DefaultLastPort,
		})
		if i := scanner.Info(); i.GatewayMAC != [6]byte(mac) || i.Source4 != scanner4 || i.Source6.IsValid() {
			t.Errorf("%v: %+v", target, i)
		}
	}
}

// A program that listens on one of the ports is not cut off, unless it does so on
// another address.
func TestPortInUse(t *testing.T) {
	w := newWire(t)
	cfg := Config{Targets: []netip.Addr{host4}, FirstPort: testPort, LastPort: testPort}
	for _, c := range []struct {
		listen string
		fails  bool
	}{{"198.19.0.1", true}, {"[::]", true}, {"127.0.0.1", false}} {
		w.in(w.scanner, func() error {
			if err := bringUp("lo"); err != nil {
				return err
			}
			listener, err := net.Listen("tcp", c.listen+":"+strconv.Itoa(testPort))
			if err != nil {
				return err
			}
			defer listener.Close()
			l, err := Open(cfg)
			if err == nil {
				l.Close()
			}
			if (err != nil) != c.fails || err != nil && !strings.Contains(err.Error(), "61234") {
				t.Errorf("listening on %s: error is %v", c.listen, err)
			}
			return nil
		})
	}
}

func TestServeErrors(t *testing.T) {
	w := newWire(t)
	for _, prefixes := range [][]netip.Prefix{nil, {netip.Prefix{}}, slices.Repeat([]netip.Prefix{lab6}, 1000)} {
		err := inNamespace(w.lab, func() error {
			l, err := Serve(labDevice, prefixes)
			if err == nil {
				l.Close()
			}
			return err
		})
		if err == nil {
			t.Errorf("%d prefixes taken", len(prefixes))
		}
	}
}

// A gateway that the kernel has not spoken to is found, for IPv6 by its
// link-local address too.
func TestLinkLocalGateway(t *testing.T) {
	w := newWire(t)
	lab := w.serve()
	var local netip.Addr
	w.in(w.lab, func() error {
		l, err := netlink.LinkByName(labDevice)
		if err != nil {
			return err
		}
		// Its own duplicate detection takes a second.
		for local = (netip.Addr{}); !local.IsValid(); time.Sleep(50 * time.Millisecond) {
			list, err := netlink.AddrList(l, netlink.FAMILY_V6)
			if err != nil {
				return err
			}
			for _, a := range list {
				if a.IP.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 {
					local = address(a.IP)
				}
			}
		}
		return nil
	})
	far := netip.MustParsePrefix("2001:2:0:2::/64")
	w.in(w.scanner, func() error {
		l, err := netlink.LinkByName(scannerDevice)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{
			Dst: &net.IPNet{IP: far.Addr().AsSlice(), Mask: net.CIDRMask(64, 128)}, Gw: local.AsSlice(), LinkIndex: l.Attrs().Index,
		})
	})
	scanner := w.openWith(Config{Targets: []netip.Addr{far.Addr().Next()}, FirstPort: testPort, LastPort: testPort})
	if scanner.Info().GatewayMAC != lab.Info().SourceMAC {
		t.Errorf("gateway is %x", scanner.Info().GatewayMAC)
	}
}

// scan sends SYNs to changing hosts, as a sweep does, until it is told to stop,
// and hands each to the function.
func scan(b *testing.B, scanner Link, more func() bool, sent func(frame []byte)) {
	b.Helper()
	frame := segment{
		source:      netip.AddrPortFrom(scanner4, testPort),
		destination: netip.AddrPortFrom(host4, 80),
		flags:       "S",
	}.frame(scanner.Info().SourceMAC, scanner.Info().GatewayMAC)
	for i := uint32(0); more(); i++ {
		binary.BigEndian.PutUint16(frame[offset4Destination+2:], uint16(i))
		binary.BigEndian.PutUint32(frame[offset4+20+4:], i)
		if err := scanner.Send(frame); err != nil {
			b.Fatal(err)
		}
		sent(frame)
	}
	if err := scanner.Close(); err != nil {
		b.Fatal(err)
	}
}

// The peer drops what it gets: the rate is that of sending alone, or with each
// frame written to a file by another goroutine, as a recorded scan does.
func BenchmarkSend(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		scanner := newWire(b).open()
		scan(b, scanner, b.Loop, func([]byte) {})
		reportRate(b, stats(b, scanner).Sent)
	})
	b.Run("recorded", func(b *testing.B) {
		scanner := newWire(b).open()
		record, finish := startRecord(b)
		scan(b, scanner, b.Loop, record)
		finish()
		reportRate(b, stats(b, scanner).Sent)
	})
}

func reportRate(b *testing.B, frames uint64) {
	b.ReportMetric(float64(frames)/b.Elapsed().Seconds(), "frames/s")
}

// startRecord writes what a pcapng file would hold: 32 bytes beside each frame.
func startRecord(b *testing.B) (record func([]byte), finish func()) {
	file, err := os.Create(b.TempDir() + "/record")
	if err != nil {
		b.Fatal(err)
	}
	full, empty := make(chan []byte, 2), make(chan []byte, 2)
	written := make(chan error)
	go func() {
		for block := range full {
			if _, err := file.Write(block); err != nil {
				panic(err)
			}
			empty <- block[:0]
		}
		written <- file.Close()
	}()
	const size = 1 << 18
	block := make([]byte, 0, size)
	empty <- make([]byte, 0, size)
	record = func(frame []byte) {
		if len(block)+32+len(frame) > size {
			full <- block
			block = <-empty
		}
		var head [28]byte
		binary.LittleEndian.PutUint32(head[4:], uint32(32+len(frame)))
		block = append(block, head[:]...)
		block = append(block, frame...)
		block = append(block, head[4:8]...)
	}
	return record, func() {
		full <- block
		close(full)
		if err := <-written; err != nil {
			b.Fatal(err)
		}
	}
}

// As many frames are received as can be sent on the same machine; those that
// were lost are counted.
func BenchmarkReceive(b *testing.B) {
	w := newWire(b)
	lab, scanner := w.serve(), w.open()
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		scan(b, scanner, func() bool { return !stop.Load() }, func([]byte) {})
		close(done)
	}()
	for b.Loop() {
		if _, ok, err := lab.Receive(lab.Now() + int64(time.Second)); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	s := stats(b, lab)
	stop.Store(true)
	<-done
	reportRate(b, s.Received)
	b.ReportMetric(float64(s.KernelDrops), "drops")
}
