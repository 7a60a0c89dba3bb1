package handshake

var nntp = Protocol{
	Name:        "nntp",
	ServerFirst: true,
	Ports:       []uint16{119},
	Spec:        "RFC 3977, section 5.1",
	Version:     1,
	First:       "nothing",
	Signature:   "greeting 200 or 201 that names NNTP or its software; likely: that speaks of posting, or a refusal, 400, 502 or 503, that names it",
	Leads:       "245",
	Match:       matchNNTP,
	Details:     replyDetails,
}

// matchNNTP reads the greeting: 200 where one may post, 201 where not, 400 or 502 for a refusal, and any text. Neither SMTP nor FTP
// greets with the first two, but others may; the text must speak of news.
func matchNNTP(data []byte) Match {
	if code, more, ok := replyCode(data); !ok || more || code != 200 && code != 201 && code != 400 && code != 502 && code != 503 {
		return Match{}
	}
	r, rest, _ := cutReply(data)
	size := len(data) - len(rest)
	named := false
	words, _ := r.words()
	for _, word := range newsWords {
		named = named || containsFold(words, word)
	}
	switch r.code {
	case 200, 201:
		if named {
			return certainIf(r.ended, size)
		}
		if containsFold(words, "posting") || containsFold(words, "can post") {
			return likely(size)
		}
	case 400, 502, 503:
		if named {
			return likely(size)
		}
	}
	return Match{}
}

// newsWords are the protocol's name, its reader's, and those of servers that name neither.
var newsWords = []string{"nntp", "nnrp", "internetnews", "leafnode"}
