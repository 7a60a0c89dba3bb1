package judge

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// A mechanism is what makes a service behave as it does: a server on the kernel's TCP, or a rule of testdata/mechanisms.nft
// in front of one.
type mechanism struct {
	name  string
	at    string
	serve server // nil: nothing listens, or a rule leads to who does
	truth string // state and label that the mechanism, not the scanner, makes true of this scan
}

// A server is what is done with a connection, deed by deed; then, or at the first that fails, it is closed. One of no deeds
// accepts none.
type server []deed

type deed func(*net.TCPConn) error

// What servers say.
const (
	answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	ssh    = "SSH-2.0-OpenSSH_9.2p1\r\n"
	ftp    = "220 FTP server ready.\r\n"
	alert  = "\x15\x03\x01\x00\x02\x02\x28" // handshake_failure
	noise  = "\xc4\x91\x07\xee\x5b\x80\x3d\xa2\x1f\x66\xd9\x04\xb8\x72\xfa\x0e\x95\x43\xcd\x28"
)

var (
	web      = server{hear, say(answer)}
	greets   = server{say(ssh), drain}
	dribbles = server{drip(strings.Split(ftp, "")...), drain}
	alerts   = server{hear, say(alert)}
	echoes   = server{echo}
	sink     = server{drain}
	resets   = server{reset}
	closes   = server{pause(0)}
	never    = server{}
)

func hear(c *net.TCPConn) error {
	_, err := c.Read(make([]byte, 4096))
	return err
}

func say(text string) deed {
	return func(c *net.TCPConn) error {
		_, err := io.WriteString(c, text)
		return err
	}
}

func pause(d time.Duration) deed {
	return func(*net.TCPConn) error {
		time.Sleep(d)
		return nil
	}
}

func drain(c *net.TCPConn) error {
	_, err := io.Copy(io.Discard, c)
	return err
}

func echo(c *net.TCPConn) error {
	_, err := io.Copy(c, c)
	return err
}

// reset makes the close a reset.
func reset(c *net.TCPConn) error { return c.SetLinger(0) }

// drip says a text in pieces.
func drip(pieces ...string) deed {
	return func(c *net.TCPConn) error {
		for _, p := range pieces {
			if err := say(p)(c); err != nil {
				return err
			}
			time.Sleep(60 * time.Millisecond)
		}
		return nil
	}
}

