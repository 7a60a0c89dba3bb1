package replay

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"

	"laserdisc/capture/session"
)

// lineSum identifies lines whatever their order: how many there are, and the sum of 128 bits of each one's SHA-256.
type lineSum struct{ lines, high, low uint64 }

func (l *lineSum) line(b []byte) {
	sum := sha256.Sum256(b)
	l.add(lineSum{1, binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])})
}

func (l *lineSum) add(o lineSum) {
	var carry uint64
	l.lines += o.lines
	l.low, carry = bits.Add64(l.low, o.low, 0)
	l.high, _ = bits.Add64(l.high, o.high, carry)
}

// Agrees compares the services.jsonl that the live scan wrote into dir with what playback found: every service, every
// field. Only where they differ it asks for the services that were played, in any order; the error then names the first
// line that playback has not.
func (r *Result) Agrees(dir string, played func(func(*session.Service) error) error) error {
	path := filepath.Join(dir, "services.jsonl")
	var found lineSum
	if err := eachLine(path, func(_ int, line []byte) error { found.line(line); return nil }); err != nil {
		return err
	}
	if found == r.lines {
		return nil
	}
	// Which lines are there is known by their sums alone: eight bytes a service.
	left := make(map[uint64]int)
	var b []byte
	err := played(func(s *session.Service) error {
		b = s.AppendJSON(b[:0])
		left[short(b)]++
		return nil
	})
	if err != nil {
		return err
	}
	err = eachLine(path, func(n int, line []byte) error {
		if left[short(line)] == 0 {
			return differs(line, played)
		}
		left[short(line)]--
		return nil
	})
	if err != nil {
		return err
	}
	missing := ""
	err = played(func(s *session.Service) error {
		if b = s.AppendJSON(b[:0]); missing == "" && left[short(b)] > 0 {
			missing = s.Service.String()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("%s has %d lines, playback finds %d: %s is missing", path, found.lines, r.lines.lines, missing)
}

func short(line []byte) uint64 {
	sum := sha256.Sum256(line)
	return binary.BigEndian.Uint64(sum[:])
}

// eachLine passes on the lines of a file. Its errors name the file and the line.
func eachLine(path string, pass func(n int, line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 256<<10)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err == nil {
			err = pass(n, bytes.TrimSuffix(line, []byte("\n")))
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
}

// differs tells how a line that playback has not differs from its service as it was played.
func differs(line []byte, played func(func(*session.Service) error) error) error {
	var id struct {
		Addr netip.Addr
		Port uint16
	}
	if err := json.Unmarshal(line, &id); err != nil {
		return err
	}
	key := netip.AddrPortFrom(id.Addr, id.Port)
	var again []byte
	err := played(func(s *session.Service) error {
		if s.Service == key {
			again = s.AppendJSON(nil)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case again == nil || bytes.Equal(again, line):
		return fmt.Errorf("%v is here twice, or playback did not find it", key)
	}
	return fmt.Errorf("playback says %s", again)
}
