package datasets

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The sums and samples below are read off the paper's tables.
func TestPorts(t *testing.T) {
	sets := PortSets()
	for name, want := range map[string]int{"paper": 55, "assigned": 37, "ephemeral": 5} {
		if got := len(sets[name]); got != want {
			t.Errorf("%d ports in %q, want %d", got, name, want)
		}
	}
	top := 0
	for _, p := range Ports() {
		if p.Top30 {
			top++
		}
		if p.Scanner != "" && p.Expected == "" {
			t.Errorf("port %d has a scanner, and no expected protocol", p.Port)
		}
	}
	if top != 30 {
		t.Errorf("%d ports in the top 30", top)
	}
	want := Port{Port: 7547, Expected: "http", Title: "CWMP(HTTP)", IANA: "CWMP(HTTP)", Scanner: "HTTP", Top30: true}
	if diff := cmp.Diff(want, Ports()[2]); diff != "" {
		t.Error(diff)
	}
	for _, port := range Ephemeral() {
		if Expected(port) != "" {
			t.Errorf("ephemeral port %d expects %q", port, Expected(port))
		}
	}
}

func TestExpected(t *testing.T) {
	for port, want := range map[uint16]string{
		80: "http", 443: "tls", 465: "tls", 587: "smtp", 993: "tls", 8883: "tls", 1883: "mqtt",
		6443: "kubernetes", 5060: "sip", 179: "bgp", 2000: "", 30005: "", 1: "",
	} {
		if got := Expected(port); got != want {
			t.Errorf("port %d expects %q, want %q", port, got, want)
		}
	}
}