// ramble says a line every half second, as long as anybody listens.
func ramble(c *net.TCPConn) error {
	for line := 7919; ; line = line * 7919 % 15485863 {
		if _, err := fmt.Fprintf(c, "%x\r\n", line); err != nil {
			return err
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// blocks answers HTTP, until somebody says anything else first: from that on it resets everybody.
func blocks() server {
	var blocked atomic.Bool
	return server{func(c *net.TCPConn) error {
		if blocked.Load() {
			return reset(c)
		}
		first := make([]byte, 4)
		if _, err := io.ReadFull(c, first); err != nil {
			return err
		}
		if string(first) == "GET " {
			return say(answer)(c)
		}
		blocked.Store(true)
		return reset(c)
	}}
}

// A mechanismScan has servers of its own: what is to be found depends on how it is asked for.
type mechanismScan struct {
	name  string
	args  string
	setup string // of the servers' namespace
	rows  []mechanism
}

func mechanismScans() []mechanismScan {
	return []mechanismScan{
		// A SYN-ACK comes a third time after 3 s: whoever is to tell that it is repeated waits so long.
		{name: "wait first", args: "--handshakes wait,tls,http --timeout 2s --wait 3500ms", rows: []mechanism{
			{"accepts, resets (SO_LINGER 0)", "198.18.100.1:22", resets, "reset_after_handshake"},
			{"accepts, closes", "198.18.100.2:22", closes, "closed_after_handshake"},
			// A client would have spoken by then, and its data would have been acknowledged.
			{"resets after 1.5 s", "198.18.100.3:22", server{pause(1500 * time.Millisecond), reset}, "acks_data"},
			{"closes after 1.5 s", "198.18.100.4:22", server{pause(1500 * time.Millisecond)}, "acks_data"},
			{"resets on data", "198.18.100.5:80", server{hear, reset}, "acks_data"},
			{"closes on data", "198.18.100.6:80", server{hear}, "acks_data"},
			{"reads for ever", "198.18.100.7:80", sink, "acks_data"},
			{"never reads", "198.18.100.8:80", server{pause(time.Minute)}, "acks_data"},
			{"banner after 2 s", "198.18.100.9:22", server{pause(2 * time.Second), say(ssh), drain}, "sends_data ssh"},
			{"banner after 8 s", "198.18.100.10:22", server{pause(8 * time.Second), say(ssh), drain}, "acks_data"}, // nobody waits so long
			{"banner byte by byte", "198.18.100.11:21", dribbles, "sends_data ftp"},
			{"banner in three segments", "198.18.100.12:22", server{drip(ssh[:2], ssh[2:11], ssh[11:]), drain}, "sends_data ssh"},
			{"banner of 20 kB", "198.18.100.13:21", server{say(strings.Repeat("220-"+ftp[4:], 900) + ftp), drain}, "sends_data ftp"},
			{"banner, closes", "198.18.100.14:22", server{say(ssh)}, "sends_data ssh"},
			{"banner, resets after 100 ms", "198.18.100.15:22", server{say(ssh), pause(100 * time.Millisecond), reset}, "sends_data ssh"},
			{"noise at once", "198.18.100.16:80", server{say(noise), drain}, "sends_data unknown"},
			{"noise to data", "198.18.100.17:80", server{hear, say(noise)}, "sends_data unknown"},
			{"NUL to data", "198.18.100.18:80", server{hear, say("\x00")}, "sends_data unknown"},
			{"echo", "198.18.100.19:80", echoes, "sends_data echo"},
			{"alert at once", "198.18.100.20:443", server{say(alert), drain}, "sends_data tls"},
			{"alert to data", "198.18.100.21:443", alerts, "sends_data tls"},
			{"answers only a second segment", "198.18.100.22:80", server{hear, hear, say(answer)}, "acks_data"},
			{"blocks who does not speak HTTP first", "198.18.100.23:80", blocks(), "acks_data"}, // TLS was
			{"tarpit of lines, as endlessh", "198.18.100.24:22", server{ramble}, "sends_data unknown"},
			{"listen(0), never accepts", "198.18.100.25:80", never, "shunned"}, // the wait takes the only place
			{"nothing listens", "198.18.100.26:80", nil, "closed"},
			{"HTTP", "198.18.100.27:80", web, "sends_data http"},
			{"accepts, resets, IPv6", "[2001:2:0:64::1]:22", resets, "reset_after_handshake"},
			{"reads for ever, IPv6", "[2001:2:0:64::7]:80", sink, "acks_data"},
			{"banner byte by byte, IPv6", "[2001:2:0:64::11]:21", dribbles, "sends_data ftp"},
			{"HTTP, IPv6", "[2001:2:0:64::27]:80", web, "sends_data http"},

			{"drop", "198.18.100.40:80", web, "no_answer"},
			{"drop, IPv6", "[2001:2:0:64::40]:80", web, "no_answer"},
			{"reject, port unreachable", "198.18.100.41:80", web, "unreachable"},
			{"reject, prohibited", "198.18.100.42:80", web, "unreachable"},
			{"reject, host unreachable", "198.18.100.43:80", web, "unreachable"},
			{"reject, prohibited, IPv6", "[2001:2:0:64::42]:80", web, "unreachable"},
			{"reject, reset", "198.18.100.44:80", web, "closed"},
			{"only SYNs get in", "198.18.100.45:80", web, "dropped_handshake"},
			{"only SYNs get in, IPv6", "[2001:2:0:64::45]:80", web, "dropped_handshake"},
			{"no data gets in", "198.18.100.46:80", web, "no_data_ack"},
			{"no data gets in, IPv6", "[2001:2:0:64::46]:80", web, "no_data_ack"},
			{"bare acknowledgements are lost", "198.18.100.47:80", web, "sends_data http"},
			{"no data gets out", "198.18.100.48:80", web, "acks_data"},
			{"a client's third packet is its last", "198.18.100.49:80", web, "sends_data http"}, // it takes no more
			{"GET is reset", "198.18.100.50:80", web, "sends_data http"},                        // TLS is answered
			{"TLS is dropped", "198.18.100.51:443", alerts, "no_data_ack"},
			{"window 0", "198.18.100.53:80", web, "zero_window"},
			{"window 0, IPv6", "[2001:2:0:64::53]:80", web, "zero_window"},
			{"window 0 in the SYN-ACK", "198.18.100.54:80", web, "zero_window"}, // and nobody asks again
			{"MSS 88", "198.18.100.55:80", web, "sends_data http"},
			{"one segment of data a minute", "198.18.100.56:80", web, "sends_data http"},
			{"three SYNs a minute", "198.18.100.57:80", web, "sends_data http"},
			{"one connection at a time", "198.18.100.58:80", web, "sends_data http"},
			{"the first SYN is lost", "198.18.100.59:80", web, "no_answer"}, // and there is one

			{"synproxy", "198.18.100.60:80", web, "zero_window"}, // as in its SYN-ACK
			{"synproxy, closed port", "198.18.100.60:81", nil, "zero_window"},
			{"synproxy, nothing on any port", "198.18.100.61:80", nil, "zero_window"},
			{"synproxy, dead server", "198.18.100.62:80", nil, "zero_window"},
			{"synproxy with a window", "198.18.100.63:80", web, "sends_data http"},
			{"synproxy with a window, closed port", "198.18.100.64:80", nil, "reset_after_handshake"},
			{"synproxy with a window, dead server", "198.18.100.65:80", nil, "no_data_ack"},
			{"tarpit of window 5, deaf", "198.18.100.66:80", sink, "no_data_ack"},
			{"tarpit of window 5, then 0", "198.18.100.67:80", sink, "acks_data"},
			{"who has spoken connects no more", "198.18.100.70:80", web, "sends_data http"},
		}},
		// The data is in the handshake's acknowledgement: a SYN-ACK that comes again may be asking for either.
		{name: "data first", args: "--handshakes http,tls,wait --timeout 4s --wait 1s", rows: []mechanism{
			{"blocks who does not speak HTTP first", "198.18.100.23:80", blocks(), "sends_data http"},
			{"listen(0), never accepts", "198.18.100.25:80", never, "acks_data"}, // what is in its queue
			{"HTTP", "198.18.100.27:80", web, "sends_data http"},
			{"only SYNs get in", "198.18.100.45:80", web, "dropped_handshake"},
			{"only SYNs get in, IPv6", "[2001:2:0:64::45]:80", web, "dropped_handshake"},
			{"no data gets in", "198.18.100.46:80", web, "no_data_ack"},
			{"no data gets in, IPv6", "[2001:2:0:64::46]:80", web, "no_data_ack"},
			{"bare acknowledgements are lost", "198.18.100.47:80", web, "sends_data http"},
			{"GET is reset", "198.18.100.50:80", web, "reset_after_handshake"},
			{"TLS is dropped", "198.18.100.51:443", alerts, "sends_data tls"}, // GET is answered
			{"tarpit of window 5, deaf", "198.18.100.66:80", sink, "no_data_ack"},
			{"who has spoken connects no more", "198.18.100.70:80", sink, "acks_data"},
		}},
		{name: "all five", args: "--handshakes wait,http,tls,dns,redis --all-handshakes --timeout 2s --wait 1s", rows: []mechanism{
			{"HTTP", "198.18.100.27:80", web, "sends_data http"},
			{"one segment of data a minute", "198.18.100.56:80", web, "sends_data http"},
			{"three SYNs a minute", "198.18.100.57:80", web, "sends_data http"},
			{"one connection at a time", "198.18.100.58:80", web, "sends_data http"},
			{"who has spoken connects no more", "198.18.100.70:80", web, "sends_data http"},
		}},
		{name: "all", args: "--handshakes all --all-handshakes --timeout 2s --wait 1s", rows: []mechanism{
			{"accepts, resets (SO_LINGER 0)", "198.18.100.1:22", resets, "reset_after_handshake"},
			{"accepts, closes", "198.18.100.2:22", closes, "closed_after_handshake"},
			{"resets on data", "198.18.100.5:80", server{hear, reset}, "acks_data"},
			{"banner, closes", "198.18.100.14:22", server{say(ssh)}, "sends_data ssh"},
			{"noise to data", "198.18.100.17:80", server{hear, say(noise)}, "sends_data unknown"},
			{"NUL to data", "198.18.100.18:80", server{hear, say("\x00")}, "sends_data unknown"},
			{"alert to data", "198.18.100.21:443", alerts, "sends_data tls"},
			{"HTTP", "198.18.100.27:80", web, "sends_data http"},
		}},
		{name: "SYN cookies", args: "--handshakes wait,http --timeout 2s --wait 3500ms", setup: "echo 2 > /proc/sys/net/ipv4/tcp_syncookies", rows: []mechanism{
			{"accepts, resets (SO_LINGER 0)", "198.18.100.1:22", resets, "reset_after_handshake"},
			{"reads for ever", "198.18.100.7:80", sink, "acks_data"},
			{"HTTP", "198.18.100.27:80", web, "sends_data http"},
			{"HTTP, IPv6", "[2001:2:0:64::27]:80", web, "sends_data http"},
			{"only SYNs get in", "198.18.100.45:80", web, "no_data_ack"}, // who remembers nothing repeats nothing
			{"bare acknowledgements are lost", "198.18.100.47:80", web, "sends_data http"},
		}},
		{name: "two probes", args: "--handshakes wait,http --timeout 2s --wait 1s --probes 2 --cooldown 3s", rows: []mechanism{
			{"drop", "198.18.100.40:80", web, "no_answer"},
			{"the first SYN is lost", "198.18.100.59:80", web, "sends_data http"},
		}},
		{name: "liveness", args: "--liveness", rows: []mechanism{
			{"HTTP", "198.18.100.27:80", web, "sends_data http"},
			{"window 0 in the SYN-ACK", "198.18.100.54:80", web, "sends_data http"},
			{"window 0 in the SYN-ACK, banner", "198.18.100.54:22", greets, "sends_data ssh"},
			{"synproxy", "198.18.100.60:80", web, "sends_data http"},
			{"synproxy, closed port", "198.18.100.60:81", nil, "zero_window"}, // it never opened
			{"synproxy, nothing on any port", "198.18.100.61:80", nil, "zero_window"},
		}},
		{name: "second look", args: "--handshakes wait,http --timeout 2s --wait 1s --revisit 3s --source-ip 198.18.0.1,198.18.0.2", rows: []mechanism{
			{"accepts, resets (SO_LINGER 0)", "198.18.100.1:22", resets, "reset_after_handshake"},
			{"accepts, closes", "198.18.100.2:22", closes, "closed_after_handshake"},
			{"listen(0), never accepts", "198.18.100.25:80", never, "churned"}, // whoever comes
			{"HTTP", "198.18.100.27:80", web, "sends_data http"},
			{"no data gets in", "198.18.100.46:80", web, "no_data_ack"},
			{"window 0", "198.18.100.53:80", web, "zero_window"},
			{"who has spoken connects no more", "198.18.100.70:80", web, "sends_data http"},
			// A fresh source connects, and what it says is lost as well.
			{"who has spoken connects no more, and was not heard", "198.18.100.71:80", web, "shunned"},
			{"who has spoken is dropped, from that on", "198.18.100.72:80", web, "shunned"},
			{"who has spoken is refused, and was not heard", "198.18.100.73:80", web, "shunned"},
			// A fresh source is heard.
			{"who comes again is not heard", "198.18.100.74:80", web, "dynamic_blocking http"},
			{"one SYN in four seconds", "198.18.100.75:80", web, "sends_data http"}, // the second look comes later
		}},
		{name: "ephemeral", args: "--handshakes wait,http --timeout 2s --wait 1s --ephemeral-probes 5", rows: []mechanism{
			{"reads for ever", "198.18.100.7:80", sink, "acks_data"},
			{"all ports: reads for ever", "198.18.101.1:9", sink, "all_ports"},
			{"all ports: reads for ever", "198.18.101.1:7777", nil, "all_ports"},
			{"all ports: reads for ever, IPv6", "[2001:2:0:65::1]:9", sink, "all_ports"},
			{"all ports: reads for ever, IPv6", "[2001:2:0:65::1]:7777", nil, "all_ports"},
			{"all ports: HTTP", "198.18.101.2:9", web, "sends_data http"},
			{"all ports: HTTP", "198.18.101.2:7777", nil, "sends_data http"},
			{"all ports: banner", "198.18.101.3:9", greets, "sends_data ssh"},
			{"all ports: banner", "198.18.101.3:7777", nil, "sends_data ssh"},
			{"all ports: accepts, resets", "198.18.101.4:9", resets, "reset_after_handshake"},
			{"all ports: accepts, resets", "198.18.101.4:7777", nil, "reset_after_handshake"},
			{"all ports: accepts, closes", "198.18.101.5:9", closes, "closed_after_handshake"},
			{"all ports: accepts, closes", "198.18.101.5:7777", nil, "closed_after_handshake"},
			{"all ports: echo", "198.18.101.6:9", echoes, "sends_data echo"},
			{"all ports: echo", "198.18.101.6:7777", nil, "sends_data echo"},
			{"all ports: TLS", "198.18.101.7:9", alerts, "sends_data tls"},
			{"all ports: TLS", "198.18.101.7:7777", nil, "sends_data tls"},
			{"all ports: banner byte by byte", "198.18.101.8:9", dribbles, "sends_data ftp"},
			{"all ports: banner byte by byte", "198.18.101.8:7777", nil, "sends_data ftp"},
			{"all ports but the ephemeral: reads for ever", "198.18.101.9:9", sink, "acks_data"},
			{"all ports but the ephemeral: reads for ever", "198.18.101.9:7777", nil, "acks_data"},
		}},
	}
}

// farMechanisms makes the servers' network namespace: all of two prefixes is theirs, without an address for each.
const farMechanisms = `set -e
ip link set lo up
ip route add local 198.18.100.0/23 dev lo
ip -6 route add local 2001:2:0:64::/63 dev lo
echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
nft -f testdata/mechanisms.nft
echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose # synproxy takes acknowledgements of connections that are not
`

// serveMechanisms starts the servers in a network namespace of their own, and returns a thread of it. All end with the test.
func serveMechanisms(t *testing.T, setup string, rows []mechanism) (thread int) {
	opened, over := make(chan error), make(chan struct{})
	t.Cleanup(func() { close(over) })
	go func() {
		runtime.LockOSThread() // for good: it ends with this
		thread = unix.Gettid()
		opened <- openMechanisms(t, setup, rows)
		<-over
	}()
	if err := <-opened; err != nil {
		if !root() {
			absent(t, "%s is skipped: an ordinary user's namespace has not what it takes: %v", t.Name(), err)
			t.SkipNow()
		}
		t.Fatal(err)
	}
	return thread
}

func openMechanisms(t *testing.T, setup string, rows []mechanism) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if text, err := exec.Command("sh", "-c", farMechanisms+setup).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	listening := net.ListenConfig{KeepAlive: -1} // which would open windows
	for _, m := range rows {
		if m.serve == nil {
			continue
		}
		l, err := listening.Listen(t.Context(), "tcp", m.at)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		if len(m.serve) > 0 {
			go m.serve.on(l.(*net.TCPListener))
		} else if err := leastBacklog(l.(*net.TCPListener)); err != nil {
			return err
		}
	}
	return nil
}

// leastBacklog is listen(0): there is room for one connection.
func leastBacklog(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), 0) })
	return errors.Join(err, failed)
}

