package anonymize

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"laserdisc/capture/handshake"
)

// Payload replaces in a stream, or the beginning of one, what names addresses and hosts; own are the addresses of its two
// ends. Nothing changes its length. What is replaced, wherever it stands:
//
//   - IPv4 addresses as text: four or more numbers from 0 to 255 with dots, hyphens, commas or underscores between them, so that
//     those in host names and in FTP's replies 227 are, too, in whatever order, and version numbers of that form. Each number
//     becomes one of as many digits. 0.0.0.0 and 127.x.x.x stay.
//   - IPv6 addresses as text: each group becomes one of as many digits, groups of zeros stay, and the canonical form (RFC 5952)
//     stays canonical.
//   - The own addresses in binary, in either byte order, and in hexadecimal: they become what they are in headers. Subject
//     alternative names of X.509 (RFC 5280, section 4.2.1.6) and answers of DNS that are addresses do, whose they may be.
//   - DNS names: of labels below an ICANN suffix of the public suffix list, or a suffix for private use, each letter and each
//     digit becomes another, by label and what follows it; the suffix stays. So do those of the local part of a mail address.
//   - Host names without a dot where SMTP's greeting (RFC 5321, section 4.2) or a login prompt has one.
//
// Names that the scanner's own hellos have stay, and those that specifications have. Two streams that begin alike are replaced alike as far as whole names go.
func (k *Key) Payload(b []byte, own ...netip.Addr) {
	k.dns(b)
	k.ipv6(b)
	k.ipv4(b)
	k.subjectAddresses(b)
	k.literal(b, own)
	k.names(b)
	k.greeting(b)
}

// literal replaces the own addresses as they stand in headers, and as text where it is not set apart from what is around.
func (k *Key) literal(b []byte, own []netip.Addr) {
	hello, asked := false, false
	for _, a := range own {
		f := k.forms(a)
		for _, p := range f.text {
			p.replace(b)
		}
		for _, p := range f.binary {
			if !bytes.Contains(b, p.from) {
				continue
			}
			if !asked {
				hello, asked = isHello(b), true
			}
			if !hello {
				p.replace(b)
			}
		}
	}
}

// forms are those of an address that literal looks for.
type forms struct{ text, binary []pair }

// pair is what takes the place of what, of the same length.
type pair struct{ from, to []byte }

func (p pair) replace(b []byte) {
	for {
		at := bytes.Index(b, p.from)
		if at < 0 {
			return
		}
		copy(b[at:], p.to)
		b = b[at+len(p.to):]
	}
}

// maxForms is how many addresses' forms are remembered: a host's streams are often next to each other, and the scanner's address
// is in all of them.
const maxForms = 1 << 12

func (k *Key) forms(a netip.Addr) *forms {
	k.known.Lock()
	defer k.known.Unlock()
	if f, ok := k.known.forms[a]; ok {
		return f
	}
	if k.known.forms == nil || len(k.known.forms) == maxForms {
		k.known.forms = make(map[netip.Addr]*forms)
	}
	f := new(forms)
	k.known.forms[a] = f
	from, to := a.AsSlice(), k.Addr(a).AsSlice()
	f.binary = append(f.binary, pair{from, to})
	if len(from) == 16 || from[1] != 0 || from[2] != 0 { // 1.0.0.10 is any number in binary
		back := pair{bytes.Clone(from), bytes.Clone(to)}
		slices.Reverse(back.from)
		slices.Reverse(back.to)
		f.binary = append(f.binary, back)
	}
	lower, other := hex.AppendEncode(nil, from), hex.AppendEncode(nil, to)
	text, replaced := []byte(a.String()), []byte(a.String())
	k.ipv6(replaced)
	k.ipv4(replaced)
	f.text = append(f.text, pair{lower, other}, pair{bytes.ToUpper(lower), bytes.ToUpper(other)}, pair{text, replaced})
	return f
}

// isHello reports whether a stream is one of the scanner's own hellos. BGP's has an address in it, which is nobody's.
func isHello(b []byte) bool {
	said := handshake.Said(b, netip.AddrPort{})
	return len(b) > 0 && said.Name != handshake.Other.Name
}

