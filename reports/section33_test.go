package reports

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab/draw"
	"laserdisc/capture/lab/servers"
	"laserdisc/capture/session"
)

// revealing draws hosts whose services reveal something: they say what the lab's servers do.
func (m *madeUp) revealing(hosts int) {
	made := servers.Certificates{}
	elsewhere := servers.Content{Maker: 0.5, KnownKey: 0.1, SharedKey: 0.4, Login: 0.25, UPnP: 0.05, DeviceSSH: 0.2}
	expected := servers.Content{Maker: 0.1, KnownKey: 0.08, SharedKey: 0.2, Login: 0.1, UPnP: 0.02, DeviceSSH: 0.1}
	for i := range hosts {
		for _, on := range []struct {
			port      uint16
			protocol  string
			handshake string
			kind      servers.Kind
			likely    float64
			content   servers.Content
		}{
			{22, "ssh", "wait", servers.Wait, 0.3, expected}, {23, "telnet", "wait", servers.Wait, 0.1, elsewhere}, {25, "smtp", "wait", servers.Wait, 0.1, elsewhere},
			{80, "tls", "tls12", servers.TLS, 0.04, elsewhere}, {80, "http", "http", servers.HTTP, 0.5, expected}, {443, "tls", "tls12", servers.TLS, 0.5, expected},
			{4567, "ssh", "wait", servers.Wait, 0.06, elsewhere}, {5900, "vnc", "wait", servers.Wait, 0.05, elsewhere}, {8080, "http", "http", servers.HTTP, 0.3, elsewhere},
			{8081, "tls", "tls12", servers.TLS, 0.2, elsewhere}, {8085, "tls", "tls12", servers.TLS, 0.1, elsewhere}, {30005, "http", "http", servers.HTTP, 0.2, elsewhere},
			{49152, "http", "http", servers.HTTP, 0.1, servers.Content{UPnP: 0.8}}, {58000, "http", "http", servers.HTTP, 0.02, elsewhere},
		} {
			if m.random.Float64() >= on.likely || slices.ContainsFunc(m.services, func(s session.Service) bool { return s.Service == netip.AddrPortFrom(m.host(i), on.port) }) {
				continue
			}
			host := draw.Source{Key: draw.NewKey(1), This: uint64(i)}
			server := servers.Service{
				Source: draw.Source{Key: host.Key, This: host.Bits(uint64(on.port))}, Host: host, At: netip.AddrPortFrom(m.host(i), on.port),
				Protocol: servers.Protocols()[servers.Index(on.protocol)], Certificates: made,
				Answers: &servers.Answers{TLS: 1, Newlines: 1, HTTP: 1, Wait: 1}, Content: &on.content,
			}
			m.add(m.host(i), on.port, session.SendsData, on.protocol)
			a := &m.attempts[len(m.attempts)-1]
			a.Handshake, _ = handshake.Lookup(on.handshake)
			a.Verdict = handshake.Verdict{Label: on.protocol, Evidence: handshake.Certain}
			a.Response, _ = server.Answer(on.kind, nil)
		}
	}
}

// Between the exhibits of section 3.3 the shares and their ratios agree.
func TestSection33Agrees(t *testing.T) {
	by := madeUpExhibits(t)
	shares := map[string]float64{}
	for _, r := range rows(t, by["section33shares"].table)[1:] {
		shares[r[0]+" "+r[1]] = number(t, r[3])
	}
	n := 0
	for _, r := range rows(t, by["section33"].table)[1:] {
		on, against, times := shares[r[0]+" "+r[1]], shares[r[0]+" "+r[2]], number(t, r[7])
		if r[0] == "upnp" {
			on, against = number(t, r[3]), number(t, r[5])
		}
		if got := on / against; math.Abs(got-times) > 1e-4*times {
			t.Errorf("%v: %v times, of the shares %v", r, times, got)
		}
		n++
	}
	if n != 9 || len(shares) != 15 {
		t.Errorf("%d ratios of %d shares", n, len(shares))
	}
}

func number(t *testing.T, cell string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
