package analysis

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"laserdisc/capture/session"
)

var update = flag.Bool("update", false, "write docs/tables.md")

const docFile = "../docs/tables.md"

// TestDocs keeps docs/tables.md equal to the columns; -update writes it.
func TestDocs(t *testing.T) {
	var b strings.Builder
	b.WriteString(docHead)
	describe(&b, &attempts)
	describe(&b, &services)
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
}

func describe[R any](b *strings.Builder, t *table[R]) {
	fmt.Fprintf(b, "\n## %s.parquet\n%s\n\n| column | type | meaning |\n| --- | --- | --- |\n", t.name, t.doc)
	for _, c := range t.columns {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", c.name, c.kind, c.doc)
	}
}

const docHead = `# Tables

Written by ` + "`go test -tags noasm ./analysis -run Docs -update`" + ` from the columns in analysis; a test compares them.

` + "`laserdisc replay RUN --out DIR`" + ` writes attempts.parquet, services.parquet and the run's manifest.json. They are plain
Parquet with zstd:

    duckdb -c "SELECT state, label, count(*) FROM 'DIR/services.parquet' GROUP BY ALL ORDER BY 3 DESC"

A number or a time that is not there is null; a text, a byte string or a list is empty. Times are in UTC and to the
nanosecond, rows in the order of address (as a number), port, attempt. The same rows give the same bytes, and the digest that
replay prints is over the rows, so that it does not depend on the compressor.

## States
In the order of how far a client gets (paper, sections 2 and 5):

| state | |
| --- | --- |
| ` + "`no_answer`" + ` | nothing came back to the SYN |
| ` + "`unreachable`" + ` | an ICMP error |
| ` + "`closed`" + ` | a reset answered the SYN |
| ` + "`churned`" + ` | services only: connected once; later neither the same source did nor a fresh one |
| ` + "`shunned`" + ` | services only: connected once; refused or ignored the same source afterwards |
| ` + "`zero_window`" + ` | the SYN-ACK allows no data; with --liveness, nor does anything later |
| ` + "`dropped_handshake`" + ` | the SYN-ACK was repeated although it was acknowledged |
| ` + "`reset_after_handshake`" + ` | a reset before any data was acknowledged |
| ` + "`closed_after_handshake`" + ` | a FIN before any data was acknowledged |
| ` + "`silent`" + ` | connected; nothing was said by either side |
| ` + "`no_data_ack`" + ` | data was sent and never acknowledged; of a service, whatever the source, if there was a second look |
| ` + "`dynamic_blocking`" + ` | services only: the same, but what a fresh source sent was acknowledged |
| ` + "`all_ports`" + ` | services only: acknowledges data, as its host does on every ephemeral port that was tried |
| ` + "`acks_data`" + ` | acknowledged at least one byte, sent none |
| ` + "`sends_data`" + ` | sent data back |

The first three make no service; the last two are what the paper calls services that acknowledge data.
docs/design.md says what is counted as what where the paper leaves it open.
`
