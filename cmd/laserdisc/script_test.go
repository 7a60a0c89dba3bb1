package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the command lines of testdata/script, each in a directory of its own. They have three commands of ours:
//
//	exits CODE PROGRAM [ARGUMENT...]   runs a program, which must end with this exit code
//	replace FILE OLD NEW               changes the first OLD in a file, of whatever bytes, to a NEW of the same length
//	cut FILE SHARE                     keeps this percentage of the file
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "replace": replaceBytes, "cut": cutFile,
		},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func replaceBytes(ts *testscript.TestScript, _ bool, args []string) {
	name, old, other := args[0], []byte(args[1]), []byte(args[2])
	text := []byte(ts.ReadFile(name))
	if len(old) != len(other) || !bytes.Contains(text, old) {
		ts.Fatalf("%s has no %q, or %q is not as long", name, old, other)
	}
	write(ts, name, bytes.Replace(text, old, other, 1))
}

func cutFile(ts *testscript.TestScript, _ bool, args []string) {
	share, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := ts.ReadFile(args[0])
	write(ts, args[0], []byte(text[:len(text)*share/100]))
}

func write(ts *testscript.TestScript, name string, content []byte) {
	ts.Check(os.WriteFile(ts.MkAbs(name), content, 0o644))
}
