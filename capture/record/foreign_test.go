package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// foreign reads files as a capture, and what could not be read of them.
func foreign(paths ...string) (frames []Frame, troubles []error, c *Capture, err error) {
	if c, err = OpenCapture(context.Background(), paths); err != nil {
		return nil, nil, nil, err
	}
	defer c.Close()
	for {
		some, err := c.Next()
		if err == io.EOF {
			return frames, troubles, c, nil
		}
		if errors.As(err, new(*LostError)) || errors.As(err, new(*TruncatedError)) || errors.As(err, new(*FormatError)) {
			troubles = append(troubles, err)
			continue
		}
		if err != nil {
			return nil, nil, nil, err
		}
		for _, f := range some {
			f.Data = bytes.Clone(f.Data)
			frames = append(frames, f)
		}
	}
}

func foreignBytes(t testing.TB, content []byte) ([]Frame, []error, *Capture) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	frames, troubles, c, err := foreign(path)
	if err != nil {
		t.Fatal(err)
	}
	return frames, troubles, c
}

// packets are as many as there may be, of lengths between 60 and 259 bytes that differ, a millisecond apart, each with its number.
func packets(n int) []Frame {
	random := rand.New(rand.NewPCG(7, 7))
	list := make([]Frame, n)
	for i := range list {
		data := make([]byte, 60+random.IntN(200))
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		little.PutUint32(data, uint32(i))
		list[i] = Frame{Number: uint64(i + 1), Time: 1700000000e9 + int64(i)*1e6, Direction: Received, LinkType: 1, Length: uint32(len(data)), Data: data}
	}
	return list
}

// pcapFile returns frames as a file, and where their records begin.
func pcapFile(order binary.AppendByteOrder, magic uint32, major, minor uint16, frames []Frame) (b []byte, at []int) {
	b = order.AppendUint32(b, magic)
	b = order.AppendUint16(b, major)
	b = order.AppendUint16(b, minor)
	b = append(b, make([]byte, 8)...)
	b = order.AppendUint32(b, MaxCapture)
	b = order.AppendUint32(b, 1)
	unit := int64(1e3)
	switch magic {
	case magicNanoseconds:
		unit = 1
	case magicIxiaHardware, magicIxiaSoftware:
		b = append(b, 1, 2, 3, 4)
	}
	for _, f := range frames {
		at = append(at, len(b))
		lengths := []uint32{uint32(len(f.Data)), f.Length}
		if minor < 3 {
			slices.Reverse(lengths)
		}
		for _, v := range append([]uint32{uint32(f.Time / 1e9), uint32(f.Time % 1e9 / unit)}, lengths...) {
			b = order.AppendUint32(b, v)
		}
		if magic == magicKuznetzov {
			b = append(b, "interfac"...)
		}
		b = append(b, f.Data...)
	}
	return b, append(at, len(b))
}

// pcapngFile returns frames as a file, and where their blocks begin.
func pcapngFile(order binary.AppendByteOrder, frames []Frame) (b []byte, at []int) {
	c := newCapture(order)
	c.network(1, 0, c.option(optResolution, []byte{9}))
	for _, f := range frames {
		at = append(at, len(c.bytes))
		c.block(blockEnhancedPacket, c.u32(0), c.u32(uint32(f.Time>>32)), c.u32(uint32(f.Time)), c.u32(uint32(len(f.Data))), c.u32(f.Length),
			f.Data, make([]byte, -len(f.Data)&3))
	}
	return c.bytes, append(at, len(c.bytes))
}

