package link

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchFrames = 256
	batchBytes  = 1 << 18 // room for a frame of any size, and for full batches of MTU-sized ones

	// How long the interface may have no room at all before it counts as broken,
	// and how soon to ask again.
	sendPatience = 2 * time.Second
	sendPause    = 50 * time.Microsecond
)

// sender hands batches of frames to the interface from a goroutine of its own:
// while the kernel sends one, the caller fills the other.
type sender struct {
	fd      int
	filling *batch
	full    chan *batch
	empty   chan *batch
	done    chan struct{}

	sent    atomic.Uint64
	retries atomic.Uint64
	failed  atomic.Uint64
	err     atomic.Pointer[error] // the first; nothing is sent after it
}

// batch is frames back to back, with what sendmmsg needs to find them.
type batch struct {
	bytes    []byte
	frames   int
	vectors  [batchFrames]unix.Iovec
	messages [batchFrames]unix.Mmsghdr
}

func newBatch() *batch {
	b := &batch{bytes: make([]byte, 0, batchBytes)}
	for i := range b.messages {
		b.messages[i].Hdr.Iov = &b.vectors[i]
		b.messages[i].Hdr.SetIovlen(1)
	}
	return b
}

func (b *batch) fits(frame []byte) bool {
	return b.frames < batchFrames && len(b.bytes)+len(frame) <= cap(b.bytes)
}

func (b *batch) add(frame []byte) {
	start := len(b.bytes)
	b.bytes = append(b.bytes, frame...)
	v := &b.vectors[b.frames]
	v.Base = &b.bytes[start]
	v.SetLen(len(frame))
	b.frames++
}

func (b *batch) reset() {
	b.bytes = b.bytes[:0]
	b.frames = 0
}

// openSender sends past the queueing discipline: packets then leave at our pace,
// and one that finds no room is reported instead of dropped in silence.
func openSender(index int) (*sender, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, explain("open a packet socket", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		unix.Close(fd)
		return nil, explain("bypass the queueing discipline", err)
	}
	if err := bind(fd, index, 0); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return startSender(fd), nil
}

func startSender(fd int) *sender {
	s := &sender{
		fd:      fd,
		filling: newBatch(),
		full:    make(chan *batch, 1),
		empty:   make(chan *batch, 1),
		done:    make(chan struct{}),
	}
	s.empty <- newBatch()
	go s.run()
	return s
}

func (s *sender) add(frame []byte) error {
	if !s.filling.fits(frame) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.filling.add(frame)
	return s.firstError()
}

func (s *sender) flush() error {
	if s.filling.frames > 0 {
		s.full <- s.filling
		s.filling = <-s.empty
	}
	return s.firstError()
}

func (s *sender) firstError() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

// close returns after the last frame is sent.
func (s *sender) close() error {
	err := s.flush()
	close(s.full)
	<-s.done
	unix.Close(s.fd)
	if err == nil {
		err = s.firstError()
	}
	return err
}

func (s *sender) run() {
	for b := range s.full {
		sent := 0
		if s.err.Load() == nil {
			var err error
			if sent, err = s.send(b); err != nil {
				err = explain("send", err)
				s.err.Store(&err)
			}
		}
		s.failed.Add(uint64(b.frames - sent))
		b.reset()
		s.empty <- b
	}
	close(s.done)
}

// send returns how many frames of the batch the interface took.
func (s *sender) send(b *batch) (int, error) {
	sent := 0
	var stuck time.Time
	for sent < b.frames {
		n, err := sendmmsg(s.fd, b.messages[sent:b.frames])
		switch err {
		case nil:
			sent += n
			s.sent.Add(uint64(n))
			stuck = time.Time{}
		case unix.EINTR:
		case unix.ENOBUFS, unix.EAGAIN: // the interface's queue is full
			if stuck.IsZero() {
				stuck = time.Now()
			}
			if time.Since(stuck) > sendPatience {
				return sent, err
			}
			s.retries.Add(1)
			time.Sleep(sendPause)
		default:
			return sent, err
		}
	}
	return sent, nil
}

func sendmmsg(fd int, messages []unix.Mmsghdr) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
