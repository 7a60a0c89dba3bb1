package analysis

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"

	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// observed numbers the attempts of an observed capture, which come sorted by service and by their order in the capture,
// and makes the services of them.
type observed struct {
	source
	services *Partition
	at       netip.AddrPort
	sum      *session.Summary
	entry    entry

	said   map[string]bool // handshakes, by anybody to any service
	told   map[string]bool // the same, to the service at hand
	serves bool            // the service at hand acknowledged data
	least  int             // the fewest that a service was told which acknowledged data; -1 is none yet
}

func newObserved(services *Partition) *observed {
	return &observed{services: services, said: make(map[string]bool), told: make(map[string]bool), least: -1}
}

// next implements source.
func (o *observed) next() (entry, error) {
	e, err := o.source.next()
	if errors.Is(err, io.EOF) {
		if bad := o.closeService(); bad != nil {
			return nil, bad
		}
	}
	if err != nil {
		return nil, err
	}
	row := attempt{Attempt: new(session.Attempt)}
	if err := attempts.readRow(&row, e.row()); err != nil {
		return nil, err
	}
	if o.sum == nil || row.Service != o.at {
		if err := o.closeService(); err != nil {
			return nil, err
		}
		o.sum, o.at = new(session.Summary), row.Service
	}
	o.sum.Add(row.Attempt)
	if row.State.Connected() && row.Handshake.Name != handshake.Other.Name {
		o.said[row.Handshake.Name], o.told[row.Handshake.Name] = true, true
		o.serves = o.serves || row.State >= session.AcksData
	}
	o.entry, err = attempts.appendRow(append(o.entry[:0], e[:entryHeader]...), &row)
	binary.LittleEndian.PutUint32(o.entry[entryLength:], uint32(len(o.entry)-entryHeader))
	return o.entry, err
}

// closeService makes a service of the attempts since the last one.
func (o *observed) closeService() error {
	if o.sum == nil {
		return nil
	}
	if o.serves && (o.least < 0 || len(o.told) < o.least) {
		o.least = len(o.told)
	}
	clear(o.told)
	o.serves = false
	s, ok := o.sum.Service()
	o.sum = nil
	if !ok {
		return nil
	}
	return o.services.Service(s)
}

// describe notes what was said, in the table's order, and whether every service that acknowledged data was told all of it:
// only then do the handshakes compare.
func (o *observed) describe(m *record.Manifest) {
	m.Handshakes = nil
	for _, p := range handshake.Table() {
		if o.said[p.Name] {
			m.Handshakes = append(m.Handshakes, p.Name)
		}
	}
	m.AllHandshakes = len(o.said) > 1 && (o.least < 0 || o.least == len(o.said))
}