// Every version and variant of pcap is read, as tshark reads it.
func TestPcapVariants(t *testing.T) {
	frames := packets(20)
	for i := range frames {
		frames[i].Length += 1000 // so that the order of the lengths matters
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, c := range []struct {
			magic        uint32
			major, minor uint16
		}{
			{magicMicroseconds, 2, 0}, {magicMicroseconds, 2, 1}, {magicMicroseconds, 2, 2}, {magicMicroseconds, 2, 3}, {magicMicroseconds, 2, 4},
			{magicMicroseconds, 543, 0}, {magicNanoseconds, 2, 4}, {magicKuznetzov, 2, 4}, {magicIxiaHardware, 2, 4}, {magicIxiaSoftware, 2, 4},
		} {
			name := fmt.Sprintf("%v %x %d.%d", order, c.magic, c.major, c.minor)
			content, _ := pcapFile(order, c.magic, c.major, c.minor, frames)
			got, troubles, read := foreignBytes(t, content)
			if len(got) != len(frames) || len(troubles) > 0 || len(read.Remarks()) > 0 {
				t.Errorf("%s: %d frames; %v %v", name, len(got), troubles, read.Remarks())
				continue
			}
			for i := range got {
				got[i].Offset = 0
			}
			sameFrames(t, frames, got)
			path := filepath.Join(t.TempDir(), "x.pcap")
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			if order == binary.BigEndian || c.minor == 0 {
				continue // the judge takes its time
			}
			theirs := strings.Fields(run(t, "tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.len"))
			for i, f := range frames {
				if len(theirs) != len(frames) || theirs[i] != fmt.Sprint(f.Length) {
					t.Errorf("%s: tshark reads frames of %v bytes", name, theirs)
					break
				}
			}
		}
	}
}

// What tools compress is read.
func TestDecompress(t *testing.T) {
	frames := packets(5000)
	content, _ := pcapFile(binary.LittleEndian, magicNanoseconds, 2, 4, frames)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.pcap")
	if err := os.WriteFile(plain, content, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"gzip -c", "zstd -qc", "zstd -qc --long=27", "xz -c", "xz -9ec", "xz -c --block-size=65536", "bzip2 -c", "lz4 -qc", "lz4 -qlc", "lz4 -qc9 --content-size"} {
		path := filepath.Join(dir, "compressed")
		run(t, "sh", "-c", command+" "+plain+" >"+path)
		got, troubles, c, err := foreign(path)
		if err != nil || len(troubles) > 0 || len(got) != len(frames) {
			t.Fatalf("%s: %d frames, %v, %v", command, len(got), troubles, err)
		}
		packed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if sum := strings.Fields(run(t, "sha256sum", path))[0]; c.Files()[0].SHA256 != sum {
			t.Errorf("%s: digest %s, not %s", command, c.Files()[0].SHA256, sum)
		}
		// Cut, or with a byte changed in its middle, it never looks whole.
		for _, damage := range []struct {
			name string
			do   func([]byte) []byte
		}{
			{"cut", func(b []byte) []byte { return b[:len(b)*2/3] }},
			{"changed", func(b []byte) []byte { b[len(b)/2] ^= 0x55; return b }},
		} {
			if err := os.WriteFile(path, damage.do(bytes.Clone(packed)), 0o644); err != nil {
				t.Fatal(err)
			}
			got, troubles, _, err := foreign(path)
			if err != nil {
				troubles = append(troubles, err)
			}
			if len(troubles) == 0 && !strings.HasPrefix(command, "lz4 -qlc") { // the older format has no checksum
				t.Errorf("%s, %s: %d frames, and no complaint", command, damage.name, len(got))
			}
		}
	}
	// A dictionary of 1 GiB is not made.
	path := filepath.Join(dir, "large.xz")
	run(t, "sh", "-c", "xz -c --lzma2=dict=1GiB "+plain+" >"+path)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, troubles, _, err := foreign(path)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err == nil && len(troubles) == 0 || used > 20<<20 {
		t.Errorf("%v, %v: %d bytes", troubles, err, used)
	}
}

