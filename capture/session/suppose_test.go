package session

import (
	"testing"

	"laserdisc/capture/handshake"
)

// What came within the shorter time counts, and what came later had not come.
func TestShortened(t *testing.T) {
	wait, _ := handshake.Lookup("wait")
	http, _ := handshake.Lookup("http")
	const connected, second = int64(5e9), int64(1e9)
	for _, c := range []struct {
		name      string
		was       Attempt
		state     State
		end       int64 // after the connection
		data, ack bool
	}{
		{"data in time", Attempt{Handshake: http, State: SendsData, AckTime: 1, AckedBytes: 9, DataTime: connected + second/2, End: connected + 5*second}, SendsData, 5 * second, true, true},
		{"data late, acknowledged in time", Attempt{Handshake: http, State: SendsData, AckTime: connected + second/2, AckedBytes: 9, DataTime: connected + 3*second, End: connected + 4*second, RST: true}, AcksData, second, false, true},
		{"all late", Attempt{Handshake: http, State: SendsData, AckTime: connected + 2*second, AckedBytes: 9, DataTime: connected + 3*second, End: connected + 4*second}, NoDataAck, second, false, false},
		{"acknowledged late", Attempt{Handshake: http, State: AcksData, AckTime: connected + 2*second, AckedBytes: 9, End: connected + 5*second}, NoDataAck, second, false, false},
		{"reset late", Attempt{Handshake: http, State: ResetAfterHandshake, RST: true, End: connected + 2*second}, NoDataAck, second, false, false},
		{"reset in time", Attempt{Handshake: http, State: ResetAfterHandshake, RST: true, End: connected + second/2}, ResetAfterHandshake, second / 2, false, false},
		{"greets within the wait", Attempt{Handshake: wait, State: SendsData, DataTime: connected + 2*second, End: connected + 3*second}, SendsData, 3 * second, true, false},
		{"greets after it", Attempt{Handshake: wait, State: SendsData, DataTime: connected + 4*second, End: connected + 5*second}, Silent, 3 * second, false, false},
		{"repeats its SYN-ACK", Attempt{Handshake: http, State: DroppedHandshake, End: connected + 5*second}, DroppedHandshake, second, false, false},
	} {
		c.was.SYNACKTime = connected
		if c.was.DataTime != 0 {
			c.was.Response = []byte("HTTP/1.1 200 OK\r\n")
		}
		was := c.was
		is := c.was.Shortened(second, 3*second)
		if is.State != c.state || is.End != connected+c.end || (is.DataTime != 0) != c.data || (len(is.Response) > 0) != c.data || (is.AckedBytes > 0) != c.ack {
			t.Errorf("%s: %+v", c.name, is)
		}
		if is.RST && is.End != was.End {
			t.Errorf("%s: the reset that came later is there", c.name)
		}
		if c.was.State != was.State || c.was.End != was.End || len(c.was.Response) != len(was.Response) {
			t.Errorf("%s: the recorded attempt has changed", c.name)
		}
	}
	refused := Attempt{Handshake: http, State: Closed, End: 9 * second}
	if refused.Shortened(second, second) != &refused {
		t.Error("what never connected had nothing to wait for")
	}
}
