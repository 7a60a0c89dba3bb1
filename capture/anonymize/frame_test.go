package anonymize

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"laserdisc/capture/packet"
	"laserdisc/capture/record"
)

var segments = []packet.Segment{
	{Src: netip.MustParseAddrPort("198.51.100.7:80"), Dst: netip.MustParseAddrPort("192.0.2.1:61000"), Seq: 1, Ack: 2, Flags: packet.ACK, Window: 3, TTL: 64,
		Options: []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, Payload: []byte("odd: from 198.51.100.7 to 192.0.2.1, mail.example.org")},
	{Src: netip.MustParseAddrPort("192.0.2.1:61000"), Dst: netip.MustParseAddrPort("198.51.100.7:80"), Seq: 1, Flags: packet.SYN, Window: 3, TTL: 64},
	{Src: netip.MustParseAddrPort("[2001:db8:7::5]:443"), Dst: netip.MustParseAddrPort("[2001:db8::1]:61000"), Seq: 1, Ack: 2, Flags: packet.ACK, TTL: 64,
		Payload: []byte("from 2001:db8:7::5")},
}

// An anonymized frame is what the encoder, which gopacket judges, makes of the same segment with other addresses and payload.
func TestFrames(t *testing.T) {
	k := sample(t)
	macs := [2]packet.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	for _, s := range segments {
		frame := s.AppendFrame(nil, macs[0], macs[1])
		got := append(bytes.Clone(frame), 1, 2, 3) // and padding, which may be of any memory
		anonymizeFrame(k, packet.LinkEthernet, got)

		want := s
		want.Src, want.Dst, want.Payload = k.AddrPort(s.Src), k.AddrPort(s.Dst), bytes.Clone(s.Payload)
		k.Payload(want.Payload, s.Src.Addr(), s.Dst.Addr())
		others := macs
		k.mac(others[0][:])
		k.mac(others[1][:])
		if w := append(want.AppendFrame(nil, others[0], others[1]), 0, 0, 0); !bytes.Equal(got, w) {
			t.Errorf("%v to %v\nbecomes %x\nnot     %x", s.Src, s.Dst, got, w)
		}
		ip := frame[14:]
		for link, header := range map[uint32][]byte{
			packet.LinkRaw: {}, packet.LinkNull: {2, 0, 0, 0}, packet.LinkSLL: append(make([]byte, 14), frame[12], frame[13]),
			packet.LinkSLL2: append([]byte{frame[12], frame[13]}, make([]byte, 18)...),
		} {
			b := append(bytes.Clone(header), ip...)
			anonymizeFrame(k, link, b)
			if !bytes.Equal(b[len(header):], got[14:14+len(ip)]) {
				t.Errorf("of link type %d\nbecomes %x\nnot     %x", link, b[len(header):], got[14:])
			}
		}
		tagged := append(append(bytes.Clone(frame[:12]), 0x81, 0, 0, 7), frame[12:]...)
		anonymizeFrame(k, packet.LinkEthernet, tagged)
		if !bytes.Equal(tagged[18:], got[14:14+len(ip)]) || tagged[15] != 7 {
			t.Errorf("with a tag it becomes %x", tagged)
		}
	}
}

// anonymizeFrame does to one frame what Record does.
func anonymizeFrame(k *Key, link uint32, frame []byte) {
	h := []held{{link: link, data: frame}}
	h[0].tcp = h[0].Decode(link, frame) == nil
	k.streams(h, new(Result))
	if h[0].tcp {
		k.headers(link, frame, &h[0].Segment)
	} else {
		k.blank(link, frame)
	}
}

// An ICMP error quotes the addresses, and the payload, of what it is about.
func TestICMP(t *testing.T) {
	k := sample(t)
	about := segments[0]
	about.Src, about.Dst = about.Dst, about.Src // it came from the scanner
	quoted := about.AppendFrame(nil, packet.MAC{}, packet.MAC{})[14:]
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protoICMP, 0, 0, 203, 0, 113, 9, 192, 0, 2, 1, 3, 13, 0, 0, 0, 0, 0, 0}
	ip = append(append(ip, quoted...), "an extension with 198.51.100.7"...)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	var was, is packet.Segment
	if err := was.Decode(packet.LinkRaw, ip); err != nil {
		t.Fatal(err)
	}
	anonymizeFrame(k, packet.LinkRaw, ip)
	if err := is.Decode(packet.LinkRaw, ip); err != nil {
		t.Fatal(err)
	}
	if is.Src != k.AddrPort(was.Src) || is.Dst != k.AddrPort(was.Dst) || is.Reporter != k.Addr(was.Reporter) || is.Seq != was.Seq || is.ICMP != was.ICMP {
		t.Errorf("%+v becomes %+v", was, is)
	}
	if checksum(ip[:20], 0) != 0 || checksum(ip[20:], 0) != 0 || checksum(ip[28:48], 0) != 0 {
		t.Errorf("the checksums of %x leave %x, %x, %x", ip, checksum(ip[:20], 0), checksum(ip[20:], 0), checksum(ip[28:48], 0))
	}
	if where := left(ip, append(own, was.Reporter)...); where != "" || !bytes.HasSuffix(ip, make([]byte, 30)) {
		t.Errorf("%q still has %s", ip, where)
	}
}

