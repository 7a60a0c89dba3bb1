package formats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readAll writes a line for each service that is found.
func readAll(text string) (tool string, lines []string, err error) {
	t, err := ReadFound(strings.NewReader(text), func(f *Found) error {
		lines = append(lines, fmt.Sprintf("%v answers %t acks %t %q %s", f.Service, f.Answers, f.Acks, f.Label, f.Time.UTC().Format("15:04:05.000")))
		return nil
	})
	if t != nil {
		tool = t.Name
	}
	return tool, lines, err
}

func TestReadFound(t *testing.T) {
	for _, c := range []struct {
		name, text string
		tool       string
		want       []string
	}{
		{"nothing", "\n\n", "", nil},
		{"zmap json", `
{"saddr":"192.0.2.1","daddr":"192.0.2.9","sport":80,"dport":40000,"classification":"synack","success":1,"timestamp_str":"2026-11-22T04:00:01.500+0100"}
{"saddr":"192.0.2.2","sport":80,"classification":"rst","success":0}
{"saddr":"192.0.2.3","sport":443,"success":true}`, "ZMap", []string{
			`192.0.2.1:80 answers true acks false "" 03:00:01.500`, `192.0.2.3:443 answers true acks false "" 00:00:00.000`}},
		{"zmap csv", "sport,saddr,classification,success\r\n80,192.0.2.1,synack,1\n81,192.0.2.1,rst,0\n", "ZMap", []string{
			`192.0.2.1:80 answers true acks false "" 00:00:00.000`}},
		{"lzr", `
{"saddr":"192.0.2.1","daddr":"192.0.2.9","sport":80,"dport":40000,"seqnum":1,"acknum":1,"window":1,"ACKed":true,"HandshakeNum":0,"fingerprint":"http","Timestamp":"2026-11-22T04:00:00.25Z","expectedRToLZR":"data","data":"HTTP/1.1 200 OK"}
{"saddr":"192.0.2.2","sport":80,"HandshakeNum":0,"ACKed":false,"expectedRToLZR":"ack"}
{"saddr":"192.0.2.3","sport":80,"HandshakeNum":0,"ACKed":false,"expectedRToLZR":"sa"}
{"saddr":"192.0.2.4","sport":80,"HandshakeNum":0,"fingerprint":"unknown","data":"hm","expectedRToLZR":"data"}`, "LZR", []string{
			`192.0.2.1:80 answers true acks true "http" 04:00:00.250`, `192.0.2.2:80 answers true acks false "" 00:00:00.000`,
			`192.0.2.3:80 answers false acks false "" 00:00:00.000`, `192.0.2.4:80 answers true acks true "" 00:00:00.000`}},
		{"zgrab2", `
{"ip":"192.0.2.1","data":{"http":{"status":"success","protocol":"http","port":80,"timestamp":"2026-11-22T04:00:00Z","result":{}},"tls":{"status":"connection-timeout","protocol":"tls","port":443}}}
{"ip":"2001:db8::1","port":22,"data":{"mine":{"status":"success"}}}`, "ZGrab2", []string{
			`192.0.2.1:80 answers true acks true "http" 04:00:00.000`, `192.0.2.1:443 answers false acks false "" 00:00:00.000`,
			`[2001:db8::1]:22 answers true acks true "mine" 00:00:00.000`}},
	} {
		tool, lines, err := readAll(c.text)
		if err != nil || tool != c.tool {
			t.Errorf("%s: %q, %v", c.name, tool, err)
		}
		if d := cmp.Diff(c.want, lines); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestReadFoundErrors(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1\n": "line 1: the first line names no columns saddr and sport",
		"{\"saddr\":\"192.0.2.1\",\"sport\":1}\nsaddr,sport":      "line 2: CSV, after JSON",
		"saddr,sport\n{\"saddr\":\"192.0.2.1\",\"sport\":1}":      "line 2: JSON, after CSV",
		"saddr,sport\n192.0.2.1\n":                                "line 2: 1 cells, of 2 columns",
		"saddr,sport\n192.0.2.1,x\n":                              `line 2: sport: "x" is not a port`,
		"saddr,sport\nx,1\n":                                      "line 2: saddr: ",
		`{"saddr":"192.0.2.1"}`:                                   "line 1: no sport in it",
		`{"ip":"192.0.2.1","data":{"http":{"status":"success"}}}`: "line 1: no port in it",
		`{"ip":"192.0.2.1","data":[]}`:                            "line 1: data: ",
		`{"saddr":"fe80::1%x","sport":1}`:                         "line 1: saddr: fe80::1%x has a zone",
		"{\"saddr\":\"192.0.2.1\",\"sport\":1}\n\n{\"saddr\":\"192.0.2.1\",\"sport\":1,\"HandshakeNum\":0}": "line 3: a line of LZR, after those of ZMap",
		"{\"saddr\":\"192.0.2.1\",\"sport\":1}\n{\"saddr\":\"192.0.2.1\",\"sport\":70000}":                  "line 2: not such a line: ",
		"{\"saddr\":\"" + strings.Repeat("x", MaxLine) + "\"}":                                              "line 1: longer than 16 MiB",
	} {
		if _, _, err := readAll(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
}

func FuzzReadFound(f *testing.F) {
	f.Add([]byte("sport,saddr\n80,192.0.2.1\n"))
	f.Add([]byte(`{"saddr":"192.0.2.1","sport":80,"HandshakeNum":0,"fingerprint":"http"}`))
	f.Add([]byte(`{"ip":"192.0.2.1","port":80,"data":{"http":{"status":"success"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		tool, err := ReadFound(strings.NewReader(string(text)), func(f *Found) error {
			if !f.Service.IsValid() || f.Service.Port() == 0 || f.Acks && !f.Answers {
				t.Errorf("%+v", f)
			}
			return nil
		})
		if err == nil && tool == nil && strings.TrimSpace(string(text)) != "" {
			t.Errorf("%q is of no tool", text)
		}
	})
}
