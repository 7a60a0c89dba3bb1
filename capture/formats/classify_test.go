package formats

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// classified returns the lines written, and the numbers of those that could not be read with the reason.
func classified(t testing.TB, r io.Reader) (lines []string, unreadable []string) {
	var out bytes.Buffer
	err := Classify(&out, r, false, func(line int, err error) {
		unreadable = append(unreadable, fmt.Sprintf("%d: %v", line, err))
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n"), unreadable
}

// TestLines: lines of any length up to the limit, however they come in; one over it is skipped to its end.
func TestLines(t *testing.T) {
	line := func(n int) string { // of n bytes, an odd number, without its newline
		head := `{"received_hex":"`
		return head + strings.Repeat("0", n-len(head)-2) + `"}`
	}
	in := line(21) + "\r\n\n \n" + line(1<<16+1) + "\n" + line(MaxLine-1) + "\n" +
		line(MaxLine+1) + "\n" + line(3*MaxLine+1) + "\n" + line(23)
	for name, r := range map[string]io.Reader{
		"whole":         strings.NewReader(in),
		"in halves":     iotest.HalfReader(strings.NewReader(in)),
		"end with data": iotest.DataErrReader(strings.NewReader(in)),
	} {
		out, bad := classified(t, r)
		if len(out) != 4 || !strings.HasSuffix(out[0], "}\r\n") || !strings.Contains(out[3], `"label":"unknown"`) {
			t.Errorf("%s: %d lines", name, len(out))
		}
		if want := []string{"6: longer than 16 MiB", "7: longer than 16 MiB"}; !reflect.DeepEqual(bad, want) {
			t.Errorf("%s: unreadable: %q", name, bad)
		}
	}
}

// TestErrors: those of the reader and the writer come back, after what was read before is written.
func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	var out bytes.Buffer
	in := io.MultiReader(strings.NewReader(`{"received_hex":"00"}`+"\n"), iotest.ErrReader(broken))
	err := Classify(&out, in, false, func(line int, err error) { t.Errorf("line %d: %v", line, err) })
	if !errors.Is(err, broken) || !strings.Contains(out.String(), "unknown") {
		t.Errorf("%v after %q", err, out.String())
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	in = strings.NewReader(strings.Repeat(`{"received_hex":"00"}`+"\n", 10000))
	if err := Classify(w, in, false, func(line int, err error) { t.Errorf("line %d, which is good: %v", line, err) }); err == nil {
		t.Error("a closed pipe is written to")
	}
}

// FuzzClassify: no line makes it panic; what is written is valid JSON with all fields of the line, and says the same again.
func FuzzClassify(f *testing.F) {
	for _, response := range []string{"", "HTTP/1.1 200 OK\r\n\r\n", "SSH-2.0-x\r\n", "\xff\xfd\x18"} {
		text, err := json.Marshal(response)
		if err != nil {
			f.Fatal(err)
		}
		b64 := base64.StdEncoding.EncodeToString([]byte(response))
		for _, line := range []string{
			`{"received_hex":"` + hex.EncodeToString([]byte(response)) + `","sent_hex":"00"}`,
			` {"a" : [1,{"b":"}\"]"}], "received_base64":"` + b64 + `", "label":{}}`,
			`{"acknum":1,"data":` + string(text) + `}`,
			`{"data":{"x":{"protocol":"smtp","result":{"banner":` + string(text) + `}}}}`,
			`{"data":{"banner":{"result":{"length":3,"banner":"` + b64 + `"}}}}`,
			`{"data":{"http":{"result":{"response":{"status_line":"200 OK","headers":{"server":["x"]},"body":` + string(text) + `}}}}}`,
			`{"data":{"mysql":{"result":{"raw_packets":["` + b64 + `"]}},"ssh":{"result":{"server_id":{"raw":` + string(text) + `}}}}}`,
		} {
			f.Add([]byte(line))
		}
	}
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"data":null,"received_hex":null}`))
	f.Add([]byte("{\"received_hex\":\"00\"}\n[]\n{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var out, again bytes.Buffer
		bad := map[int]bool{}
		if err := Classify(&out, bytes.NewReader(text), false, func(line int, _ error) { bad[line] = true }); err != nil {
			t.Fatal(err)
		}
		read := bytes.NewBuffer(out.Bytes())
		for i, line := range bytes.Split(text, []byte("\n")) {
			if bad[i+1] || len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			written, err := read.ReadBytes('\n')
			if err != nil {
				t.Fatalf("line %d is missing", i+1)
			}
			keeps(t, line, written)
		}
		if read.Len() > 0 {
			t.Fatalf("written without a line: %q", read)
		}
		if err := Classify(&again, bytes.NewReader(out.Bytes()), false, func(line int, err error) { t.Errorf("again, line %d: %v", line, err) }); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), out.Bytes()) {
			t.Fatalf("again: %q, was %q", again.Bytes(), out.Bytes())
		}
	})
}

// keeps fails the test unless written is line with a finding.
func keeps(t *testing.T, line, written []byte) {
	var before, after map[string]json.RawMessage
	if err := json.Unmarshal(line, &before); err != nil {
		t.Fatalf("%q was read: %v", line, err)
	}
	if err := json.Unmarshal(written, &after); err != nil {
		t.Fatalf("%q: %v", written, err)
	}
	for key, value := range before {
		if !isFinding([]byte(key)) && !bytes.Equal(after[key], value) {
			t.Fatalf("%q: %q became %q", key, value, after[key])
		}
		delete(after, key)
	}
	for key := range after {
		if !isFinding([]byte(key)) {
			t.Fatalf("%q is new", key)
		}
	}
}

// BenchmarkClassify labels short lines: the time for one, and how many a second.
func BenchmarkClassify(b *testing.B) {
	line := `{"ip":"192.0.2.1","port":22,"sent_hex":"","received_hex":"5353482d322e302d4f70656e5353485f392e320d0a"}` + "\n"
	in := strings.Repeat(line, b.N)
	b.SetBytes(int64(len(line)))
	b.ResetTimer()
	if err := Classify(io.Discard, strings.NewReader(in), false, func(line int, err error) { b.Fatal(line, err) }); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
