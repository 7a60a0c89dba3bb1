package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// readFrom reads what errors call "test".
func readFrom(src io.Reader) (*Reader, error) {
	return newReader([]string{"test"}, func(string) (io.ReadCloser, error) { return io.NopCloser(src), nil })
}

// readBytes reads a capture from memory.
func readBytes(content []byte) ([]Frame, *Reader, error) {
	r, err := readFrom(bytes.NewReader(content))
	if err != nil {
		return nil, nil, err
	}
	frames, err := readAll(r)
	return frames, r, err
}

func golden(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/run/" + singleFile)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// blocks returns the offsets at which the blocks of a record of ours start,
// and its length.
func blocks(content []byte) []int {
	at := []int{0}
	for n := 0; n < len(content); {
		n += int(little.Uint32(content[n+4:]))
		at = append(at, n)
	}
	return at
}

// TestTruncated cuts a record and a pcap file at every byte.
func TestTruncated(t *testing.T) {
	record := golden(t)
	pcap := pcapOf(t, 3)
	pcapBlocks := []int{0, 24, 114, 204, 294}
	for _, c := range []struct {
		name    string
		content []byte
		starts  []int // of blocks, and the end
		headers int   // blocks before the first packet
		first   int   // length of the shortest whole file
	}{
		{"pcapng", record, blocks(record), 3, int(little.Uint32(record[4:]))},
		{"pcap", pcap, pcapBlocks, 1, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, _, err := readBytes(c.content)
			if err != io.EOF {
				t.Fatal(err)
			}
			block := 0
			for n := range c.content {
				for c.starts[block+1] <= n {
					block++
				}
				frames, r, err := readBytes(c.content[:n])
				packets := min(max(0, block-c.headers), len(whole))
				if len(frames) != packets {
					t.Fatalf("%d bytes: %d frames, want %d", n, len(frames), packets)
				}
				sameFrames(t, whole[:packets], frames)
				if n == c.starts[block] && n >= c.first {
					if err != io.EOF {
						t.Errorf("%d bytes, which are whole blocks: %v", n, err)
					}
				} else if cut := new(TruncatedError); !errors.As(err, &cut) ||
					cut.Offset != int64(c.starts[block]) || cut.Frame != uint64(packets) || cut.Path != "test" {
					t.Errorf("%d bytes: %v, want a cut at %d after frame %d", n, err, c.starts[block], packets)
				}
				if _, closed := r.End(); closed {
					t.Errorf("%d bytes: closed", n)
				}
				if err := r.Next(new(Frame)); err == nil {
					t.Errorf("%d bytes: a frame after the end", n)
				}
			}
		})
	}
}

// TestOffsets finds each frame's block where Offset says.
func TestOffsets(t *testing.T) {
	content := golden(t)
	starts := blocks(content)
	frames, _, _ := readBytes(content)
	for i, f := range frames {
		if f.Offset != int64(starts[3+i]) {
			t.Errorf("frame %d at %d, not %d", f.Number, f.Offset, starts[3+i])
		}
	}
}

