package record

import (
	"cmp"
	"slices"
)

// order puts the frames of a file into the order of their times. A frame is held until the file's time is OrderTime later, or more
// batches would be held than may be. The file's time goes on where two frames in a row agree that it does, so that a single time
// that is far ahead holds up no more than its own frame.
type order struct {
	frames []heldFrame // from first on, by time, and as they came where that is equal
	first  int
	held   int // batches
	most   int // of them
	time   int64
	ended  bool

	waits   bool      // latest waits for the frame after it, which tells whether its time can be
	latest  heldFrame // the last that came
	before  int64     // time of the frame before it
	settled bool      // there was one
}

// heldFrame is a frame and the batch that it is of.
type heldFrame struct {
	time  int64
	frame *Frame
	of    *heldBatch
}

type heldBatch struct {
	Batch
	left int // frames that are held
}

// heldBytes is what a batch takes that is held, at most.
const heldBytes = bufferSize + headroom

// lonely is how far a frame's time is from those of the frames before and after it, which are no farther from each other, if it is
// taken for damaged: a minute, in nanoseconds.
const lonely = 60e9

// ready reports whether the first frame that is held comes before all that are still to be read.
func (o *order) ready() bool {
	return o.first < len(o.frames) && (o.ended || o.held > o.most || o.frames[o.first].time <= o.time-OrderTime)
}

// next returns the time of the first frame.
func (o *order) next() int64 { return o.frames[o.first].time }

// precedes reports whether its first frame comes before another's, as byTime has it.
func (o *order) precedes(other *order) bool {
	return byTime(o.frames[o.first], other.frames[other.first]) < 0
}

// byTime orders frames. Of those at the same time, what was received comes first: a record of ours has what that led to at the same
// time.
func byTime(a, b heldFrame) int {
	return cmp.Or(cmp.Compare(a.time, b.time), -cmp.Compare(a.frame.Direction, b.frame.Direction))
}

// pop takes the first frame. It is valid until its batch is released.
func (o *order) pop() heldFrame {
	f := o.frames[o.first]
	o.first++
	if f.of.left--; f.of.left == 0 {
		o.held--
	}
	return f
}

// add takes the frames of a batch, and counts those whose times are damaged.
func (o *order) add(b *heldBatch, damaged *oddCount) {
	b.left = len(b.Frames)
	o.held++
	if o.first > len(o.frames)/2 {
		o.frames = append(o.frames[:0], o.frames[o.first:]...)
		o.first = 0
	}
	added := len(o.frames)
	for i := range b.Frames {
		f := heldFrame{b.Frames[i].Time, &b.Frames[i], b}
		if o.waits {
			if f.frame.Untimed {
				f.time = o.latest.time
			}
			o.settle(f.time, damaged)
		}
		o.latest, o.waits = f, true
	}
	o.sort(added)
}

// end says that no more frames come.
func (o *order) end(damaged *oddCount) {
	added := len(o.frames)
	if o.waits {
		o.settle(o.latest.time, damaged)
		o.waits = false
	}
	o.sort(added)
	o.ended = true
}

// settle adds the latest frame, of which the one after it has the time after.
func (o *order) settle(after int64, damaged *oddCount) {
	f := o.latest
	if o.settled {
		if apart(o.before, after) <= lonely && apart(f.time, o.before) > lonely && apart(f.time, after) > lonely {
			damaged.count(f.frame.Number)
			f.time = o.before
		}
		o.time = max(o.time, min(o.before, f.time))
	}
	o.before, o.settled = f.time, true
	o.frames = append(o.frames, f)
}

func apart(a, b int64) int64 { return max(a, b) - min(a, b) }

// sort puts the frames into order that have been added from an index on.
func (o *order) sort(added int) {
	if slices.IsSortedFunc(o.frames[max(o.first, added-1):], func(a, b heldFrame) int { return cmp.Compare(a.time, b.time) }) {
		return
	}
	earliest := slices.MinFunc(o.frames[added:], byTime).time
	at, _ := slices.BinarySearchFunc(o.frames[o.first:added], earliest, func(f heldFrame, t int64) int {
		if f.time < t {
			return -1
		}
		return 1
	})
	slices.SortStableFunc(o.frames[o.first+at:], byTime)
}