// ipv4 replaces addresses as text.
func (k *Key) ipv4(b []byte) {
	for i := 0; i < len(b); {
		if !isDigit(b[i]) {
			i++
			continue
		}
		groups, end := numbers(b, i)
		if len(groups) >= 4 && !bytes.HasPrefix(b[i:], []byte("127.")) && !bytes.Equal(b[i:end], []byte("0.0.0.0")) {
			before := ""
			for n, g := range groups {
				digits := b[g[0]:g[1]]
				was := string(digits)
				k.number(digits, 10, 255, before, n >= 3)
				before += was + "."
			}
		}
		i = end
	}
}

// numbers gives the stretches of numbers from 0 to 255 that begin at i, with one separator between them all, and where to go
// on: behind them, or behind a number that is none.
func numbers(b []byte, i int) (groups [][2]int, end int) {
	for {
		start := i
		value := 0
		for i < len(b) && isDigit(b[i]) && value < 1e6 {
			value = value*10 + int(b[i]-'0')
			i++
		}
		for i < len(b) && isDigit(b[i]) {
			i++
		}
		if i-start > 3 || value > 255 {
			if len(groups) > 0 {
				return groups, start
			}
			return nil, i
		}
		groups = append(groups, [2]int{start, i})
		if i+1 >= len(b) || !isDigit(b[i+1]) || !bytes.ContainsRune([]byte(".-,_"), rune(b[i])) ||
			len(groups) > 1 && b[i] != b[groups[0][1]] {
			return groups, i
		}
		i++
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number replaces a number by one of as many digits, of as many leading zeros, and of at most most: it is shifted by what
// depends on the numbers before it. If it must differ, it does, unless there is no other.
func (k *Key) number(digits []byte, base, most int, before string, differ bool) {
	zeros := 0
	for zeros < len(digits)-1 && digits[zeros] == '0' {
		zeros++
	}
	digits = digits[zeros:]
	least, above := 0, base
	if len(digits) > 1 {
		least = 1
		for range len(digits) - 1 {
			least *= base
		}
		above = least * base
	}
	if base == 16 && least == 0 {
		least = 1 // a group that is not zero stays so
	}
	size := min(above, most+1) - least
	value, upper := 0, false
	for _, c := range digits {
		value = value*base + hexValue(c)
		upper = upper || 'A' <= c && c <= 'F'
	}
	if size < 2 || value < least {
		return
	}
	sum := k.draw("number", before, string('0'+rune(len(digits))), string('0'+rune(zeros)))
	shift := int(sum[0])<<16 | int(sum[1])<<8 | int(sum[2])
	if differ {
		shift = 1 + shift%(size-1)
	}
	value = least + (value-least+shift)%size
	alphabet := "0123456789abcdef"
	if upper {
		alphabet = "0123456789ABCDEF"
	}
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = alphabet[value%base]
		value /= base
	}
}

func hexValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return int(c-'A') + 10
}

// ipv6 replaces addresses as text. What has an IPv4 address at its end is left to ipv4.
func (k *Key) ipv6(b []byte) {
	for i := 0; i < len(b); {
		if !isHex(b[i]) && b[i] != ':' {
			i++
			continue
		}
		end := i
		for end < len(b) && (isHex(b[end]) || b[end] == ':' || b[end] == '.') {
			end++
		}
		word := i > 0 && isLetter(b[i-1]) || end < len(b) && isLetter(b[end])
		token := b[i:end]
		i = end
		if word || bytes.Count(token, []byte(":")) < 2 {
			continue
		}
		token = bytes.TrimRight(token, ".")
		if !bytes.HasPrefix(token, []byte("::")) {
			token = bytes.TrimLeft(token, ":.")
		}
		if !bytes.HasSuffix(token, []byte("::")) {
			token = bytes.TrimRight(token, ":.")
		}
		if len(token) > 39 || bytes.IndexByte(token, '.') >= 0 {
			continue
		}
		a, err := netip.ParseAddr(string(token))
		if err != nil || !a.Is6() || a.IsUnspecified() || a.IsLoopback() {
			continue
		}
		k.groups(token)
	}
}

func isHex(c byte) bool    { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
func isAlnum(c byte) bool  { return isDigit(c) || isLetter(c) }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }

