package dissect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"laserdisc/capture/packet"
)

var macs = [2]packet.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}

// inner are the segments that everything here is about: of both families, with options and payload.
func inner() []packet.Segment {
	a4, b4 := netip.MustParseAddrPort("198.18.0.1:40000"), netip.MustParseAddrPort("198.18.7.9:443")
	a6, b6 := netip.MustParseAddrPort("[2001:2::1]:40000"), netip.MustParseAddrPort("[2001:2::9]:443")
	return []packet.Segment{
		{Src: a4, Dst: b4, Seq: 7, Flags: packet.SYN, Window: 64240, TTL: 64, Options: packet.AppendSYNOptions(nil, 1460, 77, 0, 7)},
		{Src: b4, Dst: a4, Seq: 5, Ack: 6, Flags: packet.PSH | packet.ACK, Window: 502, TTL: 55, Options: packet.AppendTimestamp(nil, 1, 2), Payload: []byte("HTTP/1.1 200 OK\r\n")},
		{Src: b6, Dst: a6, Seq: 5, Ack: 6, Flags: packet.PSH | packet.ACK, Window: 9, TTL: 3, Payload: []byte("220 mail.example.net ESMTP\r\n")},
	}
}

// ipOf is the segment's IP packet, and frameOf its Ethernet frame.
func ipOf(s *packet.Segment) []byte    { return frameOf(s)[14:] }
func frameOf(s *packet.Segment) []byte { return s.AppendFrame(nil, macs[0], macs[1]) }

// kindOf is the EtherType of an IP packet.
func kindOf(ip []byte) []byte {
	if ip[0]>>4 == 4 {
		return []byte{8, 0}
	}
	return []byte{0x86, 0xdd}
}

