package order

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// outcomes are services of a class that an order is made of in the tests below: what identified them, drew other data from
// them, was acknowledged.
func outcomes(class string, n int, identified, sentData, ackedData Set) []Outcome {
	return []Outcome{{Pattern: services(n, identified)[0], Class: class, SentData: sentData, AckedData: ackedData}}
}

// On http ports most speak tls, and elsewhere most speak http. Who sends data to http that says nothing speaks dns; and who
// does not even acknowledge it is not worth a further handshake.
func TestAdapt(t *testing.T) {
	handshakes := []string{"http", "tls", "dns", "redis"}
	list := slices.Concat(
		outcomes("http", 90, set(1), set(1), set(0)),
		outcomes("http", 10, set(0), set(0), set(1)),
		outcomes("others", 400, set(0), set(0), set(1)),
		outcomes("others", 100, set(2), set(0, 2), set(1)),
		outcomes("others", 120, set(1), set(1), set(0)),
		outcomes("others", 200, set(), set(), set()),
		outcomes("rare", 49, set(3), set(3), set(0)),
	)
	a := Adapt(list, handshakes)
	want := `ports http: tls, http
ports others: http
  nothing acknowledged after http: give up
  acks_data after http: tls
  sends_data after http: dns
other ports: http
  nothing acknowledged after http: give up
  acks_data after http: tls, redis
  sends_data after http: dns
`
	if d := cmp.Diff(want, a.String()); d != "" {
		t.Error(d)
	}
	tried := 90 + 2*10 + 400 + 2*100 + 2*120 + 200 + 3*49.0 // redis is third for the rare
	if d := cmp.Diff(Effort{tried, 769}, a.Effort(list)); d != "" {
		t.Error(d)
	}
	steps := Greedy(Patterns(list), handshakes) // http, tls, dns, redis
	tried = 10 + 400 + 2*(90+120) + 3*100 + 4*(200+49.0)
	if d := cmp.Diff(Effort{tried, 769}, Fixed(steps, list, handshakes)); d != "" {
		t.Error(d)
	}
}

// Where nothing is known to tell services apart, the adaptive order is the fixed one.
func TestAdaptToFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Outcome
		for _, p := range anyServices(12).Draw(t, "services") { // of 1 to 3 each: fewer than an order of one's own takes
			list = append(list, Outcome{Pattern: p, Class: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "class"),
				SentData: p.Identified, AckedData: Set{rapid.Uint64Max(255).Draw(t, "acked")}})
		}
		if got, want := Adapt(list, names).Effort(list), Fixed(Greedy(Patterns(list), names), list, names); got != want {
			t.Fatalf("adaptive %+v, fixed %+v", got, want)
		}
	})
}

func TestCheapest(t *testing.T) {
	handshakes := []string{"http", "wait"}
	list := []Outcome{
		{Pattern: services(60, set(0))[0], Costs: []Cost{{240, 24_000, 60e9}, {180, 9_000, 360e9}}},
		{Pattern: services(50, set(1))[0], Costs: []Cost{{300, 30_000, 100e9}, {200, 10_000, 50e9}}},
		{Pattern: services(90, set())[0], Costs: []Cost{{360, 36_000, 180e9}}}, // nobody waited for these
	}
	first := func(steps []Step) string { return steps[0].Handshake }
	got := []string{first(Greedy(Patterns(list), handshakes)), first(Cheapest(list, handshakes, InPackets)),
		first(Cheapest(list, handshakes, InBytes)), first(Cheapest(list, handshakes, InSeconds))}
	if d := cmp.Diff([]string{"http", "wait", "wait", "http"}, got); d != "" {
		t.Error(d)
	}
	prices := Prices(Greedy(Patterns(list), handshakes), list, handshakes)
	if d := cmp.Diff([]Price{{900. / 60, 90_000. / 60, 340. / 60}, {200. / 50, 10_000. / 50, 50. / 50}}, prices); d != "" {
		t.Error(d)
	}
	for i := range list[:2] { // as little as it may be, a service's weight is that of what is spent on it
		list[i].Weight = PortWeight
	}
	list[2].Weight = 0
	prices = Prices(Greedy(Patterns(list), handshakes), list, handshakes)
	want := Price{240./60 + 300./50, 24_000./60 + 30_000./50, 1 + 2}
	if math.Abs(prices[0].Packets-want.Packets) > 1e-9 || math.Abs(prices[0].Bytes-want.Bytes) > 1e-9 || math.Abs(prices[0].Seconds-want.Seconds) > 1e-9 {
		t.Errorf("%+v, want %+v", prices[0], want)
	}
}