// A name in two segments, one of them sent twice and out of order, is replaced as if it were in one; what was sent in two versions
// is replaced in both.
func TestStreams(t *testing.T) {
	k := sample(t)
	const text = "220 mail.example.org says 198.51.100.7\r\n"
	at := func(seq uint32, payload string) packet.Segment {
		s := segments[0]
		s.Seq, s.Payload, s.Options = seq, []byte(payload), nil
		return s
	}
	syn := at(99, "")
	syn.Flags = packet.SYN | packet.ACK
	reset := at(1<<31, "sent by 198.51.100.7")
	reset.Flags = packet.RST
	path := write(t, syn, at(108, text[8:30]), at(100, text[:8]), at(108, text[8:30]), at(130, text[30:]), at(116, "le.example.com, other"), at(500, "behind a gap 198.51.100.7"), reset)
	segs := anonymized(t, k, path)
	whole := []byte(text)
	k.Payload(whole, own...)
	for i, want := range []string{"", string(whole[8:30]), string(whole[:8]), string(whole[8:30]), string(whole[30:])} {
		if got := string(segs[i].Payload); got != want {
			t.Errorf("segment %d is %q, not %q", i, got, want)
		}
	}
	for i, was := range map[int]string{5: "le.example.com, other", 6: "behind a gap 198.51.100.7", 7: "sent by 198.51.100.7"} {
		want := []byte(was)
		k.Payload(want, own...)
		if !bytes.Equal(segs[i].Payload, want) || string(want) == was {
			t.Errorf("segment %d is %q, not %q", i, segs[i].Payload, want)
		}
	}
}

// What is not TCP is blank, in its place.
func TestBlank(t *testing.T) {
	k := sample(t)
	arp := append([]byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6}, make([]byte, 46)...)
	copy(arp[28:], netip.MustParseAddr("192.0.2.1").AsSlice())
	anonymizeFrame(k, packet.LinkEthernet, arp)
	if !bytes.Equal(arp[:6], []byte{255, 255, 255, 255, 255, 255}) || arp[6]&3 != 2 || bytes.Equal(arp[6:12], []byte{2, 0, 0, 0, 0, 1}) ||
		!bytes.Equal(arp[14:], make([]byte, 46)) {
		t.Errorf("ARP becomes %x", arp)
	}
	var s packet.Segment
	if err := s.Decode(packet.LinkEthernet, arp); err != packet.ErrOther {
		t.Errorf("it is read as %v: %v", s, err)
	}
}

// write makes a capture of segments.
func write(t *testing.T, list ...packet.Segment) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.pcapng")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := record.NewCaptureWriter(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range list {
		if err := w.Packet(&record.Frame{Time: int64(i + 1), LinkType: packet.LinkEthernet, Data: s.AppendFrame(nil, packet.MAC{}, packet.MAC{})}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

// anonymized gives the segments of a capture, anonymized.
func anonymized(t *testing.T, k *Key, path string) (list []packet.Segment) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.pcapng")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := k.Record(t.Context(), path, f, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	r, err := record.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frame record.Frame
	for r.Next(&frame) == nil {
		var s packet.Segment
		data := bytes.Clone(frame.Data)
		if err := s.Decode(frame.LinkType, data); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// FuzzFrame: no frame is too odd, and of what is read the own addresses are replaced.
func FuzzFrame(f *testing.F) {
	for _, s := range segments {
		f.Add(uint32(packet.LinkEthernet), s.AppendFrame(nil, packet.MAC{}, packet.MAC{}))
	}
	k, err := NewKey(sampleKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, link uint32, frame []byte) {
		var was, is packet.Segment
		bad := was.Decode(link, bytes.Clone(frame))
		anonymizeFrame(k, link, frame)
		if err := is.Decode(link, frame); bad != nil && err == nil {
			t.Errorf("a frame that could not be read (%v) is %+v", bad, is)
		} else if bad == nil && (err != nil || is.Src != k.AddrPort(was.Src) || is.Dst != k.AddrPort(was.Dst) || is.Reporter != k.Addr(was.Reporter) ||
			is.Seq != was.Seq || is.Flags != was.Flags || len(is.Payload) != len(was.Payload)) {
			t.Errorf("%+v becomes %+v: %v", was, is, err)
		}
	})
}