// join is headers and what follows them; a text is hexadecimal digits, with spaces anywhere.
func join(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			text := strings.ReplaceAll(p, " ", "")
			for i := 0; i < len(text); i += 2 {
				n, err := strconv.ParseUint(text[i:i+2], 16, 8)
				if err != nil {
					panic(err)
				}
				b = append(b, byte(n))
			}
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// in4 and in6 are the payload in an IP packet of another protocol, between other addresses.
func in4(protocol byte, payload []byte) []byte {
	b := join("4500 0000 0007 0000 40", []byte{protocol}, "0000 c0000201 c0000202", payload)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func in6(protocol byte, payload []byte) []byte {
	b := join("60000000 0000", []byte{protocol, 64}, "20010db8 000000000000000000000001 20010db8 000000000000000000000002", payload)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

func inUDP(port uint16, payload []byte) []byte {
	b := join("c000 0000 0000 0000", payload)
	binary.BigEndian.PutUint16(b[2:], port)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

func inEthernet(kind string, payload []byte) []byte {
	return join("020000000003 020000000004", kind, payload)
}

// tunnels are headers around a packet of TCP, each with the number of its link type. gopacket writes those of gopacketTunnels.
var tunnels = []struct {
	name string
	link uint32
	wrap func(ip, frame []byte) []byte
}{
	{"BSD loopback, big-endian", 0, func(ip, _ []byte) []byte { return join("00000002", ip) }},
	{"OpenBSD loopback", 108, func(ip, _ []byte) []byte { return join("00000002", ip) }},
	{"raw IP, 12", 12, func(ip, _ []byte) []byte { return ip }},
	{"raw IP, 14", 14, func(ip, _ []byte) []byte { return ip }},
	{"SLIP", 8, func(ip, _ []byte) []byte { return join(make([]byte, 16), ip) }},
	{"PPP", 9, func(ip, _ []byte) []byte { return join(pppOf(ip), ip) }},
	{"PPP with HDLC's header", 9, func(ip, _ []byte) []byte { return join("ff03", pppOf(ip), ip) }},
	{"PPP with a short protocol", 9, func(ip, _ []byte) []byte { return join(pppOf(ip)[1:], ip) }},
	{"PPP in HDLC", 50, func(ip, _ []byte) []byte { return join("ff03", pppOf(ip), ip) }},
	{"Cisco HDLC in 9", 9, func(ip, _ []byte) []byte { return join("0f00", kindOf(ip), ip) }},
	{"Cisco HDLC in 50", 50, func(ip, _ []byte) []byte { return join("0f00", kindOf(ip), ip) }},
	{"PPPoE session", 51, func(ip, _ []byte) []byte { return pppoeOf(ip) }},
	{"multilink PPP", 9, func(ip, _ []byte) []byte { return join("003d c0000001", pppOf(ip), ip) }},
	{"pppd", 166, func(ip, _ []byte) []byte { return join("0003", pppOf(ip), ip) }},
	{"PPP with direction", 204, func(ip, _ []byte) []byte { return join("01 ff03", pppOf(ip), ip) }},
	{"Cisco HDLC", 104, func(ip, _ []byte) []byte { return join("0f00", kindOf(ip), ip) }},
	{"Cisco HDLC with direction", 205, func(ip, _ []byte) []byte { return join("00 0f00", kindOf(ip), ip) }},
	{"Frame Relay, NLPID", 107, func(ip, _ []byte) []byte { return join("1841 03", nlpidOf(ip), ip) }},
	{"Frame Relay, SNAP", 107, func(ip, _ []byte) []byte { return join("1841 03 00 80 000000", kindOf(ip), ip) }},
	{"Frame Relay, Cisco", 107, func(ip, _ []byte) []byte { return join("1841", kindOf(ip), ip) }},
	{"Frame Relay with direction", 206, func(ip, _ []byte) []byte { return join("01 1841 03", nlpidOf(ip), ip) }},
	{"ATM", 100, func(ip, _ []byte) []byte { return join("aaaa03 000000", kindOf(ip), ip) }},
	{"ATM, bridged", 100, func(_, frame []byte) []byte { return join("aaaa03 0080c2 0007 0000", frame) }},
	{"ATM of SunOS", 123, func(ip, _ []byte) []byte { return join("02 08 0064 aaaa03 000000", kindOf(ip), ip) }},
	{"token ring", 6, func(ip, _ []byte) []byte {
		return join("10 40 020000000001 020000000002 aaaa03 000000", kindOf(ip), ip)
	}},
	{"token ring with a route", 6, func(ip, _ []byte) []byte {
		return join("10 40 020000000001 820000000002 0630 0011 0020 aaaa03 000000", kindOf(ip), ip)
	}},
	{"FDDI", 10, func(ip, _ []byte) []byte { return join("50 020000000001 020000000002 aaaa03 000000", kindOf(ip), ip) }},
	{"ARCNET", 129, func(ip, _ []byte) []byte { return join("0102 0000 d4 00 0001", ip) }},
	{"IP over Fibre Channel", 122, func(ip, _ []byte) []byte { return join(make([]byte, 16), "aaaa03 000000", kindOf(ip), ip) }},
	{"IP over IEEE 1394", 138, func(ip, _ []byte) []byte { return join(make([]byte, 16), kindOf(ip), ip) }},
	{"IP over InfiniBand", 242, func(ip, _ []byte) []byte { return join(make([]byte, 40), kindOf(ip), "0000", ip) }},
	{"802.11", 105, func(ip, _ []byte) []byte { return wlanOf("0801", "", ip) }},
	{"802.11 with quality of service", 105, func(ip, _ []byte) []byte { return wlanOf("8802", "0000", ip) }},
	{"802.11 between bridges", 105, func(ip, _ []byte) []byte { return wlanOf("8803", "020000000004 0000", ip) }},
	{"802.11 with control of throughput", 105, func(ip, _ []byte) []byte { return wlanOf("8881", "0000 00000000", ip) }},
	{"802.11, decrypted", 105, func(ip, _ []byte) []byte { return wlanOf("0841", "", ip) }},
	{"802.11, an A-MSDU of one", 105, func(ip, _ []byte) []byte {
		n := len(ip) + 8
		return join("8801 2c00 020000000001 020000000002 020000000003 1000 8000 020000000001 020000000002", []byte{byte(n >> 8), byte(n)},
			"aaaa03 000000", kindOf(ip), ip)
	}},
	{"radiotap", 127, func(ip, _ []byte) []byte { return join("00000900 02000000 00", wlanOf("0801", "", ip)) }},
	{"radiotap, extended, with time and padding", 127, func(ip, _ []byte) []byte {
		w := wlanOf("8802", "0000 0000", ip) // two bytes of padding behind 26 of header
		return join("00001900 030000a0 00000000 00000000 0102030405060708 20", w)
	}},
	{"Prism", 119, func(ip, _ []byte) []byte {
		return join("44000000 90000000", make([]byte, 0x90-8), wlanOf("0801", "", ip))
	}},
	{"AVS", 163, func(ip, _ []byte) []byte {
		return join("80211001 00000040", make([]byte, 0x40-8), wlanOf("0801", "", ip))
	}},
	{"PPI", 192, func(ip, _ []byte) []byte { return join("00000800 69000000", wlanOf("0801", "", ip)) }},
	{"cooked, of a radiotap device", 113, func(ip, _ []byte) []byte {
		return join("0000 0323 0006 020000000001 0000 0004", "00000800 00000000", wlanOf("0801", "", ip))
	}},
	{"cooked, LLC", 113, func(ip, _ []byte) []byte {
		return join("0000 0001 0006 020000000001 0000 0004", "aaaa03 000000", kindOf(ip), ip)
	}},
	{"NFLOG", 239, func(ip, _ []byte) []byte {
		n := len(ip) + 4
		return join("02000000 0800 0100 08000001 0500 0a00 00000000", []byte{byte(n), byte(n >> 8)}, "0900", ip)
	}},
	{"NFLOG, big-endian", 239, func(ip, _ []byte) []byte {
		n := len(ip) + 4
		return join("02000000 0008 0001 08000001", []byte{byte(n >> 8), byte(n)}, "0009", ip)
	}},
	{"PF's log", 117, func(ip, _ []byte) []byte { return join("3d02 00", make([]byte, 61), ip) }},
	{"enc", 109, func(ip, _ []byte) []byte { return join("02000000 00000001 00000000", ip) }},
	{"MPLS", 219, func(ip, _ []byte) []byte { return join("00010040 00020140", ip) }},
	{"Solaris' IPNET", 226, func(ip, _ []byte) []byte { return join("0102", make([]byte, 22), ip) }},
	{"Juniper", 178, func(_, frame []byte) []byte { return join("4d4743 80 0006 020101030104", frame) }},
	{"ERF, Ethernet", 197, func(_, frame []byte) []byte {
		return join(make([]byte, 8), "82 04", erfLengths(frame, 26), "0500000000000000 0000", frame)
	}},
	{"ERF, HDLC", 197, func(ip, _ []byte) []byte {
		return join(make([]byte, 8), "01 04", erfLengths(ip, 20), "0f00", kindOf(ip), ip)
	}},
	{"macOS' PKTAP", 258, func(_, frame []byte) []byte { return join("0c000000 01000000 01000000", frame) }},
	{"netANALYZER", 240, func(_, frame []byte) []byte { return join("00000000", frame) }},
	{"Ethernet mPacket", 274, func(_, frame []byte) []byte { return join("55555555555555d5", frame) }},

	{"LLC and SNAP", 1, func(ip, _ []byte) []byte {
		n := len(ip) + 8
		return join("020000000003 020000000004", []byte{byte(n >> 8), byte(n)}, "aaaa03 000000", kindOf(ip), ip, "0000")
	}},
	{"PPPoE in QinQ", 1, func(ip, _ []byte) []byte { return inEthernet("88a8 0007 8100 0008 8864", pppoeOf(ip)) }},
	{"QinQ of old", 1, func(ip, _ []byte) []byte { return join(inEthernet("9100 0007 8100 0008", kindOf(ip)), ip) }},
	{"VN-Tag", 1, func(ip, _ []byte) []byte { return join(inEthernet("8926 80010002", kindOf(ip)), ip) }},
	{"provider backbone bridge", 1, func(_, frame []byte) []byte { return inEthernet("88a8 0064 88e7 00000101", frame) }},
	{"MPLS on Ethernet", 1, func(ip, _ []byte) []byte { return inEthernet("8847 00010040 00020140", ip) }},
	{"Ethernet in MPLS", 1, func(_, frame []byte) []byte { return inEthernet("8847 00010140", frame) }},
	{"Ethernet in MPLS with a control word", 1, func(_, frame []byte) []byte { return inEthernet("8847 00010140 00000000", frame) }},
	{"4in4", 1, func(ip, _ []byte) []byte { return inEthernet("0800", in4(protocolOf(ip), ip)) }},
	{"6in6", 1, func(ip, _ []byte) []byte { return inEthernet("86dd", in6(protocolOf(ip), ip)) }},
	{"GRE", 1, func(ip, _ []byte) []byte { return inEthernet("0800", in4(47, join("0000", kindOf(ip), ip))) }},
	{"GRE with all it may have", 1, func(ip, _ []byte) []byte {
		return inEthernet("0800", in4(47, join("f000", kindOf(ip), "00000000 00000001 00000002 0002 0004 01020304 00000000", ip)))
	}},
	{"Ethernet in GRE", 1, func(_, frame []byte) []byte { return inEthernet("0800", in4(47, join("0000 6558", frame))) }},
	{"PPTP", 1, func(ip, _ []byte) []byte {
		return inEthernet("0800", in4(47, join("3081 880b 0020 0001 00000001 00000002 ff03", pppOf(ip), ip)))
	}},
	{"ERSPAN I", 1, func(_, frame []byte) []byte { return inEthernet("0800", in4(47, join("0000 88be", frame))) }},
	{"ERSPAN II", 1, func(_, frame []byte) []byte {
		return inEthernet("0800", in4(47, join("1000 88be 00000001 1001 0001 00000000", frame)))
	}},
	{"ERSPAN III", 1, func(_, frame []byte) []byte {
		return inEthernet("0800", in4(47, join("1000 22eb 00000001 2001 0001 00000000 0000 0000", frame)))
	}},
	{"ERSPAN III of a platform", 1, func(_, frame []byte) []byte {
		return inEthernet("0800", in4(47, join("1000 22eb 00000001 2001 0001 00000000 0000 0001 0000000000000000", frame)))
	}},
	{"GRE in UDP", 1, func(ip, _ []byte) []byte {
		return inEthernet("86dd", in6(17, inUDP(4754, join("2000", kindOf(ip), "00000001", ip))))
	}},
	{"VXLAN", 1, func(_, frame []byte) []byte {
		return inEthernet("0800", in4(17, inUDP(4789, join("08000000 00000100", frame))))
	}},
	{"VXLAN-GPE", 1, func(ip, _ []byte) []byte {
		return inEthernet("0800", in4(17, inUDP(4790, join("0c0000", []byte{ip[0]>>5 - 1}, "00000100", ip))))
	}},
	{"Geneve", 1, func(_, frame []byte) []byte {
		return inEthernet("0800", in4(17, inUDP(6081, join("0200 6558 00000100 0001 01 01 00000000", frame))))
	}},
	{"GTP-U", 1, func(ip, _ []byte) []byte {
		return inEthernet("0800", in4(17, inUDP(2152, join("30ff", []byte{byte(len(ip) >> 8), byte(len(ip))}, "00000001", ip))))
	}},
	{"GTP-U with an extension", 1, func(ip, _ []byte) []byte {
		n := len(ip) + 8
		return inEthernet("0800", in4(17, inUDP(2152, join("34ff", []byte{byte(n >> 8), byte(n)}, "00000001 0000 00 85 01 0001 00", ip))))
	}},
	{"L2TP", 1, func(ip, _ []byte) []byte {
		return inEthernet("0800", in4(17, inUDP(1701, join("0002 0001 0001 ff03", pppOf(ip), ip))))
	}},
	{"MPLS in UDP", 1, func(ip, _ []byte) []byte { return inEthernet("0800", in4(17, inUDP(6635, join("00010140", ip)))) }},
	{"CAPWAP", 1, func(ip, _ []byte) []byte {
		return inEthernet("0800", in4(17, inUDP(5247, join("00 20 03 20 00000000 04bf230000000000", wlanOf("0108", "", ip)))))
	}},
	{"TZSP", 1, func(_, frame []byte) []byte {
		return inEthernet("0800", in4(17, inUDP(37008, join("0100 0001 0a0101 00 01", frame))))
	}},
	{"EtherIP", 1, func(_, frame []byte) []byte { return inEthernet("0800", in4(97, join("3000", frame))) }},
	{"MPLS in IP", 1, func(ip, _ []byte) []byte { return inEthernet("0800", in4(137, join("00010140", ip))) }},
	{"Ethernet in IP", 1, func(_, frame []byte) []byte { return inEthernet("86dd", in6(143, frame)) }},
	{"GRE in VXLAN in PPPoE", 1, func(ip, _ []byte) []byte {
		outer := in4(47, join("0000", kindOf(ip), ip))
		return inEthernet("8864", pppoeOf(in4(17, inUDP(4789, join("08000000 00000100", inEthernet("0800", outer))))))
	}},
}

func pppOf(ip []byte) []byte {
	if ip[0]>>4 == 4 {
		return []byte{0, 0x21}
	}
	return []byte{0, 0x57}
}

func nlpidOf(ip []byte) []byte {
	if ip[0]>>4 == 4 {
		return []byte{0xcc}
	}
	return []byte{0x8e}
}

func protocolOf(ip []byte) byte {
	if ip[0]>>4 == 4 {
		return 4
	}
	return 41
}

// erfLengths are the lengths of a record, with so many bytes of headers, and on the wire.
func erfLengths(data []byte, headers int) []byte {
	b := binary.BigEndian.AppendUint16([]byte{byte((len(data) + headers) >> 8), byte(len(data) + headers), 0, 0}, uint16(len(data)+4))
	return b
}

func pppoeOf(ip []byte) []byte {
	n := len(ip) + 2
	return join("1100 0001", []byte{byte(n >> 8), byte(n)}, pppOf(ip), ip)
}

// wlanOf is a frame of 802.11 with these first two bytes, and what follows the addresses and the sequence number.
func wlanOf(control, more string, ip []byte) []byte {
	return join(control, "2c00 020000000001 020000000002 020000000003 1000", more, "aaaa03 000000", kindOf(ip), ip)
}

func same(a, b packet.Segment) bool {
	return a.Src == b.Src && a.Dst == b.Dst && a.Seq == b.Seq && a.Ack == b.Ack && a.Flags == b.Flags && a.Window == b.Window &&
		a.TTL == b.TTL && bytes.Equal(a.Options, b.Options) && bytes.Equal(a.Payload, b.Payload) && a.Cut == b.Cut
}

// The segment in a tunnel is that of its innermost packet, whole or cut. What is cut too early is no segment, and counted.
func TestTunnels(t *testing.T) {
	for _, c := range tunnels {
		for _, want := range inner() {
			frame := c.wrap(ipOf(&want), frameOf(&want))
			d := New()
			var got packet.Segment
			if err := d.Decode(c.link, frame, &got); err != nil || !same(got, want) {
				t.Errorf("%s: %v: %+v, not %+v", c.name, err, got, want)
				continue
			}
			for end := range frame {
				got = packet.Segment{Number: uint64(end)}
				err := d.Decode(c.link, frame[:end], &got)
				if behind := len(frame) - end; err == nil && (got.End() != want.End() || !bytes.HasPrefix(want.Payload, got.Payload)) {
					t.Errorf("%s without its last %d bytes: %+v", c.name, behind, got)
				} else if behind <= len(want.Payload)+len(want.Options) && err != nil {
					t.Errorf("%s without its last %d bytes: %v", c.name, behind, err)
				}
			}
			if all := d.End(); len(all) == 0 {
				t.Errorf("%s: nothing is counted of what was cut", c.name)
			}
		}
	}
}

// docs/captures.md lists the link types that are read, and no others.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/captures.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if cells := strings.Split(line, "|"); len(cells) == 4 {
			for _, number := range strings.Split(cells[1], ",") {
				documented[strings.TrimSpace(number)] = true
			}
		}
	}
	frame := make([]byte, 64)
	frame[8] = 2 // of ERF's records, Ethernet
	for link := range uint32(1024) {
		read := !errors.Is(New().Decode(link, frame, new(packet.Segment)), errLink)
		if number := strconv.FormatUint(uint64(link), 10); documented[number] != read {
			t.Errorf("link type %d is read: %v, is documented: %v", link, read, documented[number])
		}
	}
	causes := string(text)
	for _, e := range []error{errLink, errDepth, errParts, errBeyond, errESP, errWLAN, errWLANPart, errWLANMany, errPPP, errPPPPart, errL2TP3, packet.ErrShort} {
		if cause := strings.TrimPrefix(e.Error(), "packet: "); !strings.Contains(causes, cause) {
			t.Errorf("the cause %q is not documented", cause)
		}
	}
}

// tshark judges what is in the tunnels: it sees the same segment innermost.
func TestTunnelsAgreeWithTshark(t *testing.T) {
	differs := map[string]bool{ // what tshark 4.0 does not read, or is right only with more in the header than is read here
		"SLIP": true, "pppd": true, "Cisco HDLC with direction": true, "Frame Relay with direction": true, "802.11, decrypted": true,
		"NFLOG, big-endian": true, "MPLS": true, "Solaris' IPNET": true, "macOS' PKTAP": true, "netANALYZER": true, "Ethernet mPacket": true,
		"Ethernet in MPLS": true, "Ethernet in MPLS with a control word": true,
	}
	block := func(kind uint32, body []byte) []byte {
		body = append(body, make([]byte, -len(body)&3)...)
		b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), uint32(len(body)+12))
		return binary.LittleEndian.AppendUint32(append(b, body...), uint32(len(body)+12))
	}
	words := func(n ...uint32) (b []byte) {
		for _, w := range n {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		return b
	}
	file := block(0x0a0d0d0a, join("4d3c2b1a 0100 0000 ffffffffffffffff"))
	want := inner()[1]
	for i, c := range tunnels { // an interface for each
		frame := c.wrap(ipOf(&want), frameOf(&want))
		file = append(file, block(1, words(c.link, 0))...)
		file = append(file, block(6, append(words(uint32(i), 0, uint32(i), uint32(len(frame)), uint32(len(frame))), frame...))...)
	}
	path := filepath.Join(t.TempDir(), "tunnels.pcapng")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-n", "-r", path, "-o", "tcp.relative_sequence_numbers:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
		"-T", "fields", "-E", "occurrence=l", "-e", "tcp.srcport", "-e", "tcp.seq_raw", "-e", "tcp.len", "-e", "frame.protocols").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(tunnels) {
		t.Fatalf("tshark sees %d frames of %d", len(lines), len(tunnels))
	}
	for i, c := range tunnels {
		if same := strings.HasPrefix(lines[i], "443\t5\t17\t"); same == differs[c.name] {
			t.Errorf("%s: tshark sees %q", c.name, lines[i])
		}
	}
}

