package analysis

import (
	"fmt"
	"strings"
	"testing"

	"laserdisc/capture/record"
	"laserdisc/capture/target"

	"github.com/google/go-cmp/cmp"
)

const inventoryText = `
	addr      port state      label   evidence asn
	10.0.0.1  22   sends_data ssh     certain  64500
	10.0.0.1  80   acks_data  -       none     64500
	10.0.0.1  443  sends_data tls     weak     64500
	10.0.0.2  80   sends_data http    likely   -
	10.0.0.3  80   closed     -       none     -
	10.0.0.4  22   all_ports  -       none     -
	10.0.0.5  22   sends_data unknown none     64501
	10.0.0.5  80   sends_data http    certain  64501`

// TestInventory keeps the services that sent data, with what they are likely or certain to speak.
func TestInventory(t *testing.T) {
	v := new(Inventory)
	if err := v.Add(batchOf(t, v, inventoryText)); err != nil {
		t.Fatal(err)
	}
	s, everywhere := v.Sample(&record.Manifest{Domain: &target.Domain{Addresses: 1000}}, []uint16{22, 80, 443})
	var lines []string
	for _, h := range s.Hosts {
		for _, x := range h.Services {
			lines = append(lines, strings.TrimSpace(fmt.Sprint(h.Addr, " ", h.AS, " ", x.Port, " ", s.Labels[x.Label])))
		}
	}
	want := []string{"10.0.0.1 64500 22 ssh", "10.0.0.1 64500 443", "10.0.0.2 0 80 http", "10.0.0.5 64501 22", "10.0.0.5 64501 80 http"}
	if d := cmp.Diff(want, lines); d != "" || everywhere != 0 || s.Addresses != 1000 || s.Of != 1000 {
		t.Errorf("%s; everywhere %d, %d addresses of %d", d, everywhere, s.Addresses, s.Of)
	}
}

// manyHosts have a service on each of some ports.
func manyHosts(from, to, ports int) string {
	var b strings.Builder
	b.WriteString("addr port state label evidence\n")
	for i := from; i < to; i++ {
		for port := range ports {
			fmt.Fprintf(&b, "10.0.%d.%d %d sends_data http certain\n", i/256, i%256, 1+port)
		}
	}
	return b.String()
}

// TestInventoryIsBounded leaves addresses out, the same ones however the hosts come in, and says how many.
func TestInventoryIsBounded(t *testing.T) {
	const limit = 50 * (hostBytes + 2*serviceBytes)
	result := func(parts ...string) any {
		var all *Inventory
		for _, text := range parts {
			v := &Inventory{limit: limit}
			if err := v.Add(batchOf(t, v, text)); err != nil {
				t.Fatal(err)
			}
			if all == nil {
				all = v
			} else if err := all.Merge(v); err != nil {
				t.Fatal(err)
			}
			if all.held > limit {
				t.Fatalf("%d bytes are held, %d are possible", all.held, limit)
			}
		}
		s, _ := all.Sample(&record.Manifest{Sample: &target.Sample{Unit: "host", Drawn: 800, Of: 9000}}, []uint16{1, 2})
		if n := len(s.Hosts); s.Addresses != 100 || s.Of != 9000 || n < 30 || n > 50 {
			t.Errorf("%d of 300 hosts, of %d of 800 addresses", n, s.Addresses)
		}
		return s
	}
	whole := result(manyHosts(0, 300, 2))
	if d := cmp.Diff(whole, result(manyHosts(0, 100, 2), manyHosts(100, 210, 2), manyHosts(210, 300, 2)), sameAddress); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(whole, result(manyHosts(150, 300, 2), manyHosts(0, 150, 2)), sameAddress); d != "" {
		t.Error(d)
	}
}

// TestEverywhere leaves out who says something on more than a tenth of many ports.
func TestEverywhere(t *testing.T) {
	for _, c := range []struct{ services, ports, left int }{{101, 1000, 1}, {100, 500, 0}, {101, 1010, 0}, {101, 101, 1}} {
		v := new(Inventory)
		if err := v.Add(batchOf(t, v, manyHosts(0, 1, c.services))); err != nil {
			t.Fatal(err)
		}
		var ports []uint16
		for port := range c.ports {
			ports = append(ports, uint16(1+port))
		}
		s, left := v.Sample(new(record.Manifest), ports)
		if left != c.left || len(s.Hosts) != 1-c.left {
			t.Errorf("%d services on %d ports: %d hosts left out, %d kept", c.services, c.ports, left, len(s.Hosts))
		}
	}
}
