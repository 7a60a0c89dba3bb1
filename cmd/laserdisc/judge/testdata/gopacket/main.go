// Command gopacket decodes every packet of a pcapng file with gopacket's fastest decoder, keeps nothing, and prints how many
// packets there were: what a reader costs that is built on it. BenchmarkReplay puts it beside playback.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

func main() {
	packets, refused, err := decode(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gopacket:", err)
		os.Exit(1)
	}
	fmt.Printf("%d packets, of which %d could not be decoded\n", packets, refused)
}

// decode counts the packets of a file, and those that gopacket refuses.
func decode(path string) (packets, refused int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(bufio.NewReaderSize(f, 1<<20), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return 0, 0, err
	}
	var (
		ethernet layers.Ethernet
		ip4      layers.IPv4
		ip6      layers.IPv6
		tcp      layers.TCP
		icmp4    layers.ICMPv4
		payload  gopacket.Payload
		decoded  []gopacket.LayerType
	)
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &ethernet, &ip4, &ip6, &tcp, &icmp4, &payload)
	parser.IgnoreUnsupported = true
	for {
		frame, _, err := r.ZeroCopyReadPacketData()
		if errors.Is(err, io.EOF) {
			return packets, refused, nil
		}
		if err != nil {
			return 0, 0, err
		}
		packets++
		if parser.DecodeLayers(frame, &decoded) != nil {
			refused++
		}
	}
}