// gopacket judges the headers that it can write.
func TestTunnelsOfGopacket(t *testing.T) {
	ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 9, SrcIP: []byte{192, 0, 2, 1}, DstIP: []byte{192, 0, 2, 2}}
	link := &layers.Ethernet{SrcMAC: macs[0][:], DstMAC: macs[1][:], EthernetType: layers.EthernetTypeIPv4}
	of := func(p layers.IPProtocol) *layers.IPv4 { c := *ip; c.Protocol = p; return &c }
	udp := func(port layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: 50000, DstPort: port} }
	for _, want := range inner() {
		inside, kind := gopacket.Payload(ipOf(&want)), layers.EthernetType(binary.BigEndian.Uint16(kindOf(ipOf(&want))))
		ppp := &layers.PPP{PPPType: layers.PPPType(pppOf(ipOf(&want))[1])}
		for name, stack := range map[string][]gopacket.SerializableLayer{
			"GRE":     {link, of(47), &layers.GRE{Protocol: kind, KeyPresent: true, Key: 7, SeqPresent: true}, inside},
			"ERSPAN":  {link, of(47), &layers.GRE{Protocol: 0x88be, SeqPresent: true}, &layers.ERSPANII{Version: 1}, gopacket.Payload(frameOf(&want))},
			"VXLAN":   {link, of(17), udp(4789), &layers.VXLAN{ValidIDFlag: true, VNI: 9}, gopacket.Payload(frameOf(&want))},
			"GTP-U":   {link, of(17), udp(2152), &layers.GTPv1U{Version: 1, MessageType: 255, TEID: 1}, inside},
			"PPPoE":   {&layers.Ethernet{SrcMAC: macs[0][:], DstMAC: macs[1][:], EthernetType: 0x8864}, &layers.PPPoE{Version: 1, Type: 1}, ppp, inside},
			"MPLS":    {&layers.Ethernet{SrcMAC: macs[0][:], DstMAC: macs[1][:], EthernetType: 0x8847}, &layers.MPLS{Label: 5, StackBottom: true}, inside},
			"802.1Q":  {&layers.Ethernet{SrcMAC: macs[0][:], DstMAC: macs[1][:], EthernetType: 0x8100}, &layers.Dot1Q{VLANIdentifier: 5, Type: kind}, inside},
			"EtherIP": {link, of(97), gopacket.Payload{0x30, 0}, gopacket.Payload(frameOf(&want))},
		} {
			buf := gopacket.NewSerializeBuffer()
			if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, stack...); err != nil {
				t.Fatal(name, err)
			}
			var got packet.Segment
			if err := New().Decode(packet.LinkEthernet, buf.Bytes(), &got); err != nil || !same(got, want) {
				t.Errorf("%s: %v: %+v, not %+v", name, err, got, want)
			}
		}
	}
}

