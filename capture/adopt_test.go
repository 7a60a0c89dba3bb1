package capture_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"laserdisc/capture"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/replay"
)

// taken are SYN-ACKs that another scanner drew, which come with pauses, and how they end.
type taken struct {
	list  []packet.Segment
	pause bool
	end   error
}

func (l *taken) Next() (s packet.Segment, ok bool, err error) {
	if l.pause = !l.pause; l.pause {
		return s, false, nil
	}
	if len(l.list) == 0 {
		return s, false, l.end
	}
	s, l.list = l.list[0], l.list[1:]
	return s, true, nil
}

var (
	us     = netip.MustParseAddr("192.0.2.1")
	start  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	source = packet.MAC{2, 0, 0, 0, 0, 1}
)

// lossless is a link to the lab's hosts.
func lossless(t *testing.T) *link.Memory {
	text, err := datasets.Population(datasets.DefaultPopulation)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Parse(datasets.DefaultPopulation, text)
	if err != nil {
		t.Fatal(err)
	}
	p.Network.Loss = 0
	return link.NewMemory(lab.New(p, 1), start)
}

// draw sends SYNs with numbers of its own, as ZMap does, and returns the SYN-ACKs.
func draw(t *testing.T, wire *link.Memory) (synacks []packet.Segment) {
	for i := range 4096 {
		s := packet.Segment{
			Src: netip.AddrPortFrom(us, uint16(61000+i)), Dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 80),
			Seq: uint32(i) * 12345, Flags: packet.SYN, Window: 65535, TTL: 255,
		}
		if err := wire.Send(s.AppendFrame(nil, source, packet.MAC{})); err != nil {
			t.Fatal(err)
		}
	}
	if err := wire.Flush(); err != nil {
		t.Fatal(err)
	}
	for until := wire.Now() + 250e6; ; {
		f, ok, err := wire.Receive(until)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return synacks
		}
		var s packet.Segment
		if s.Decode(packet.LinkEthernet, f.Data) == nil && s.Flags == packet.SYN|packet.ACK {
			s.Options, s.Payload, s.TTL = nil, nil, 0 // of which ZMap says nothing
			synacks = append(synacks, s)
		}
	}
}

func adopting() *record.Manifest {
	m := &record.Manifest{Laserdisc: "test", Rate: 10000, Cooldown: session.Duration(8 * time.Second), Settings: session.Defaults()}
	m.CookieKey, m.Sources, m.Handshakes, m.Adopt = session.KeyOf(1), []netip.Addr{us}, []string{"http", "tls"}, true
	return m
}

// SYN-ACKs that only another scanner has seen are gone on from, are in the record, and play back
// from it alone. One that comes twice is taken up once.
func TestAdopt(t *testing.T) {
	wire := lossless(t)
	synacks := draw(t, wire)
	if len(synacks) < 50 {
		t.Fatalf("%d SYN-ACKs: too few to prove anything", len(synacks))
	}
	m, dir := adopting(), filepath.Join(t.TempDir(), "run")
	s := capture.Scan{Dir: dir, Manifest: m, Link: wire,
		Adopted: &taken{list: append(synacks, synacks[:10]...), end: io.EOF}}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	result, services, err := play(dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	agrees := result.Agrees(dir, func(each func(*session.Service) error) (err error) {
		for _, s := range services {
			err = errors.Join(err, each(s))
		}
		return err
	})
	if result.Difference != nil || agrees != nil {
		t.Errorf("playback: %v, %v", result.Difference, agrees)
	}
	if len(services) != len(synacks) || m.EndedBy != record.EndedTargets {
		t.Errorf("%d services of %d SYN-ACKs; ended by %s", len(services), len(synacks), m.EndedBy)
	}
	identified := 0
	for _, v := range services {
		if v.State == session.SendsData {
			identified++
		}
	}
	if identified < len(synacks)/4 {
		t.Errorf("%d of %d sent data: the connections were not gone on with", identified, len(synacks))
	}
}

// Input that is no good ends the adoption: what is in flight is finished, and the record closed.
func TestAdoptBadInput(t *testing.T) {
	wire := lossless(t)
	synacks := draw(t, wire)
	bad := errors.New("line 7 is no good")
	m, dir := adopting(), filepath.Join(t.TempDir(), "run")
	s := capture.Scan{Dir: dir, Manifest: m, Link: wire, Adopted: &taken{list: synacks[:6], end: bad}}
	if err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), bad.Error()) {
		t.Errorf("error: %v", err)
	}
	result, services, err := play(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	// Six: hosts whose SYN-ACKs only the wire shows were not asked by the other scanner, for all one knows.
	if result.Difference != nil || result.Truncated != nil || len(services) != 6 || m.Counters.Launched != 6 {
		t.Errorf("%d services, %v, %v", len(services), result.Difference, result.Truncated)
	}
	if m, err := record.LoadManifest(dir); err != nil || m.EndedBy != record.EndedError || !m.Interrupted {
		t.Errorf("manifest: %+v, %v", m, err)
	}
}

// found keeps the services that a playback finds.
type found struct{ services []*session.Service }

func (f *found) Attempt(*session.Attempt) error { return nil }
func (f *found) Resumed([]netip.AddrPort)       {}
func (f *found) Service(s *session.Service) error {
	f.services = append(f.services, s.Clone())
	return nil
}

// play plays a run back.
func play(dir string, workers int) (*replay.Result, []*session.Service, error) {
	partitions := make(chan *found, workers)
	result, err := replay.Run(context.Background(), dir, replay.Options{Workers: workers}, func(int) replay.Rows {
		f := &found{}
		partitions <- f
		return f
	})
	close(partitions)
	var services []*session.Service
	for f := range partitions {
		services = append(services, f.services...)
	}
	return result, services, err
}
