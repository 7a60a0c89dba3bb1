package tcp

import "container/heap"

// event is something to be done later: for a connection, or a frame that was held back.
type event struct {
	at    int64
	order uint64
	index int // in events, -1 when not there
	conn  *conn
	frame []byte
}

// events is a heap by (time, order of scheduling).
type events []*event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].order < q[j].order
}
func (q events) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *events) Push(x any) {
	e := x.(*event)
	e.index = len(*q)
	*q = append(*q, e)
}
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.index = -1
	return e
}

// at puts e into the queue, or moves it there.
func (t *Stacks) at(e *event, when int64) {
	if e.index >= 0 && e.at == when {
		return
	}
	t.order++
	e.at, e.order = when, t.order
	if e.index < 0 {
		heap.Push(&t.events, e)
	} else {
		heap.Fix(&t.events, e.index)
	}
}
