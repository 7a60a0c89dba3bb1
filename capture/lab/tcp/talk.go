package tcp

import (
	"time"

	"laserdisc/capture/lab/servers"
	"laserdisc/capture/packet"
)

// talk is what a connection's server is about to say.
type talk struct {
	greeted bool           // the server has greeted, or is about to
	turns   int            // how often the client has spoken
	words   []byte         // what it says next
	ending  servers.Ending // what it does when that is said
	piece   int            // bytes released at a time, 0 if all at once; valid only while it speaks
}

const (
	// Some servers greet only after longer than anybody waits, against spammers (SMTP: 21 %, Figure 10).
	lateGreeting = 20 * time.Second
	dribble      = 60 * time.Millisecond // between pieces
	pieces       = 40                    // of what is said byte by byte
	mostTurns    = 32                    // after which the server hears no more
)

// greet begins a server's speech on a connection whose client has said nothing yet.
func (c *conn) greet(now int64) {
	v := &c.service
	if !v.Protocol.First {
		return
	}
	wait := lateGreeting
	if v.AnswersTo(servers.Wait, nil) {
		wait = v.Thinking()
		c.talk.greeted = true
	}
	c.say(now+int64(wait), v.Greeting(), servers.Stays)
}

// hear takes what the client says.
func (c *conn) hear(now int64, data []byte) {
	v, t := &c.service, &c.talk
	if t.turns++; t.turns > mostTurns || len(c.speech)+len(t.words) > longestSpeech || c.closing {
		return
	}
	k := servers.Recognise(data)
	var reply []byte
	if t.greeted {
		reply = v.Reply(k, data)
	} else if reply, _ = v.Answer(k, data); len(reply) > 0 {
		t.greeted = v.Protocol.First
		t.words, c.actAt = nil, never
	}
	at := now + int64(v.Thinking())
	if len(reply) > 0 {
		if long, resets := v.Spoiled(k); long > 0 {
			c.stacks.memory.add(now, pair{c.id.client.Addr(), c.id.server}, held{until: at + int64(long), resets: resets})
		}
	}
	c.say(at, reply, v.Ending(k))
}

// say plans words for a time, after what is planned already.
func (c *conn) say(at int64, words []byte, end servers.Ending) {
	t := &c.talk
	t.words = append(t.words, words...)
	t.ending = max(t.ending, end)
	if c.actAt == never && (len(t.words) > 0 || t.ending != servers.Stays) {
		c.actAt = at
	}
}

// act says what was planned.
func (c *conn) act(now int64) {
	t := &c.talk
	c.actAt = never
	if len(t.words) > 0 {
		c.speech = append(c.speech, t.words...)
		t.piece = 0
		if c.service.Pace == servers.ByteByByte {
			t.piece = 1 + len(t.words)/pieces
		}
		t.words = nil
	}
	if t.piece == 0 {
		c.said = len(c.speech)
	} else if c.said = min(c.said+t.piece, len(c.speech)); c.said < len(c.speech) {
		c.push(now, initialWindow)
		c.actAt = now + int64(dribble)
		return
	}
	switch t.ending {
	case servers.Closes:
		c.closing = true
	case servers.Aborts:
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
	c.talk.ending = max(c.talk.ending, servers.Closes)
}
