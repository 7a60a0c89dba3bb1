package capture

// pacer holds a rate over every second: what was not sent in time may be caught up with by
// burst packets, and no more.
type pacer struct {
	start    int64
	interval float64 // nanoseconds a packet; 0 is no limit
	burst    float64 // nanoseconds
	next     float64 // when the next packet is due, in nanoseconds since the start: since 1970 they would be rounded to 256
}

// catchUp is the time that a late wake-up may make good: a hundredth of a second, so that no
// second holds more than 1 % over the rate.
const catchUp = 10e6

func newPacer(rate uint64, now int64) pacer {
	p := pacer{start: now}
	if rate > 0 {
		p.interval = 1e9 / float64(rate)
		p.burst = catchUp
	}
	return p
}

// allows returns how many packets may be sent now, at most limit.
func (p *pacer) allows(now int64, limit int) int {
	if p.interval == 0 {
		return limit
	}
	elapsed := float64(now - p.start)
	p.next = max(p.next, elapsed-p.burst)
	if elapsed < p.next {
		return 0
	}
	return min(limit, 1+int((elapsed-p.next)/p.interval))
}

// sent takes one packet into account: those of sessions too, which are never held back, so
// that new probes wait for them.
func (p *pacer) sent() { p.next += p.interval }

// due is when the next packet may be sent.
func (p *pacer) due() int64 { return p.start + int64(p.next) + 1 }
