// Package asn tells which autonomous system announces an address, by longest-prefix match in a file that somebody else
// made of routing tables. [Open] reads it: text, or a MaxMind DB.
//
// Text has one prefix on a line, its columns separated by tabs, in one of these forms, which are told apart by their number of
// columns; lines that are empty, or begin with # or ;, say nothing. It may be compressed with gzip.
//
//	1.0.0.0/24 13335                          pyasn's
//	1.0.0.0 24 13335                          CAIDA's pfx2as (Routeviews Prefix to AS mappings)
//	1.0.0.0 24 13335 CLOUDFLARENET            the same with a name, as laserdisc lab --asn writes it
//	1.0.0.0 1.0.0.255 13335 US CLOUDFLARENET  iptoasn.com's: a first and a last address; AS 0 is not routed
//
// Where several ASes announce a prefix ("4777_38639"), or a set of them does ("7660,7667"), the first counts: CAIDA writes the
// one first that most peers see.
package asn

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gaissmai/bart"
	"github.com/oschwald/maxminddb-golang/v2"
	"go4.org/netipx"
)

// Origin is who announces an address. The zero Origin is nobody.
type Origin struct {
	Prefix netip.Prefix // the longest that has the address, of the file; of an address range, a part of it
	ASN    uint32
	Name   string // as the file has it; "" if it has none
}

// Table is a file of prefixes and their ASes. It may be used by many goroutines at once.
type Table struct {
	path     string
	digest   string
	prefixes bart.Table[origin]
	left     int               // bytes of memory that prefixes and names of a text may still take
	database *maxminddb.Reader // in place of prefixes, if the file is a MaxMind DB
}

type origin struct {
	asn  uint32
	name string
}

// What a file may take, in bytes. The whole routing table had 1.3 million prefixes in 2025, which count for 450 MiB; a GeoLite2-ASN
// has 10 MB.
const (
	maxText     = 1 << 30   // of memory, for prefixes and names, as weigh and the names' lengths count
	maxDatabase = 256 << 20 // of a MaxMind DB, which is held as it is
	maxLine     = 4 << 10
)

// nameEntry is what a name takes besides its bytes, twice 16 in a map that may be half empty.
const nameEntry = 64

// weigh is the most memory that a prefix takes: a node of the table for each byte of it, though most prefixes share theirs.
func weigh(p netip.Prefix) int { return 80 * (1 + p.Bits()/8) }

// Open reads a file: a MaxMind DB if its name ends in .mmdb, and else text. An error names the file and the line.
func Open(path string) (*Table, error) {
	t := &Table{path: path, left: maxText}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("asn: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	r := io.TeeReader(f, sum)
	if strings.HasSuffix(path, ".mmdb") {
		err = t.readDatabase(r)
	} else {
		err = t.readText(r)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, r) // of what the reader did not need
	}
	if err != nil {
		return nil, fmt.Errorf("asn: %w", err)
	}
	t.digest = hex.EncodeToString(sum.Sum(nil))
	return t, nil
}

// File is the name of the file, without its directory.
func (t *Table) File() string { return filepath.Base(t.path) }

// SHA256 is that of the file's bytes, in hexadecimal.
func (t *Table) SHA256() string { return t.digest }

// Lookup tells who announces an address; the zero Origin is nobody. An error says that the database is damaged.
func (t *Table) Lookup(addr netip.Addr) (Origin, error) {
	if t.database != nil {
		return t.inDatabase(addr)
	}
	prefix, o, ok := t.prefixes.LookupPrefixLPM(netip.PrefixFrom(addr, addr.BitLen()))
	if !ok {
		return Origin{}, nil
	}
	return Origin{Prefix: prefix, ASN: o.asn, Name: o.name}, nil
}

func (t *Table) readDatabase(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxDatabase+1))
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	if len(data) > maxDatabase {
		return fmt.Errorf("%s: larger than %d MiB, which is what a database may take of memory", t.path, maxDatabase>>20)
	}
	if t.database, err = maxminddb.OpenBytes(data); err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	for _, other := range []string{"City", "Country", "Anonymous", "Domain", "Connection"} { // MaxMind's, and those made like them
		if kind := t.database.Metadata.DatabaseType; strings.Contains(kind, other) {
			return fmt.Errorf("%s: a database of type %s does not tell ASes", t.path, kind)
		}
	}
	return nil
}

