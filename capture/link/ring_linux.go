package link

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The receive ring: 64 MiB hold 400,000 SYN-ACKs, or half a second at 10 Gbit/s.
// A frame is visible when its block is full or old enough.
const (
	blockSize   = 1 << 18 // larger than the largest merged frame
	blockCount  = 256
	blockMaxAge = 2 * time.Millisecond
)

// ring receives through a TPACKET_V3 ring shared with the kernel, whose blocks
// hold frames of any size back to back.
type ring struct {
	fd     int
	memory []byte
	block  int    // next to read, or being read
	held   bool   // the block is ours until released
	left   uint32 // frames not yet read in the block held
	offset int    // of the next one
	drops  uint64
}

// openRing receives what the filter accepts on the interface, except what this
// machine sends itself. Nothing that came in before the filter was there is seen.
func openRing(index int, filter []bpf.Instruction) (_ *ring, err error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0: nothing until bind
	if err != nil {
		return nil, explain("open a packet socket", err)
	}
	r := &ring{fd: fd}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := attach(fd, filter); err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return nil, explain("ignore outgoing frames (PACKET_IGNORE_OUTGOING, Linux 4.20)", err)
	}
	if err := r.mapMemory(); err != nil {
		return nil, err
	}
	if err := bind(fd, index, unix.ETH_P_ALL); err != nil {
		return nil, err
	}
	return r, nil
}

func attach(fd int, filter []bpf.Instruction) error {
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return fmt.Errorf("link: assemble the socket filter: %w", err)
	}
	if len(raw) > unix.BPF_MAXINSNS {
		return fmt.Errorf("link: too many addresses for a socket filter: %d instructions, at most %d; use fewer or wider prefixes", len(raw), unix.BPF_MAXINSNS)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	return explain("attach the socket filter", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program))
}

func (r *ring) mapMemory() error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return explain("choose TPACKET_V3", err)
	}
	request := unix.TpacketReq3{
		Block_size:     blockSize,
		Block_nr:       blockCount,
		Frame_size:     blockSize, // frames need no slots of their own in version 3
		Frame_nr:       blockCount,
		Retire_blk_tov: uint32(blockMaxAge.Milliseconds()),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return explain(fmt.Sprintf("make a receive ring of %d MiB", blockSize*blockCount>>20), err)
	}
	var err error
	r.memory, err = unix.Mmap(r.fd, 0, blockSize*blockCount, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return explain("map the receive ring", err)
}

// next returns the next frame that is in the ring already, with the wall time that the kernel stamped it with. Of each block
// that it finds there it tells, before it returns any frame of it.
func (r *ring) next(found func()) (Frame, bool) {
	for r.left == 0 {
		r.release()
		if !r.acquire() {
			return Frame{}, false
		}
		found()
	}
	h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&r.memory[r.offset]))
	start := r.offset + int(h.Mac)
	end := start + int(h.Snaplen)
	r.left--
	r.offset += int(h.Next_offset)
	return Frame{
		Time: int64(h.Sec)*int64(time.Second) + int64(h.Nsec),
		Data: r.memory[start:end:end],
	}, true
}

// acquire takes the next block if the kernel is done with it.
func (r *ring) acquire() bool {
	d := r.descriptor()
	if atomic.LoadUint32(&d.Block_status)&unix.TP_STATUS_USER == 0 {
		return false
	}
	r.held = true
	r.left = d.Num_pkts
	r.offset = r.block*blockSize + int(d.Offset_to_first_pkt)
	return true
}

// release gives the block that was read back to the kernel.
func (r *ring) release() {
	if r.held {
		atomic.StoreUint32(&r.descriptor().Block_status, unix.TP_STATUS_KERNEL)
		r.block = (r.block + 1) % blockCount
		r.held = false
	}
}

func (r *ring) descriptor() *unix.TpacketHdrV1 {
	d := (*unix.TpacketBlockDesc)(unsafe.Pointer(&r.memory[r.block*blockSize]))
	return (*unix.TpacketHdrV1)(unsafe.Pointer(&d.Hdr))
}

// wait returns when a block is there to be acquired, or after the time given.
func (r *ring) wait(most time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	timeout := unix.NsecToTimespec(int64(most))
	if _, err := unix.Ppoll(fds, &timeout, nil); err != nil {
		if err == unix.EINTR {
			return nil
		}
		return explain("wait for frames", err)
	}
	if fds[0].Revents&unix.POLLERR != 0 {
		return explain("receive", socketError(r.fd))
	}
	return nil
}

// socketError takes the error that is pending on the socket.
func socketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if code == 0 {
		return nil
	}
	return unix.Errno(code)
}

// dropped returns how many frames found the ring full. The kernel forgets its
// count when asked.
func (r *ring) dropped() (uint64, error) {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return r.drops, explain("read the drop counter", err)
	}
	r.drops += uint64(s.Drops)
	return r.drops, nil
}

func (r *ring) close() {
	if r.memory != nil {
		unix.Munmap(r.memory)
	}
	unix.Close(r.fd)
}

func bind(fd, index int, protocol uint16) error {
	return explain("bind to the interface", unix.Bind(fd, &unix.SockaddrLinklayer{
		Ifindex:  index,
		Protocol: protocol<<8 | protocol>>8, // network byte order
	}))
}
