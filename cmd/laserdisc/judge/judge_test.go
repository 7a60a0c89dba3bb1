package judge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"laserdisc/analysis"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/packet"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// programDir names the environment variable that has the directory of the built program. It is set in the tests' namespace.
const programDir = "LASERDISC_JUDGE"

// TestMain runs the tests in a network namespace whose only way out is the wire to the lab: nothing that a test starts can
// send a packet anywhere else. Tests that use that wire take turns; those in memory, or in namespaces of their own, are
// parallel. The program is first on their PATH.
func TestMain(m *testing.M) {
	if os.Getenv(programDir) == "" {
		os.Exit(again())
	}
	os.Exit(m.Run())
}

// again runs the tests in a namespace of their own.
func again() int {
	_ = os.Remove(absentFile) // what is absent now counts
	dir, err := os.MkdirTemp("", "laserdisc")
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	child := exec.Command("/proc/self/exe", os.Args[1:]...)
	child.Env = append(os.Environ(), programDir+"="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
	child.SysProcAttr = lab.Isolation()
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = child.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: the tests need a network namespace of their own:", err)
		return 1
	}
	return 0
}

// build builds the program, once. The go command takes the last result for this one's where no file changed that a test read,
// and does not know what a test built: so all directories of the program's source are read here.
var build = sync.OnceValue(func() error {
	for _, dir := range []string{"analysis", "capture", "cmd", "datasets", "replay", "reports"} {
		if err := filepath.WalkDir(filepath.Join("../../..", dir), func(string, fs.DirEntry, error) error { return nil }); err != nil {
			return err
		}
	}
	out, err := exec.Command("go", "build", "-tags", "noasm", "-o", os.Getenv(programDir), "laserdisc/cmd/laserdisc").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// built makes sure that commands of the test find the program on their PATH.
func built(t testing.TB) {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
}

// laserdisc runs a command line, and fails the test if that fails.
func laserdisc(t testing.TB, args ...string) {
	t.Helper()
	built(t)
	if out, err := exec.Command("laserdisc", args...).CombinedOutput(); err != nil {
		t.Fatalf("laserdisc %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// eachAttempt calls row for each attempt of a dataset, and eachService for each service.
func eachAttempt(t testing.TB, dir string, row func(*session.Attempt)) {
	t.Helper()
	err := openDataset(t, dir).EachAttempt(t.Context(), func(a *session.Attempt, _ int) error { row(a); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func eachService(t testing.TB, dir string, row func(*session.Service)) {
	t.Helper()
	err := openDataset(t, dir).EachService(t.Context(), func(s *session.Service, _ int) error { row(s); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func openDataset(t testing.TB, dir string) *analysis.Dataset {
	t.Helper()
	d, err := analysis.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// labPrefix is where the built-in population lives (RFC 2544: benchmarking).
const labPrefix = "198.18.0.0/15"

// newLab is the built-in population, on a network that loses nothing.
func newLab(t testing.TB) *lab.Network {
	text, err := datasets.Population(datasets.DefaultPopulation)
	if err != nil {
		t.Fatal(err)
	}
	population, err := lab.Parse(datasets.DefaultPopulation, text)
	if err != nil {
		t.Fatal(err)
	}
	population.Network.Loss = 0
	return lab.New(population, 1)
}

// farLink lays the wire, once for all tests: they take turns on it.
var farLink = sync.OnceValues(func() (link.Link, error) {
	return lab.Wire([]netip.Prefix{netip.MustParsePrefix(labPrefix)})
})

// gateway is the hardware address of the wire's far end.
func gateway(t testing.TB) string {
	far, err := farLink()
	if err != nil {
		t.Fatal(err)
	}
	return packet.MAC(far.Info().SourceMAC).String()
}

// serveLab answers on the wire, as a new lab does that no scan has met, until stop is called.
func serveLab(t testing.TB) (stop func()) {
	far, err := farLink()
	if err != nil {
		t.Fatal(err)
	}
	network := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- lab.Serve(ctx, far, network) }()
	return func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("lab: %v", err)
		}
	}
}

// confusion counts (true, found) pairs.
type confusion map[[2]string]int

// String is a line for each pair; those off the diagonal are marked.
func (c confusion) String() string {
	var b strings.Builder
	for _, k := range slices.SortedFunc(maps.Keys(c), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) }) {
		mark := ""
		if k[0] != k[1] {
			mark = "  <-- differs"
		}
		fmt.Fprintf(&b, "%8d  %-36s %s%s\n", c[k], k[0], k[1], mark)
	}
	return b.String()
}
