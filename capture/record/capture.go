package record

import (
	"bufio"
	"fmt"
	"io"
)

// CaptureWriter writes frames, of whatever link types, as one pcapng capture, which is no record that can be played back. Its
// methods are for one goroutine; Flush comes last.
type CaptureWriter struct {
	w          *bufio.Writer
	interfaces map[captureInterface]uint32
	block      []byte
}

// captureInterface is one that a capture describes: frames of one link type that go one way.
type captureInterface struct {
	link uint32
	d    Direction
}

// NewCaptureWriter begins a capture, whose section header has the manifest, as that of a chunk has; nil is none.
func NewCaptureWriter(w io.Writer, m *Manifest) (*CaptureWriter, error) {
	var text []byte
	if m != nil {
		var err error
		if text, err = m.encode(""); err != nil {
			return nil, err
		}
	}
	c := &CaptureWriter{w: bufio.NewWriterSize(w, writeBufferSize), interfaces: make(map[captureInterface]uint32)}
	return c, c.write(appendSection(nil, string(text)))
}

func (c *CaptureWriter) write(b []byte) error {
	if _, err := c.w.Write(b); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Packet appends a frame, as it was captured; its Number, Offset, Part and Length are of no account.
func (c *CaptureWriter) Packet(f *Frame) error { return c.packet(f, "", uint32(len(f.Data))) }

// Comment appends a frame of the Length that it had, with a comment on it that Wireshark shows.
func (c *CaptureWriter) Comment(f *Frame, comment string) error {
	return c.packet(f, comment, max(f.Length, uint32(len(f.Data))))
}

func (c *CaptureWriter) packet(f *Frame, comment string, length uint32) error {
	if f.Time < 0 || len(f.Data) > MaxCapture || f.LinkType > 1<<16-1 {
		return fmt.Errorf("record: cannot hold a frame of %d bytes at %d ns, of link type %d", len(f.Data), f.Time, f.LinkType)
	}
	key := captureInterface{f.LinkType, f.Direction}
	number, ok := c.interfaces[key]
	c.block = c.block[:0]
	if !ok {
		number = uint32(len(c.interfaces))
		c.interfaces[key] = number
		c.block = appendInterface(c.block, f.Direction.String(), f.LinkType)
	}
	if comment == "" {
		c.block = appendPacket(c.block, number, f.Time, f.Data)
	} else {
		c.block = appendCommented(c.block, number, f, length, comment[:optionPrefix(comment)])
	}
	return c.write(c.block)
}

// Flush writes what is still in memory.
func (c *CaptureWriter) Flush() error {
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
