package analysis_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/analysis"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// dataset makes one of services that speak HTTP, as a scan by that seed would find them.
func dataset(dir string, seed uint64, services ...string) (*analysis.Dataset, error) {
	b, err := analysis.Create(dir, analysis.Options{})
	if err != nil {
		return nil, err
	}
	p := b.Partition(1)
	for i, at := range services {
		s := session.Service{Service: netip.MustParseAddrPort(at), State: session.SendsData, Label: "http", Evidence: handshake.Certain,
			Handshake: "http", Attempts: 1, First: int64(i + 1), End: int64(i + 2)}
		if err := p.Service(&s); err != nil {
			return nil, err
		}
	}
	return b.Close(context.Background(), []*record.Manifest{{Format: record.ManifestFormat, Laserdisc: "example", Seed: seed}})
}

// Rows go into a dataset in any order, and come back in that of address and port.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if _, err := dataset(dir, 1, "198.51.100.7:8080", "198.51.100.7:80", "198.51.100.6:80"); err != nil {
		fmt.Println(err)
		return
	}
	d, err := analysis.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = d.EachService(context.Background(), func(s *session.Service, run int) error {
		fmt.Println(s.Service, s.Label, "of run", run)
		return nil
	})
	fmt.Println(d.Services(), "services,", err)
	// Output:
	// 198.51.100.6:80 http of run 0
	// 198.51.100.7:80 http of run 0
	// 198.51.100.7:8080 http of run 0
	// 3 services, <nil>
}

// ports counts services by port. It is a Fold.
type ports map[uint16]int

func (ports) Table() string     { return "services" }
func (ports) Columns() []string { return []string{"port"} }

func (p ports) Add(batch arrow.Record) error {
	column := batch.Column(batch.Schema().FieldIndices("port")[0]).(*array.Uint16)
	for _, port := range column.Uint16Values() {
		p[port]++
	}
	return nil
}

func (p ports) Merge(other analysis.Fold) error {
	for port, n := range other.(ports) {
		p[port] += n
	}
	return nil
}

// A fold sees each row of one or more datasets once. Of a service that is in both, the first dataset's row counts.
func ExampleFoldAll() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	monday, err := dataset(filepath.Join(dir, "monday"), 1, "198.51.100.6:80", "198.51.100.7:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	tuesday, err := dataset(filepath.Join(dir, "tuesday"), 2, "198.51.100.7:80", "198.51.100.7:8080")
	if err != nil {
		fmt.Println(err)
		return
	}
	count := ports{}
	err = analysis.FoldAll(context.Background(), []*analysis.Dataset{monday, tuesday}, count)
	fmt.Println(count, err)
	// Output: map[80:2 8080:1] <nil>
}

// Runs at several times become one dataset that keeps them apart.
func ExampleMerge() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	monday, err := dataset(filepath.Join(dir, "monday"), 1, "198.51.100.7:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	tuesday, err := dataset(filepath.Join(dir, "tuesday"), 2, "198.51.100.7:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := analysis.Merge(context.Background(), []*analysis.Dataset{monday, tuesday}, filepath.Join(dir, "both"), true, analysis.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Services(), "services in", len(d.Runs()), "runs")
	// Output: 2 services in 2 runs
}
