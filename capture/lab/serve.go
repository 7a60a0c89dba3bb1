package lab

import (
	"container/heap"
	"context"
	"time"

	"laserdisc/capture/link"
)

// patience bounds every wait of Serve, so that the end of its context is noticed.
const patience = 100 * time.Millisecond

// mostAtOnce is how many frames Serve takes in before it looks at its timers.
const mostAtOnce = 256

// Serve lets a network answer on the link until ctx is done, which is no error; any error of the
// link is returned. It does not close the link. What is on its way when ctx is done is dropped.
func Serve(ctx context.Context, l link.Link, n link.Peer) error {
	w := wire{link: l, now: l.Now()}
	for ctx.Err() == nil {
		next := w.now + int64(patience)
		if at, ok := n.Next(); ok {
			next = min(next, at)
		}
		if len(w.later) > 0 {
			next = min(next, w.later[0].at)
		}
		if err := l.Flush(); err != nil {
			return err
		}
		for i := 0; i < mostAtOnce; i++ {
			f, ok, err := l.Receive(next)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if i == 0 {
				w.now, next = max(w.now, l.Now()), 0 // from now on, what is there
			}
			n.Handle(w.now, f.Data, w.emit)
			if w.err != nil {
				return w.err
			}
		}
		w.now = max(w.now, l.Now())
		if at, ok := n.Next(); ok && at <= w.now {
			n.Wake(w.now, w.emit)
		}
		w.release()
		if w.err != nil {
			return w.err
		}
	}
	return nil
}

// wire holds what was emitted for later.
type wire struct {
	link  link.Link
	now   int64
	later departures
	order uint64
	free  [][]byte
	err   error
}

func (w *wire) emit(at int64, frame []byte) {
	if at <= w.now {
		w.send(frame)
		return
	}
	var buffer []byte
	if k := len(w.free); k > 0 {
		buffer, w.free = w.free[k-1], w.free[:k-1]
	}
	w.order++
	heap.Push(&w.later, departure{at, w.order, append(buffer[:0], frame...)})
}

func (w *wire) send(frame []byte) {
	if err := w.link.Send(frame); w.err == nil {
		w.err = err
	}
}

// release sends what is due.
func (w *wire) release() {
	for len(w.later) > 0 && w.later[0].at <= w.now {
		d := heap.Pop(&w.later).(departure)
		w.send(d.frame)
		w.free = append(w.free, d.frame)
	}
}

// departure is a frame to be sent at a time.
type departure struct {
	at    int64
	order uint64
	frame []byte
}

// departures is a heap by (time, order of emission).
type departures []departure

func (q departures) Len() int { return len(q) }
func (q departures) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].order < q[j].order
}
func (q departures) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *departures) Push(x any)   { *q = append(*q, x.(departure)) }
func (q *departures) Pop() any {
	old := *q
	d := old[len(old)-1]
	old[len(old)-1].frame = nil
	*q = old[:len(old)-1]
	return d
}
