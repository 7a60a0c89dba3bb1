package lab_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"laserdisc/capture/lab"
)

// Each mistake is reported with the file and the line or the field.
func TestMistakesInPopulationsAreReported(t *testing.T) {
	data, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{`"name": "small",`, ``, `p.json: name: is missing`},
		{`"synthetic": "Synthetic: none of these hosts exists.",`, ``, `p.json: synthetic: is missing`},
		{`"density": 0.9,`, `"density": 0.9, "colour": 1,`, `p.json:5: json: unknown field "colour"`},
		{`"density": 0.9,`, `"density": 0.9`, `p.json:6: invalid character`},
		{`"density": 0.9,`, `"density": "many",`, `p.json:5: json: cannot unmarshal string`},
		{`"density": 0.9,`, `"density": 1.9,`, `p.json: density: 1.9 is not a share: it must be 0 to 1`},
		{`198.18.0.0/24`, `198.18.0.1/24`, `p.json: prefixes[0]: 198.18.0.1/24 has bits beyond its length`},
		{`"198.18.0.0/24"`, `"198.18.0.0/24", "198.18.0.128/25"`, `p.json: prefixes[1]: 198.18.0.128/25 overlaps 198.18.0.0/24`},
		{`"linux": 50`, `"plan9": 50`, `p.json: stacks: there is no "plan9"`},
		{`"linux": 50`, `"linux": -1`, `p.json: stacks.linux: -1 is not a weight`},
		{`"linux": 50`, `"linux": 50, "linux": 1`, `"linux" has two weights`},
		{`"reset": 60`, `"shrug": 60`, `p.json: hosts[0].closed: there is no "shrug"`},
		{`"weight": 90, "closed"`, `"weight": 90, "prefix": 33, "closed"`, `p.json: hosts[0].prefix: 33`},
		{`"acks": 1, "protocols": {"unknown": 1}`, `"acks": 0.5, "protocols": {"unknown": 1}`, `p.json: hosts[1].every_port.defences: is missing`},
		{`"zero_window": 1`, `"serves": 1`, `p.json: defences[0].behaviours: there is no "serves"`},
		{`"port": 443`, `"port": 80`, `p.json: ports[1] (80): the port is listed twice`},
		{`"port": 443`, `"port": 65536`, `p.json:17: json: cannot unmarshal number 65536`},
		{`"port": 443`, `"port": 0`, `p.json: ports[1].port: 0 is not a port`},
		{`"http": 6`, `"gopher": 6`, `p.json: ports[0] (80).protocols: there is no "gopher"`},
		{`"defences": "all", "protocols": {"http"`, `"defences": "none", "protocols": {"http"`, `p.json: ports[0] (80).defences: there is no "none"`},
		{`"prompt": 8, "late": 1, "byte_by_byte": 1`, `"prompt": 0`, `p.json: pace: the weights add up to nothing`},
		{`"delay": "1ms"`, `"delay": "1 fortnight"`, `time: unknown unit`},
		{`"delay": "1ms"`, `"delay": "2m"`, `p.json: network.delay: 2m0s is not 0 to 1m`},
		{`"loss": 0`, `"loss": 2`, `p.json: network.loss: 2 is not a share`},
		{`"pace"`, `"tails": [{"protocol": "http", "per_host": 1, "skew": 1, "head": [{"port": 80, "share": 0.1}]}], "pace"`, `p.json: tails[0].head[0].port: 80 is in ports`},
		{`"pace"`, `"content": {"login": [{"ports": "80", "share": 3}]}, "pace"`, `p.json: content.login[0].share: 3 is not a share`},
		{`"pace"`, `"content": {"login": [{"ports": "0", "share": 1}]}, "pace"`, `p.json: content.login[0].ports: port 0 is reserved`},
		{`"pace"`, `"content": {"colour": []}, "pace"`, `p.json:21: json: unknown field "colour"`},
		{`"pace"`, `"answers": [{"protocol": "http", "tls": 3}], "pace"`, `p.json: answers[0].tls: 3 is not a share`},
		{`"pace"`, `"spoils": [{"protocol": "gopher"}], "pace"`, `p.json: spoils[0].protocol: there is no "gopher"`},
		{`"pace"`, `"spoils": [{"protocol": "tls", "by": "wait"}], "pace"`, `p.json: spoils[0].by: no handshake "wait" says anything`},
		{`"pace"`, `"spoils": [{"protocol": "tls", "share": 2}], "pace"`, `p.json: spoils[0].share: 2 is not a share`},
		{`"pace"`, `"spoils": [{"protocol": "tls", "resets": -1}], "pace"`, `p.json: spoils[0].resets: -1 is not a share`},
		{`"pace"`, `"spoils": [{"protocol": "tls", "for": {"5s": 1, "4s": 1}}], "pace"`, `p.json: spoils[0].for: "4s" is not a time above`},
		{`"pace"`, `"spoils": [{"protocol": "tls", "for": {"11m": 1}}], "pace"`, `p.json: spoils[0].for: "11m" is not a time above`},
		{`"pace"`, `"spoils": [{"protocol": "tls", "for": {"5s": 0}}], "pace"`, `p.json: spoils[0].for: the weights add up to nothing`},
		{`"pace"`, `"options": [{"protocol": "ssh", "only_usual": 0.1}], "pace"`, `p.json: options[0].protocol: there is no "ssh" with options`},
		{`"pace"`, `"options": [{"protocol": "tls", "only_usual": 0.6, "only_other": 0.6}], "pace"`, `p.json: options[0]: the shares add up to 1.2`},
		{`"pace"`, `"options": [{"protocol": "tls", "port": 443}, {"protocol": "tls", "port": 443}], "pace"`, `p.json: options[1]: "tls" has options on port 443 already`},
		{`"pace"`, `"mixes": [{"name": "http", "protocols": {"tls": 1}}], "pace"`, `p.json: mixes[0].name: "http" is taken`},
	} {
		text := strings.Replace(string(data), c.from, c.to, 1)
		if text == string(data) {
			t.Fatalf("%q is not in the file", c.from)
		}
		_, err := lab.Parse("p.json", []byte(text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "p.json:") {
			t.Errorf("%s: got error %v, want %s", c.to, err, c.want)
		}
	}
	if _, err := lab.Parse("p.json", append(data, '{')); err == nil || !strings.HasPrefix(err.Error(), "p.json:24:") {
		t.Errorf("trailing text: got error %v", err)
	}
}