// One record that is damaged costs that record, and no other; and where it is, is told.
func TestDamagedRecord(t *testing.T) {
	frames := packets(1624)
	const bad = 1619 // record 1,620
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		pcap, records := pcapFile(order, magicMicroseconds, 2, 4, frames)
		pcapng, blocks := pcapngFile(order, frames)
		put := func(b []byte, at int, v uint32) { copy(b[at:], order.AppendUint32(nil, v)) }
		length := func(i int) uint32 { return uint32(len(frames[i].Data)) }
		for _, c := range []struct {
			name    string
			content []byte
			at      []int
			do      func(b []byte, at int)
			frames  int // of those that are left
			damage  string
			remark  string
		}{
			{"time far ahead", pcap, records, func(b []byte, at int) { put(b, at, 1<<32-1) }, 1624, "", "with a time that is minutes from"},
			{"time far behind", pcap, records, func(b []byte, at int) { put(b, at, 5) }, 1624, "", "with a time that is minutes from"},
			{"fraction", pcap, records, func(b []byte, at int) { put(b, at+4, 1999999) }, 1624, "", "1 frames with a fraction of a second"},
			{"captured over original", pcap, records, func(b []byte, at int) { put(b, at+12, 9) }, 1624, "", "1 frames with more bytes captured"},
			{"captured far too long", pcap, records, func(b []byte, at int) { put(b, at+8, 1<<30) }, 1623, "1073741824 bytes captured", ""},
			{"captured to the end and on", pcap, records, func(b []byte, at int) { put(b, at+8, 5000); put(b, at+12, 5000) }, 1623, "reaches beyond the end", ""},
			{"captured over the next", pcap, records, func(b []byte, at int) { put(b, at+8, length(bad)+40); put(b, at+12, 2000) }, 1623, "covers records that follow", ""},
			{"captured too short", pcap, records, func(b []byte, at int) { put(b, at+8, length(bad)-30) }, 1623, "more before the next record", ""},
			{"the header", pcap, records, func(b []byte, at int) { copy(b[at:], bytes.Repeat([]byte{0xfe}, 16)) }, 1623, "bytes captured", ""},
			{"block length", pcapng, blocks, func(b []byte, at int) { put(b, at+4, 400) }, 1623, "length 400 at its start", ""},
			{"block length, not of words", pcapng, blocks, func(b []byte, at int) { put(b, at+4, 1001) }, 1623, "length 1001", ""},
			{"block length to the end and on", pcapng, blocks, func(b []byte, at int) { put(b, at+4, 1<<20) }, 1623, "reaches beyond the end", ""},
			{"block length at its end", pcapng, blocks, func(b []byte, at int) { put(b, blocks[bad+1]-4, 4) }, 1623, "at its end", ""},
			{"interface", pcapng, blocks, func(b []byte, at int) { put(b, at+8, 3) }, 1623, "interface 3 of 1", ""},
			{"captured over original", pcapng, blocks, func(b []byte, at int) { put(b, at+24, 9) }, 1624, "", "1 frames with more bytes captured"},
			{"captured over the block", pcapng, blocks, func(b []byte, at int) { put(b, at+20, 5000) }, 1623, "5000 bytes captured", ""},
			{"time beyond the year 2262", pcapng, blocks, func(b []byte, at int) { put(b, at+12, 1<<32-1) }, 1624, "", "1 frames with a time that is not within"},
			{"all of it", pcapng, blocks, func(b []byte, at int) { clear(b[at:blocks[bad+1]]) }, 1623, "length 0", ""},
		} {
			content := bytes.Clone(c.content)
			c.do(content, c.at[bad])
			got, troubles, read := foreignBytes(t, content)
			var lost *LostError
			switch {
			case len(got) != c.frames:
				t.Errorf("%v %s: %d frames; %v", order, c.name, len(got), troubles)
			case c.damage == "" && (len(troubles) > 0 || !strings.Contains(strings.Join(read.Remarks(), "\n"), c.remark)):
				t.Errorf("%v %s: %v, remarks %q", order, c.name, troubles, read.Remarks())
			case c.damage != "" && (len(troubles) != 1 || !errors.As(troubles[0], &lost) || !strings.Contains(lost.Problem, c.damage) ||
				lost.Offset != int64(c.at[bad]) || lost.Frame != bad || lost.Resumed != int64(c.at[bad+1])):
				t.Errorf("%v %s: %v", order, c.name, troubles)
			}
			for _, f := range got {
				if n := little.Uint32(f.Data); !bytes.Equal(f.Data, frames[n].Data) || c.name != "fraction" && c.remark != "" && f.Time/1e9 != frames[n].Time/1e9 {
					t.Errorf("%v %s: frame %d is not as it was", order, c.name, n)
				}
			}
		}
	}
}

