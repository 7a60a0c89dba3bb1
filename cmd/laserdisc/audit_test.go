package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The audited wire: from here, where nothing but the scan sends on it, to a namespace whose kernel has all addresses of the
// audited prefixes, and a server on port 8080 of each. (RFC 5737 and RFC 3849: documentation.)
const (
	auditWire     = "audit0"
	auditSource4  = "198.51.100.9"
	auditGateway4 = "198.51.100.10"
	auditSource6  = "2001:db8:a::1"
	auditGateway6 = "2001:db8:a::2"
	audited4      = "198.51.100.128/25"
	audited6      = "2001:db8:b::/120"
)

// audit is a capture of all that comes out at the far end of the audited wire.
type audit struct {
	fd     int
	lock   sync.Mutex
	frames [][]byte
}

// newAudit lays the wire and begins to capture.
func newAudit(t *testing.T) *audit {
	sh := func(script string) error {
		if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	a := &audit{fd: -1}
	thread, laid, served := make(chan int), make(chan bool), make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread stays in the namespace, and ends
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		thread <- unix.Gettid()
		<-laid
		err := sh(`ip link set lo up; ip address add ` + auditGateway4 + `/29 dev audit1; ip -6 address add ` + auditGateway6 + `/64 dev audit1 nodad
			ip link set audit1 up; ip route add local ` + audited4 + ` dev lo; ip -6 route add local ` + audited6 + ` dev lo`)
		if err == nil {
			a.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		}
		served <- errors.Join(err, listenOn(t, "tcp", ":8080"))
	}()
	if err := sh(fmt.Sprintf(`ip link add %s type veth peer name audit1 netns %[2]d
		ip address add %[3]s/29 dev %[1]s; ip -6 address add %[4]s/64 dev %[1]s nodad; ip link set %[1]s up
		ip route add %[5]s via %[6]s; ip -6 route add %[7]s via %[8]s`,
		auditWire, <-thread, auditSource4, auditSource6, audited4, auditGateway4, audited6, auditGateway6)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sh("ip link delete " + auditWire) })
	laid <- true
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(a.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		t.Fatal(err)
	}
	go a.capture()
	t.Cleanup(func() { unix.Close(a.fd) })
	return a
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// listenOn answers each connection with a line.
func listenOn(t *testing.T, network, at string) error {
	l, err := net.Listen(network, at)
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
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(2 * time.Second))
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\n\r\n"))
				}
			}()
		}
	}()
	return nil
}

func (a *audit) capture() {
	b := make([]byte, 1<<17)
	for {
		fds := []unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, 100); err != nil && err != unix.EINTR || fds[0].Revents&(unix.POLLNVAL|unix.POLLERR) != 0 {
			return
		}
		n, _, err := unix.Recvfrom(a.fd, b, unix.MSG_DONTWAIT)
		if err != nil {
			continue
		}
		a.lock.Lock()
		a.frames = append(a.frames, bytes.Clone(b[:n]))
		a.lock.Unlock()
	}
}

// take returns what has been captured since the last time.
func (a *audit) take() (frames [][]byte) {
	time.Sleep(200 * time.Millisecond)
	a.lock.Lock()
	defer a.lock.Unlock()
	frames, a.frames = a.frames, nil
	return frames
}

// sentTo reads whom a frame is to; ok is false for ARP, neighbour discovery and what goes with that. It is written for the audit
// alone, from the RFCs, and shares nothing with the program.
func sentTo(frame []byte) (from, to netip.AddrPort, ok bool, err error) {
	ip := frame[14:]
	at, protocol := 0, byte(0)
	var source, destination netip.Addr
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_ARP:
		return from, to, false, nil
	case unix.ETH_P_IP:
		at, protocol = int(ip[0]&15)*4, ip[9]
		source, destination = netip.AddrFrom4([4]byte(ip[12:])), netip.AddrFrom4([4]byte(ip[16:]))
	case unix.ETH_P_IPV6:
		at, protocol = 40, ip[6]
		source, destination = netip.AddrFrom16([16]byte(ip[8:])), netip.AddrFrom16([16]byte(ip[24:]))
		if protocol == 0 { // hop-by-hop options: multicast listeners (RFC 9777), which the kernel reports for neighbour discovery
			at, protocol = at+8, ip[40]
		}
		if kind := ip[at]; protocol == unix.IPPROTO_ICMPV6 && (kind >= 133 && kind <= 137 || kind == 143) {
			return from, to, false, nil
		}
	default:
		return from, to, false, fmt.Errorf("a frame of type %#x", frame[12:14])
	}
	if protocol != unix.IPPROTO_TCP {
		return from, to, false, fmt.Errorf("a packet of protocol %d from %v to %v", protocol, source, destination)
	}
	ports := ip[at:]
	return netip.AddrPortFrom(source, binary.BigEndian.Uint16(ports)), netip.AddrPortFrom(destination, binary.BigEndian.Uint16(ports[2:])), true, nil
}