// Ethernet's padding is no data, even where the IP header counts it; any other byte is, and so is what is pushed.
func TestPadding(t *testing.T) {
	s := inner()[1]
	s.Options = nil
	for _, c := range []struct {
		flags   packet.Flags
		payload string
		is      bool
	}{
		{packet.ACK, "\x00\x00\x00\x00\x00\x00", true}, {packet.ACK, "\x00\x00", true}, {packet.ACK, "\x00", false},
		{packet.ACK, "\x00\x00\x00\x00\x00\x01", false}, {packet.ACK, "\x00\x00\x00\x00\x00\x00\x00", false},
		{packet.ACK | packet.PSH, "\x00\x00\x00\x00\x00\x00", false}, {packet.ACK, "", false},
	} {
		s.Flags, s.Payload = c.flags, []byte(c.payload)
		frame := frameOf(&s)
		for _, extra := range [][]byte{nil, make([]byte, 6), []byte("check")} { // padding that the header does not count, or a checksum
			var got packet.Segment
			if err := New().Decode(packet.LinkEthernet, append(frame, extra...), &got); err != nil || (len(got.Payload) == 0) != (c.is || c.payload == "") {
				t.Errorf("%v %q: %v, %q", c.flags, c.payload, err, got.Payload)
			}
		}
	}
	// PPPoE's own length does not count it, as in Zeek's pppoe-over-qinq.pcap.
	s.Flags, s.Payload = packet.ACK, make([]byte, 6)
	short := pppoeOf(ipOf(&s))
	short[5] -= 6
	var got packet.Segment
	if err := New().Decode(packet.LinkEthernet, inEthernet("8864", short), &got); err != nil || got.Length() != 0 {
		t.Errorf("%v: %d bytes", err, got.Length())
	}
}

