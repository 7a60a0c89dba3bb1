package plotters_test

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden pictures anew, from what the examples draw now")

// TestGolden runs the examples, each of which saves a picture, and compares it with the golden one, byte for byte. Look
// at the pictures before committing new ones.
func TestGolden(t *testing.T) {
	for name, example := range map[string]func(){
		"stackedbars": ExampleStackedBars, "horizontalbars": ExampleStackedBars_horizontal, "matrix": ExampleMatrix, "endlabels": ExampleEndLabels, "table": ExampleTable,
	} {
		example()
		drawn, golden := "testdata/"+name+".png", "testdata/"+name+"_golden.png"
		got, err := os.ReadFile(drawn)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(golden, got, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from %s (%v); look at it, and if it is right: go test -tags noasm ./reports/plotters -update", drawn, golden, err)
			continue
		}
		if err := os.Remove(drawn); err != nil {
			t.Error(err)
		}
	}
}