// on serves until the listener is closed.
func (s server) on(l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for _, do := range s {
				if do(c) != nil {
					return
				}
			}
		}()
	}
}

// runningScan is one that has begun.
type runningScan struct {
	*exec.Cmd
	run    string
	output bytes.Buffer
}

// scanMechanisms serves the mechanisms and begins to scan them.
func scanMechanisms(t *testing.T, setup, args string, rows []mechanism) *runningScan {
	dir := t.TempDir()
	var list strings.Builder
	for _, m := range rows {
		fmt.Fprintln(&list, m.at)
	}
	targets := filepath.Join(dir, "targets")
	if err := os.WriteFile(targets, []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &runningScan{run: filepath.Join(dir, "run")}
	s.Cmd = near(t, serveMechanisms(t, setup, rows), append([]string{"laserdisc", "scan", targets, "--out", s.run,
		"--open", "198.18.0.0/15", "--open", "2001:2::/48", "--rate", "2000", "--seed", "1", "--cooldown", "1s"}, strings.Fields(args)...)...)
	s.Stdout, s.Stderr = &s.output, &s.output
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() })
	return s
}

// found waits for the end of the scan, plays it back, and returns state and label of a service.
func (s *runningScan) found(t *testing.T) func(at string) string {
	if err := s.Wait(); err != nil {
		t.Fatalf("scan: %v\n%s", err, s.output.String())
	}
	states := map[netip.AddrPort]string{}
	m, err := record.LoadManifest(s.run)
	if err != nil {
		t.Fatal(err)
	}
	if m.Drops != (record.Drops{}) {
		t.Fatalf("the machine was too slow for this test: %+v", m.Drops)
	}
	tables := s.run + "-tables"
	laserdisc(t, "replay", s.run, "--out", tables)
	eachAttempt(t, tables, func(a *session.Attempt) { states[a.Service] = a.State.String() }) // a refusal makes no service
	eachService(t, tables, func(v *session.Service) {
		states[v.Service] = strings.TrimSpace(v.State.String() + " " + v.Label)
	})
	return func(at string) string { return cmp.Or(states[netip.MustParseAddrPort(at)], session.NoAnswer.String()) }
}

