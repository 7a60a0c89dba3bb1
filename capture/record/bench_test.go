package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// synFrame is as long as a SYN with a current Linux's options.
const synFrame = 74

// BenchmarkPacket records SYNs to a file.
func BenchmarkPacket(b *testing.B) {
	w, err := Create(filepath.Join(b.TempDir(), "run"), testManifest())
	if err != nil {
		b.Fatal(err)
	}
	frame := make([]byte, synFrame)
	b.SetBytes(synFrame)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := w.Packet(Sent, int64(i)*2000, frame); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(testManifest(), 0); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkNext reads a record of a million SYNs, over and over.
func BenchmarkNext(b *testing.B) {
	const frames = 1_000_000
	for _, c := range []struct {
		name    string
		content []byte
	}{
		{"pcapng", pcapngOf(b, frames)},
		{"pcap", pcapOf(b, frames)},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkNext(b, c.content) })
		b.Run(c.name+"/batches", func(b *testing.B) { benchmarkNextBatch(b, c.content) })
	}
}

func benchmarkNext(b *testing.B, content []byte) {
	b.SetBytes(synFrame)
	b.ReportAllocs()
	var r *Reader
	var f Frame
	for b.Loop() {
		if r == nil {
			var err error
			if r, err = readFrom(bytes.NewReader(content)); err != nil {
				b.Fatal(err)
			}
		}
		if err := r.Next(&f); err == io.EOF {
			r = nil
		} else if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mframes/s")
}

func benchmarkNextBatch(b *testing.B, content []byte) {
	b.SetBytes(synFrame)
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r, err := readFrom(bytes.NewReader(content))
		var batch Batch
		for ; err == nil && n < b.N; n += len(batch.Frames) {
			if err = r.NextBatch(&batch); err == nil {
				batch.Release()
			}
		}
		if err = errors.Join(err, r.Close()); err != nil && !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mframes/s")
}

// pcapngOf returns a record of n SYNs.
func pcapngOf(t testing.TB, n int) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, synFrame)
	for i := range n {
		if _, err := w.Packet(Direction(i%2), int64(i)*2000, frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(testManifest(), int64(n)*2000); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, chunkName(0)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// pcapOf returns a pcap file of n SYNs.
func pcapOf(t testing.TB, n int) []byte {
	t.Helper()
	b := little.AppendUint32(nil, magicNanoseconds)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, linkEthernet, 0, 0, 0)
	for i := range n {
		b = little.AppendUint32(b, uint32(i))
		b = little.AppendUint32(b, 0)
		b = little.AppendUint32(b, synFrame)
		b = little.AppendUint32(b, synFrame)
		b = append(b, make([]byte, synFrame)...)
	}
	return b
}
