package replay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"laserdisc/capture/session"
	"laserdisc/replay"
)

var (
	mutations = flag.Uint64("mutations", 500, "mutated captures that TestObserveMutated reads")
	samples   = flag.String("samples", "", "directory with captures that TestObserveMutated mutates as well, those of up to 64 KiB")
)

// A capture that was damaged ends in an error, or in a result that says what is missing. It does not take long, nor much memory.
func TestObserveMutated(t *testing.T) {
	frames := framesOf(t, scan(t, lossy(t), 3, 5*time.Millisecond, 15))
	plain := [][]byte{pcap(frames), pcapng(t, frames)}
	originals := slices.Clone(plain)
	for _, content := range plain {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(content); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		e, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		originals = append(originals, packed.Bytes(), e.EncodeAll(content, nil))
	}
	if *samples != "" {
		files, err := filepath.Glob(filepath.Join(*samples, "*cap*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if content, err := os.ReadFile(file); err == nil && len(content) <= 64<<10 {
				originals = append(originals, content)
			}
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "capture")
	read := func(content []byte) (*replay.Result, error) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		rows := &countingRows{}
		r, err := replay.Observe(ctx, []string{path}, replay.Options{Workers: 1}, func(int) replay.Rows { return rows })
		if ctx.Err() != nil {
			t.Fatal("it takes more than 10 s")
		}
		return r, err
	}
	packets := make([]uint64, len(originals))
	for i, content := range originals {
		if r, err := read(content); err == nil {
			packets[i] = r.Packets
		}
	}
	var refused, damaged, remarked, less int
	var longest time.Duration
	for seed := range *mutations {
		random := rand.New(rand.NewPCG(seed, 1))
		which := random.IntN(len(originals))
		content, what := mutate(random, originals[which])
		begin := time.Now()
		r, err := read(content)
		longest = max(longest, time.Since(begin))
		switch {
		case err != nil:
			refused++
		case r.Damage != nil:
			damaged++
		case len(r.Remarks) > 0 || len(r.Skipped) > 0:
			remarked++
		case r.Packets < packets[which] && !(sound(content) <= r.Packets):
			less++
			t.Logf("seed %d: %s: %d packets of %d, and nothing says so", seed, what, r.Packets, packets[which])
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d mutated captures of %d: %d refused, %d with damage told, %d with remarks, %d with fewer packets and no word; %v at most, %d MiB from the system",
		*mutations, len(originals), refused, damaged, remarked, less, longest.Round(time.Millisecond), m.Sys>>20)
	if m.Sys > 1<<30 {
		t.Errorf("%d MiB of memory", m.Sys>>20)
	}
	if less > 0 {
		t.Errorf("%d captures lost packets without a word", less)
	}
}

// sound is how many packets a pcap or pcapng file has of which the lengths agree up to its end, so that nobody can see that any are
// missing; more than there can be, if they do not agree.
func sound(b []byte) (packets uint64) {
	const unsound = 1<<64 - 1
	if len(b) < 24 {
		return unsound
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if b[0] == 0x0a {
		for len(b) > 0 {
			if len(b) >= 12 && b[0] == 0x0a && b[8] == 0x1a {
				order = binary.BigEndian
			} else if len(b) >= 12 && b[0] == 0x0a {
				order = binary.LittleEndian
			}
			if len(b) < 12 {
				return unsound
			}
			n := uint64(order.Uint32(b[4:]))
			if n < 12 || n%4 != 0 || n > uint64(len(b)) || uint64(order.Uint32(b[n-4:])) != n {
				return unsound
			}
			if kind := order.Uint32(b); kind == 2 || kind == 3 || kind == 6 {
				packets++
			}
			b = b[n:]
		}
		return packets
	}
	if b[0] == 0xa1 {
		order = binary.BigEndian
	}
	header := uint64(16)
	if order.Uint32(b) == 0xa1b2cd34 {
		header = 24
	}
	for b = b[24:]; len(b) > 0; packets++ {
		if uint64(len(b)) < header {
			return unsound
		}
		n := header + uint64(order.Uint32(b[8:]))
		if n > uint64(len(b)) {
			return unsound
		}
		b = b[n:]
	}
	return packets
}

// countingRows takes rows and forgets them.
type countingRows struct{ rows }

func (*countingRows) Attempt(*session.Attempt) error { return nil }

// mutate damages a file in one to four places.
func mutate(random *rand.Rand, original []byte) (content []byte, what string) {
	content = bytes.Clone(original)
	for range 1 + random.IntN(4) {
		if len(content) < 8 {
			break
		}
		at := random.IntN(len(content) - 4)
		n := 1 + random.IntN(min(100, len(content)-at))
		switch random.IntN(8) {
		case 0:
			content[at] ^= 1 << random.IntN(8)
			what += fmt.Sprintf("bit at %d; ", at)
		case 1:
			content[at] = byte(random.Uint32())
			what += fmt.Sprintf("byte at %d; ", at)
		case 2:
			v := []uint32{0, 1, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, random.Uint32()}[random.IntN(8)]
			binary.LittleEndian.PutUint32(content[at&^3:], v)
			what += fmt.Sprintf("%x at %d; ", v, at&^3)
		case 3:
			content = slices.Delete(content, at, at+n)
			what += fmt.Sprintf("%d bytes out of %d; ", n, at)
		case 4:
			content = slices.Insert(content, at, content[at:at+n]...)
			what += fmt.Sprintf("%d bytes twice at %d; ", n, at)
		case 5:
			clear(content[at : at+n])
			what += fmt.Sprintf("%d zeros at %d; ", n, at)
		case 6:
			content = content[:at]
			what += fmt.Sprintf("cut at %d; ", at)
		case 7:
			at = random.IntN(min(64, len(content)))
			content[at] = byte(random.Uint32())
			what += fmt.Sprintf("byte at %d; ", at)
		}
	}
	return content, what
}
