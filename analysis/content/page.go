package content

import (
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// Page is an answer in HTTP.
type Page struct {
	Server string // its Server field (RFC 9110, section 10.2.4); "" is none
	Title  string // of the HTML in it; "" is none
	Login  Found  // whether that has a field for a password, a user name or a login (paper, section 3.3)
}

// ReadPage reads a response in HTTP/1.x (RFC 9112); ok is false if it is none. truncated says that the server sent more. A page
// that a script makes of its fields later is one without them.
func ReadPage(response []byte, truncated bool) (p Page, ok bool) {
	if !bytes.HasPrefix(response, []byte("HTTP/1.")) {
		return p, false
	}
	m := cutMessage(response)
	p.Server = string(m.server)
	body, whole := m.content(truncated)
	if !m.ended {
		p.Login = Cut
		return p, true
	}
	if m.isHTML {
		p.readHTML(body)
	}
	if p.Login == Absent && m.isHTML && !whole {
		p.Login = Cut
	}
	return p, true
}

// message is a response whose header is cut off.
type message struct {
	server  []byte
	chunked bool
	length  int  // Content-Length, -1 if there is none
	isHTML  bool // no other Content-Type is given
	ended   bool // the empty line after the header was there
	body    []byte
}

// cutMessage reads what matters of a header. As browsers do, it takes a bare LF for a line end, and passes over what is no field.
func cutMessage(response []byte) message {
	m := message{length: -1, isHTML: true}
	for rest := response; ; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			return m
		}
		line, rest = bytes.TrimSuffix(line, []byte("\r")), after
		if len(line) == 0 {
			m.ended, m.body = true, rest
			return m
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch strings.ToLower(string(bytes.TrimSpace(name))) {
		case "server":
			m.server = value
		case "content-type":
			m.isHTML = containsFold(value, "html")
		case "transfer-encoding":
			m.chunked = containsFold(value, "chunked")
		case "content-length":
			if n, err := strconv.Atoi(string(value)); err == nil && n >= 0 {
				m.length = n
			}
		}
	}
}

// content gives the body as far as it came, and whether that is all of it.
func (m *message) content(truncated bool) (body []byte, whole bool) {
	switch {
	case m.chunked: // RFC 9112, section 7.1
		body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(m.body)))
		return body, err == nil || !errors.Is(err, io.ErrUnexpectedEOF) && !truncated
	case m.length >= 0:
		return m.body[:min(len(m.body), m.length)], len(m.body) >= m.length
	}
	return m.body, !truncated
}

// readHTML looks for the title and for the fields of a form, to the end or to the first of these.
func (p *Page) readHTML(body []byte) {
	z := html.NewTokenizer(bytes.NewReader(body))
	inTitle := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			if inTitle && p.Title == "" {
				p.Title = strings.Join(strings.Fields(strings.ToValidUTF8(string(z.Text()), "\ufffd")), " ")
			}
		case html.EndTagToken:
			inTitle = false
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			inTitle = string(name) == "title"
			if string(name) == "input" && more && asksForLogin(z) {
				p.Login = Present
				return
			}
		}
	}
}

// asksForLogin reports whether the input element that the tokenizer is at is a field for a password, or a field of text that one of
// its attributes calls one for a user name, a password or a login.
func asksForLogin(z *html.Tokenizer) bool {
	isText, named := true, false
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "type":
			switch strings.ToLower(string(value)) {
			case "password":
				return true
			case "", "text", "email", "tel", "search":
			default:
				isText = false
			}
		case "name", "id", "placeholder", "autocomplete", "aria-label":
			named = named || HasWord(value, loginWords)
		}
	}
	return isText && named
}

var loginWords = []string{"login", "username", "user name", "user_name", "userid", "password", "passwd"}