// Whatever is done to a capture, what is read of it is what was there, and what is missing is told of.
func TestMutated(t *testing.T) {
	frames := packets(40)
	sound := map[string]bool{}
	for _, f := range frames {
		sound[string(f.Data)] = true
	}
	var files [][]byte
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		pcap, _ := pcapFile(order, magicMicroseconds, 2, 4, frames)
		pcapng, _ := pcapngFile(order, frames)
		files = append(files, pcap, pcapng)
	}
	files = append(files, compressed(t, gzipWriter, files[0]), compressed(t, zstdWriter, files[1]))
	path := filepath.Join(t.TempDir(), "mutated")
	random := rand.New(rand.NewPCG(20, 26))
	var whole, told, kept int
	for i := range 10_000 {
		which, kind := random.IntN(len(files)), random.IntN(5)
		content := bytes.Clone(files[which])
		switch kind {
		case 0: // bits
			for range 1 + random.IntN(3) {
				content[random.IntN(len(content))] ^= 1 << random.IntN(8)
			}
		case 1: // bytes
			at := random.IntN(len(content))
			for j := at; j < min(len(content), at+1+random.IntN(40)); j++ {
				content[j] = byte(random.Uint32())
			}
		case 2: // what is missing in the middle
			at := random.IntN(len(content))
			content = slices.Delete(content, at, min(len(content), at+1+random.IntN(400)))
		case 3: // what is too much
			content = slices.Insert(content, random.IntN(len(content)), make([]byte, 1+random.IntN(400))...)
		case 4: // the end
			content = content[:random.IntN(len(content))]
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		got, troubles, c, err := foreign(path)
		if err != nil {
			told++
			continue
		}
		same := 0
		for _, f := range got {
			if sound[string(f.Data)] {
				same++
			}
		}
		kept += same
		switch {
		case len(troubles) > 0 || len(c.Remarks()) > 0:
			told++
		case same == len(frames):
			whole++
		case len(got) < len(frames) && !endsBetween(content, files):
			t.Errorf("file %d, number %d mutated by %d: %d of %d frames, and nothing is said", i, which, kind, len(got), len(frames))
		}
	}
	t.Logf("%d told of, %d with all frames as they were, %d frames read", told, whole, kept)
	if kept < 200_000 {
		t.Error("too few frames are read on behind the damage")
	}
}

// endsBetween reports whether nothing tells that more was to come: a file is one of those up to the end of a record, or its records follow
// each other to its end, since what was taken out was as long as some of them.
func endsBetween(content []byte, files [][]byte) bool {
	if slices.ContainsFunc(files, func(f []byte) bool { return bytes.HasPrefix(f, content) }) {
		return true
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if order.Uint32(content) == magicMicroseconds {
			at := fileHeader
			for at+recordHeader <= len(content) {
				at += recordHeader + int(order.Uint32(content[at+8:]))
			}
			return at == len(content)
		}
	}
	return false
}

// What a test suite has is read without a remark, as far as it is sound.
func TestForeignCorpus(t *testing.T) {
	for _, order := range []string{"le", "be"} {
		for _, file := range corpus(t, order) {
			frames, troubles, c, err := foreign(file)
			if err != nil {
				t.Fatal(file, err)
			}
			if strings.HasSuffix(file, "test901.pcapng") { // its second section is of version 2.0
				if len(frames) != 1 || len(troubles) != 1 {
					t.Error(file, len(frames), troubles)
				}
				continue
			}
			if len(troubles) > 0 || len(c.Remarks()) > 0 {
				t.Errorf("%s: %v, %q", file, troubles, c.Remarks())
			}
		}
	}
}

