package analysis

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"laserdisc/capture/session"
)

// Level is how far a service got, as far as several tools can tell it.
type Level uint8

// The levels, each of which has the ones before it.
const (
	Connects   Level = iota // it answered the SYN with a SYN-ACK
	Acks                    // it acknowledged data
	Identifies              // it said what identifies a protocol
	levels
)

var levelNames = [levels]string{"answered with a SYN-ACK", "acknowledged data", "identified"}

// String says what the services of the level did.
func (l Level) String() string { return levelNames[l] }

// maxFindings is how many services Findings hold: 320 MiB of them.
const maxFindings = 1 << 23

// Findings are the services that a scan found, of laserdisc or of another tool, for a comparison. They are a Fold that takes them
// from a dataset; the lines of another tool are given to Found.
type Findings struct {
	tells  [levels]bool // which levels the tool tells of
	labels names
	list   []finding // in order, each service once, after sort
	sorted bool
}

type finding struct {
	service netip.AddrPort
	level   Level
	label   int32 // its number; valid with Identifies
}

// NewFindings returns Findings of a tool that tells of some levels only: ZMap of SYN-ACKs, ZGrab2 of protocols.
func NewFindings(tells ...Level) *Findings {
	f := new(Findings)
	for _, l := range tells {
		f.tells[l] = true
	}
	return f
}

// OfDataset returns Findings to take from a dataset, which tells of all levels.
func OfDataset() *Findings { return NewFindings(Connects, Acks, Identifies) }

// Telling returns what was found, as of a tool that tells of some levels only.
func (f *Findings) Telling(levels ...Level) *Findings {
	f.tells = NewFindings(levels...).tells
	return f
}

// Len is how many services there are.
func (f *Findings) Len() int { f.sort(); return len(f.list) }

// Found takes a service that got to a level, and with Identifies its label. One that was found before is at the higher of the levels.
func (f *Findings) Found(service netip.AddrPort, level Level, label string) error {
	if len(f.list) == maxFindings {
		f.sort()
		if len(f.list) > maxFindings/2 {
			return fmt.Errorf("analysis: more than %d services: a comparison holds no more", len(f.list))
		}
	}
	number, _ := f.labels.number(label)
	f.list = append(f.list, finding{service, level, int32(number)})
	f.sorted = false
	return nil
}

// sort puts the services in order, each once.
func (f *Findings) sort() {
	if f.sorted {
		return
	}
	slices.SortStableFunc(f.list, func(a, b finding) int {
		if order := a.service.Compare(b.service); order != 0 {
			return order
		}
		return int(b.level) - int(a.level)
	})
	f.list = slices.CompactFunc(f.list, func(a, b finding) bool { return a.service == b.service })
	f.sorted = true
}

// Keep leaves out the services that are none of the targets, and gives their number.
func (f *Findings) Keep(isTarget func(netip.AddrPort) bool) int {
	f.sort()
	before := len(f.list)
	f.list = slices.DeleteFunc(f.list, func(one finding) bool { return !isTarget(one.service) })
	return before - len(f.list)
}

// Table is "services".
func (f *Findings) Table() string { return "services" }

// Columns are the columns that it reads.
func (f *Findings) Columns() []string { return seenColumns }

// Add takes the services of a batch. One that acknowledges data as its host does on every port acknowledges data.
func (f *Findings) Add(record arrow.Record) error {
	return eachSeen(record, &f.labels, func(s *Seen) error {
		host, err := netip.ParseAddr(s.Addr)
		if err != nil {
			return fmt.Errorf("analysis: column \"addr\": %w", err)
		}
		level := Connects
		switch {
		case s.Label != "":
			level = Identifies
		case s.State >= session.AllPorts:
			level = Acks
		}
		return f.Found(netip.AddrPortFrom(host, s.Port), level, s.Label)
	})
}

// Merge takes what another has found.
func (f *Findings) Merge(fold Fold) error {
	other, ok := fold.(*Findings)
	if !ok || other.tells != f.tells {
		return fmt.Errorf("analysis: a %T does not merge with a %T that tells of other levels", fold, f)
	}
	for _, one := range other.list {
		if err := f.Found(one.service, one.level, other.labels.list[one.label]); err != nil {
			return err
		}
	}
	return nil
}
