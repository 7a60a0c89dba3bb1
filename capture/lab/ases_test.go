package lab_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"laserdisc/capture/lab"
	"laserdisc/datasets"
)

// The default population's ASes are within its prefixes, and what cannot be is named by its field.
func TestASes(t *testing.T) {
	text, err := datasets.Population(datasets.DefaultPopulation)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Parse("p.json", text)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.WriteASes(&b); err != nil {
		t.Fatal(err)
	}
	addresses := 0
	for _, as := range p.ASes {
		for _, x := range as.Prefixes {
			addresses += 1 << (32 - x.Bits())
			if !p.Prefixes[0].Contains(x.Addr()) || x.Bits() < p.Prefixes[0].Bits() {
				t.Errorf("AS %d announces %v, which is not in %v", as.ASN, x, p.Prefixes)
			}
		}
	}
	if addresses != 125<<10 { // of 128, so that some are nobody's
		t.Errorf("the ASes announce %d addresses", addresses)
	}
	golden := filepath.Join("testdata", "ases.txt")
	if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, b.Bytes()) {
		t.Errorf("not what is in %s: %v\n%s", golden, err, b.Bytes())
	}
	for old, want := range map[string]string{
		`"asn": 10318`:               "p.json: ases[0].asn: is missing",
		`"198.18.32.0/21"`:           "p.json: ases[0].prefixes[1]: 198.18.32.1/21 has bits beyond its length: write 198.18.32.0/21",
		`"198.18.40.0/22"`:           "p.json: ases[0].prefixes[2]: 198.18.32.0/21 is there twice",
		`"name": "Telecom Argentina`: `p.json: ases[0].name: "Telecom\tArgentina" has a control character`,
	} {
		bad := map[string]string{
			`"asn": 10318`: `"asn": 0`, `"198.18.32.0/21"`: `"198.18.32.1/21"`, `"198.18.40.0/22"`: `"198.18.32.0/21"`,
			`"name": "Telecom Argentina`: `"name": "Telecom\tArgentina`,
		}[old]
		if _, err := lab.Parse("p.json", []byte(strings.Replace(string(text), old, bad, 1))); err == nil || err.Error() != want {
			t.Errorf("%s in place of %s: %v", bad, old, err)
		}
	}
	p.ASes = nil
	if err := p.WriteASes(&b); err == nil {
		t.Error("a population without ASes is written")
	}
}
