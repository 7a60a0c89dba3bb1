package replay_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/klauspost/compress/zstd"

	"laserdisc/capture/packet"
	"laserdisc/replay"
)

// A small compressed file may have very much in it: here 400 MB of data that comes before its turn.
func TestObserveEarlyData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "early.pcap.zst")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	write(pcap(nil))
	var time uint32
	put := func(s packet.Segment) {
		frame := s.AppendFrame(nil, packet.MAC{2}, packet.MAC{2, 1})
		var b []byte
		for _, n := range []uint32{1700000000 + time/1000, time % 1000 * 1e6, uint32(len(frame)), uint32(len(frame))} {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		write(append(b, frame...))
		time++
	}
	client := netip.MustParseAddrPort("192.0.2.1:40000")
	const services, pieces = 400, 16
	payload := make([]byte, 65_000)
	for piece := range pieces + 1 {
		for i := range services {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 80)
			if piece > 0 {
				put(packet.Segment{Src: at, Dst: client, Seq: uint32(1 + piece*10), Ack: 1, Flags: packet.ACK, Window: 9, TTL: 9, Payload: payload})
				continue
			}
			put(packet.Segment{Src: client, Dst: at, Flags: packet.SYN, Window: 65535, TTL: 9})
			put(packet.Segment{Src: at, Dst: client, Ack: 1, Flags: packet.SYN | packet.ACK, Window: 9, TTL: 9})
			put(packet.Segment{Src: client, Dst: at, Seq: 1, Ack: 1, Flags: packet.ACK, Window: 65535, TTL: 9})
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	defer debug.SetMemoryLimit(debug.SetMemoryLimit(56 << 20)) // as replay --memory 64MiB has it
	var most uint64
	sink, _ := keep()
	r, err := replay.Observe(t.Context(), []string{path}, replay.Options{Workers: 1, Progress: func(replay.Progress) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}}, sink)
	if err != nil || r.Packets != services*(3+pieces) {
		t.Fatal(err, r)
	}
	t.Logf("%d MiB of heap at most", most>>20)
	if most > 192<<20 {
		t.Errorf("%d MiB of heap", most>>20)
	}
}
