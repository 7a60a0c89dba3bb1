package analysis

import "laserdisc/replay/order"

// connectionCost is what is known of what an attempt took. Times are in nanoseconds, and 0 if they are not known.
type connectionCost struct {
	retransmits, synacks, sent uint64
	v6, data, reset, connected bool
	began, end                 int64
}

// cost is what an attempt took, as far as the table tells. Packets: the SYN; an acknowledgement of each SYN-ACK, the first of
// which carries the handshake; one of the response; what was sent again; and the reset, unless the server sent
// one. Bytes: 40 or 60 of IPv4's or IPv6's and TCP's headers for each, and the handshake's first message once. Time: from the
// SYN, or from the SYN-ACK where it is not known when that was sent, to the attempt's end.
func (c connectionCost) cost() (cost order.Cost) {
	cost.Packets = 1 + c.retransmits + c.synacks
	if c.data {
		cost.Packets++
	}
	if !c.reset && c.connected {
		cost.Packets++
	}
	headers := uint64(40)
	if c.v6 {
		headers = 60
	}
	cost.Bytes = headers*cost.Packets + c.sent
	if c.began != 0 && c.end != 0 {
		cost.Nanoseconds = uint64(max(0, c.end-c.began))
	}
	return cost
}
