package link

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// segment is what the tests send.
type segment struct {
	source, destination netip.AddrPort
	flags               string
	sequence, ack       uint32
	payload             []byte
}

func (s segment) frame(from, to [6]byte) []byte {
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(s.source.Port()),
		DstPort: layers.TCPPort(s.destination.Port()),
		Seq:     s.sequence,
		Ack:     s.ack,
		Window:  65535,
	}
	for _, flag := range s.flags {
		switch flag {
		case 'S':
			tcp.SYN = true
		case 'A':
			tcp.ACK = true
		case 'R':
			tcp.RST = true
		}
	}
	ip := network(s.source.Addr(), s.destination.Addr(), layers.IPProtocolTCP)
	tcp.SetNetworkLayerForChecksum(ip.(gopacket.NetworkLayer))
	return serialize(from, to, ip, tcp, gopacket.Payload(s.payload))
}

func network(source, destination netip.Addr, protocol layers.IPProtocol) gopacket.SerializableLayer {
	if source.Is4() {
		return &layers.IPv4{Version: 4, TTL: 64, Protocol: protocol, SrcIP: source.AsSlice(), DstIP: destination.AsSlice()}
	}
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: protocol, SrcIP: source.AsSlice(), DstIP: destination.AsSlice()}
}

func serialize(from, to [6]byte, ip gopacket.SerializableLayer, rest ...gopacket.SerializableLayer) []byte {
	kind := layers.EthernetTypeIPv4
	if ip.LayerType() == layers.LayerTypeIPv6 {
		kind = layers.EthernetTypeIPv6
	}
	all := append([]gopacket.SerializableLayer{
		&layers.Ethernet{SrcMAC: from[:], DstMAC: to[:], EthernetType: kind},
		ip,
	}, rest...)
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		panic(err)
	}
	return buffer.Bytes()
}

// tcpOf decodes the segment of a frame; nil if it has none.
func tcpOf(frame []byte) *layers.TCP {
	tcp, _ := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy).Layer(layers.LayerTypeTCP).(*layers.TCP)
	return tcp
}

func send(t testing.TB, l Link, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if err := l.Send(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
}

// receive returns copies of the frames that arrive until there have been count
// of them, or none for the time given.
func receive(t testing.TB, l Link, count int, patience time.Duration) [][]byte {
	t.Helper()
	var frames [][]byte
	for len(frames) < count {
		f, ok, err := l.Receive(l.Now() + int64(patience))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		frames = append(frames, append([]byte(nil), f.Data...))
	}
	return frames
}

func stats(t testing.TB, l Link) Stats {
	t.Helper()
	s, err := l.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
