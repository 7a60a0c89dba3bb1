package handshake

import "bytes"

// reply is one reply in the form that RFC 959, section 4.2, defines and RFC 5321, section 4.2.1, took over: three digits,
// a hyphen on every line but the last, text.
type reply struct {
	code  int
	text  []byte // of the first line
	lines []byte // all lines, with their codes
	many  bool   // it has, or will have, more than one line
	ended bool   // its last line was there, with its line end
}

// cutReply splits off the first reply. FTP lets the lines in the middle be anything, so that a reply lasts until a line
// has the code and a space, or another reply begins.
func cutReply(data []byte) (r reply, rest []byte, ok bool) {
	code, more, ok := replyCode(data)
	if !ok {
		return r, nil, false
	}
	line, rest, ended := cutLine(data)
	r = reply{code: code, text: line[min(len(line), 4):], many: more, ended: ended && !more}
	for more && len(rest) > 0 {
		next, again, ok := replyCode(rest)
		if ok && next != code {
			break
		}
		_, rest, ended = cutLine(rest)
		if ok && !again {
			r.ended = ended
			break
		}
	}
	r.lines = data[:len(data)-len(rest)]
	return r, rest, true
}

// replyCode reads the start of a reply's line: a code from 100 to 599, then a hyphen, a space or the line's end.
func replyCode(line []byte) (code int, more, ok bool) {
	if len(line) < 4 || line[0] < '1' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	switch line[3] {
	case '-':
		return code, true, true
	case ' ', '\r', '\n':
		return code, false, true
	}
	return 0, false, false
}

// isDomain tells whether a word is a host's name or an address in brackets, with which RFC 5321, section 4.2, has a
// greeting begin: labels of letters, digits and hyphens, the last of them without digits.
func isDomain(word []byte) bool {
	if len(word) > 2 && word[0] == '[' && word[len(word)-1] == ']' {
		return true
	}
	dot := -1
	for i, c := range word {
		switch {
		case c == '.':
			dot = i
		case !isLetter(c) && !isDigit(c) && c != '-':
			return false
		}
	}
	if dot < 0 {
		return string(word) == "localhost"
	}
	for _, c := range word[dot+1:] {
		if !isLetter(c) {
			return false
		}
	}
	return len(word)-dot > 2
}

// words is a reply's text, up to 1,000 bytes of all its lines, behind the host's name if it begins with one (named): a host
// named ftp.example.com may send mail. Before the first word is complete there is nothing to go by.
func (r *reply) words() (text []byte, named bool) {
	text = r.lines[4:min(len(r.lines), 1004)]
	end := bytes.IndexAny(text, " \r\n")
	switch {
	case end < 0:
		return nil, false
	case isDomain(text[:end]):
		return text[end:], true
	}
	return text, false
}

// otherReplies names the services that greet with 220 as well. Their greetings say so.
var otherReplies = []string{"hylafax", "snpp", "lmtp", "nntp", "vmware authentication"}

func isOtherReply(text []byte) bool {
	for _, name := range otherReplies {
		if containsFold(text, name) {
			return true
		}
	}
	return false
}