// A population that is written reads back as itself.
func TestPopulationsRoundTrip(t *testing.T) {
	want, err := json.Marshal(lab.Default())
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Parse("p.json", want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(p)
	if err != nil || string(got) != string(want) {
		t.Errorf("got %s, want %s (%v)", got, want, err)
	}
}

// No file makes the parser or the network panic.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/small.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := lab.Parse("p.json", data)
		if err != nil {
			return
		}
		n := lab.New(p, 1)
		for _, frame := range syns(80, 64) {
			n.Handle(0, frame, func(int64, []byte) {})
		}
		for i := 0; i < 1000; i++ {
			if at, ok := n.Next(); ok {
				n.Wake(at, func(int64, []byte) {})
			}
		}
	})
}

// No frame makes the network panic, and it always comes to rest.
func FuzzHandle(f *testing.F) {
	data, err := os.ReadFile("testdata/small.json")
	if err != nil {
		f.Fatal(err)
	}
	p, err := lab.Parse("small.json", data)
	if err != nil {
		f.Fatal(err)
	}
	for _, frame := range syns(80, 8) {
		f.Add(frame, frame)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		n := lab.New(p, 1)
		emit := func(int64, []byte) {}
		n.Handle(0, a, emit)
		n.Handle(1, b, emit)
		for i := 0; i < 10000; i++ {
			at, ok := n.Next()
			if !ok {
				return
			}
			n.Wake(at, emit)
		}
		t.Error("it does not come to rest")
	})
}