// More files than are open at a time are one capture, if they are not all of the same time.
func TestManyFiles(t *testing.T) {
	frames := packets(3000)
	dir := t.TempDir()
	var paths []string
	for i := range 300 {
		content, _ := pcapFile(binary.LittleEndian, magicNanoseconds, 2, 4, frames[i*10:i*10+10])
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("%d.pcap", 999-i)))
		if err := os.WriteFile(paths[i], content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, troubles, c, err := foreign(dir)
	if err == nil {
		t.Fatalf("%d files of %d ms are read at once: %d frames, %v", len(c.Files()), 3000, len(got), troubles)
	}
	for i := range frames { // now they are a second each
		frames[i].Time = 1700000000e9 + int64(i)*100e6
	}
	for i := range paths {
		content, _ := pcapFile(binary.LittleEndian, magicNanoseconds, 2, 4, frames[i*10:i*10+10])
		if err := os.WriteFile(paths[i], content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, troubles, c, err = foreign(dir)
	if err != nil || len(troubles) > 0 || len(c.Files()) != len(paths) {
		t.Fatal(err, troubles)
	}
	for i := range got {
		got[i].Offset = 0
	}
	sameFrames(t, frames, got)
	for _, f := range c.Files() {
		if content, err := os.ReadFile(f.Path); err != nil || fmt.Sprintf("%x", sha256.Sum256(content)) != f.SHA256 {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// A frame that is too late stays late, and is told of. One whose time is far ahead holds nothing up.
func TestOrder(t *testing.T) {
	frames := packets(20_000)
	moved := slices.Clone(frames)
	late := moved[100]
	moved = slices.Insert(slices.Delete(moved, 100, 101), 5000, late)
	moved[9000].Time += 3600e9
	content, _ := pcapFile(binary.LittleEndian, magicNanoseconds, 2, 4, moved)
	got, troubles, c := foreignBytes(t, content)
	remarks := strings.Join(c.Remarks(), "\n")
	if len(got) != len(frames) || len(troubles) > 0 || !strings.Contains(remarks, "1 frames came too late to be put into order (more than 1 s, or 64 MiB); the first is frame 5001") ||
		!strings.Contains(remarks, "1 frames with a time that is minutes from those around them, which got that of the frame before; the first is frame 9001") {
		t.Error(len(got), troubles, remarks)
	}
	for i := 1; i < len(got); i++ {
		if got[i].Time < got[i-1].Time && got[i].Number != 5001 {
			t.Fatalf("frame %d comes after frame %d", got[i].Number, got[i-1].Number)
		}
	}
}

// FuzzCapture holds the reading of any bytes as a capture to its promises: it ends, does not panic, and what it returns is within bounds
// and in order, but for what it says is late.
func FuzzCapture(f *testing.F) {
	frames := packets(5)
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{magicMicroseconds, magicKuznetzov, magicIxiaHardware} {
			content, _ := pcapFile(order, magic, 2, 2, frames)
			f.Add(content)
		}
		content, at := pcapngFile(order, frames)
		f.Add(content)
		content[at[2]+4] ^= 0x40
		f.Add(content)
	}
	f.Add([]byte("BZh91AY&SY"))
	f.Add([]byte("\x04\x22\x4d\x18\x64\x40\xa7"))
	f.Add([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46"))
	path := filepath.Join(f.TempDir(), "capture")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		got, _, c, err := foreign(path)
		if err != nil {
			return
		}
		remarks := strings.Join(c.Remarks(), "\n")
		for i, f := range got {
			if len(f.Data) > MaxCapture || uint32(len(f.Data)) > f.Length || i > 0 && f.Time < got[i-1].Time && !strings.Contains(remarks, "came too late") {
				t.Fatalf("%+v", f)
			}
		}
	})
}
