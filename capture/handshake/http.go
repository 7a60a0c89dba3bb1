package handshake

import (
	"bytes"
	"net/netip"
	"strings"
)

var http = Protocol{
	Name:      "http",
	Ports:     []uint16{80},
	Spec:      "RFC 9112",
	Version:   2,
	First:     "GET / HTTP/1.1",
	Signature: "status line HTTP/1.x and three digits, header section; likely: in lower case; weak: HTML without one",
	Leads:     "Hh<\r\n\t ",
	Hello:     func(b []byte, to netip.AddrPort, _ uint64) []byte { return appendRequest(b, "GET", "/", to) },
	Match:     matchHTTP,
	Details:   httpDetails,
}

var httpOptions = Protocol{
	Name:   "http-options",
	Spec:   "RFC 9110, section 9.3.7",
	First:  "OPTIONS / HTTP/1.1",
	Answer: "http",
	Hello:  func(b []byte, to netip.AddrPort, _ uint64) []byte { return appendRequest(b, "OPTIONS", "/", to) },
}

// appendRequest appends a request without a body. RFC 9112, section 3.2, asks for Host; Connection: close tells the server
// not to keep the connection for us.
func appendRequest(b []byte, method, path string, to netip.AddrPort) []byte {
	b = append(b, method+" "+path+" HTTP/1.1\r\nHost: "...)
	b = to.AppendTo(b)
	b = append(b, "\r\nUser-Agent: "+UserAgent+"\r\nAccept: */*\r\nConnection: close\r\n\r\n"...)
	return b
}

// matchHTTP reads a status line and a header section. The name is in upper case, RFC 9112, section 2.3; of those who write it in
// lower case it is likely all the same.
func matchHTTP(data []byte) Match {
	if r, ok := parseResponse(data, "http/1."); ok {
		return likely(r.size)
	}
	r, ok := parseResponse(data, "HTTP/1.")
	switch {
	case !ok && isHTML(data):
		return weak(len("<html"))
	case !ok:
		return Match{}
	case isCourtesy(&r):
		return weak(r.size)
	}
	return certainIf(r.ended, r.size)
}

// isCourtesy recognises answers that are in HTTP only so that a browser shows that the port does not speak it: of Tor's
// SOCKS and control ports, of Elasticsearch's transport, of ClickHouse.
func isCourtesy(r *response) bool {
	body := r.body[:min(len(r.body), 64)]
	return containsFold(r.reason, "is not an http proxy") || hasPrefix(body, "This is not an HTTP port") ||
		bytes.Contains(body, clickHouse)
}

var clickHouse = []byte("is for clickhouse-client program")

// isHTML recognises what an HTTP/0.9 server sends, a page without a header. Anything else may send one too.
func isHTML(data []byte) bool {
	data = bytes.TrimLeft(data[:min(len(data), 64)], " \t\r\n")
	return hasPrefixFold(data, "<!doctype html") || hasPrefixFold(data, "<html")
}

// response is a message as HTTP defines it and RTSP and SIP took it over.
type response struct {
	status []byte // three digits
	reason []byte
	header []byte // the field lines
	body   []byte
	size   int  // of status line and header, as far as they are there
	ended  bool // the empty line after the header was there
}

// parseResponse reads a status line, RFC 9112, section 4: version SP 3DIGIT SP [reason], and cuts off the header section.
// The version is given but for its last digit. Like all clients it takes a bare LF for a line end.
func parseResponse(data []byte, version string) (r response, ok bool) {
	n := len(version)
	if !hasPrefix(data, version) || len(data) < n+5 || !isDigit(data[n]) || data[n+1] != ' ' {
		return r, false
	}
	line, rest, ended := cutLine(data)
	r.status = line[n+2:]
	if len(r.status) < 3 || !isStatus(r.status[:3]) || len(r.status) > 3 && r.status[3] != ' ' {
		return r, false
	}
	r.status, r.reason = r.status[:3], bytes.TrimSpace(r.status[3:])
	r.size = len(data)
	if ended {
		r.cutHeader(rest, len(data))
	}
	return r, true
}

// sequenced judges an answer of a protocol whose every response has CSeq.
func (r *response) sequenced() Match {
	if r.ended && r.field("cseq") == nil {
		return weak(r.size)
	}
	return certainIf(r.ended, r.size)
}

func (r *response) cutHeader(rest []byte, total int) {
	r.header = rest
	for at := 0; ; {
		i := bytes.IndexByte(rest[at:], '\n')
		if i < 0 {
			return
		}
		line := bytes.TrimSuffix(rest[at:at+i], cr)
		at += i + 1
		if len(line) == 0 {
			r.header, r.body, r.ended = rest[:at-i-1], rest[at:], true
			r.size = total - len(r.body)
			return
		}
	}
}

func isStatus(b []byte) bool {
	return '1' <= b[0] && b[0] <= '9' && isDigit(b[1]) && isDigit(b[2])
}

// field returns the value of the first header field of that name, which is given in lower case.
func (r *response) field(name string) []byte {
	for rest := r.header; len(rest) > 0; {
		var line []byte
		line, rest, _ = cutLine(rest)
		if len(line) > len(name) && line[len(name)] == ':' && hasPrefixFold(line, name) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
	}
	return nil
}

func httpDetails(data []byte) []Detail {
	r, ok := parseResponse(data, "HTTP/1.")
	if !ok {
		r, ok = parseResponse(data, "http/1.")
	}
	if !ok {
		return details("title", title(data), "note", "HTML without a status line")
	}
	return details("status", string(r.status), "server", show(r.field("server")), "title", title(r.body))
}

// title is the text of an HTML page's title element, its white space folded.
func title(page []byte) string {
	for i := range page {
		if page[i] != '<' || !hasPrefixFold(page[i:], "<title") {
			continue
		}
		_, text, ok := bytes.Cut(page[i:], []byte(">"))
		text, _, closed := bytes.Cut(text, []byte("<"))
		if !ok || !closed {
			return ""
		}
		return show([]byte(strings.Join(strings.Fields(string(text)), " ")))
	}
	return ""
}
