package analysis

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"laserdisc/analysis/estimate"
	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
	"laserdisc/datasets"
)

// contentsText is attempts at services that reveal something. The TLS servers are the lab's.
func contentsText(t testing.TB) string {
	const (
		login = "HTTP/1.0 200 OK\r\nServer: nginx\r\nContent-Length: 21\r\n\r\n<input type=password>"
		plain = "HTTP/1.0 200 OK\r\nServer: Linux UPnP/1.0 x\r\n\r\n<p>hello"
		cut   = "HTTP/1.0 200 OK\r\nServer: y UPnP/1.1\r\nContent-Length: 99\r\n\r\n<p>hel"
	)
	own, maker := servers.Content{}, servers.Content{Maker: 1}
	shared, known := servers.Content{SharedKey: 1}, servers.Content{KnownKey: 1, SharedKey: 1}
	flight := func(host int, content servers.Content) string { return tlsFlight(t, host, content) }
	var b strings.Builder
	b.WriteString("addr port attempt visit handshake state label evidence response truncated rst reset_text\n")
	for _, r := range []struct {
		addr             string
		port             uint16
		handshake, label string
		response         string
		truncated        string
	}{
		{"10.0.0.1", 80, "tls12", "tls", flight(1, shared), "no"},
		{"10.0.0.1", 443, "tls", "tls", flight(1, shared)[:100], "no"}, // a part of one is seen first
		{"10.0.0.1", 443, "tls12", "tls", flight(1, shared), "no"},
		{"10.0.0.1", 8081, "tls12", "tls", flight(1, maker), "no"},
		{"10.0.0.2", 22, "wait", "ssh", "SSH-2.0-dropbear_1\r\n", "no"},
		{"10.0.0.2", 80, "http", "http", login, "no"},
		{"10.0.0.2", 443, "tls12", "tls", flight(1, shared), "no"}, // the key of 10.0.0.1
		{"10.0.0.2", 2222, "wait", "ssh", "SSH-2.0-OpenSSH_9\r\n", "no"},
		{"10.0.0.3", 23, "wait", "telnet", "\xff\xfd\x18", "no"},
		{"10.0.0.3", 23, "http", "telnet", "login: ", "no"}, // which is no banner
		{"10.0.0.3", 25, "wait", "unknown", "220 ready\r\n", "no"},
		{"10.0.0.3", 25, "smtp", "smtp", "250-a\r\n250 SIZE\r\n", "no"},
		{"10.0.0.3", 80, "http", "http", plain, "no"},
		{"10.0.0.3", 443, "tls12", "tls", flight(3, known), "no"},
		{"10.0.0.3", 8080, "tls", "http", login, "no"}, // which is not what a GET drew
		{"10.0.0.3", 8080, "http", "http", login, "no"},
		{"10.0.0.4", 23, "wait", "telnet", "\xff\xfb\x01User: ", "no"},
		{"10.0.0.4", 443, "tls", "tls", "\x15\x03\x03\x00\x02\x02\x28", "no"},
		{"10.0.0.4", 465, "tls12", "tls", flight(4, own)[:150], "yes"},
		{"10.0.0.4", 8080, "http", "http", cut, "yes"},
		{"10.0.0.4", 49152, "http", "http", plain, "no"},
		{"10.0.0.5", 443, "tls12", "tls", flight(5, own), "no"},
		{"10.0.0.5", 6443, "kubernetes", "kubernetes", flight(5, own), "no"},
		{"10.0.0.5", 9999, "tls12", "tls", flight(5, own), "no"}, // the same host's key once more is not shared
	} {
		quoted := strings.NewReplacer(" ", `\x20`, "_", `\x5f`).Replace(strconv.QuoteToASCII(r.response))
		evidence := "certain"
		if r.label == "unknown" {
			evidence = "none"
		}
		fmt.Fprintf(&b, "%s %d 0 first %s sends_data %s %s %s %s no -\n", r.addr, r.port, r.handshake, r.label, evidence, quoted[1:len(quoted)-1], r.truncated)
	}
	b.WriteString(`10.0.0.6 25 0 first wait silent - none - no no -
10.0.0.6 25 1 first tls reset_after_handshake - none - no yes BIG-IP\x20System
10.0.0.6 80 0 first wait reset_after_handshake - none - no yes -
10.0.0.6 81 0 first wait closed - none - no yes BIG-IP
`)
	return b.String()
}

