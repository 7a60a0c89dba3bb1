package analysis

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// listed is a fold that lists what it is given.
type listed struct {
	table string
	rows  []string
}

func (l *listed) Table() string { return l.table }

func (l *listed) Columns() []string {
	return []string{"first_frame", "addr", "port", "run", "handshake"}
}

func (l *listed) Merge(Fold) error { return nil }

func (l *listed) Add(record arrow.Record) error {
	b := batch{Record: record}
	addr, port := readColumn[*array.String](&b, "addr"), readColumn[*array.Uint16](&b, "port")
	run, frame := readColumn[*array.Uint16](&b, "run"), readColumn[*array.Int64](&b, "first_frame")
	var said names
	codes := readCodes(&b, "handshake", said.number)
	for i := range b.rows() {
		l.rows = append(l.rows, fmt.Sprintf("%s:%d run %d frame %d %s", addr.Value(i), port.Value(i), run.Value(i), frame.Value(i), said.list[codes.at(i)]))
	}
	return b.err
}

// Of a service that several datasets, or several runs of one, have, the rows of the first count: as a map of services
// tells, for any datasets of any parts.
func TestFoldAllCountsTheFirst(t *testing.T) {
	dropped, kept := 0, 0
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 0))
		counts := map[netip.AddrPort][2]int{} // the dataset and the run that count
		var datasets []*Dataset
		var all []tables
		frame := uint64(0)
		for range 1 + random.IntN(4) {
			var parts []*Dataset
			var whole tables
			of := 1 + random.IntN(3)
			for part := range of {
				var rows tables
				for range random.IntN(200) {
					host := byte(random.IntN(40)*of + part)
					at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{host % 3 * 100, 0, 0, host}), uint16(random.IntN(3)))
					if random.IntN(4) == 0 {
						at = netip.AddrPortFrom(netip.AddrFrom16([16]byte{15: host}), at.Port())
					}
					run := random.IntN(3)
					for number := range 1 + random.IntN(3) {
						frame++
						said := handshake.Table()[random.IntN(3)]
						rows.attempts = append(rows.attempts, attempt{&session.Attempt{
							Service: at, Number: number, FirstFrame: frame, State: session.SendsData, Handshake: said}, run})
					}
					rows.services = append(rows.services, service{Service: &session.Service{Service: at, Frame: frame, State: session.SendsData}, Run: run})
				}
				parts = append(parts, write(t, t.TempDir(), rows))
				expected := rows.expected()
				whole.attempts, whole.services = append(whole.attempts, expected.attempts...), append(whole.services, expected.services...)
			}
			d := parts[0]
			if of > 1 || random.IntN(2) == 0 {
				d = joined(t, t.TempDir(), parts...)
			}
			for _, a := range whole.attempts {
				first, ok := counts[a.Service]
				if !ok || first[0] == len(datasets) && first[1] > a.Run {
					counts[a.Service] = [2]int{len(datasets), a.Run}
				}
			}
			d.header.Runs = append(d.header.Runs, d.header.Runs[0], d.header.Runs[0])
			datasets, all = append(datasets, d), append(all, whole)
		}
		var attempts, services []string
		for i, rows := range all {
			for _, a := range rows.attempts {
				if counts[a.Service] != [2]int{i, a.Run} {
					dropped++
					continue
				}
				attempts = append(attempts, fmt.Sprintf("%s:%d run %d frame %d %s", a.Service.Addr(), a.Service.Port(), a.Run, a.FirstFrame, a.Handshake.Name))
			}
			for _, s := range rows.services {
				if counts[s.Service.Service] == [2]int{i, s.Run} {
					services = append(services, fmt.Sprintf("%s:%d run %d frame %d ", s.Service.Service.Addr(), s.Service.Service.Port(), s.Run, s.Frame))
				}
			}
		}
		kept += len(attempts)
		a, s := &listed{table: "attempts"}, &listed{table: "services"}
		if err := FoldAll(t.Context(), datasets, a, s); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.rows, attempts) || !slices.Equal(s.rows, services) {
			t.Fatalf("seed %d, %d datasets: %d attempts, not %d; %d services, not %d", seed, len(datasets), len(a.rows), len(attempts), len(s.rows), len(services))
		}
	}
	if dropped < 1000 || kept < 1000 {
		t.Errorf("%d rows were dropped, %d kept: too few to prove anything", dropped, kept)
	}
}

// A fold of a table that there is not is an error.
func TestFoldUnknownTable(t *testing.T) {
	d := write(t, t.TempDir(), examples())
	if err := d.Fold(t.Context(), &listed{table: "hosts"}); err == nil || err.Error() != `analysis: no table is called "hosts"` {
		t.Error(err)
	}
}