func compressed(t testing.TB, make func(io.Writer) io.WriteCloser, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := make(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdWriter(w io.Writer) io.WriteCloser {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return z
}

func gzipWriter(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

// TestCompressed reads a compressed run directory, whole and cut.
func TestCompressed(t *testing.T) {
	made := testFrames()
	random := rand.NewChaCha8([32]byte{})
	for i := range 4000 { // too long for one block of zstd
		f := Frame{Number: uint64(len(made) + 1), Time: testStart.UnixNano() + int64(i), LinkType: linkEthernet, Length: 100, Data: make([]byte, 100)}
		random.Read(f.Data)
		made = append(made, f)
	}
	plain := filepath.Join(t.TempDir(), "run")
	record(t, plain, testManifest(), made)
	content, err := os.ReadFile(filepath.Join(plain, chunkName(0)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		extension string
		writer    func(io.Writer) io.WriteCloser
	}{
		{".zst", zstdWriter},
		{".gz", gzipWriter},
	} {
		dir := t.TempDir()
		packed := compressed(t, c.writer, content)
		if err := os.WriteFile(filepath.Join(dir, chunkName(0)+c.extension), packed, 0o644); err != nil {
			t.Fatal(err)
		}
		frames, r := mustRead(t, dir)
		sameFrames(t, made, frames)
		sameManifest(t, inChunk(testManifest(), Chunk{First: 1}), r.Manifest())
		if _, closed := r.End(); !closed {
			t.Error("not closed")
		}
		most := 0
		for n := 0; n < len(packed); n += 1 + n/7 {
			frames, _, err := readBytes(packed[:n])
			if cut := new(TruncatedError); !errors.As(err, &cut) || cut.Frame != uint64(len(frames)) {
				t.Errorf("%s cut at %d of %d: %v", c.extension, n, len(packed), err)
			}
			sameFrames(t, made[:len(frames)], frames)
			most = max(most, len(frames))
		}
		if most == 0 {
			t.Error("no prefix has a frame")
		}
		packed[len(packed)/2] ^= 0xff
		if frames, _, err := readBytes(packed); err == nil || err == io.EOF {
			t.Errorf("%s damaged: %d frames, %v", c.extension, len(frames), err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("newer/manifest.json", `{"format":2,"laserdisc":"9"}`)
	write("newer/packets.pcapng", string(golden(t)))
	for _, c := range []struct{ path, problem string }{
		{filepath.Join(dir, "absent"), "no such file"},
		{dir, "is not a run directory: it has no packets-00000.pcapng"},
		{write("text", "hello, world"), "neither pcap nor pcapng: begins with 68 65 6c 6c"},
		{write("text.gz", string(compressed(t, gzipWriter, []byte("hello, world")))), "neither pcap nor pcapng"},
		{write("newer.pcap", "\xd4\xc3\xb2\xa1\x02\x00\x05\x00"+strings.Repeat("\x00", 16)), "pcap version 2.5, not 2.0 to 2.4"},
		{write("mesquita.pcap", "\xcd\x34\xb2\xa1\x02\x00\x04\x00"+strings.Repeat("\x00", 16)), "neither"},
		{filepath.Join(dir, "newer"), "this laserdisc reads up to format 1"},
	} {
		if r, err := Open(c.path); r != nil || err == nil || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v", c.path, err)
		}
	}
}

// TestReadError passes on what the disk says.
func TestReadError(t *testing.T) {
	broken := errors.New("broken disk")
	content := golden(t)
	r, err := readFrom(io.MultiReader(bytes.NewReader(content[:len(content)-300]), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	if frames, err := readAll(r); !errors.Is(err, broken) || !strings.Contains(err.Error(), "test: block at byte") {
		t.Error(len(frames), err)
	}
	// One byte at a time: a reader may return as little as it likes.
	if r, err = readFrom(iotest.OneByteReader(bytes.NewReader(content))); err != nil {
		t.Fatal(err)
	}
	frames, err := readAll(r)
	if err != io.EOF {
		t.Error(err)
	}
	sameFrames(t, testFrames(), frames)
}

// capture is a pcapng file in a byte order, for the tests below.
type capture struct {
	order binary.AppendByteOrder
	bytes []byte
}

func newCapture(order binary.AppendByteOrder) *capture {
	c := &capture{order: order}
	c.block(blockSection, c.u32(byteOrderMagic), c.u16(1), c.u16(0), c.u32(math.MaxUint32), c.u32(math.MaxUint32))
	return c
}

func (c *capture) u16(v uint16) []byte { return c.order.AppendUint16(nil, v) }
func (c *capture) u32(v uint32) []byte { return c.order.AppendUint32(nil, v) }
func (c *capture) u64(v uint64) []byte { return c.order.AppendUint64(nil, v) }

func (c *capture) option(code uint16, value []byte) []byte {
	b := append(c.u16(code), c.u16(uint16(len(value)))...)
	return append(append(b, value...), make([]byte, -len(value)&3)...)
}

func (c *capture) block(kind uint32, parts ...[]byte) {
	body := bytes.Join(parts, nil)
	body = append(body, make([]byte, -len(body)&3)...)
	length := c.u32(uint32(len(body) + 12))
	c.bytes = bytes.Join([][]byte{c.bytes, c.u32(kind), length, body, length}, nil)
}

// network adds an interface.
func (c *capture) network(link uint16, snap uint32, options ...[]byte) {
	c.block(blockInterface, append([][]byte{c.u16(link), c.u16(0), c.u32(snap)}, options...)...)
}

// packet adds an enhanced packet of 4 bytes.
func (c *capture) packet(network uint32, ticks uint64, options ...[]byte) {
	c.block(blockEnhancedPacket, append([][]byte{c.u32(network), c.u32(uint32(ticks >> 32)), c.u32(uint32(ticks)),
		c.u32(4), c.u32(1500), []byte("data")}, options...)...)
}

// TestBlocks reads every kind of block, in both byte orders.
func TestBlocks(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		c := newCapture(order)
		c.network(276, 6, c.option(optName, []byte("eth0"))) // Linux cooked v2: more than 8 bits
		c.network(linkEthernet, 0, c.option(optName, []byte("sent")), c.option(optResolution, []byte{9}), c.option(optEnd, nil))
		c.packet(0, 1_000_001)
		c.packet(1, 2_000_000_001)
		c.packet(0, 3_000_000, c.option(optComment, []byte("odd")), c.option(optFlags, c.u32(2)), c.option(optEnd, nil))
		c.packet(1, 4_000_000_000, c.option(optFlags, c.u32(5)))
		c.block(blockSimplePacket, c.u32(5), []byte("short"))
		c.block(blockSimplePacket, c.u32(60), []byte("sniped"))
		c.block(blockPacket, c.u16(1), c.u16(99), c.u32(0), c.u32(7), c.u32(3), c.u32(3), []byte("old"))
		c.block(4, []byte("names"))                    // name resolution
		c.block(10, []byte("secrets"))                 // decryption secrets
		c.block(blockCustom, c.u32(1), []byte("mine")) // which Wireshark numbers
		c.block(0x7777, make([]byte, 3*bufferSize))    // of no known kind
		c.packet(0, 5_000_000)
		c.block(blockStatistics, c.u32(0), c.u64(0), c.option(optEndTime, append(c.u32(0), c.u32(6_000_000)...)))
		c.block(blockStatistics, c.u32(1), c.u64(0), c.option(optEndTime, append(c.u32(0), c.u32(7)...)))

		frame := func(number uint64, ns int64, d Direction, link, length uint32, data string) Frame {
			return Frame{Number: number, Time: ns, Direction: d, LinkType: link, Length: length, Data: []byte(data)}
		}
		frames, r, err := readBytes(c.bytes)
		if err != io.EOF {
			t.Fatal(err)
		}
		sameFrames(t, []Frame{
			frame(1, 1_000_001_000, Received, 276, 1500, "data"),
			frame(2, 2_000_000_001, Sent, linkEthernet, 1500, "data"),
			frame(3, 3_000_000_000, Sent, 276, 1500, "data"),
			frame(4, 4_000_000_000, Received, linkEthernet, 1500, "data"),
			frame(5, 0, Received, 276, 5, "short"),
			frame(6, 0, Received, 276, 60, "sniped"),
			frame(7, 7, Sent, linkEthernet, 3, "old"),
			frame(9, 5_000_000_000, Received, 276, 1500, "data"),
		}, frames)
		if end, ok := r.End(); end != 6e9 || !ok {
			t.Error(end, ok)
		}

		// Another section, of the other byte order, starts its interfaces anew.
		other := newCapture(map[bool]binary.AppendByteOrder{true: binary.BigEndian, false: binary.LittleEndian}[order == binary.LittleEndian])
		other.network(113, 0)
		other.packet(0, 1)
		frames, r, err = readBytes(append(c.bytes, other.bytes...))
		if last := frames[len(frames)-1]; err != io.EOF || last.Number != 10 || last.LinkType != 113 || last.Time != 1000 {
			t.Error(last, err)
		}
		if _, ok := r.End(); ok {
			t.Error("closed, though the last section has no statistics")
		}
	}
}

// TestClock turns ticks into nanoseconds for all that if_tsresol can say.
func TestClock(t *testing.T) {
	const power2 = 0x80
	for _, c := range []struct {
		resolution byte
		offset     int64
		ticks      uint64
		ns         int64
		ok         bool
	}{
		{6, 0, 1, 1000, true},
		{9, 0, math.MaxInt64, math.MaxInt64, true},
		{9, 0, math.MaxInt64 + 1, 0, false},
		{0, 0, 9223372036, 9223372036e9, true},
		{0, 0, 9223372037, 0, false},
		{12, 0, 1_999, 1, true},
		{28, 0, math.MaxUint64, 1, true},
		{29, 0, math.MaxUint64, 0, true},
		{127, 0, math.MaxUint64, 0, true},
		{power2, 0, 3, 3e9, true},
		{power2 | 10, 0, 1536, 1.5e9, true},
		{power2 | 32, 0, 1 << 31, 5e8, true},
		{power2 | 32, 0, math.MaxUint64, 1<<32*1e9 - 1, true},
		{power2 | 64, 0, 1 << 63, 5e8, true},
		{power2 | 64, 0, math.MaxUint64, 999_999_999, true},
		{power2 | 65, 0, 1 << 63, 25e7, true},
		{power2 | 127, 0, math.MaxUint64, 0, true},
		{power2 | 1, 0, math.MaxUint64, 0, false},
		{9, 2, 5, 2e9 + 5, true},
		{9, -2, 5, -2e9 + 5, true},
		{9, 9223372036, 854775807, math.MaxInt64, true},
		{9, 9223372036, 854775808, 0, false},
		{9, math.MaxInt64, 0, 0, false},
		{9, math.MinInt64, 0, 0, false},
	} {
		clock := microseconds
		clock.resolve(c.resolution)
		clock.offset = c.offset
		ns, ok := clock.nanoseconds(c.ticks)
		if ok != c.ok || ok && ns != c.ns {
			t.Errorf("%d ticks of %#x from %d s: %d, %v; want %d, %v", c.ticks, c.resolution, c.offset, ns, ok, c.ns, c.ok)
		}
	}
}

// TestMalformed has one fault in each file, after a whole packet.
func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		problem string
		fault   func(*capture)
	}{
		{"length 8, not a multiple of 4", func(c *capture) { c.raw(0x7777, 8) }},
		{"length 0, not a multiple of 4", func(c *capture) { c.raw(0, 0, 1) }}, // all zeros would be a cut
		{"length 13, not a multiple of 4", func(c *capture) { c.raw(0x7777, 13, 0, 0) }},
		{"length 16777220, not within 32 and 16777216", func(c *capture) { c.raw(blockEnhancedPacket, maxBlock+4) }},
		{"length 28, not within 32", func(c *capture) { c.raw(blockEnhancedPacket, 28, 0, 0, 0, 0, 28) }},
		{"length 16 at its start, 20 at its end", func(c *capture) { c.raw(0x7777, 16, 0, 20) }},
		{"length 20 at its start, 16 at its end", func(c *capture) { c.raw(blockInterface, 20, 1, 0, 16) }},
		{"byte-order magic 01 02 03 04", func(c *capture) { c.raw(blockSection, 28, 0x04030201) }},
		{"pcapng version 1.1, not 1.0", func(c *capture) {
			c.block(blockSection, c.u32(byteOrderMagic), c.u16(1), c.u16(1), c.u64(0))
		}},
		{"interface 1 of 1", func(c *capture) { c.packet(1, 0) }},
		{"interface 4294967295 of 1", func(c *capture) { c.packet(math.MaxUint32, 0) }},
		{"interface 7 of 1", func(c *capture) { c.block(blockStatistics, c.u32(7), c.u64(0)) }},
		{"interface 0 of 0", func(c *capture) {
			c.bytes = append(c.bytes, newCapture(c.order).bytes...)
			c.block(blockSimplePacket, c.u32(0))
		}},
		{"time 18446744073709551615 is not within the years 1678 to 2262", func(c *capture) { c.packet(0, math.MaxUint64) }},
		{"262145 bytes captured, more than the 262144", func(c *capture) { c.captured(262145, 262145) }},
		{"60 bytes captured of a packet of 59", func(c *capture) { c.captured(60, 59) }},
		{"60 bytes captured, but 4 in the block", func(c *capture) { c.captured(60, 60) }},
		{"60 bytes captured, but 4 in the block", func(c *capture) { c.block(blockSimplePacket, c.u32(60), []byte("data")) }},
		{"262145 bytes captured", func(c *capture) { c.block(blockSimplePacket, c.u32(262145)) }},
		{"option 1 of 5 bytes where 4 are left", func(c *capture) {
			c.packet(0, 0, c.u16(optComment), c.u16(5), []byte("four"))
		}},
		{"if_tsresol of 2 bytes, not 1", func(c *capture) { c.network(1, 0, c.option(optResolution, []byte{9, 9})) }},
		{"if_tsoffset of 4 bytes, not 8", func(c *capture) { c.network(1, 0, c.option(optOffset, c.u32(1))) }},
		{"isb_endtime of 4 bytes, not 8", func(c *capture) {
			c.block(blockStatistics, c.u32(0), c.u64(0), c.option(optEndTime, c.u32(1)))
		}},
		{"more than 65536 interfaces", func(c *capture) {
			one := newCapture(c.order)
			one.bytes = nil
			one.network(1, 0)
			c.bytes = append(c.bytes, bytes.Repeat(one.bytes, maxInterfaces)...)
		}},
	} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			file := newCapture(order)
			file.network(linkEthernet, 0)
			file.packet(0, 1)
			start := int64(len(file.bytes))
			c.fault(file)
			frames, _, err := readBytes(file.bytes)
			var e *FormatError
			if len(frames) != 1 || !errors.As(err, &e) || !strings.Contains(e.Error(), c.problem) || e.Frame != 1 || e.Offset < start {
				t.Errorf("want %q: %d frames, %v", c.problem, len(frames), err)
			}
		}
	}
}

// raw adds words that need not make a block.
func (c *capture) raw(words ...uint32) {
	for i, v := range words {
		if i == 2 && words[0] == blockSection {
			c.bytes = append(c.bytes, 1, 2, 3, 4)
			continue
		}
		c.bytes = append(c.bytes, c.u32(v)...)
	}
}

// captured adds an enhanced packet of 4 bytes that claims other lengths.
func (c *capture) captured(captured, original uint32) {
	c.block(blockEnhancedPacket, c.u32(0), c.u32(0), c.u32(0), c.u32(captured), c.u32(original), []byte("data"))
}

func TestMalformedPcap(t *testing.T) {
	for _, c := range []struct {
		problem string
		record  []uint32 // seconds, fraction, captured, original
	}{
		{"fraction 1000000000 is a second or more", []uint32{0, 1e9, 0, 0}},
		{"262145 bytes captured", []uint32{0, 0, 262145, 262145}},
		{"2 bytes captured of a packet of 1", []uint32{0, 0, 2, 1}},
	} {
		content := pcapOf(t, 2)
		for _, v := range c.record {
			content = little.AppendUint32(content, v)
		}
		frames, _, err := readBytes(content)
		var e *FormatError
		if len(frames) != 2 || !errors.As(err, &e) || !strings.Contains(err.Error(), c.problem) || e.Offset != 204 || e.Frame != 2 {
			t.Error(c.problem, len(frames), err)
		}
	}
}

// TestPcap reads both byte orders and both units of time.
func TestPcap(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, unit := range []struct {
			magic uint32
			ns    int64
		}{{magicMicroseconds, 1000}, {magicNanoseconds, 1}} {
			var b []byte
			b = order.AppendUint32(b, unit.magic)
			b = order.AppendUint16(b, 2)
			b = order.AppendUint16(b, 4)
			b = append(b, make([]byte, 12)...)
			b = order.AppendUint32(b, 0x14000000|276) // with a frame check sequence of 2 bytes
			for _, v := range []uint32{4_000_000_000, 999_999, 3, 1500} {
				b = order.AppendUint32(b, v)
			}
			b = append(b, "abc"...)
			frames, r, err := readBytes(b)
			if err != io.EOF {
				t.Fatal(err)
			}
			sameFrames(t, []Frame{{Number: 1, Time: 4_000_000_000e9 + 999_999*unit.ns, Direction: Received,
				LinkType: 276, Length: 1500, Data: []byte("abc")}}, frames)
			if _, ok := r.End(); ok {
				t.Error("pcap has no end time")
			}
		}
	}
}

// TestGopacket reads what gopacket's writers write.
func TestGopacket(t *testing.T) {
	frames := testFrames()
	for i := range frames {
		frames[i].Direction = Received
	}
	write := func(w interface {
		WritePacket(gopacket.CaptureInfo, []byte) error
	}) {
		t.Helper()
		for _, f := range frames {
			info := gopacket.CaptureInfo{Timestamp: time.Unix(0, f.Time), CaptureLength: len(f.Data), Length: len(f.Data)}
			if err := w.WritePacket(info, f.Data); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(b []byte) {
		t.Helper()
		got, _, err := readBytes(b)
		if err != io.EOF {
			t.Error(err)
		}
		sameFrames(t, frames, got)
	}

	var old bytes.Buffer
	w := pcapgo.NewWriterNanos(&old)
	if err := w.WriteFileHeader(MaxCapture, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	write(w)
	read(old.Bytes())

	var ng bytes.Buffer
	n, err := pcapgo.NewNgWriter(&ng, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	write(n)
	if err := n.Flush(); err != nil {
		t.Fatal(err)
	}
	read(ng.Bytes())

	// And gopacket reads what we write.
	g, err := pcapgo.NewNgReader(bytes.NewReader(golden(t)), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range testFrames() {
		data, info, err := g.ReadPacketData()
		if err != nil || !bytes.Equal(data, f.Data) || info.Timestamp.UnixNano() != f.Time || info.InterfaceIndex != int(f.Direction) {
			t.Error(info, err)
		}
	}
	if s, err := g.Interface(1); err != nil || s.Name != "received" || s.SnapLength != MaxCapture {
		t.Errorf("%+v %v", s, err)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	for name, content := range map[string][]byte{"pcapng": pcapngOf(t, 20_000), "pcap": pcapOf(t, 20_000)} {
		r, err := readFrom(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		if n := testing.AllocsPerRun(19_000, func() {
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestMemoryIsBounded reads files that claim more than they hold, and one that
// holds more than anything should.
func TestMemoryIsBounded(t *testing.T) {
	short := newCapture(binary.LittleEndian)
	short.raw(blockInterface, maxBlock)
	skipped := newCapture(binary.LittleEndian)
	skipped.raw(0x7777, math.MaxUint32-3)
	long := newCapture(binary.LittleEndian)
	long.raw(0x7777, 1<<30)
	chunk, starts := packed(t, testFrames(), 2)
	chunk = chunk[:starts[1]]
	claims := "\x28\xb5\x2f\xfd\xa4\x00\x00\x00\x01" // a frame of 16 MiB
	for _, c := range []struct {
		name   string
		source io.Reader
		most   uint64
	}{
		{"a frame of 16 MiB that is not there", io.MultiReader(bytes.NewReader(chunk), strings.NewReader(claims)), 2 << 20},
		{"frames of 16 MiB in each other", io.MultiReader(bytes.NewReader(chunk), strings.NewReader(strings.Repeat(claims, 4<<20))), 4 * maxZstdFrame},
		{"magic numbers", io.MultiReader(bytes.NewReader(chunk), strings.NewReader(strings.Repeat(claims[:4], 1<<20))), 4 * maxZstdFrame},
		{"a block of 16 MiB that is not there", bytes.NewReader(short.bytes), 1 << 20},
		{"a block of 4 GiB that is not there", bytes.NewReader(skipped.bytes), 1 << 20},
		// RFC 8878, section 3.1.1.1.2: exponent 17 is 2^27 bytes, 18 is too many.
		{"a window of 128 MiB for nothing", strings.NewReader("\x28\xb5\x2f\xfd\x00\x88\x0b\x00\x00xx"), 140 << 20},
		{"a window of 256 MiB for nothing", strings.NewReader("\x28\xb5\x2f\xfd\x00\x90\x0b\x00\x00xx"), 1 << 20},
		{"a block of 1 GiB", io.MultiReader(bytes.NewReader(long.bytes), io.LimitReader(zeros{}, 1<<30-8)), readAheadMemory + 1<<20},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := readFrom(c.source)
		if err == nil {
			_, err = readAll(r)
		}
		if err == nil || err == io.EOF {
			t.Errorf("%s: %v", c.name, err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > c.most {
			t.Errorf("%s: %d bytes allocated", c.name, used)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// FuzzReader holds the reader to its promises on any input: it does not panic,
// what it returns is within bounds, and a prefix reads as a prefix.
func FuzzReader(f *testing.F) {
	f.Add(golden(f), uint16(1000))
	f.Add(pcapOf(f, 2), uint16(100))
	f.Add(compressed(f, gzipWriter, pcapOf(f, 2)), uint16(30))
	f.Add(compressed(f, zstdWriter, pcapOf(f, 2)), uint16(30))
	packed, _ := packed(f, testFrames(), 2)
	f.Add(packed, uint16(1500))
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		c := newCapture(order)
		c.network(1, 96, c.option(optResolution, []byte{0x8a}), c.option(optOffset, c.u64(7)))
		c.packet(0, 1, c.option(optFlags, c.u32(1)))
		c.block(blockSimplePacket, c.u32(4), []byte("data"))
		c.block(blockPacket, c.u32(0), c.u64(0), c.u32(0), c.u32(0))
		c.block(blockStatistics, c.u32(0), c.u64(0), c.option(optEndTime, c.u64(9)))
		f.Add(c.bytes, uint16(70))
	}
	f.Fuzz(func(t *testing.T, content []byte, cut uint16) {
		frames, _, err := readBytes(content)
		if err == nil {
			t.Fatal("no end")
		}
		var number uint64
		for _, f := range frames {
			if f.Number <= number || len(f.Data) > MaxCapture || uint32(len(f.Data)) > f.Length {
				t.Fatalf("%+v", f)
			}
			number = f.Number
		}
		prefix, _, _ := readBytes(content[:min(int(cut), len(content))])
		if len(prefix) > len(frames) {
			t.Fatalf("%d frames in a prefix, %d in the whole", len(prefix), len(frames))
		}
		sameFrames(t, frames[:len(prefix)], prefix)
	})
}