// Nothing that is in itself too often is gone through to its end, and what cannot be read is counted by cause.
func TestSkipped(t *testing.T) {
	s := inner()[1]
	ip := ipOf(&s)
	deep := ip
	for range 40 {
		deep = in4(4, deep)
	}
	d := New()
	for i, f := range []struct {
		link  uint32
		frame []byte
	}{
		{101, deep}, {195, ip}, {195, ip}, {101, in4(50, ip)}, {101, in4(132, ip)}, {105, wlanOf("0841", "01020304", ip)},
		{105, wlanOf("0805", "", ip)}, {9, join("002d", ip)}, {1, frameOf(&s)[:30]}, {127, join("00000900 02000000 40", ip)},
	} {
		got := packet.Segment{Number: uint64(i + 1)}
		if d.Decode(f.link, f.frame, &got) == nil {
			t.Errorf("frame %d is %+v", i+1, got)
		}
	}
	want := []string{
		"1 of link type 1: frame is shorter than its headers say, first frame 9",
		"1 of link type 9: PPP that is compressed or encrypted, first frame 8",
		"1 of link type 101: encrypted by IPsec, first frame 4",
		"1 of link type 101: too many headers in each other, first frame 1",
		"1 of link type 105: encrypted 802.11 frame, first frame 6",
		"1 of link type 105: fragment of an 802.11 frame, first frame 7",
		"1 of link type 127: 802.11 frame with a wrong checksum, first frame 10",
		"2 of link type 195 (IEEE 802.15.4): the link type is not read, first frame 2",
	}
	var told []string
	for _, s := range d.End() {
		told = append(told, strconv.FormatUint(s.Frames, 10)+" "+s.String())
	}
	if !reflect.DeepEqual(told, want) {
		t.Errorf("told %q", told)
	}
}

