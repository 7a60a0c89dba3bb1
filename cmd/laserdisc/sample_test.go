package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

var sessionFlag = flag.String("session", "", "capture of real servers; TestCutServers cuts ../../datasets/sample/servers.pcapng.zst out of it")

// The sample of real servers has of a connection the packets that begin and end it, and others until there are so many, and so many
// bytes in them: some servers send a byte at a time.
const (
	firstPackets = 10
	firstBytes   = 1024
)

// TestCutServers makes the sample of real servers: the first packets of each connection of a capture. What they show is what the
// whole shows: the same states and labels of every attempt and service.
func TestCutServers(t *testing.T) {
	if *sessionFlag == "" {
		t.Skip("makes a file, if -session says of what; TestSample reads it")
	}
	dir := t.TempDir()
	cut := filepath.Join(dir, "cut.pcapng.zst")
	content := cutCapture(t, *sessionFlag)
	if err := os.WriteFile(cut, content, 0o644); err != nil {
		t.Fatal(err)
	}
	whole, part := filepath.Join(dir, "whole"), filepath.Join(dir, "part")
	carryOut(t, "replay", *sessionFlag, "--out", whole)
	carryOut(t, "replay", cut, "--out", part)
	type known struct{ state, label string } // evidence may be less: of a greeting that is longer
	of := func(dir string) map[netip.AddrPort]known {
		found := make(map[netip.AddrPort]known)
		if err := eachService(t, dir, func(s *session.Service) error {
			found[s.Service] = known{s.State.String(), s.Label}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	want, got := of(whole), of(part)
	for at, w := range want {
		if got[at] != w {
			t.Errorf("%v is %v, and cut %v", at, w, got[at])
		}
	}
	if len(got) != len(want) || len(content) > 2<<20 {
		t.Errorf("%d services, not %d, in %d bytes", len(got), len(want), len(content))
	}
	if !t.Failed() {
		if err := os.WriteFile(filepath.Join("..", "..", "datasets", "sample", "servers.pcapng.zst"), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func cutCapture(t *testing.T, path string) []byte {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	w, err := record.NewCaptureWriter(z, &record.Manifest{Format: record.ManifestFormat, Laserdisc: version, Synthetic: "real servers in network namespaces"})
	if err != nil {
		t.Fatal(err)
	}
	type first struct{ packets, bytes int }
	of := make(map[[2]netip.AddrPort]first) // a connection, so far
	var f record.Frame
	for {
		if err = r.Next(&f); err != nil {
			break
		}
		var s packet.Segment
		if s.Decode(f.LinkType, f.Data) != nil {
			continue
		}
		ends := [2]netip.AddrPort{s.Src, s.Dst}
		if s.Dst.Compare(s.Src) < 0 {
			ends = [2]netip.AddrPort{s.Dst, s.Src}
		}
		if s.ICMP == 0 && s.Flags&(packet.SYN|packet.ACK) == packet.SYN {
			of[ends] = first{}
		}
		if s.ICMP == 0 && s.Flags&(packet.SYN|packet.FIN|packet.RST) == 0 {
			so := of[ends]
			if so.packets >= firstPackets && so.bytes >= firstBytes {
				continue
			}
			of[ends] = first{so.packets + 1, so.bytes + len(s.Payload)}
		}
		if err := w.Packet(&f); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := errors.Join(w.Flush(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The sample that is carried along plays back, is identical, and draws; its sizes stay small.
func TestSample(t *testing.T) {
	for name, least := range map[string]int{"lab": 300, "servers": 243} {
		out := filepath.Join(t.TempDir(), name)
		carryOut(t, "report", "--sample="+name, "--out", out)
		services := 0
		for _, s := range samples[name] {
			short, _, _ := strings.Cut(s, ".")
			services += int(openedDataset(t, filepath.Join(out, "sample", short+"-tables")).Services())
		}
		if services < least {
			t.Errorf("%s has %d services", name, services)
		}
		if _, err := os.Stat(filepath.Join(out, "index.html")); err != nil {
			t.Error(err)
		}
	}
	sample := filepath.Join("..", "..", "datasets", "sample")
	for _, run := range samples["lab"] {
		carryOut(t, "replay", filepath.Join(sample, run), "--out", filepath.Join(t.TempDir(), run))
		carryOut(t, "dataset", "verify", filepath.Join(sample, run))
	}
	size := int64(0)
	err := filepath.WalkDir(sample, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var info os.FileInfo
			info, err = e.Info()
			size += info.Size()
		}
		return err
	})
	if err != nil || size > 6<<20 {
		t.Errorf("the sample has %d bytes: %v", size, err)
	}
}

// Real servers, anonymized, are what they were, elsewhere.
func TestAnonymizeServers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join("..", "..", "datasets", "sample", "servers.pcapng.zst")
	testAnonymize(t, path, path, func(name string) string { return filepath.Join(dir, name) })
}
