package unknowns

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

type pair = struct {
	A string
	B int
}

// TestAdjustedRand has the examples of scikit-learn 1.7, sklearn.metrics.adjusted_rand_score, and one of Hubert and Arabie's kind by
// hand: of 2 classes of 3 that two clusters of 3 mix up, (2 - 2.4)/(6 - 2.4).
func TestAdjustedRand(t *testing.T) {
	for _, c := range []struct {
		a    string
		b    []int
		want float64
	}{
		{"aabb", []int{0, 0, 1, 1}, 1},
		{"aabb", []int{1, 1, 0, 0}, 1},
		{"aabc", []int{0, 0, 1, 1}, 0.5714285714285714},
		{"aabb", []int{0, 0, 1, 2}, 0.5714285714285714},
		{"aaaa", []int{0, 1, 2, 3}, 0},
		{"aabb", []int{0, 1, 0, 1}, -0.5},
		{"aaabbb", []int{0, 0, 1, 0, 1, 1}, -0.1111111111111111},
		{"a", []int{0}, 1},
		{"", nil, 1},
	} {
		both := make(map[pair]int)
		for i, b := range c.b {
			both[pair{c.a[i : i+1], b}]++
		}
		if got := AdjustedRand(both); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s and %v: %v, not %v", c.a, c.b, got, c.want)
		}
	}
}

// said makes the response of some services.
func said(data, label string, services int) *Response {
	r := &Response{Data: data[:min(Look, len(data))], Handshake: "wait", Label: label}
	for i := range services {
		r.Services = append(r.Services, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i / 256), byte(i)}), 4242))
	}
	return r
}

// compare counts the services by label and cluster; what is in none is alone.
func compare(clusters []Cluster, rest []*Response) (both map[pair]int) {
	both = make(map[pair]int)
	for i, c := range clusters {
		for _, r := range c.Responses {
			both[pair{r.Label, i}] += len(r.Services)
		}
	}
	for i, r := range rest {
		both[pair{r.Label, len(clusters) + i}] += len(r.Services)
	}
	return both
}

// TestGroup has what one would join, and what one would not.
func TestGroup(t *testing.T) {
	responses := []*Response{
		said("OK MPD 0.23.5\n", "mpd", 10), said("OK MPD 0.21.11\n", "mpd", 4),
		said(":irc.one.example NOTICE * :*** Looking up your hostname...\r\n", "irc", 1),
		said(":chat.example.org NOTICE AUTH :*** Looking up your hostname\r\n", "irc", 1),
		said(":a.b NOTICE * :*** Looking up your hostname...\r\n", "irc", 1),
		said("\x00\x00\x00d\x00\x00\x00\x18", "omapi", 5), said("\x00\x00\x00\x06\x10\x01nope", "nope", 5),
		said("J\x00\x00\x00\x0a5.7.33-log\x00abcdefgh\x00", "mysql", 2), said("[\x00\x00\x00\x0a5.5.62-0+deb8u1\x00ABCDEFGH\x00", "mysql", 2),
		said("alone", "alone", 1), said("rare", "rare", 2),
	}
	clusters, rest := Group(responses)
	for _, c := range clusters {
		s := Propose(&c)
		t.Logf("%d %s: %v", c.Services(), c.Responses[0].Label, s.String())
	}
	if len(clusters) != 5 || len(rest) != 2 {
		t.Errorf("%d clusters and %d responses in none", len(clusters), len(rest))
	}
	if ari := AdjustedRand(compare(clusters, rest)); ari != 1 {
		t.Errorf("adjusted Rand index %v", ari)
	}
	slices.Reverse(responses)
	again, _ := Group(responses)
	if fmt.Sprint(proposals(again)) != fmt.Sprint(proposals(clusters)) {
		t.Error("the order of the responses matters")
	}
}

func proposals(clusters []Cluster) (list []string) {
	for _, c := range clusters {
		s := Propose(&c)
		list = append(list, s.String())
	}
	return list
}

