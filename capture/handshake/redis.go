package handshake

import "net/netip"

var redis = Protocol{
	Name:      "redis",
	Spec:      "RESP, redis.io/docs/reference/protocol-spec",
	Version:   1,
	First:     "PING as an array of one bulk string",
	Signature: "+PONG, or an error line in the words of Redis: -NOAUTH, -DENIED, -ERR unknown command '...",
	Leads:     "+-",
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
	for _, words := range redisErrors {
		if hasPrefix(line, words) {
			return certainIf(ended && len(line) >= len("-NOAUTH"), size)
		}
	}
	return Match{}
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