// groups replaces the groups of an IPv6 address that are not zero; the last of them differs.
func (k *Key) groups(token []byte) {
	var list [][]byte
	for group := range bytes.SplitSeq(token, []byte(":")) {
		if len(bytes.TrimLeft(group, "0")) > 0 {
			list = append(list, group)
		}
	}
	before := ":"
	for i, group := range list {
		was := strings.ToLower(string(group))
		k.number(group, 16, 1<<16-1, before, i == len(list)-1)
		before += was + ":"
	}
}

// subjectAltName is the identifier of the extension, in DER.
var subjectAltName = []byte{0x06, 0x03, 0x55, 0x1d, 0x11}

// subjectAddresses replaces the addresses in the subject alternative names of certificates that are in the clear.
func (k *Key) subjectAddresses(b []byte) {
	for {
		at := bytes.Index(b, subjectAltName)
		if at < 0 {
			return
		}
		b = b[at+len(subjectAltName):]
		names, ok := der(b, 0x04)
		if !ok {
			if critical, is := der(b, 0x01); is && len(critical) == 1 && len(b) > 3 {
				names, ok = der(b[3:], 0x04)
			}
		}
		if ok {
			names, ok = der(names, 0x30)
		}
		for ok && len(names) > 1 {
			var name []byte
			if name, ok = der(names, names[0]); !ok {
				break
			}
			if a, is := netip.AddrFromSlice(name); is && names[0] == 0x87 { // iPAddress
				copy(name, k.Addr(a).AsSlice())
			}
			names = names[len(name)+headerSize(names):]
		}
	}
}

// der gives the content of the element that b begins with, if it has that tag and is whole.
func der(b []byte, tag byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, false
	}
	header, length := headerSize(b), int(b[1])
	switch b[1] {
	case 0x81:
		if len(b) < 3 {
			return nil, false
		}
		length = int(b[2])
	case 0x82:
		if len(b) < 4 {
			return nil, false
		}
		length = int(b[2])<<8 | int(b[3])
	default:
		if b[1] > 0x7f {
			return nil, false
		}
	}
	if len(b) < header+length {
		return nil, false
	}
	return b[header : header+length], true
}

func headerSize(b []byte) int {
	switch b[1] {
	case 0x81:
		return 3
	case 0x82:
		return 4
	}
	return 2
}

// names replaces DNS names. Strings in DER (X.690, section 8.23, and GeneralName, RFC 5280) are looked at one by one: the length
// before them and the tag that follows are in the range of letters and digits, too.
func (k *Key) names(b []byte) {
	start := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case 0x0c, 0x13, 0x14, 0x16, 0x81, 0x82, 0x86:
			text, ok := der(b[i:], b[i])
			if !ok || bytes.IndexByte(text, '.') < 0 || bytes.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
				continue
			}
			k.namesInText(b[start:i])
			k.namesInText(text)
			i += headerSize(b[i:]) + len(text)
			start = i
			i--
		}
	}
	k.namesInText(b[start:])
}

func (k *Key) namesInText(b []byte) {
	for i := 0; i < len(b); {
		if !inName(b[i]) {
			i++
			continue
		}
		if (i == 0 || b[i-1] == '\n') && isReplyCode(b[i:]) {
			i += 4
			continue
		}
		end := i
		for end < len(b) && inName(b[end]) {
			end++
		}
		name := bytes.Trim(b[i:end], ".-_*")
		first := i + bytes.Index(b[i:end], name)
		i = end
		if k.name(name) && first > 0 && b[first-1] == '@' {
			local := first - 1
			for local > 0 && (inName(b[local-1]) || b[local-1] == '+') {
				local--
			}
			k.label(b[local:first-1], "@")
		}
	}
}

// isReplyCode reports whether a line begins as those of FTP's and SMTP's replies that are not the last (RFC 5321, section 4.2).
func isReplyCode(b []byte) bool {
	return len(b) > 3 && isDigit(b[0]) && isDigit(b[1]) && isDigit(b[2]) && b[3] == '-'
}

func inName(c byte) bool { return isDigit(c) || isLetter(c) || c == '-' || c == '.' || c == '*' }

// private are the last labels of names that no registry gives (RFC 6761; RFC 6762, appendix G; and what is common besides).
var private = []string{"local", "localdomain", "lan", "internal", "intranet", "home", "corp", "private", "arpa", "test", "example", "invalid"}

