package target

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
)

// maxLine bounds a line of a list, in bytes.
const maxLine = 1 << 16

// List identifies a file that a specification names.
type List struct {
	Path    string `json:"path"`    // or "standard input"
	SHA256  string `json:"sha256"`  // of the file's bytes, hexadecimal
	Entries uint64 `json:"entries"` // prefixes, addresses and services in it
}

// entry is one line of a list: a prefix, with a port of its own or 0 for none.
type entry struct {
	prefix netip.Prefix
	port   uint16
}

// parseEntry reads an address, a prefix, "ip:port" or "[ip]:port". Bits of a
// prefix beyond its length are ignored, and an IPv4-mapped IPv6 address is the
// IPv4 address.
func parseEntry(s string) (entry, error) {
	if strings.Contains(s, "%") {
		return entry{}, fmt.Errorf("%q has a zone, and targets have none", s)
	}
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return entry{prefix: unmapPrefix(prefix)}, nil
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return entry{prefix: unmapPrefix(hostPrefix(addr))}, nil
	}
	if service, err := netip.ParseAddrPort(s); err == nil {
		if service.Port() == 0 {
			return entry{}, fmt.Errorf("%q: port 0 is reserved", s)
		}
		return entry{unmapPrefix(hostPrefix(service.Addr())), service.Port()}, nil
	}
	return entry{}, fmt.Errorf("%q is not an address, a prefix, ip:port or [ip]:port", s)
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}

// read hands every entry of an argument to add: of standard input if it is "-",
// of the file after an "@", of the argument itself if it is an entry, else of the
// file with this path.
func (c *compiler) read(argument string, add func(entry) error) error {
	path, isFile := strings.CutPrefix(argument, "@")
	if path == "-" {
		return c.list("standard input", os.Stdin, add)
	}
	if !isFile {
		e, err := parseEntry(argument)
		if err == nil {
			return add(e)
		}
		if _, missing := os.Stat(path); missing != nil {
			return fmt.Errorf("%w, nor a file", err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return c.list(path, file, add)
}

func (c *compiler) list(path string, r io.Reader, add func(entry) error) error {
	list, err := readList(path, r, add)
	if err != nil {
		return err
	}
	c.lists = append(c.lists, list)
	return nil
}

// prefixes reads an argument that may hold no ports, for the field of the Spec
// that an error is to name.
func (c *compiler) prefixes(field, argument string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	err := c.read(argument, func(e entry) error {
		if e.port != 0 {
			return fmt.Errorf("%v has port %d, and here are only addresses and prefixes possible", e.prefix.Addr(), e.port)
		}
		list = append(list, e.prefix)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return list, nil
}

// readList reads one entry a line, or the output of a ZMap dry run; what follows
// a "#" is a comment. Errors name the line.
func readList(path string, r io.Reader, add func(entry) error) (List, error) {
	list := List{Path: path}
	digest := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(r, digest))
	lines.Buffer(nil, maxLine)
	number := 1
	var packets dryRun
	for ; lines.Scan(); number++ {
		text, _, _ := bytes.Cut(lines.Bytes(), []byte("#"))
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		e, ready, isIt, err := packets.line(string(text))
		if !isIt {
			e, err = parseEntry(string(text))
			ready = true
		}
		if err == nil && ready {
			err = add(e)
		}
		if err != nil {
			return List{}, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if ready {
			list.Entries++
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return List{}, fmt.Errorf("%s:%d: line is longer than %d bytes", path, number, maxLine)
	} else if err != nil {
		return List{}, fmt.Errorf("%s:%d: %w", path, number, err)
	}
	list.SHA256 = hex.EncodeToString(digest.Sum(nil))
	return list, nil
}