// tlsFlight is what a TLS server of a host of the lab answers to a hello of TLS 1.2.
func tlsFlight(t testing.TB, host int, content servers.Content) string {
	key := draw.NewKey(1)
	for this := uint64(1); ; this++ { // some services answer with an alert
		s := servers.Service{
			Source: draw.Source{Key: key, This: this}, Host: draw.Source{Key: key, This: uint64(host)}, At: netip.MustParseAddrPort("198.18.0.1:443"),
			Protocol: servers.Protocols()[servers.Index("tls")], Certificates: servers.Certificates{}, Answers: &servers.Answers{}, Content: &content,
		}
		if b, _ := s.Answer(servers.TLS, nil); len(b) > 100 {
			return string(b)
		}
		if this == 100 {
			t.Fatal("no certificate")
		}
	}
}

func TestContents(t *testing.T) {
	c := NewContents(estimate.ByHost)
	if err := c.Add(batchOf(t, c, contentsText(t))); err != nil {
		t.Fatal(err)
	}
	ratios, reads, err := c.Ratios()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, p := range datasets.Properties() {
		on, ofOn := ratios[i].On().Services()
		against, ofAgainst := ratios[i].Against().Services()
		got = append(got, fmt.Sprintf("%s %s %d/%d %s %d/%d", p.Property, p.On, on, ofOn, p.Against, against, ofAgainst))
	}
	want := []string{
		"maker unexpected 1/3 443 0/4",
		"known_key unassigned 0/2 assigned 1/6", // 8081, 9999; 80, four times 443, 6443
		"shared_key 80 1/1 443 2/4",
		"shared_key unassigned 0/2 443 2/4",
		"login 8080 1/1 80 1/2",
		"device_ssh unexpected 0/1 22 1/1",
		"upnp 49152 1/1 80 1/2",
		"upnp 30005 0/0 80 1/2",
		"upnp 58000 0/0 80 1/2",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if want := (Reads{Certificates: 8, CertificatesCut: 1, CertificatesHidden: 1, Pages: 4, PagesCut: 1, SSH: 2}); reads != want {
		t.Errorf("%+v, want %+v", reads, want)
	}
	for protocol, want := range map[string][2]uint64{"ssh": {2, 2}, "telnet": {1, 2}, "smtp": {0, 1}, ResetWords: {1, 2}} {
		words, err := c.Words(protocol)
		if err != nil {
			t.Fatal(err)
		}
		if hits, services := words.Services(); hits != want[0] || services != want[1] {
			t.Errorf("%s: %d of %d banners have a word, want %v", protocol, hits, services, want)
		}
	}
	// Where blocks were drawn, five hosts are one.
	block := NewContents(estimate.ByBlock(24))
	if err := block.Add(batchOf(t, block, contentsText(t))); err != nil {
		t.Fatal(err)
	}
	inBlock, _, err := block.Ratios()
	if err != nil {
		t.Fatal(err)
	}
	for i := range ratios {
		hits, services := inBlock[i].Against().Services()
		if h, s := ratios[i].Against().Services(); hits != h || services != s || inBlock[i].Against().Hosts() != 1 || ratios[i].Against().Hosts() != min(s, 4) {
			t.Errorf("%v: in one block %d of %d, on %d hosts %d of %d", datasets.Properties()[i], hits, services, ratios[i].Against().Hosts(), h, s)
		}
	}
	again, _, err := c.Ratios()
	if err != nil || fmt.Sprint(again) != fmt.Sprint(ratios) {
		t.Errorf("asked again: %v, %v", again, err)
	}
	if err := c.Merge(new(Census)); err == nil {
		t.Error("a Census merged with a Contents")
	}
}
