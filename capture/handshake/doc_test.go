package handshake

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
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
	b.WriteString(docLabels)
	servers, precision := heard(t), readPrecision(t)
	for _, p := range table {
		if p.Match == nil {
			continue
		}
		var ports []string
		for _, port := range p.Ports {
			ports = append(ports, strconv.Itoa(int(port)))
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", p.Name, p.Version, strings.Join(ports, ", "), strings.Join(precision[p.Name], " | "), strings.Join(servers[p.Name], ", "))
	}
	fmt.Fprintf(&b, docTail, example)
	return b.Bytes()
}

// heard lists, for each protocol, the real servers some answer of which it labels rightly, at least likely, in alphabetical order.
func heard(t *testing.T) map[string][]string {
	servers := map[string][]string{}
	var v Verdict
	for _, a := range fleet(t) {
		Classify(&v, a.Sent, a.Received)
		_, listed := Lookup(a.Protocol)
		right := v.Label == a.Protocol || !listed && contains(alsoRight[a.Protocol], v.Label)
		if v.Evidence >= Likely && right && !slices.Contains(servers[v.Label], a.Service) {
			servers[v.Label] = append(servers[v.Label], a.Service)
		}
	}
	for _, list := range servers {
		slices.Sort(list)
	}
	return servers
}

const accuracyFile = "../../docs/accuracy.md"

// accuracyTitles are the tables of docs/accuracy.md, whose precision this page has in as many columns.
var accuracyTitles = []string{"The fleet, a sample", "The fleet, all responses", "The lab"}

// readPrecision reads the precision of each label off the tables of docs/accuracy.md.
func readPrecision(t *testing.T) map[string][]string {
	text, err := os.ReadFile(accuracyFile)
	if err != nil {
		t.Fatal(err)
	}
	precision := map[string][]string{}
	for _, p := range table {
		precision[p.Name] = slices.Repeat([]string{"-"}, len(accuracyTitles))
	}
	for i, title := range accuracyTitles {
		_, section, ok := strings.Cut(string(text), "\n## "+title+"\n")
		_, section, fenced := strings.Cut(section, "```\n")
		section, _, closed := strings.Cut(section, "```")
		if !ok || !fenced || !closed {
			t.Fatalf("%s has no table under %q", accuracyFile, title)
		}
		for line := range strings.Lines(section) {
			if words := strings.Fields(line); len(words) == 11 && precision[words[0]] != nil {
				precision[words[0]][i] = words[9]
			}
		}
	}
	return precision
}

const docLabels = `
## Labels
` + "`laserdisc classify --explain`" + ` adds to each line of saved responses why it has its label: rule, source, version, and the bytes that
decided, by offset. All others could be written over, and the label would be the same.

The version of a signature counts its changes from 1. Precision is the share of responses with this label, likely or certain, that
is right: of the fleet's sample, the whole fleet, and the lab ([accuracy.md](accuracy.md) has the numbers of responses); "-" where no
response has the label. The servers are those of the sample that it recognises, by names of their programs.

| label | version | ports | sample | fleet | lab | real servers |
| --- | --- | --- | --- | --- | --- | --- |
`

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
- PCP, by which pgpool is managed, has Postgres' form of an error: until the field with the source file has come, it is taken for that.
- A client's commands to Redis are an answer's arrays of strings: likely. One number (:) or no string ($-1) is weak.
- Modbus answers to the writing of one coil or register are the request again, and so an echo to who made it.
- A server of AMQP 1.0 returns the header that it is sent. So does an echo: weak.
- LMTP is known by its name. Dovecot's greets as its submission service does, and is unknown.
- A protocol whose server waits for a client's first words, and which has no handshake, shows itself by its complaints alone: clamd,
  Kerberos, spamd, XMPP.
- DNP3 outstations answer their own address alone; the handshake asks for 10.

## Adding a protocol: one file and one line
The file holds what is sent and what identifies the answer, with the section of the specification beside each byte that is
fixed. This is all of capture/handshake/vnc.go:

'''go
%s'''

The line is its place in the table (capture/handshake/table.go), &vnc. What another protocol carries goes before that;
otherwise the order is free if no answer can match both. Whoever changes what a signature finds raises its Version. Then give the tests answers to tell apart (answers_test.go):

'''go
{"vnc", "RFB 003.008\n", "vnc", Certain, 0},
{"vnc, cut", "RFB 003.0", Unknown, None, 0},
'''

The package's tests say what else is missing: it holds each line of the table to the rules (a hello of at
most 1,400 bytes that depends on target and nonce alone, our own bytes never taken for an answer), runs the signature on real
answers, on noise, and on answers that come in byte by byte, and compares this page.
`, "'''", "```")