// fragmentsOf cuts an IP packet into fragments of so many bytes of payload.
func fragmentsOf(ip []byte, size int) (all [][]byte) {
	header := 20
	if ip[0]>>4 == 6 {
		header = 40
	}
	for at := header; at < len(ip); at += size {
		end, more := min(at+size, len(ip)), byte(0)
		if end < len(ip) {
			more = 1
		}
		var f []byte
		if header == 20 {
			f = join(ip[:20], ip[at:end])
			binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
			binary.BigEndian.PutUint16(f[6:], uint16(more)<<13|uint16(at-header)/8)
		} else {
			f = join(ip[:40], []byte{ip[6], 0}, binary.BigEndian.AppendUint16(nil, uint16(at-header)|uint16(more)), "00000063", ip[at:end])
			f[6] = 44
			binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40))
		}
		all = append(all, f)
	}
	return all
}

// Fragments come in any order, twice, inside tunnels and around them; the frame that completes a packet is its segment's.
func TestFragments(t *testing.T) {
	for _, want := range inner() {
		for name, ip := range map[string][]byte{
			"TCP":              ipOf(&want),
			"fragmented VXLAN": in4(17, inUDP(4789, join("08000000 00000100", frameOf(&want)))),
			"fragmented GRE":   in6(47, join("0000", kindOf(ipOf(&want)), ipOf(&want))),
		} {
			parts := fragmentsOf(ip, 8)
			for _, order := range [][]int{{}, {1, 0}, {2, 1, 1, 0}} {
				d := New()
				var frames [][]byte
				for _, i := range order {
					frames = append(frames, parts[i])
				}
				frames = append(frames, parts[:len(parts)-1]...)
				for i, f := range frames {
					if err := d.Decode(packet.LinkRaw, f, &packet.Segment{Number: uint64(i)}); err != packet.ErrFragment {
						t.Fatalf("%s: fragment %d: %v", name, i, err)
					}
				}
				var got packet.Segment
				err := d.Decode(packet.LinkRaw, parts[len(parts)-1], &got)
				if err != nil || !same(got, want) {
					t.Errorf("%s: %v: %+v, not %+v", name, err, got, want)
				}
				if all := d.End(); len(all) > 0 {
					t.Errorf("%s: %v is skipped", name, all)
				}
			}
		}
	}
}

