package analysis

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"laserdisc/capture/session"
)

var update = flag.Bool("update", false, "write docs/tables.md")

const docFile = "../docs/tables.md"

// docHead is what docs/tables.md says before the columns.
//
//go:embed testdata/tables-head.md
var docHead string

// TestDocs keeps docs/tables.md equal to the columns; -update writes it.
func TestDocs(t *testing.T) {
	var b strings.Builder
	b.WriteString(docHead)
	describe(&b, attempts)
	describe(&b, services)
	doc := []byte(b.String())
	if *update {
		if err := os.WriteFile(docFile, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := os.ReadFile(docFile); err != nil || !bytes.Equal(found, doc) {
		t.Errorf("%s is stale: go test -tags noasm ./analysis -run Docs -update (%v)", docFile, err)
	}
	for s := session.NoAnswer; s <= session.SendsData; s++ {
		if !strings.Contains(docHead, "| `"+s.String()+"` |") {
			t.Errorf("state %v is not explained", s)
		}
	}
	for _, name := range []string{headerFile, attempts.fileName(0, 1), services.fileName(0, 1), attempts.fileName(0, 2)} {
		if !strings.Contains(docHead, "`"+name+"`") {
			t.Errorf("the file %s is not explained", name)
		}
	}
}

func describe[R any](b *strings.Builder, t *table[R]) {
	fmt.Fprintf(b, "\n## %s.parquet\n%s\n\n| column | type | meaning |\n| --- | --- | --- |\n", t.name, t.doc)
	for _, c := range t.columns {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", c.name, kinds[c.kind].doc, c.doc)
	}
}
