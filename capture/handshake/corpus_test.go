package handshake

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

// fleetAnswer is what a real server said, from the fleet that the scanner was developed with: one line of
// testdata/fleet.jsonl. Long answers are cut. Protocol is what the server speaks; "none" says nothing identifiable.
type fleetAnswer struct {
	Service, Protocol, Probe string
	Sent, Received           hexBytes
	Verdict                  string
}

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

const fleetFile = "testdata/fleet.jsonl"

func fleet(t testing.TB) []fleetAnswer {
	f, err := os.Open(fleetFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var answers []fleetAnswer
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var a fleetAnswer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("%s:%d: %v", fleetFile, len(answers)+1, err)
		}
		answers = append(answers, a)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return answers
}

// alsoRight are labels that are true of an answer although the service is known by another protocol: what the bytes of
// that answer speak.
var alsoRight = map[string][]string{
	"kubernetes":  {"tls"},                // its port, with certificates hidden or plain HTTP refused
	"tls":         {"http"},               // servers that refuse what is not TLS in HTTP
	"http":        {"tls"},                // a port that takes both
	"mux":         {"http", "tls", "ssh"}, // sslh
	"netbios-ssn": {"smb"},
	"socks":       {"socks5"},
}

// unnamed are services whose answers do not tell what they speak.
var unnamed = map[string]bool{"dovecot lmtp": true} // it greets as the submission service of the same program

// TestFleet: no real answer gets a wrong likely or certain label, no service that is not in the table any, and every
// service of a protocol in the table is recognised by one of its answers.
func TestFleet(t *testing.T) {
	answers := fleet(t)
	var v Verdict
	recognised := map[string]bool{}
	for i := range answers {
		a := &answers[i]
		Classify(&v, a.Sent, a.Received)
		verdict := fmt.Sprintf("%s %s %d", v.Label, v.Evidence, v.Bytes)
		if !*update && verdict != a.Verdict {
			t.Errorf("%s:%d: %s, probe %s: %s, was %s", fleetFile, i+1, a.Service, a.Probe, verdict, a.Verdict)
		}
		a.Verdict = verdict
		right := v.Label == a.Protocol || contains(alsoRight[a.Protocol], v.Label)
		if v.Evidence >= Likely && !right {
			t.Errorf("%s:%d: %s speaks %s: labelled %s", fleetFile, i+1, a.Service, a.Protocol, verdict)
		}
		if _, listed := Lookup(a.Protocol); (listed || a.Protocol == Echo) && !unnamed[a.Service+" "+a.Protocol] {
			key := a.Protocol + " of " + a.Service
			recognised[key] = recognised[key] || v.Label == a.Protocol
		}
	}
	for service, ok := range recognised {
		if !ok {
			t.Errorf("%s is never recognised", service)
		}
	}
	if *update {
		writeFleet(t, answers)
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func writeFleet(t *testing.T, answers []fleetAnswer) {
	var b bytes.Buffer
	for _, a := range answers {
		line, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	if err := os.WriteFile(fleetFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNoise: of 10,000 answers that are random, cut short, flipped in a bit, or our own, none becomes certain that is not a
// whole answer.
func TestNoise(t *testing.T) {
	var seeds [][]byte
	for _, a := range answers {
		seeds = append(seeds, []byte(a.received))
	}
	for _, a := range fleet(t) {
		seeds = append(seeds, a.Received)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var whole, v Verdict
	for i := range 10000 {
		seed := seeds[random.IntN(len(seeds))]
		Classify(&whole, nil, seed)
		var sent, received []byte
		var wrong bool
		switch i % 4 {
		case 0: // random
			received = noise(random, 1+random.IntN(300))
			Classify(&v, nil, received)
			wrong = v.Evidence == Certain
		case 1: // cut
			received = seed[:1+random.IntN(len(seed))]
			Classify(&v, nil, received)
			wrong = v.Evidence == Certain && (v.Label != whole.Label || v.Bytes != whole.Bytes || whole.Evidence != Certain) && !outgrown(&whole, v.Label)
		case 2: // one bit
			received = bytes.Clone(seed)
			received[random.IntN(len(seed))] ^= 1 << random.IntN(8)
			Classify(&v, nil, received)
			wrong = v.Evidence == Certain && whole.Evidence != None && v.Label != whole.Label && !outgrown(&whole, v.Label)
		case 3: // our own
			sent = table[random.IntN(len(table))].hello(random.Uint64())
			received = bytes.Repeat(sent, 1+random.IntN(3))
			Classify(&v, sent, received)
			wrong = len(sent) > 0 && (v.Label != Echo || v.Evidence != None)
		}
		if wrong || v.Bytes < 0 || v.Bytes > len(received) {
			t.Errorf("case %d of %q: %q is %s, %s, at %d", i%4, seed, received, v.Label, v.Evidence, v.Bytes)
		}
	}
}

// outgrown tells whether a label is still among the matches of the whole answer, which has a more specific one.
func outgrown(whole *Verdict, label string) bool {
	for _, m := range whole.Matches {
		if m.Protocol.Name == label {
			return true
		}
	}
	return false
}

func (p *Protocol) hello(nonce uint64) []byte {
	if p.Hello == nil {
		return nil
	}
	return p.Hello(nil, target, nonce)
}

func noise(random *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}
