package capture

// pacer holds a rate over every second. What was not sent in time may be caught up with, by what burst holds and no more.
type pacer struct {
	start    int64   // ns since the Unix epoch
	interval float64 // ns a packet; 0 is no limit
	burst    float64 // ns
	next     float64 // when the next packet is due, in ns since the start: since 1970 they would be rounded to 256
	granted  float64 // when a probe was last let through, in ns since the start
}

// catchUp is the time, in nanoseconds, that a late wake-up may make good: a hundredth of a second, so that no second holds
// more than 1 % over the rate.
const catchUp = 10e6

// mostDebt is the time, in nanoseconds, that probes wait at most for what sessions have sent beyond the rate. And one packet in
// leastShare of the rate is a probe, whatever sessions send: no service, and no number of them, can keep a scan from going on.
const (
	mostDebt   = 1e9
	leastShare = 100
)

// newPacer returns a pacer of a rate in packets a second, of which 0 is no limit.
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
	if elapsed < p.earliest() {
		return 0
	}
	p.granted = elapsed
	return min(limit, 1+int(max(0, elapsed-p.next)/p.interval))
}

// sent takes one packet into account. Those of sessions are taken too, which are never held back, so that new probes wait
// for them.
func (p *pacer) sent(now int64) { p.next = min(p.next+p.interval, float64(now-p.start)+mostDebt) }

// earliest is when a probe may be sent, in ns since the start.
func (p *pacer) earliest() float64 { return min(p.next, p.granted+leastShare*p.interval) }

// due is when a probe may be sent.
func (p *pacer) due() int64 { return p.start + int64(p.earliest()) + 1 }
