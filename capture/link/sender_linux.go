package link

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchFrames = 256
	batchBytes  = 1 << 18 // room for a frame of any size

	// How long the interface may have no room at all before it counts as broken,
	// and how soon to ask again.
	sendPatience = 2 * time.Second
	sendPause    = 50 * time.Microsecond
)

// sender hands batches of frames to the interface, on the caller's thread. A
// goroutine of its own would cost a fifth more and send no faster, even beside
// the work of a scan, when there are two processors: almost all the time goes to
// the kernel.
type sender struct {
	fd    int
	batch batch
	err   error // the first; nothing is sent after it

	sent, retries, failed uint64 // see Stats
}

// batch is frames back to back, with what sendmmsg needs to find them.
type batch struct {
	bytes    []byte
	frames   int
	vectors  [batchFrames]unix.Iovec
	messages [batchFrames]unix.Mmsghdr
}

func (b *batch) init() {
	b.bytes = make([]byte, 0, batchBytes)
	for i := range b.messages {
		b.messages[i].Hdr.Iov = &b.vectors[i]
		b.messages[i].Hdr.SetIovlen(1)
	}
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
	return newSender(fd), nil
}

func newSender(fd int) *sender {
	s := &sender{fd: fd}
	s.batch.init()
	return s
}

func (s *sender) add(frame []byte) error {
	if !s.batch.fits(frame) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.batch.add(frame)
	return s.err
}

func (s *sender) flush() error {
	sent := 0
	if s.err == nil {
		sent, s.err = s.send(&s.batch)
	}
	s.sent += uint64(sent)
	s.failed += uint64(s.batch.frames - sent)
	s.batch.reset()
	return s.err
}

// close sends what is queued.
func (s *sender) close() error {
	err := s.flush()
	unix.Close(s.fd)
	return err
}

// send returns how many frames of the batch the interface took. A frame that
// finds no room is not sent, and no later one before it.
func (s *sender) send(b *batch) (sent int, err error) {
	var stuck time.Time
	for sent < b.frames {
		n, err := sendmmsg(s.fd, b.messages[sent:b.frames])
		switch err {
		case nil:
			sent += n
			stuck = time.Time{}
		case unix.EINTR:
		case unix.ENOBUFS, unix.EAGAIN: // the interface's queue is full
			if stuck.IsZero() {
				stuck = time.Now()
			}
			if time.Since(stuck) > sendPatience {
				return sent, explain("send", err)
			}
			s.retries++
			time.Sleep(sendPause)
		default:
			return sent, explain("send", err)
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
