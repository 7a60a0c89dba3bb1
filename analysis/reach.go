package analysis

import (
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/capture/session"
)

// reach is how far the attempts at one service got, by the rules of session.Service.
type reach struct {
	acked   bool // some attempt's data was acknowledged
	sent    bool // some attempt drew data
	hangsUp bool // it hangs up at once on a client that says nothing
}

// reachColumns are the columns that tell it, besides the state.
var reachColumns = []string{"sent_bytes", "fin", "rst", "synack_time", "data_time", "end_time"}

// endings are these columns of a batch.
type endings struct {
	sentBytes         *array.Uint32
	fin, rst          *array.Boolean
	synack, data, end *array.Timestamp
}

func readEndings(b *batch) endings {
	return endings{
		sentBytes: readColumn[*array.Uint32](b, "sent_bytes"),
		fin:       readColumn[*array.Boolean](b, "fin"),
		rst:       readColumn[*array.Boolean](b, "rst"),
		synack:    readColumn[*array.Timestamp](b, "synack_time"),
		data:      readColumn[*array.Timestamp](b, "data_time"),
		end:       readColumn[*array.Timestamp](b, "end_time"),
	}
}

// hungUp reports whether the server ended the connection within a second of its SYN-ACK, and sent nothing.
func (e *endings) hungUp(row int) bool {
	return (e.rst.Value(row) || e.fin.Value(row)) && e.data.IsNull(row) && !e.synack.IsNull(row) && !e.end.IsNull(row) &&
		e.end.Value(row)-e.synack.Value(row) < 1e9
}

// add takes the next attempt into account. Who hangs up on everybody acknowledges nothing: see docs/design.md,
// "Decisions that the paper leaves open".
func (r *reach) add(state session.State, e *endings, row int) {
	if state == session.SendsData {
		r.acked, r.sent = true, true
		return
	}
	hungUp := e.hungUp(row)
	if state == session.AcksData && !(r.hangsUp && hungUp) {
		r.acked = true
	}
	if hungUp && e.sentBytes.Value(row) == 0 {
		r.hangsUp = true
	}
}
