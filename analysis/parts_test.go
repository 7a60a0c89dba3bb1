package analysis

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// TestParts writes the same rows in several numbers of parts, from two partitions, by way of a dataset that is written
// over. Digest, rows and what folds count are the same; each part is sorted, and has all of its hosts' rows.
func TestParts(t *testing.T) {
	for _, observed := range []bool{false, true} {
		random := rand.New(rand.NewPCG(11, 12))
		targets := targetsOf(random)
		rows := scannedAt(random, targets)
		if observed {
			rows.services = nil // which Close makes
		}
		dir := t.TempDir()
		write := func(parts, memory int) *Dataset {
			b, err := Create(dir, Options{Parts: parts, Memory: memory, Observed: observed})
			if err != nil {
				t.Fatal(err)
			}
			some := []*Partition{b.Partition(2), b.Partition(2)}
			of := func(service netip.AddrPort) *Partition { return some[service.Addr().As16()[15]&1] }
			for i := range rows.attempts {
				a := rows.attempts[i].Clone()
				if observed {
					a.Number, a.Visit = i, session.First
				}
				err = errors.Join(err, of(a.Service).Attempt(a))
			}
			for i := range rows.services {
				err = errors.Join(err, of(rows.services[i].Service).Service(&rows.services[i]))
			}
			d, err2 := b.Close(t.Context(), []*record.Manifest{shardManifest(1, 1)})
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			return d
		}
		one := write(1, 0)
		want := rowsWithRuns(t, one)
		if !slices.ContainsFunc(want, func(s string) bool { return strings.HasPrefix(s, "service") }) {
			t.Fatal("there are no services")
		}
		slices.Sort(want)
		kinds := func(d *Dataset) []Kind {
			census := new(Census)
			if err := d.Fold(t.Context(), census); err != nil {
				t.Fatal(err)
			}
			return census.Kinds()
		}
		all := kinds(one)
		for _, parts := range []int{2, 7, 1} {
			d := write(parts, 1<<16*parts%(1<<18)) // 0 is the default
			if d.Digest() != one.Digest() {
				t.Errorf("%d parts: another digest", parts)
			}
			got := rowsWithRuns(t, d)
			slices.Sort(got)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%d parts: %s", parts, diff)
			}
			if diff := gocmp.Diff(all, kinds(d)); diff != "" {
				t.Errorf("%d parts: %s", parts, diff)
			}
			if err := eachPartSorted(t, d); err != nil {
				t.Errorf("%d parts: %v", parts, err)
			}
			filled := 0
			for _, p := range d.header.Attempts.Parts {
				filled += int(min(p.Rows, 1))
			}
			if len(d.header.Attempts.Parts) != parts || filled < min(parts, 2) {
				t.Errorf("%d parts, of which %d have rows, not %d", len(d.header.Attempts.Parts), filled, parts)
			}
			names := []string{"attempts.parquet", "dataset.json", "services.parquet"}
			if parts > 1 {
				names = []string{"dataset.json"}
				for i := range parts {
					names = append(names, fmt.Sprintf("attempts-%05d.parquet", i), fmt.Sprintf("services-%05d.parquet", i))
				}
				slices.Sort(names)
			}
			var files []string
			list, err := os.ReadDir(dir)
			for _, f := range list {
				files = append(files, f.Name())
			}
			if !slices.Equal(files, names) {
				t.Errorf("%v, %v, not %v", files, err, names)
			}
			before := fileBytes(t, d)
			if !slices.EqualFunc(before, fileBytes(t, write(parts, 0)), bytes.Equal) {
				t.Errorf("%d parts: other bytes the second time", parts)
			}
		}
	}
}

// eachPartSorted reports whether the rows of each part are in order, and no host is in two.
func eachPartSorted(t *testing.T, d *Dataset) error {
	hosts := make(map[netip.Addr]string)
	for _, p := range d.header.Attempts.Parts {
		only := &Dataset{dir: d.dir, header: header{Attempts: tableHeader{Parts: []partHeader{p}}}}
		var last key
		err := only.EachAttempt(t.Context(), func(a *session.Attempt, run int) error {
			k := attempts.key(&attempt{a, run})
			if bytes.Compare(last[:], k[:]) > 0 {
				return fmt.Errorf("%s: %v is out of order", p.Name, a.Service)
			}
			last = k
			if other, ok := hosts[a.Service.Addr()]; ok && other != p.Name {
				return fmt.Errorf("%v is in %s and %s", a.Service.Addr(), other, p.Name)
			}
			hosts[a.Service.Addr()] = p.Name
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fileBytes(t *testing.T, d *Dataset) (list [][]byte) {
	t.Helper()
	for _, name := range d.header.files() {
		content, err := os.ReadFile(filepath.Join(d.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, content)
	}
	return list
}