// inDatabase looks an address up in a database with the fields of MaxMind's GeoLite2-ASN, which others' have too.
func (t *Table) inDatabase(addr netip.Addr) (Origin, error) {
	if addr.Is6() && t.database.Metadata.IPVersion == 4 {
		return Origin{}, nil // which Lookup takes for an error
	}
	var as struct {
		Number uint32 `maxminddb:"autonomous_system_number"`
		Name   string `maxminddb:"autonomous_system_organization"`
	}
	found := t.database.Lookup(addr)
	if err := found.Decode(&as); err != nil {
		return Origin{}, fmt.Errorf("asn: %s: %v: %w", t.path, addr, err)
	}
	if !found.Found() || as.Number == 0 {
		return Origin{}, nil
	}
	return Origin{Prefix: found.Prefix(), ASN: as.Number, Name: strings.ToValidUTF8(as.Name, "\ufffd")}, nil
}

// readText reads prefixes, one on a line.
func (t *Table) readText(r io.Reader) error {
	b := bufio.NewReader(r)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return fmt.Errorf("%s: %w", t.path, err)
		}
		b = bufio.NewReader(z)
	}
	lines := bufio.NewScanner(b)
	lines.Buffer(nil, maxLine)
	names := make(map[string]string)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimRight(lines.Text(), "\r ")
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		prefixes, o, err := parse(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", t.path, number, err)
		}
		if o.asn == 0 {
			continue
		}
		name, ok := names[o.name]
		if !ok {
			name = strings.Clone(o.name)
			names[name] = name
			t.left -= len(name) + nameEntry
		}
		for _, p := range prefixes {
			if _, twice := t.prefixes.Get(p); twice {
				return fmt.Errorf("%s:%d: prefix %v is there twice", t.path, number, p)
			}
			t.prefixes.Insert(p, origin{o.asn, name})
			t.left -= weigh(p)
		}
		if t.left < 0 {
			return fmt.Errorf("%s:%d: the prefixes and names up to here may take more than %d MiB of memory: take a file of fewer", t.path, number, maxText>>20)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: longer than %d bytes", t.path, number+1, maxLine)
	} else if err != nil {
		return fmt.Errorf("%s:%d: %w", t.path, number+1, err)
	}
	if t.prefixes.Size() == 0 {
		return fmt.Errorf("%s: no prefix in it", t.path)
	}
	return nil
}

// parse reads a line of text.
func parse(line string) (prefixes []netip.Prefix, o origin, err error) {
	cells := strings.Split(line, "\t")
	var as string
	switch len(cells) {
	case 2:
		prefixes, err = parsePrefix(cells[0])
		as = cells[1]
	case 3, 4:
		prefixes, err = parsePrefix(cells[0] + "/" + cells[1])
		as = cells[2]
	case 5:
		prefixes, err = parseRange(cells[0], cells[1])
		as = cells[2]
	default:
		return nil, o, fmt.Errorf("%d columns, separated by tabs; 2 to 5 are possible: prefix, AS; address, length, AS, and a name; first, last address, AS, country, name", len(cells))
	}
	if err != nil {
		return nil, o, err
	}
	if len(cells) > 3 {
		o.name = strings.ToValidUTF8(cells[len(cells)-1], "\ufffd")
	}
	first, _, _ := strings.Cut(as, "_")
	first, _, _ = strings.Cut(first, ",")
	number, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return nil, o, fmt.Errorf("%q is not the number of an AS", as)
	}
	o.asn = uint32(number)
	return prefixes, o, nil
}

func parsePrefix(s string) ([]netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a prefix", s)
	}
	if p.Masked() != p || p.Addr().Is4In6() {
		return nil, fmt.Errorf("prefix %v has bits beyond its length: %v", p, p.Masked())
	}
	return []netip.Prefix{p}, nil
}

// parseRange gives the prefixes that addresses from a first to a last one are made of.
func parseRange(first, last string) (prefixes []netip.Prefix, err error) {
	from, err := netip.ParseAddr(first)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address", first)
	}
	to, err := netip.ParseAddr(last)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address", last)
	}
	if !netipx.IPRangeFrom(from, to).IsValid() || from.Is4In6() || to.Is4In6() || from.Zone() != "" {
		return nil, fmt.Errorf("%v to %v is not a range", from, to)
	}
	return netipx.IPRangeFrom(from, to).Prefixes(), nil
}