func TestPaper(t *testing.T) {
	m := Matrix()
	if len(m.Rows) != 28 || len(m.Handshakes) != 4 {
		t.Errorf("matrix is %d x %d", len(m.Rows), len(m.Handshakes))
	}
	if got := []float64{InText("2", "not_acknowledging", "unpopular"), InText("3.1", "unexpected", "623")}; got[0] != 0.40 || got[1] != 0.189 {
		t.Errorf("numbers of the text: %v", got)
	}
	if got := InText("2", "expected", "443"); !math.IsNaN(got) { // it is in another section
		t.Errorf("a number that the text does not have: %v", got)
	}
	if share, ok := m.Share("http", "tls"); !ok || share != 0.67 {
		t.Errorf("share of HTTP that answers TLS: %v, %v", share, ok)
	}
	if _, ok := m.Share("http", "dns"); ok {
		t.Error("the figure has no column for dns")
	}
	if diff := cmp.Diff(TelnetPort{5523, 521, "Claro S.A", 28573, 0.87}, TelnetPorts()[1]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(OrderStep{"http", 0.171}, Order().Ephemeral[1]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(OptionShare{1723, "pptp", "only bad cookie", 0.00001}, Options()[4]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Property{Property: "device_ssh", On: "unexpected", Against: "22", Share: 0.18, ShareAgainst: 0.09, Ratio: 2}, Properties()[5]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(BannerWords{"telnet", []string{"login", "user"}, 0.72}, Banners()[2]); diff != "" {
		t.Error(diff)
	}
	want := Comparison{
		Port: 80, Handshakes: []string{"http", "tls"},
		SYNACK: 63_000_000, ZeroWindow: 1_200_000, RST: 1_300_000, AcksData: 56_300_000,
		ExpectedLZR: 56_000_000, ExpectedZGrab: 56_000_000, UnexpectedLZR: 207_000, UnexpectedProtocols: 18,
		Live: Gain{3.3, 0.79}, LiveZGrab: Gain{1.1, -0.16},
		Offline: Gain{5.6, 0.58}, OfflineZGrab: Gain{1.1, 0.05},
	}
	if diff := cmp.Diff(want, Performance()[8]); diff != "" {
		t.Error(diff)
	}
}

// What a caller does to the rows it got must not reach the next caller.
func TestRowsAreCopies(t *testing.T) {
	Ports()[0].Port = 1
	Ephemeral()[0] = 1
	Matrix().Rows[0].Shares[0] = 1
	Order().Assigned[0].Gain = 1
	Performance()[0].Handshakes[0] = "changed"
	if Ports()[0].Port == 1 || Ephemeral()[0] == 1 || Matrix().Rows[0].Shares[0] == 1 ||
		Order().Assigned[0].Gain == 1 || Performance()[0].Handshakes[0] == "changed" {
		t.Error("a caller's change is seen by the next")
	}
}

func TestErrorsNameFileAndLine(t *testing.T) {
	const ports = "port\texpected\tprotocol\tiana\tscanner\ttop30\n80\tHTTP\thttp\tHTTP\tHTTP\tyes\n"
	const textColumns = "section\tname\tof\tvalue\twords\n"
	const perf = "row\t80/http\n"
	for _, c := range []struct {
		parse func(text string) error
		text  string
		want  string
	}{
		{portsError, "", `f.tsv:1: columns are [""]`},
		{portsError, "port\n", `f.tsv:1: columns are ["port"]`},
		{portsError, ports + "443\n", `f.tsv:3: 1 cells, want 6`},
		{portsError, ports + "0\tA\ta\tA\tA\tyes\n", `f.tsv:3: port: "0" is not a port from 1 to 65535`},
		{portsError, ports + "443\tA\ta\tA\tA\tmaybe\n", `f.tsv:3: top30: "maybe" is neither yes nor no`},
		{portsError, ports + "80\tA\ta\tA\tA\tno\n", `f.tsv:3: port 80 is on line 2 already`},
		{matrixError, "port\ttls\n", `f.tsv:1: first column is "port"`},
		{matrixError, "protocol\ttls\nssh\t1.1\n", `f.tsv:2: tls: "1.1" is not a share`},
		{textError, textColumns + "2\tshunned\tpopular\tfew\tw\n", `f.tsv:2: value: "few" is not a number`},
		{textError, textColumns + "2\tshunned\tpopular\t1\t-\n", `f.tsv:2: words: none`},
		{textError, textColumns + "2\tshunned\tpopular\t1\tw\n2\tshunned\tunpopular\t1\tw\n", `f.tsv:3: words: "w" a second time`},
		{textError, textColumns + "2\tshunned\tpopular\t1\tw\n2\tshunned\tpopular\t1\tv\n", `f.tsv:3: 2 shunned popular: a second time`},
		{orderError, "rank\tassigned_handshake\tassigned_delta\tephemeral_handshake\tephemeral_delta\n2\ttls\t0\ttls\t0\n",
			`f.tsv:2: rank: 2, want 1`},
		{makersError, "maker\tfield\tbegins_with\tbasis\nA\tcolour\ta\tknown\n", `f.tsv:2: field: "colour" is none of ["organization" "common_name" "ssh_software"]`},
		{makersError, "maker\tfield\tbegins_with\tbasis\nA\torganization\tA\tknown\n", `f.tsv:2: begins_with: "A" is not words in lower case`},
		{keysError, "spki_sha256\tkey\tpublished\n00ff\tk\tw\n", `f.tsv:2: spki_sha256: "00ff" is not 64 hexadecimal digits`},
		{keysError, "spki_sha256\tkey\tpublished\n" + strings.Repeat(strings.Repeat("0f", 32)+"\tk\tw\n", 2), `f.tsv:3: key 0f0f`},
		{propertiesError, "property\ton\tagainst\tshare\tshare_against\tratio\twording\nupnp\t1\t2\t1.5\t-\t1\tup to\n", `f.tsv:2: share: "1.5" is not a share`},
		{performanceError, "row\t80\n", `f.tsv:1: column "80" is not a port, /`},
		{performanceError, perf + "syn_ack\t1G\n", `f.tsv:2: 80/http: "1G" is not a count`},
		{performanceError, perf + "speed\t1\n", `f.tsv:2: unknown row "speed"`},
		{performanceError, perf + "rst\t1\nrst\t1\n", `f.tsv:3: row "rst" a second time`},
		{performanceError, perf + "bandwidth_zmap_lzr\t3\n", `f.tsv:2: 80/http: "3" is not a percentage`},
		{performanceError, perf + "rst\t1\n", `f.tsv: 1 rows, want 16`},
	} {
		err := c.parse(c.text)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func makersError(text string) error     { _, err := parseMakers("f.tsv", []byte(text)); return err }
func keysError(text string) error       { _, err := parseKnownKeys("f.tsv", []byte(text)); return err }
func propertiesError(text string) error { _, err := parseProperties("f.tsv", []byte(text)); return err }
func portsError(text string) error      { _, err := parsePorts("f.tsv", []byte(text)); return err }
func matrixError(text string) error     { _, err := parseMatrix("f.tsv", []byte(text)); return err }
func orderError(text string) error      { _, err := parseOrder("f.tsv", []byte(text)); return err }
func textError(text string) error       { _, err := parseText("f.tsv", []byte(text)); return err }
func performanceError(text string) error {
	_, err := parsePerformance("f.tsv", []byte(text))
	return err
}

// Whatever a table holds, it is rows or an error.
func FuzzTables(f *testing.F) {
	entries, err := paper.ReadDir("paper")
	if err != nil {
		f.Fatal(err)
	}
	for _, entry := range entries {
		text, err := paper.ReadFile("paper/" + entry.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(_ *testing.T, text string) {
		portsError(text)
		matrixError(text)
		orderError(text)
		performanceError(text)
		parseTelnetPorts("f.tsv", []byte(text))
		parseProperties("f.tsv", []byte(text))
		parseBannerWords("f.tsv", []byte(text))
		parseMakers("f.tsv", []byte(text))
		parseKnownKeys("f.tsv", []byte(text))
		parseOptions("f.tsv", []byte(text))
		parseText("f.tsv", []byte(text))
	})
}

// A key is in the list because its private key can be read: two of them are read here, from RFC 8410 and from Go's sources.
func TestKnownKeys(t *testing.T) {
	seed, err := hex.DecodeString("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842")
	if err != nil {
		t.Fatal(err)
	}
	rfc8410, err := x509.MarshalPKIXPublicKey(ed25519.NewKeyFromSeed(seed).Public())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	for name, spki := range map[string][]byte{"Ed25519 example": rfc8410, "Go test server": server.Certificate().RawSubjectPublicKeyInfo} {
		if got := KnownKeys()[sha256.Sum256(spki)].Key; got != name {
			t.Errorf("the key %q is listed as %q", name, got)
		}
	}
	if n := len(Makers()); n < 50 {
		t.Errorf("%d lines of makers", n)
	}
}
