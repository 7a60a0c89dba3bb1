package handshake

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// table lists the protocols. Its order is their precedence: what another protocol carries comes before its carrier, and a
// text protocol whose greeting may follow other lines comes after those that own the first line.
var table = []*Protocol{
	&wait,
	&newlines,
	&newlines50,
	// Carried in HTTP or TLS, or answering HTTP as a courtesy; then TLS, which answers plain HTTP; then HTTP.
	&ipp,
	&kubernetes,
	&mongodb,
	&socks5,
	&tls,
	&tls12,
	&tlsLegacy,
	&http,
	&httpOptions,
	&rtsp,
	&sip,
	// Told apart by their first line; those that greet with 220 as mail does, before it.
	&lmtp,
	&dict,
	&smtp,
	&ftp,
	&pop3,
	&imap,
	&nntp,
	&irc,
	&managesieve,
	&redis,
	&memcached,
	&memcachedBinary,
	&vnc,
	&rsync,
	&svn,
	&nats,
	&mpd,
	&munin,
	&gpsd,
	&clamd,
	&spamd,
	&xmpp,
	&fox,
	// Binary, told apart by fixed bytes and by lengths that fit.
	&bgp,
	&zmtp,
	&kerberos,
	&amqp,
	&mqtt,
	&smb,
	&rdp,
	&siemens,
	&pptp,
	&pptpBadCookie,
	&postgres,
	&postgresSSL,
	&mssql,
	&oracle,
	&mysql,
	&x11,
	&enip,
	&omronfins,
	&drda,
	&codesys2,
	&checkpoint,
	&ipmi,
	&dnp3,
	&dns,
	&modbus,
	// Greetings that other lines may precede.
	&ssh,
	&telnet,
}

// Table returns the protocols in order of precedence. It must not be modified.
func Table() []*Protocol { return table }

// candidates holds, for every first byte, the protocols whose answer can begin with it, in table order.
var candidates = byFirstByte(table)

func byFirstByte(table []*Protocol) (by [256][]*Protocol) {
	for _, p := range table {
		if p.Match == nil {
			continue
		}
		for c := range by {
			if p.Leads == "" || strings.IndexByte(p.Leads, byte(c)) >= 0 {
				by[c] = append(by[c], p)
			}
		}
	}
	return by
}

// Lookup finds a protocol by its name.
func Lookup(name string) (*Protocol, bool) {
	i, ok := positions[name]
	if !ok {
		return nil, false
	}
	return table[i], true
}

// positions holds where in the table each protocol stands.
var positions = byName(table)

func byName(table []*Protocol) map[string]int {
	by := make(map[string]int, len(table))
	for i, p := range table {
		by[p.Name] = i
	}
	return by
}

// Parse reads a list of handshakes such as "wait,tls,http", in the order in which they are to be tried. "all" stands for
// wait and every protocol whose client speaks first, in table order; those left out would only wait again. An unknown
// name, that of a protocol without a handshake, and a repeated one are errors; the first says which names are near.
func Parse(list string) ([]*Protocol, error) {
	if strings.TrimSpace(list) == "all" {
		return speaking(), nil
	}
	var ps []*Protocol
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		p, ok := Lookup(name)
		if !ok {
			return nil, unknown(name)
		}
		if p.Hello == nil && !p.ServerFirst && p != &wait {
			return nil, fmt.Errorf("%s has no handshake: it is recognised by its answers to others'", name)
		}
		if slices.Contains(ps, p) {
			return nil, fmt.Errorf("handshake %q is listed twice", name)
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func speaking() []*Protocol {
	ps := []*Protocol{&wait}
	for _, p := range table {
		if p.Hello != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

func unknown(name string) error {
	if name == "all" {
		return errors.New(`handshake "all" stands for the whole list, and alone`)
	}
	var near []string
	nearest := 2 // characters to mend
	for _, p := range table {
		d := distance(p.Name, name)
		if strings.HasPrefix(p.Name, name) && name != "" {
			d = min(d, 1)
		}
		if d < nearest {
			near, nearest = nil, d
		}
		if d == nearest && d < len(name) {
			near = append(near, p.Name)
		}
	}
	if len(near) == 0 {
		return fmt.Errorf("unknown handshake %q: `laserdisc protocols` lists them", name)
	}
	return fmt.Errorf("unknown handshake %q: did you mean %s?", name, strings.Join(near, " or "))
}

// distance counts the characters to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
