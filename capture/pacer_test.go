package capture

import (
	"math/rand/v2"
	"testing"
)

// Over every second, however late the wake-ups, no more than 1 % above the rate is sent; and no
// less than 1 % below it while the wake-ups are not later than the pacer catches up with.
func TestPacerHoldsTheRate(t *testing.T) {
	for _, c := range []struct {
		rate   uint64
		latest int64 // of a wake-up, ns
		full   bool
	}{
		{10, 1e6, true}, {1000, 1e6, true}, {10_000, 5e6, true}, {900_000, 9e6, true}, {1_000_000, 9e6, true},
		{10_000, 50e6, false}, {100_000, 700e6, false},
	} {
		random := rand.New(rand.NewPCG(c.rate, 1))
		const start = int64(1_800_000_000e9) // a clock's numbers are large
		p := newPacer(c.rate, start)
		var sent []int64
		for now := start; now < start+10e9; {
			for n := p.allows(now, batchSize); n > 0; n = p.allows(now, batchSize) {
				for range n {
					p.sent(now)
					sent = append(sent, now)
				}
			}
			now = max(now+1, p.due()) + random.Int64N(c.latest)
		}
		first := 0
		for i, at := range sent {
			for sent[first] <= at-1e9 {
				first++
			}
			if n := uint64(i - first + 1); n > c.rate+c.rate/100+1 {
				t.Fatalf("rate %d, wake-ups up to %d ns late: %d packets in the second before %d ns", c.rate, c.latest, n, at)
			}
		}
		if n := uint64(len(sent)); c.full && n < 10*c.rate*99/100 {
			t.Errorf("rate %d, wake-ups up to %d ns late: %d packets in 10 s", c.rate, c.latest, n)
		}
	}
}

// However many services send more than the rate, probes go on.
func TestPacerUnderFlood(t *testing.T) {
	const rate, start = 1000, int64(1_800_000_000e9)
	p := newPacer(rate, start)
	random := rand.New(rand.NewPCG(1, 1))
	probes := 0
	for now := start; now < start+60e9; now += 1e6 {
		for range random.IntN(100) { // 50,000 a second
			p.sent(now)
		}
		for n := p.allows(now, 64); n > 0; n-- {
			p.sent(now)
			probes++
		}
	}
	if probes < 59*rate/100 || probes > 61*rate/100 {
		t.Errorf("%d probes in a minute at %d packets a second", probes, rate)
	}
	if waited := p.due() - (start + 60e9); waited > mostDebt+1e9/rate {
		t.Errorf("probes wait for %d ms after the flood", waited/1e6)
	}
}
