package analysis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"laserdisc/analysis/content"
	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// Sighting is what a dataset says of a service: of its runs, that which got furthest.
type Sighting struct {
	State    session.State
	Label    string
	Evidence handshake.Evidence
	Software string // as content.Software has it of the response; "" if that does not tell
}

// Pairing is a service in two datasets.
type Pairing struct {
	Service netip.AddrPort
	Was, Is *Sighting // nil in the dataset that does not have it; not both
}

// EachPairing calls pairing with each service that one of two datasets has, in the order of addresses and ports, until that
// returns an error. What is more than so many bytes of them waits in temporary files.
func EachPairing(ctx context.Context, was, is *Dataset, memory int, pairing func(Pairing) error) error {
	s := sorter{limit: memory, create: nameless}
	defer s.close()
	for side, d := range []*Dataset{was, is} {
		if err := s.sightings(ctx, d, side); err != nil {
			return err
		}
	}
	rows, err := sorted(ctx, []*sorter{&s}, memory)
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	var p Pairing
	for count := 0; ; count++ {
		if count%(1<<16) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e, err := rows.next()
		if err != nil && err != io.EOF {
			return fmt.Errorf("analysis: %w", err)
		}
		if p.Service.IsValid() && (err == io.EOF || p.Service != serviceOf(e.key())) {
			if err := pairing(p); err != nil {
				return err
			}
			p = Pairing{}
		}
		if err == io.EOF {
			return nil
		}
		side, seen := readSighting(e)
		p.Service = serviceOf(e.key())
		if side == 0 {
			p.Was = furthest(p.Was, seen)
		} else {
			p.Is = furthest(p.Is, seen)
		}
	}
}

// furthest is the one of two sightings that tells more; the first of equal ones.
func furthest(a, b *Sighting) *Sighting {
	switch {
	case a == nil, b.State > a.State, b.State == a.State && b.Evidence > a.Evidence:
		return b
	}
	return a
}

// nameless makes a temporary file that is gone with its process.
func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "laserdisc-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sightings adds the services of a dataset. The key's run says which of the two it is, and the number of an attempt which run
// of that.
func (s *sorter) sightings(ctx context.Context, d *Dataset, side int) error {
	var e entry
	return d.EachService(ctx, func(row *session.Service, run int) error {
		k := keyOf(row.Service, side, run, 0, row.Frame)
		e = append(e[:0], k[:]...)
		e = append(e, 0, 0, 0, 0, 0, 0)
		e = append(e, byte(side), byte(row.State), byte(row.Evidence))
		software := content.Software(row.Label, row.Response)
		e = append(appendUvarint(e, uint64(len(row.Label))), row.Label...)
		e = append(appendUvarint(e, uint64(len(software))), software...)
		binary.LittleEndian.PutUint32(e[entryLength:], uint32(len(e)-entryHeader))
		if err := s.add(e); err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
		return nil
	})
}

// readSighting reads what sightings has written.
func readSighting(e entry) (side byte, seen *Sighting) {
	row := e.row()
	seen = &Sighting{State: session.State(row[1]), Evidence: handshake.Evidence(row[2])}
	label, rest, _ := cutBytes(row[3:])
	software, _, _ := cutBytes(rest)
	seen.Label, seen.Software = string(label), string(software)
	return row[0], seen
}
