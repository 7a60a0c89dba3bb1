package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
	"laserdisc/replay"
)

// story writes down what it is told.
type story struct {
	service  netip.AddrPort
	lines    []string
	frames   []uint64
	attempts []*session.Attempt
	found    *session.Service
	last     session.State  // of the attempt, after the last packet that is of one
	of       netip.AddrPort // our end of that
	problem  error
}

func (s *story) Manifest(m *record.Manifest) error {
	if m == nil {
		s.problem = errors.New("no manifest")
	}
	return nil
}

func (s *story) Packet(f *record.Frame, p *packet.Segment, a *session.Attempt) error {
	line := fmt.Sprintf("%d %d %v > %v %v %d", f.Number, f.Time, p.Src, p.Dst, p.Flags, len(p.Payload))
	if a != nil {
		line += fmt.Sprintf(" %d %v %s", a.Number, a.State, a.Verdict.Label)
		s.last, s.of = a.State, a.Source
	}
	s.lines, s.frames = append(s.lines, line), append(s.frames, f.Number)
	return nil
}

func (s *story) Attempt(a *session.Attempt) error {
	if a.Service != s.service {
		s.lines = append(s.lines, fmt.Sprintf("host: %d %v", a.Service.Port(), a.State))
		return nil
	}
	if a.State.Connected() && a.Source != s.of {
		s.problem = fmt.Errorf("attempt %d from %v came after a packet of %v's", a.Number, a.Source, s.of)
	}
	// Only time tells a handshake that is dropped from data that is lost.
	settled := s.last == session.DroppedHandshake || a.State == session.DroppedHandshake
	if a.State.Connected() && a.State != s.last && !settled {
		s.problem = fmt.Errorf("attempt %d ended as %v, and its last packet made it %v", a.Number, a.State, s.last)
	}
	s.lines = append(s.lines, fmt.Sprintf("attempt %d %v %s %s", a.Number, a.State, a.Handshake.Name, a.Verdict.Label))
	s.attempts = append(s.attempts, a.Clone())
	return nil
}

func (s *story) Service(found *session.Service) error {
	s.lines = append(s.lines, fmt.Sprintf("service %v %s", found.State, found.Label))
	s.found = found.Clone()
	return nil
}

func (s *story) Resumed([]netip.AddrPort) {}

func tell(t *testing.T, path string, index *record.Index, at netip.AddrPort) *story {
	t.Helper()
	s := &story{service: at}
	r, err := replay.Show(context.Background(), []string{path}, replay.Options{}, index, at, s)
	if err == nil && r.Difference != nil {
		err = r.Difference
	}
	if err = errors.Join(err, s.problem); err != nil {
		t.Fatalf("%v: %v\n%s", at, err, strings.Join(s.lines, "\n"))
	}
	return s
}

// framesOfServices are the numbers of the frames of each service, as the record has them.
func framesOfServices(t *testing.T, path string) map[netip.AddrPort][]uint64 {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	of := make(map[netip.AddrPort][]uint64)
	var f record.Frame
	for {
		err := r.Next(&f)
		if errors.Is(err, io.EOF) {
			return of
		}
		if err != nil {
			t.Fatal(err)
		}
		var s packet.Segment
		if s.Decode(f.LinkType, f.Data) != nil {
			continue
		}
		service := s.Src
		if f.Direction == record.Sent {
			service = s.Dst
		}
		of[service] = append(of[service], f.Number)
	}
}

// sizeOf is how many bytes of packets a run has.
func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "packets-*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no packets", err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// A story has all packets of its service, attempts and a service as playback finds them; and it is the same whether all of the record
// is read, or what an index has.
func TestShow(t *testing.T) {
	p := lossy(t)
	services := 0
	var part, all int64
	for seed := range uint64(12) {
		chunk, compression := []int64{0, 1 << 13, 1 << 14}[seed%3], []string{"", "zstd"}[seed/3%2]
		dir := scanInChunks(t, p, seed, 0, 80, chunk, compression)
		var b bytes.Buffer
		sink, gathered := keep()
		r, err := replay.Run(context.Background(), dir, replay.Options{Workers: 2, Index: &b}, sink)
		if err != nil {
			t.Fatal(err)
		}
		played := gathered(r)
		path := filepath.Join(t.TempDir(), record.IndexFile)
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		found := make(map[netip.AddrPort]*session.Service)
		for _, s := range played.Services {
			found[s.Service] = s
		}
		size := sizeOf(t, dir)
		for at, frames := range framesOfServices(t, dir) {
			index, err := record.Lookup(path, at)
			if err != nil {
				t.Fatal(err)
			}
			whole, excerpt := tell(t, dir, nil, at), tell(t, dir, index, at)
			if !slices.Equal(whole.lines, excerpt.lines) {
				t.Errorf("seed %d: %v:\n%s\n\nby the index\n%s", seed, at, strings.Join(whole.lines, "\n"), strings.Join(excerpt.lines, "\n"))
			}
			if !slices.Equal(whole.frames, frames) {
				t.Errorf("seed %d: %v: told of frames %d, and the record has %d", seed, at, whole.frames, frames)
			}
			if want, got := facts(found[at]), facts(whole.found); want != got {
				t.Errorf("seed %d: %v: told %s, and playback finds %s", seed, at, got, want)
			}
			isOf := func(a *session.Attempt) bool { return a.Service == at && a.Visit != session.Ephemeral }
			if want, got := attemptLines(played.Attempts, isOf), attemptLines(whole.attempts, isOf); !slices.Equal(want, got) {
				t.Errorf("seed %d: %v: told of attempts\n%s\nand playback finds\n%s", seed, at, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			e, err := index.Open()
			if err != nil {
				t.Fatal(err)
			}
			_, some := e.Position()
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if chunk > 0 { // else all fits into a stretch or two
				part, all = part+some, all+size
			}
			if found[at] != nil {
				services++
			}
		}
	}
	t.Logf("%d services; by the index %d of %d bytes are read", services, part, all)
	if services < 500 || part > all/2 {
		t.Error("too few services to prove anything, or an index that is of no use")
	}
}

// attemptLines are attempts in words, in the order of their numbers. One that was refused may be there more than once.
func attemptLines(list []*session.Attempt, is func(*session.Attempt) bool) (lines []string) {
	for _, a := range list {
		if is(a) {
			line := fmt.Sprintf("%02d %v %v %s", a.Number, a.Visit, a.State, a.Handshake.Name)
			if a.State.Connected() {
				line += fmt.Sprintf(" from %v, frames %d to %d", a.Source, a.FirstFrame, a.LastFrame)
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