// TestMechanisms scans whatever Linux can do to a connection: each must be found to be what it is.
func TestMechanisms(t *testing.T) {
	scans, running := mechanismScans(), []*runningScan{}
	for _, s := range scans {
		running = append(running, scanMechanisms(t, s.setup, s.args, s.rows))
	}
	var text strings.Builder
	rows := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(rows, "scan\tmechanism\tservice\ttrue\tfound")
	table := confusion{}
	for i, s := range scans {
		found := running[i].found(t)
		for _, m := range s.rows {
			got := found(m.at)
			if got != m.truth {
				t.Errorf("%s: %s: %s is %s, found to be %s", s.name, m.name, m.at, m.truth, got)
			}
			table[[2]string{m.truth, got}]++
			fmt.Fprintf(rows, "%s\t%s\t%s\t%s\t%s\n", s.name, m.name, m.at, m.truth, got)
		}
	}
	rows.Flush()
	t.Logf("%s\ntrue, found:\n%s", text.String(), table)
}

// TestMechanismOfLoss has 30 % of the packets lost either way: less than the truth may be found of a web server, and nothing
// else.
func TestMechanismOfLoss(t *testing.T) {
	var rows []mechanism
	for port := 2000; port < 2300; port++ {
		rows = append(rows, mechanism{at: fmt.Sprintf("198.18.100.52:%d", port), serve: web})
	}
	found := scanMechanisms(t, "", "--handshakes http --timeout 3s --probes 3 --cooldown 3s", rows).found(t)
	table := confusion{}
	for _, m := range rows {
		table[[2]string{"sends_data http", found(m.at)}]++
	}
	t.Logf("true, found:\n%s", table)
	n := 0
	// It resets: a Linux whose own firewall has the repeated SYN-ACK forgets the connection.
	for _, state := range []string{"no_answer", "dropped_handshake", "reset_after_handshake", "no_data_ack", "acks_data", "sends_data http"} {
		n += table[[2]string{"sends_data http", state}]
	}
	if n < len(rows) {
		t.Errorf("%d of %d are found to be what no loss makes of them", len(rows)-n, len(rows))
	}
	if n := table[[2]string{"sends_data http", "sends_data http"}]; n < len(rows)/2 {
		t.Errorf("%d of %d: too few to prove anything", n, len(rows))
	}
}
