package session

// timers is a heap of the services in flight, by (deadline, order of setting). Four children a
// node: half the levels of a binary heap, and the children share a cache line.
type timers struct {
	heap []*flight
	sets uint64
}

const arity = 4

// set gives v a deadline, its first or another.
func (t *timers) set(v *flight, deadline int64) {
	t.sets++
	v.deadline, v.order = deadline, t.sets
	if v.index < 0 {
		v.index = len(t.heap)
		t.heap = append(t.heap, v)
	}
	t.up(v.index)
	t.down(v.index)
}

// remove takes v out, if it is in.
func (t *timers) remove(v *flight) {
	if v.index < 0 {
		return
	}
	i, last := v.index, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	v.index = -1
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
