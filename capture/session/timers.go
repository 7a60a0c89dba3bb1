package session

// timers is a heap of the sessions that wait for something, by deadline and then by the order in which these were set.
// Each node has four children: that makes half the levels of a binary heap, and the children share a cache line.
type timers struct {
	heap []*session
	sets uint64 // how many deadlines have been set
}

const arity = 4

// set gives a session a deadline, its first or another.
func (t *timers) set(ss *session, deadline int64) {
	t.sets++
	ss.deadline, ss.order = deadline, t.sets
	if ss.index < 0 {
		ss.index = len(t.heap)
		t.heap = append(t.heap, ss)
	}
	t.up(ss.index)
	t.down(ss.index)
}

// remove takes a session out, if it is in.
func (t *timers) remove(ss *session) {
	if ss.index < 0 {
		return
	}
	i, last := ss.index, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	ss.index = -1
	if i < last {
		moved := t.heap[i]
		t.up(i)
		t.down(moved.index)
	}
}

func (t *timers) before(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	return a.deadline < b.deadline || a.deadline == b.deadline && a.order < b.order
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].index, t.heap[j].index = i, j
}

func (t *timers) up(i int) {
	for i > 0 && t.before(i, (i-1)/arity) {
		t.swap(i, (i-1)/arity)
		i = (i - 1) / arity
	}
}

func (t *timers) down(i int) {
	for {
		least := i
		for c := arity*i + 1; c <= arity*i+arity && c < len(t.heap); c++ {
			if t.before(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		t.swap(i, least)
		i = least
	}
}
