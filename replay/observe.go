package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"time"

	"laserdisc/capture/handshake"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Observe reads a capture that something else made, pcap or pcapng: ZMap with LZR, ZGrab, a
// browser. There is no log of events to play back and nothing to compare with, so that it goes
// through the tracker alone. Its manifest says what is known of it.
func Observe(path string) (*Result, error) {
	digest, err := fileDigest(path)
	if err != nil {
		return nil, err
	}
	r, err := record.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	limit := session.Defaults().ResponseLimit
	m := &record.Manifest{
		Format: record.ManifestFormat, Go: runtime.Version(), GOARCH: runtime.GOARCH,
		Observed: &record.Observed{Path: path, SHA256: digest}, Settings: session.Settings{ResponseLimit: limit},
	}
	if own := r.Manifest(); own != nil { // a record of ours, its packets only
		m.Synthetic = own.Synthetic
	}
	result := &Result{Manifest: m, Parts: 1}
	observer := session.NewObserver(limit)
	var f record.Frame
	var first, last int64
	for {
		if err = r.Next(&f); err != nil {
			break
		}
		result.Packets++
		if f.Time != 0 {
			if first == 0 {
				first = f.Time
			}
			last = max(last, f.Time)
		}
		var s packet.Segment
		if bad := s.Decode(f.LinkType, f.Data); bad != nil {
			if !errors.Is(bad, packet.ErrOther) { // than TCP, or an error about it
				result.unread(&f, bad)
			}
			continue
		}
		s.Time, s.Number = f.Time, f.Number
		observer.Observe(&s)
	}
	switch {
	case errors.As(err, &result.Truncated) && result.Packets > 0:
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if first != 0 {
		m.Start, m.End = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
	}
	result.Attempts, result.Services = observer.Results()
	result.Counters.Services = uint64(len(result.Services))
	m.Counters = result.Counters
	describeHandshakes(m, result.Attempts)
	return result, nil
}

func (r *Result) unread(f *record.Frame, err error) {
	if r.Unread++; r.Unread == 1 {
		r.FirstUnread = fmt.Errorf("frame %d: %w", f.Number, err)
	}
}

// describeHandshakes notes what was said, in the table's order, and whether every service that
// acknowledged data was told all of it: only then do the handshakes compare.
func describeHandshakes(m *record.Manifest, attempts []*session.Attempt) {
	said := map[*handshake.Protocol]bool{}
	told := map[netip.AddrPort]map[*handshake.Protocol]bool{}
	serves := map[netip.AddrPort]bool{}
	for _, a := range attempts {
		if !a.State.Connected() || a.Handshake == handshake.Other {
			continue
		}
		if told[a.Service] == nil {
			told[a.Service] = map[*handshake.Protocol]bool{}
		}
		said[a.Handshake], told[a.Service][a.Handshake] = true, true
		serves[a.Service] = serves[a.Service] || a.State >= session.AcksData
	}
	for _, p := range handshake.Table() {
		if said[p] {
			m.Handshakes = append(m.Handshakes, p.Name)
		}
	}
	m.AllHandshakes = len(said) > 1
	for at := range serves {
		m.AllHandshakes = m.AllHandshakes && (!serves[at] || len(told[at]) == len(said))
	}
}

// fileDigest reads a file that is to be read again.
func fileDigest(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("replay: %s is not a regular file, and a capture is read twice", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("replay: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("replay: %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