// Fragments without the rest, and those that overlap, are told of; what is held of them is bounded in bytes and time.
func TestFragmentsWithoutTheRest(t *testing.T) {
	s := inner()[1]
	s.Payload = make([]byte, 1400)
	parts := fragmentsOf(ipOf(&s), 1000)
	d := New()
	for i := range 20_000 {
		binary.BigEndian.PutUint16(parts[0][4:], uint16(i))
		if err := d.Decode(packet.LinkRaw, parts[0], &packet.Segment{Number: uint64(i + 1), Time: int64(i)}); err != packet.ErrFragment {
			t.Fatal(err)
		}
		if d.fragments.room > fragmentRoom || len(d.fragments.open) > fragmentRoom/1000 || len(d.fragments.order) > fragmentRoom/1000 {
			t.Fatalf("%d bytes of %d packets are held", d.fragments.room, len(d.fragments.open))
		}
	}
	overlaps := bytes.Clone(parts[1])
	binary.BigEndian.PutUint16(overlaps[6:], 100) // of 8 bytes
	binary.BigEndian.PutUint16(overlaps[4:], 19_999)
	if err := d.Decode(packet.LinkRaw, overlaps, &packet.Segment{Number: 20_001, Time: 20_001}); err != packet.ErrFragment {
		t.Error(err)
	}
	all := d.End()
	want := []Skipped{{101, "IP fragments that overlap", 2, 20_000}, {101, "IP fragments without the rest", 19_999, 1}}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("%v", all)
	}

	d = New()
	_ = d.Decode(packet.LinkRaw, parts[0], &packet.Segment{Number: 1})
	_ = d.Decode(packet.LinkRaw, parts[1], &packet.Segment{Number: 2, Time: 61e9})
	if all := d.End(); len(all) != 1 || all[0].Frames != 2 {
		t.Errorf("a minute later: %v", all)
	}
}

