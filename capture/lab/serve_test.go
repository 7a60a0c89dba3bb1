package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/packet"
)

// loop is a link in real time whose other end is a pair of channels.
type loop struct {
	link.Link
	in, out chan []byte
	err     error
}

func (l *loop) Now() int64 { return time.Now().UnixNano() }

func (l *loop) Receive(until int64) (link.Frame, bool, error) {
	timer := time.NewTimer(time.Duration(until - l.Now()))
	defer timer.Stop()
	select {
	case f := <-l.in:
		return link.Frame{Time: l.Now(), Data: f}, true, nil
	default:
	}
	select {
	case f := <-l.in:
		return link.Frame{Time: l.Now(), Data: f}, true, nil
	case <-timer.C:
		return link.Frame{}, false, l.err
	}
}

func (l *loop) Send(frame []byte) error { l.out <- append([]byte(nil), frame...); return nil }

func (l *loop) Flush() error { return nil }

// Serve answers in its time, repeats what is not acknowledged, and ends with its context.
func TestServe(t *testing.T) {
	p := load(t, "testdata/small.json")
	p.Network.Delay, p.Network.Spread, p.Network.Jitter = lab.Duration(20*time.Millisecond), 0, 0
	n := lab.New(p, 1)
	var service netip.AddrPort
	for at := range n.Services([]uint16{80}) {
		if truth, _ := n.At(at); truth.Behaviour == "serves" {
			service = at
			break
		}
	}
	l := &loop{in: make(chan []byte, 1), out: make(chan []byte, 16)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- lab.Serve(ctx, l, n) }()
	syn := packet.Segment{Src: netip.MustParseAddrPort("192.0.2.1:61000"), Dst: service, Seq: 9, Flags: packet.SYN, Window: 1024, TTL: 64}
	start := time.Now()
	l.in <- syn.AppendFrame(nil, packet.MAC{2}, packet.MAC{4})
	for _, want := range []time.Duration{20 * time.Millisecond, 1020 * time.Millisecond} {
		select {
		case f := <-l.out:
			var s packet.Segment
			if err := s.Decode(packet.LinkEthernet, f); err != nil || s.Flags != packet.SYN|packet.ACK || s.Ack != 10 || s.Src != service {
				t.Errorf("got %+v, %v", s, err)
			}
			if took := time.Since(start); took < want || took > want+500*time.Millisecond {
				t.Errorf("an answer after %v, want %v", took, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("no answer")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An error of the link ends Serve.
func TestServeReportsErrors(t *testing.T) {
	broken := errors.New("broken")
	l := &loop{in: make(chan []byte), err: broken}
	if err := lab.Serve(t.Context(), l, lab.New(load(t, "testdata/small.json"), 1)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
