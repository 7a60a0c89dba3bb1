package handshake

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

const docFile = "../../docs/protocols.md"

// TestDocs keeps docs/protocols.md equal to what the table says; -update writes it.
func TestDocs(t *testing.T) {
	doc := document(t)
	if *update {
		if err := os.WriteFile(docFile, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := os.ReadFile(docFile); err != nil || !bytes.Equal(found, doc) {
		t.Errorf("%s is stale: go test -tags noasm ./capture/handshake -run Docs -update (%v)", docFile, err)
	}
}

func document(t *testing.T) []byte {
	example, err := os.ReadFile("vnc.go")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(docHead)
	for _, p := range table {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", p.Name, p.SpeaksFirst(), p.First, p.Identified(), p.Spec)
	}
	fmt.Fprintf(&b, docTail, example)
	return b.Bytes()
}

var docHead = `# Protocols

Written by ` + "`go test -tags noasm ./capture/handshake -run Docs -update`" + ` from the table in capture/handshake; a test compares them.

An answer is judged by every signature, whatever was sent. Where several match, the first in this order that is likely or
certain gives the label; if there is none, the first that is weak. What one protocol carries for another comes before its
carrier, so that the more specific wins. All matches are recorded.

| evidence | means |
| --- | --- |
| certain | a whole message, parsed to its end, that no other protocol in use sends |
| likely | its fixed part, but cut short, or too short to be sure |
| weak | consistent with it, and with others |

Three labels are not protocols: ` + "`unknown`" + ` (data that nothing explains), ` + "`echo`" + ` (our own bytes came back: all, the first of
them, or repeats), ` + "`all-ones`" + ` (every byte FFh). An answer without data has no label.

| name | speaks first | client's first bytes | what identifies an answer | source |
| --- | --- | --- | --- | --- |
`

var docTail = strings.ReplaceAll(`
## Known limits
- An HTTP page with status 400 that says that its port wants TLS is labelled tls (likely); http stays among the matches.
- An API server of Kubernetes shows itself by its certificate, which TLS 1.3 hides: the kubernetes handshake offers 1.2 alone.
- A COTP connection confirm is the same for RDP without negotiation, S7 and other ISO-TSAP servers: weak.
- One byte (postgres, S or N) and two bytes (socks5) are weak. The postgres handshake therefore sends a start-up message.
- A 220 greeting with neither SMTP nor FTP in it is unknown until the reply to a command says more.
- DNP3 outstations answer their own address alone; the handshake asks for 10.

## Adding a protocol: one file and one line
The file holds what is sent and what identifies the answer, with the section of the specification beside each byte that is
fixed. This is all of capture/handshake/vnc.go:

'''go
%s'''

The line is its place in the table (capture/handshake/table.go), &vnc. What another protocol carries goes before that;
otherwise the order is free if no answer can match both. Then give the tests answers to tell apart (answers_test.go):

'''go
{"vnc", "RFB 003.008\n", "vnc", Certain, 0},
{"vnc, cut", "RFB 003.0", Unknown, None, 0},
'''

The package's tests say what else is missing: it holds each line of the table to the rules (a hello of at
most 1,400 bytes that depends on target and nonce alone, our own bytes never taken for an answer), runs the signature on real
answers, on noise, and on answers that come in byte by byte, and compares this page.
`, "'''", "```")
