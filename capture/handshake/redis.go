package handshake

import "net/netip"

var redis = Protocol{
	Name:      "redis",
	Ports:     []uint16{6379},
	Spec:      "RESP, redis.io/docs/reference/protocol-spec",
	Version:   2,
	First:     "PING as an array of one bulk string",
	Signature: "+PONG, an error line in the words of Redis (-NOAUTH, -DENIED, -ERR unknown command '...), or an array or a map, parsed to its end; likely: a string, or an array of strings; weak: a number",
	Leads:     "+-:$*%",
	Hello:     func(b []byte, _ netip.AddrPort, _ uint64) []byte { return append(b, "*1\r\n$4\r\nPING\r\n"...) },
	Match:     matchRedis,
	Details:   redisDetails,
}

// matchRedis wants the error prefixes and texts of Redis to the letter: -ERR alone is also POP3's and NATS's.
func matchRedis(data []byte) Match {
	line, rest, ended := cutLine(data)
	size := len(data) - len(rest)
	if string(line) == "+PONG" {
		return certainIf(ended, size)
	}
	if isRedisError(line) {
		return certainIf(ended && len(line) >= len("-NOAUTH"), size)
	}
	return matchRESP(data)
}

func isRedisError(line []byte) bool {
	for _, words := range redisErrors {
		if hasPrefix(line, words) {
			return true
		}
	}
	return false
}

// matchRESP reads a value of the other types: a number (:), a string ($), an array (*), a map (%). A client's commands are arrays of
// strings, so that these prove less.
func matchRESP(data []byte) Match {
	if len(data) == 0 || data[0] == '+' || data[0] == '-' {
		return Match{}
	}
	line, _, ended := cutLine(data)
	var inside respCount
	rest, whole, ok := inside.cut(data, 0)
	size := len(data) - len(rest)
	switch {
	case !ok || !ended:
		return Match{}
	case whole && inside.others > 0, whole && data[0] == '%' && inside.strings > 0:
		return certain(size)
	case inside.strings+inside.others > 0, whole && data[0] == '$' && size > len(line)+4:
		return likely(size)
	}
	return weak(size)
}

// respCount counts the values within others that are there to their ends.
type respCount struct{ strings, others int }

// cut cuts off a value: its type's character and a line, behind which a string has as many bytes as that says, an array as many values,
// a map as many pairs of them; -1 is none. whole tells whether all of it was there; ok is false for what is not RESP.
func (c *respCount) cut(data []byte, depth int) (rest []byte, whole, ok bool) {
	line, rest, ended := cutLine(data)
	if len(line) == 0 {
		return nil, false, len(data) == 0
	}
	switch line[0] {
	case ':', '$', '*', '%':
	case '+', '-', '_', '#', ',', '(': // of one line
		return rest, ended, depth > 0 && isText(line)
	default:
		return nil, false, false
	}
	n, ok := respNumber(line[1:], line[0] == ':')
	if !ended && (len(line) == 1 || string(line[1:]) == "-") {
		ok = true
	}
	switch {
	case !ok || !ended || line[0] == ':' || n < 0:
		return rest, ended, ok
	case line[0] == '$':
		if len(rest) < n+2 {
			return nil, false, true
		}
		return rest[n+2:], true, rest[n] == '\r' && rest[n+1] == '\n'
	case line[0] == '%':
		n *= 2
	}
	if depth == maxRESPDepth {
		return nil, false, false
	}
	for range n {
		if len(rest) == 0 {
			return nil, false, true
		}
		kind := rest[0]
		if rest, whole, ok = c.cut(rest, depth+1); !whole || !ok {
			return nil, false, ok
		}
		if kind == '$' {
			c.strings++
		} else {
			c.others++
		}
	}
	return rest, true, true
}

// maxRESPDepth is how deep arrays may be nested: the deepest answer of Redis, to COMMAND, has less.
const maxRESPDepth = 8

// respNumber reads a length of up to 2^29, the most that Redis takes (proto-max-bulk-len), or -1; or any number of 64 bits.
func respNumber(text []byte, any bool) (n int, ok bool) {
	digits := text
	if hasPrefix(text, "-") {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	for _, c := range digits {
		if !isDigit(c) {
			return 0, false
		}
		n = min(n*10+int(c-'0'), 1<<29+1)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, any || n >= -1 && n <= 1<<29
}

// redisErrors are from server.c, networking.c and acl.c of Redis 2.6 to 7 and Valkey 8.
var redisErrors = []string{
	"-NOAUTH ", "-DENIED Redis ", "-DENIED Running in protected mode", "-LOADING Redis ", "-LOADING Valkey ",
	"-MASTERDOWN Link ", "-BUSY Redis ", "-BUSY Valkey ", "-MISCONF Redis ", "-MISCONF Valkey ", "-NOPERM ",
	"-ERR unknown command '", "-ERR unknown command `", "-ERR wrong number of arguments for '",
	"-ERR Protocol error: ", "-ERR operation not permitted", "-ERR max number of clients reached",
}

func redisDetails(data []byte) []Detail {
	line, _, _ := cutLine(data)
	if hasPrefix(line, "-") {
		return details("error", show(line[1:]))
	}
	return nil
}