// TestPropose reads signatures off responses, and tries them.
func TestPropose(t *testing.T) {
	for _, c := range []struct {
		responses []string
		want      string
		enough    bool
		others    []string // that do not match
	}{
		{[]string{"OK MPD 0.23.5\n", "OK MPD 0.21.11\n"}, `"OK MPD 0.2" 1 bytes "."`, true, []string{"OK", "OK MPD 0.2", "OK MPD 1.23.5\n"}},
		{[]string{"J\x00\x00\x00\x0a5", "K\x00\x00\x00\x0a8"}, `1 bytes "\x00\x00\x00\n"`, true, []string{"J\x00\x00\x00\x09", ""}},
		{[]string{":a NOTICE Auth", ":bbb NOTICE Auth"}, `":" .. "NOTICE" .. "Auth"`, true, []string{":a NOTICE", "a NOTICE Auth"}},
		{[]string{"\xee12345", "\xee98764"}, `"\xee"`, false, []string{"\xed12345"}},
		{[]string{"abc", "xyz"}, ``, false, nil},
	} {
		cluster := new(Cluster)
		for _, data := range c.responses {
			cluster.Responses = append(cluster.Responses, said(data, "", 1))
		}
		s := Propose(cluster)
		if s.String() != c.want || s.Enough() != c.enough {
			t.Errorf("%q: proposed is %s, enough %v", c.responses, s.String(), s.Enough())
		}
		for _, data := range c.responses {
			if !s.Match([]byte(data)) {
				t.Errorf("%s does not match %q", s.String(), data)
			}
		}
		for _, data := range c.others {
			if s.Match([]byte(data)) {
				t.Errorf("%s matches %q", s.String(), data)
			}
		}
	}
}

// TestFleet clusters what real servers answered, as if nobody knew any of their protocols. Which it is, whoever started the server
// said. There are few of each, and some speak HTTP besides.
func TestFleet(t *testing.T) {
	f, err := os.Open("../../capture/handshake/testdata/fleet.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type key struct{ data, probe, label string }
	responses := make(map[key]*Response)
	var list []*Response
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Service, Protocol, Probe, Received string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(line.Received)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) == 0 || line.Protocol == "none" || line.Protocol == "echo" { // an echo says what it was told
			continue
		}
		k := key{string(data[:min(Look, len(data))]), line.Probe, line.Protocol}
		r := responses[k]
		if r == nil {
			r = &Response{Data: k.data, Handshake: k.probe, Label: k.label}
			responses[k] = r
			list = append(list, r)
		}
		r.Services = append(r.Services, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(len(list))}), uint16(1+len(r.Services))))
	}
	clusters, rest := Group(list)
	both := compare(clusters, rest)
	all, pure := 0, 0
	most := make([]int, len(clusters))
	for p, n := range both {
		all += n
		if p.B < len(clusters) {
			most[p.B] = max(most[p.B], n)
		} else {
			pure += n
		}
	}
	for i, n := range most {
		pure += n
		t.Logf("%d: %d responses, %d of them %s", i, clusters[i].Services(), n, clusters[i].Responses[0].Label)
	}
	ari := AdjustedRand(both)
	purity := float64(pure) / float64(all)
	t.Logf("%d answers, %d different, %d clusters; purity %.4f, adjusted Rand index %.4f", all, len(list), len(clusters), purity, ari)
	if all < 100 || purity < 0.8 || ari < 0.6 {
		t.Errorf("of %d answers, purity is %.4f and the adjusted Rand index %.4f", all, purity, ari)
	}
}

// TestMany clusters 100,000 different responses, 40 % of them random bytes, in less time than it takes to compare them all.
func TestMany(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 0))
	var list []*Response
	bytes := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return string(b)
	}
	for i := range 100_000 {
		switch g.IntN(5) {
		case 0:
			list = append(list, said(fmt.Sprintf("READY server-%d %x\r\n", i, bytes(10)), "ready", 1))
		case 1:
			list = append(list, said("\x7fPROTO"+bytes(40), "proto", 1))
		case 2:
			list = append(list, said(fmt.Sprintf("%d{\"status\":\"denied\",\"nonce\":%q}", i, bytes(3)), "json", 1))
		default:
			list = append(list, said(bytes(20+g.IntN(60)), fmt.Sprint("random ", i), 1))
		}
	}
	start := time.Now()
	clusters, rest := Group(list)
	t.Logf("%d clusters, %d responses in none, %v", len(clusters), len(rest), time.Since(start))
	for _, want := range []string{"ready", "proto", "json"} {
		all, in, of := 0, 0, 0
		for _, r := range list {
			if r.Label == want {
				all++
			}
		}
		for _, c := range clusters {
			n := 0
			for _, r := range c.Responses {
				if r.Label == want {
					n++
				}
			}
			if n > in {
				in, of = n, len(c.Responses)
			}
		}
		if in < all*99/100 || in < of*99/100 {
			t.Errorf("%s: %d of %d are in one cluster, of %d", want, in, all, of)
		}
	}
}
