package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"laserdisc/analysis"
	"laserdisc/capture/lab"
	"laserdisc/capture/session"
)

// TestMain runs the tests in a network namespace whose only way out is the wire to the lab:
// nothing that a test starts can send a packet anywhere else. Tests that use that wire take turns;
// those in memory, or in namespaces of their own, are parallel.
func TestMain(m *testing.M) {
	if os.Getenv(isolated) == "" && filepath.Base(os.Args[0]) != "laserdisc" { // a script's own
		os.Exit(again())
	}
	testscript.Main(m, map[string]func(){"laserdisc": main})
}

// again runs the tests in a namespace of their own.
func again() int {
	child := exec.Command("/proc/self/exe", os.Args[1:]...)
	child.Env = append(os.Environ(), isolated+"=1")
	child.SysProcAttr = lab.Isolation()
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
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

// eachAttempt passes on the attempts of the dataset in dir.
func eachAttempt(t testing.TB, dir string, row func(*session.Attempt) error) error {
	t.Helper()
	d, err := analysis.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d.EachAttempt(t.Context(), func(a *session.Attempt, _ int) error { return row(a) })
}

// eachService passes on the services of the dataset in dir.
func eachService(t testing.TB, dir string, row func(*session.Service) error) error {
	t.Helper()
	d, err := analysis.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d.EachService(t.Context(), func(s *session.Service, _ int) error { return row(s) })
}