// TestAudit captures at the far end what scans send, and finds nothing but to targets, from the scan's own addresses and ports: a
// capture that knows nothing of how targets are compiled.
func TestAudit(t *testing.T) {
	a := newAudit(t)
	dir := t.TempDir()
	list := func(name string, lines ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	in := func(prefixes ...string) func(netip.Addr) bool {
		return func(a netip.Addr) bool {
			for _, p := range prefixes {
				if netip.MustParsePrefix(p).Contains(a) {
					return true
				}
			}
			return false
		}
	}
	blocked4 := []string{"198.51.100.129/32", "198.51.100.140/30", "198.51.100.192/27", "198.51.100.255/32"}
	blocked6 := []string{"2001:db8:b::1/128", "2001:db8:b::40/122"}
	for _, c := range []struct {
		name    string
		args    []string
		targets func(netip.Addr) bool
		without func(netip.Addr) bool
		probed  int // addresses that are to be; 0 if the scan is refused
	}{
		{"a prefix", []string{audited4}, in(audited4), in(), 128},
		{"a block list", []string{audited4, "--block", list("block4", blocked4...)}, in(audited4), in(blocked4...), 128 - 38},
		{"an allow list", []string{audited4, "--allow", list("allow4", blocked4...)}, in(blocked4...), in(), 38},
		{"both", []string{audited4, "--allow", list("allow", "198.51.100.192/26"), "--block", list("block", blocked4...)},
			in("198.51.100.192/26"), in(blocked4...), 31},
		{"IPv6", []string{audited6}, in(audited6), in(), 256},
		{"IPv6, a block list", []string{audited6, "--block", list("block6", blocked6...)}, in(audited6), in(blocked6...), 256 - 65},
		{"both families", []string{"198.51.100.130/31", "2001:db8:b::2/127"}, in("198.51.100.130/31", "2001:db8:b::2/127"), in(), 4},
		{"/31", []string{"198.51.100.200/31"}, in("198.51.100.200/31"), in(), 2},
		{"/32", []string{"198.51.100.201/32"}, in("198.51.100.201/32"), in(), 1},
		{"/128", []string{"2001:db8:b::7/128"}, in("2001:db8:b::7/128"), in(), 1},
		{"multicast and broadcast beside a target", []string{"198.51.100.201", "224.0.0.1", "255.255.255.255", "ff02::1"}, in("198.51.100.201/32"), in(), 1},
		{"multicast alone", []string{"224.0.0.0/28"}, in(), in(), 0},
		{"broadcast alone", []string{"255.255.255.255"}, in(), in(), 0},
		{"the loopback beside a target", []string{"198.51.100.201", "127.0.0.1", "::1"}, in("198.51.100.201/32"), in(), 1},
		{"the scanner's own address", []string{auditSource4}, in(), in(), 0},
		{"the scanner's own address beside a target", []string{"198.51.100.201", auditSource4, "198.51.100.202", "--seed", "8"}, in("198.51.100.201/32", "198.51.100.202/32"), in(), 2},
		{"the gateway beside a target", []string{"198.51.100.201", auditGateway4, "--seed", "8"}, in("198.51.100.201/32", auditGateway4+"/32"), in(), 2},
		{"the scanner's network beside a target", []string{"198.51.100.201", "198.51.100.8/29", "--seed", "7"}, in("198.51.100.201/32", "198.51.100.8/29"), in("198.51.100.9/32"), 8},
		{"ephemeral probes", []string{"198.51.100.200/31", "--ephemeral-probes", "2"}, in("198.51.100.200/31"), in(), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.take()
			run := filepath.Join(t.TempDir(), "run")
			cmd := exec.Command(laserdiscBinary(t), append([]string{"scan", "--ports", "8080,81", "--open", "198.51.100.0/24", "--open", "2001:db8::/32",
				"--handshakes", "wait,http", "--wait", "200ms", "--timeout", "500ms", "--cooldown", "1s", "--rate", "5000", "--out", run}, c.args...)...)
			out, err := cmd.CombinedOutput()
			if (err == nil) != (c.probed > 0) {
				t.Fatalf("%v: %s", err, out)
			}
			probed := map[netip.Addr]bool{}
			for _, frame := range a.take() {
				from, to, ok, err := sentTo(frame)
				switch {
				case err != nil:
					t.Error(err)
				case !ok:
				case !c.targets(to.Addr()) || c.without(to.Addr()):
					t.Errorf("a packet from %v to %v, which is no target", from, to)
				case from.Addr().String() != auditSource4 && from.Addr().String() != auditSource6 || from.Port() < 61000:
					t.Errorf("a packet from %v to %v: not the scan's", from, to)
				case to.Port() != 8080 && to.Port() != 81 && (c.name != "ephemeral probes" || to.Port() < 49152):
					t.Errorf("a packet from %v to %v: no port of the scan", from, to)
				default:
					probed[to.Addr()] = true
				}
			}
			if len(probed) != c.probed {
				t.Errorf("%d addresses were probed, not %d: %s", len(probed), c.probed, out)
			}
		})
	}
}