// FuzzDecode looks for panics, for segments that are not in the frame, and for frames that are not counted.
func FuzzDecode(f *testing.F) {
	for _, c := range tunnels {
		s := inner()[1]
		f.Add(c.link, c.wrap(ipOf(&s), frameOf(&s)), uint16(20))
	}
	s := inner()[1]
	parts := fragmentsOf(ipOf(&s), 16)
	f.Add(uint32(101), join(parts[0], parts[1], parts[2], parts[3]), uint16(len(parts[0])))
	f.Fuzz(func(t *testing.T, link uint32, data []byte, size uint16) {
		d := New()
		counted, told := uint64(0), uint64(0)
		for i := 0; i < 2; i++ { // in one frame, and in several
			for n := uint64(1); ; n++ {
				frame := data
				if i == 1 {
					frame = data[:min(int(size), len(data))]
				}
				got := packet.Segment{Number: n}
				switch err := d.Decode(link, frame, &got); {
				case err == nil && (len(got.Payload) > len(data) || got.Cut < 0 || len(got.Options) > 40 || got.ICMP == 0 && !got.Src.IsValid()):
					t.Fatalf("%+v", got)
				case err != nil && err != packet.ErrOther && err != packet.ErrFragment:
					counted++
				}
				if i == 0 || len(data) <= int(size) || size == 0 {
					break
				}
				data = data[size:]
			}
		}
		for _, s := range d.End() {
			told += s.Frames
		}
		if told < counted {
			t.Fatalf("%d frames are told of, not %d", told, counted)
		}
	})
}

// BenchmarkDecode is what a frame costs that the fast decoder reads, that is other traffic, and that is in a tunnel.
func BenchmarkDecode(b *testing.B) {
	s := inner()[1]
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"tcp", frameOf(&s)}, {"udp", inEthernet("0800", in4(17, inUDP(53, make([]byte, 40))))}, {"arp", inEthernet("0806", make([]byte, 46))},
		{"vxlan", inEthernet("0800", in4(17, inUDP(4789, join("08000000 00000100", frameOf(&s)))))},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := New()
			var got packet.Segment
			b.ReportAllocs()
			for b.Loop() {
				_ = d.Decode(packet.LinkEthernet, c.frame, &got)
			}
		})
	}
}
