package tcp

import (
	"slices"
	"time"

	"laserdisc/capture/packet"
)

// speaker is how the servers of one protocol talk. Each is written from the protocol's
// specification, and from what its products are known to say.
type speaker struct {
	name    string
	label   string // what identifies it; "unknown" for a protocol that no scanner lists
	first   bool   // the server speaks first
	stays   bool   // it never closes
	closes  bool   // it closes after an answer
	own     []kind // what a client of this protocol says
	answers Answers

	// greet appends what the server says unasked.
	greet func(b []byte, s *service) []byte
	// reply appends its answer to what was said; nil is none. label differs from the speaker's
	// where the answer is another protocol's: a TLS server that answers HTTP in HTTP.
	reply func(b []byte, s *service, k kind, said []byte) (answer []byte, label string)
}

var speakers []*speaker

func init() {
	speakers = slices.Concat(
		webSpeakers, tlsSpeakers, sshSpeakers, mailSpeakers, ftpSpeakers, telnetSpeakers, dnsSpeakers,
		databaseSpeakers, messageSpeakers, desktopSpeakers, industrialSpeakers, otherSpeakers, unknownSpeakers,
	)
}

func speakerIndex(name string) int {
	return slices.IndexFunc(speakers, func(s *speaker) bool { return s.name == name })
}

// Protocols are the names that populations may use, in a fixed order.
func Protocols() []string {
	var names []string
	for _, s := range speakers {
		names = append(names, s.name)
	}
	return names
}

// answersTo reports whether the service sends data back to this kind of first words: always to
// its own protocol's, to others as strict as it is (paper, section 4.1).
func (s *service) answersTo(k kind) bool {
	switch {
	case slices.Contains(s.speaker.own, k):
		return true
	case k == kindWait:
		return s.unit(forStrictness) < s.answers.Wait
	case k == kindNewlines:
		return s.unit(forStrictness) < s.answers.Newlines
	case k == kindHTTP || k.text():
		return s.unit(forStrictness) < s.answers.HTTP
	case k == kindTLS:
		return s.unit(forStrictness) < s.answers.TLS
	}
	// The paper does not say what other binary words draw. They are noise to whom a ClientHello is
	// not, and no better than text to whom that is noise.
	return s.unit(forStrictness) < min(s.answers.TLS, max(s.answers.Newlines, s.answers.HTTP))
}

// answer is what the service sends to a client that connects and says this; nil is nothing.
func (s *service) answer(k kind, said []byte) (b []byte, label string) {
	if !s.answersTo(k) {
		return nil, ""
	}
	label = s.speaker.label
	if s.speaker.first {
		b = s.speaker.greet(b, s)
	}
	if k == kindWait || s.speaker.reply == nil {
		return b, label
	}
	b, other := s.speaker.reply(b, s, k, said)
	if other != "" {
		label = other
	}
	return b, label
}

// ending is what a server does when it has spoken, or has decided not to.
type ending uint8

const (
	stays ending = iota
	closes
	aborts
)

// talk is what a connection's server is about to say.
type talk struct {
	greeted bool
	turns   int
	words   []byte
	ending  ending
	chunk   int // bytes released at a time, 0 if all at once
}

const (
	// Some greet only after longer than anybody waits, against spammers (SMTP: 21 %, Figure 10).
	lateGreeting = 20 * time.Second
	dribble      = 60 * time.Millisecond // between chunks
	chunks       = 40
	mostTurns    = 32
)

// thinking is the time from a question to the answer.
func (s *service) thinking() time.Duration {
	x := s.unit(forThinking)
	if s.pace() == late {
		return 500*time.Millisecond + time.Duration(x*2.5e9)
	}
	if x < 0.3 {
		return 0 // the answer carries the acknowledgement
	}
	return time.Duration(x * 40e6)
}

func (s *service) pace() pace { return pace(s.net.paces.take(s.unit(forPace))) }

// greet begins a server's speech on a connection whose client has said nothing yet.
func (c *conn) greet(now int64) {
	v := &c.service
	if !v.speaker.first {
		return
	}
	wait := lateGreeting
	if v.answersTo(kindWait) {
		wait = v.thinking()
		c.talk.greeted = true
	}
	c.say(now+int64(wait), v.speaker.greet(nil, v), stays)
}

// hear takes what the client says.
func (c *conn) hear(now int64, data []byte) {
	v, t := &c.service, &c.talk
	if t.turns++; t.turns > mostTurns || len(c.speech)+len(t.words) > longestSpeech || c.closing {
		return
	}
	k := recognise(data)
	var reply []byte
	if t.greeted {
		if v.speaker.reply != nil {
			reply, _ = v.speaker.reply(nil, v, k, data)
		}
	} else if reply, _ = v.answer(k, data); len(reply) > 0 {
		t.greeted = v.speaker.first
		t.words, c.actAt = nil, never
	}
	c.say(now+int64(v.thinking()), reply, v.ending(k))
}

// ending is what the server does after it has, or has not, answered.
func (s *service) ending(k kind) ending {
	x := unit(s.key.draw(s.this, forReaction<<8|uint64(k)))
	own := slices.Contains(s.speaker.own, k)
	switch {
	case s.speaker.stays || own && !s.speaker.closes:
		return stays
	case own && x < 0.8 || x < 0.3:
		return closes
	case !own && x < 0.4:
		return aborts
	}
	return stays
}

// say plans words for a time, after what is planned already.
func (c *conn) say(at int64, words []byte, end ending) {
	t := &c.talk
	t.words = append(t.words, words...)
	t.ending = max(t.ending, end)
	if c.actAt == never && (len(t.words) > 0 || t.ending != stays) {
		c.actAt = at
	}
}

// act says what was planned.
func (c *conn) act(now int64) {
	t := &c.talk
	c.actAt = never
	if len(t.words) > 0 {
		c.speech = append(c.speech, t.words...)
		t.chunk = 0
		if c.service.pace() == byteByByte {
			t.chunk = 1 + len(t.words)/chunks
		}
		t.words = nil
	}
	if t.chunk == 0 {
		c.said = len(c.speech)
	} else if c.said = min(c.said+t.chunk, len(c.speech)); c.said < len(c.speech) {
		c.push(now, initialWindow)
		c.actAt = now + int64(dribble)
		return
	}
	switch t.ending {
	case closes:
		c.closing = true
	case aborts:
		c.push(now, initialWindow)
		c.send(now, packet.RST|packet.ACK, c.nxt, nil, c.ttl)
		c.drop()
		return
	}
	c.push(now, initialWindow)
}

// leave ends the conversation when what is planned has been said.
func (c *conn) leave() {
	if c.actAt == never {
		c.closing = true
		return
	}
	c.talk.ending = max(c.talk.ending, closes)
}
