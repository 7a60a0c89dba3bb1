package formats

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"laserdisc/capture/packet"
)

// goodZMap is a line as ZMap 3 writes it.
const goodZMap = `{"saddr":"198.18.0.1","daddr":"192.0.2.1","sport":80,"dport":61001,"seqnum":4294967295,"acknum":0,"window":0,"ttl":55}` + "\n"

// readZMap reads all of a text, for a scan from 192.0.2.1, ports 61000 to 65535.
func readZMap(t testing.TB, text string) (list []packet.Segment, err error) {
	z := ReadZMap(t.Context(), strings.NewReader(text), []netip.Addr{netip.MustParseAddr("192.0.2.1")}, 61000, 65535)
	for {
		s, ok, err := z.Next()
		if err != nil {
			return list, err
		}
		if ok {
			list = append(list, s)
		}
	}
}

// A line of ZMap's is a SYN-ACK, or is none, or says what is wrong with it and where.
func TestReadZMap(t *testing.T) {
	const good = goodZMap
	list, err := readZMap(t, good+strings.Replace(good, `"ttl":55`, `"classification":"rst"`, 1)+strings.Replace(good, "4294967295", "-1", 1))
	if !errors.Is(err, io.EOF) || len(list) != 2 {
		t.Fatalf("%d SYN-ACKs, %v", len(list), err)
	}
	want := packet.Segment{Src: netip.MustParseAddrPort("198.18.0.1:80"), Dst: netip.MustParseAddrPort("192.0.2.1:61001"),
		Seq: 4294967295, TTL: 55, Flags: packet.SYN | packet.ACK}
	for _, s := range list { // the second as ZMap 2 writes it
		if fmt.Sprint(s) != fmt.Sprint(want) {
			t.Errorf("read %+v", s)
		}
	}
	for _, c := range []struct{ old, new, says string }{
		{`{`, `x`, "zmap -O json"},
		{`"198.18.0.1"`, `"198.18.0"`, "zmap -O json"},
		{`"198.18.0.1"`, `"2001:db8::1"`, "cannot answer"},
		{`"sport":80,`, ``, "-f saddr"},
		{`"acknum":0,`, ``, "-f saddr"},
		{`"window":0,`, ``, "-f saddr"},
		{`4294967295`, `4294967296`, "32 bits"},
		{`4294967295`, `-2147483649`, "32 bits"},
		{`4294967295`, `"x"`, "32 bits"},
		{`61001`, `40000`, "--source-port"},
		{`"192.0.2.1"`, `"192.0.2.2"`, "--source-ip"},
		{`{`, strings.Repeat("{", maxZMapLine), "longer than 65536 bytes"},
	} {
		list, err := readZMap(t, good+strings.Replace(good, c.old, c.new, 1)+good)
		if err == nil || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), c.says) || len(list) != 1 {
			t.Errorf("%s for %s: %d SYN-ACKs, %v", c.new, c.old, len(list), err)
		}
	}
}

// FuzzReadZMap: whatever ZMap's output is, it ends, without a panic; what is taken of it is a SYN-ACK that comes to the scan,
// and an error names the line after the last one taken, or a later one.
func FuzzReadZMap(f *testing.F) {
	f.Add(goodZMap)
	f.Add(goodZMap + strings.Replace(goodZMap, "}", `,"classification":"rst"}`, 1) + "x")
	f.Add(strings.Replace(goodZMap, "4294967295", "-2147483648", 1) + "\n\n")
	f.Add(strings.NewReplacer("198.18.0.1", "2001:db8::1", "192.0.2.1", "2001:db8::2").Replace(goodZMap))
	f.Add("null")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readZMap(t, text)
		for _, s := range list {
			if s.Flags != packet.SYN|packet.ACK || s.Dst.Addr() != netip.MustParseAddr("192.0.2.1") || s.Dst.Port() < 61000 || !s.Src.Addr().Is4() || s.Src.Port() == 0 {
				t.Errorf("taken: %+v", s)
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		var line int
		if _, scanned := fmt.Sscanf(err.Error(), "zmap: line %d: ", &line); scanned != nil || line <= len(list) {
			t.Errorf("after %d SYN-ACKs: %v", len(list), err)
		}
	})
}
