package anonymize

import (
	"fmt"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sampleKey is that of the sample in the authors' Crypto-PAn 1.0 (sample.cpp).
var sampleKey = []byte{21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2}

func sample(t testing.TB) *Key {
	t.Helper()
	k, err := NewKey(sampleKey)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The first lines of sample_trace_raw.dat and sample_trace_sanitized.dat of Crypto-PAn 1.0, by Xu, Fan, Ammar and Moon; for IPv6,
// which that does not have, what the tests of Yawning Angel's cryptopan (Go) and of node-cryptopan expect: the same algorithm over
// 128 bits.
var vectors = [][2]string{
	{"128.11.68.132", "135.242.180.132"},
	{"129.118.74.4", "134.136.186.123"},
	{"130.132.252.244", "133.68.164.234"},
	{"141.223.7.43", "141.167.8.160"},
	{"141.233.145.108", "141.129.237.235"},
	{"152.163.225.39", "151.140.114.167"},
	{"156.29.3.236", "147.225.12.42"},
	{"165.247.96.84", "162.9.99.234"},
	{"166.107.77.190", "160.132.178.185"},
	{"192.102.249.13", "252.138.62.131"},
	{"192.215.32.125", "252.43.47.189"},
	{"192.233.80.103", "252.25.108.8"},
	{"192.41.57.43", "252.222.221.184"},
	{"193.150.244.223", "253.169.52.216"},
	{"195.205.63.100", "255.186.223.5"},
	{"198.200.171.101", "249.199.68.213"},
	{"198.26.132.101", "249.36.123.202"},
	{"198.36.213.5", "249.7.21.132"},
	{"198.51.77.238", "249.18.186.254"},
	{"199.217.79.101", "248.38.184.213"},
	{"::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"},
	{"::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"},
	{"::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"},
	{"2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"},
	{"2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"},
}

func TestVectors(t *testing.T) {
	k := sample(t)
	for _, v := range vectors {
		if got := k.Addr(netip.MustParseAddr(v[0])); got.String() != v[1] {
			t.Errorf("%s becomes %v, not %s", v[0], got, v[1])
		}
	}
	// The example in the README of yacryptopan, for Python.
	other, err := NewKey([]byte("32-char-str-for-AES-key-and-pad."))
	if err != nil {
		t.Fatal(err)
	}
	if got := other.Addr(netip.MustParseAddr("192.0.2.1")); got.String() != "192.0.125.244" {
		t.Errorf("192.0.2.1 becomes %v", got)
	}
	if k.Addr(netip.Addr{}).IsValid() {
		t.Error("no address becomes one")
	}
}

// As many bits as two addresses have in common have those that they become, and no more.
func TestPrefixes(t *testing.T) {
	k := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{4, 16}).Draw(t, "bytes")
		a := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "b")
		copy(b, a[:rapid.IntRange(0, n).Draw(t, "common")])
		x, _ := netip.AddrFromSlice(a)
		y, _ := netip.AddrFromSlice(b)
		if was, is := common(x, y), common(k.Addr(x), k.Addr(y)); was != is {
			t.Fatalf("%v and %v have %d bits in common, what they become %d", x, y, was, is)
		}
	})
}

func common(a, b netip.Addr) (n int) {
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return n + bits.LeadingZeros8(d)
		}
		n += 8
	}
	return n
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	made, was, err := LoadKey(path)
	if err != nil || !was {
		t.Fatal(was, err)
	}
	read, was, err := LoadKey(path)
	if err != nil || was || read.Fingerprint() != made.Fingerprint() || len(read.Fingerprint()) != 16 {
		t.Errorf("%v, made %v: %v", read, was, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if sample(t).Fingerprint() == made.Fingerprint() {
		t.Error("two keys have one fingerprint")
	}
	for i, bad := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("x", 64), strings.Repeat("0", 66)} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), path+": a key is 64 hexadecimal digits") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, _, err := LoadKey(filepath.Join(path, "nosuch")); err == nil {
		t.Error("a key is made where no file can be")
	}
}