// specified are names that specifications and software have wherever they run: of SSH's algorithms, of XML's name spaces.
var specified = map[string]bool{
	"openssh.com": true, "libssh.org": true, "ssh.com": true, "lysator.liu.se": true, "matt.ucc.asn.au": true, // kexguess2, Dropbear
	"www.w3.org": true, "etherx.jabber.org": true, "schemas.xmlsoap.org": true, "schemas.microsoft.com": true,
}

// name replaces a name if it is one in the DNS, and reports whether it is.
func (k *Key) name(name []byte) bool {
	if len(name) > 253 || bytes.IndexByte(name, '.') < 0 {
		return false
	}
	text := strings.ToLower(string(name))
	suffix := icannSuffix(text)
	if suffix == "" || len(suffix) == len(text) || specified[text] || ownNames()[text] {
		return false
	}
	for end := len(text) - len(suffix) - 1; end > 0; {
		start := strings.LastIndexByte(text[:end], '.') + 1
		k.label(name[start:end], text[end+1:])
		end = start - 1
	}
	return true
}

// icannSuffix is the suffix of a name in lower case under which names are registered; "" if the name is in no such place.
func icannSuffix(name string) string {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if slices.Contains(private, last) {
		return last
	}
	if _, icann := publicsuffix.PublicSuffix("x." + last); !icann {
		return ""
	}
	suffix, icann := publicsuffix.PublicSuffix(name)
	for !icann { // it is a hoster's, which says more than it should
		_, rest, ok := strings.Cut(suffix, ".")
		if !ok {
			break
		}
		suffix, icann = publicsuffix.PublicSuffix(rest)
	}
	return suffix
}

// label replaces letters and digits by others.
func (k *Key) label(label []byte, after string) {
	sum := k.draw("label", strings.ToLower(string(label)), after)
	for i, c := range label {
		x := sum[i%len(sum)]
		switch {
		case isDigit(c):
			label[i] = '0' + (c-'0'+1+x%9)%10
		case 'a' <= c && c <= 'z':
			label[i] = 'a' + (c-'a'+1+x%25)%26
		case 'A' <= c && c <= 'Z':
			label[i] = 'A' + (c-'A'+1+x%25)%26
		}
	}
}

// ownNames are those that the scanner's hellos have.
var ownNames = sync.OnceValue(func() map[string]bool {
	names := make(map[string]bool)
	for _, p := range handshake.Table() {
		if p.Hello == nil {
			continue
		}
		hello := p.Hello(nil, netip.MustParseAddrPort("192.0.2.1:80"), 0)
		for _, word := range bytes.FieldsFunc(hello, func(c rune) bool { return c > 0x7f || !inName(byte(c)) }) {
			names[strings.ToLower(string(bytes.Trim(word, ".-_*")))] = true
		}
	}
	return names
})

// greeting replaces host names without a dot: the first word of SMTP's greeting, wherever it stands, and the word before a login
// prompt.
func (k *Key) greeting(b []byte) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if len(line) > 4 && bytes.HasPrefix(line, []byte("220")) && bytes.Contains(bytes.ToUpper(line), []byte("SMTP")) {
		word, _, _ := bytes.Cut(line[4:], []byte(" "))
		word = bytes.TrimRight(word, "\r")
		if isHostName(word) && !bytes.Contains(bytes.ToUpper(word), []byte("SMTP")) {
			k.everywhere(b, string(word))
		}
	}
	if prompt := bytes.Index(b, []byte(" login:")); prompt > 0 {
		start := prompt
		for start > 0 && isHostName(b[start-1:prompt]) {
			start--
		}
		if start < prompt {
			k.everywhere(b, string(b[start:prompt]))
		}
	}
}

// isHostName reports whether a word may be a host's name that has no dot.
func isHostName(word []byte) bool {
	return len(word) > 0 && len(word) < 64 && !bytes.ContainsFunc(word, func(c rune) bool {
		return c > 0x7f || c == '.' || c == '*' || !inName(byte(c))
	})
}

// everywhere replaces a word wherever it stands alone.
func (k *Key) everywhere(b []byte, word string) {
	for from := 0; ; {
		at := bytes.Index(b[from:], []byte(word))
		if at < 0 {
			return
		}
		at += from
		from = at + len(word)
		if (at == 0 || !isAlnum(b[at-1])) && (from == len(b) || !isAlnum(b[from])) {
			k.label(b[at:from], "")
		}
	}
}
