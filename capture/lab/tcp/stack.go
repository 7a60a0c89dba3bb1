package tcp

import "laserdisc/capture/packet"

// Stack is how an operating system's TCP looks from outside.
type Stack struct {
	ttl        uint8
	window     uint16
	scale      uint8
	mss        uint16
	sack       bool
	timestamps bool
	scaling    bool
	scaleFirst bool // window scale comes before SACK and timestamps
	wraps      bool // its sequence numbers pass 2^32 in its first 256 bytes
}

// StackNames are what population files call the Stacks of Systems, in their order.
var StackNames = []string{"linux", "windows", "freebsd", "embedded", "minimal", "wrapping"}

// Systems are the stacks that there are.
var Systems = []Stack{
	{ttl: 64, window: 65160, scale: 7, mss: 1460, sack: true, timestamps: true, scaling: true},
	{ttl: 128, window: 65535, scale: 8, mss: 1460, sack: true, timestamps: true, scaling: true, scaleFirst: true},
	{ttl: 64, window: 65535, scale: 6, mss: 1460, sack: true, timestamps: true, scaling: true, scaleFirst: true},
	{ttl: 255, window: 5840, mss: 1400},
	{ttl: 64, window: 4096},
	{ttl: 64, window: 65160, scale: 7, mss: 1460, sack: true, timestamps: true, scaling: true, wraps: true},
}

// appendSYNACK appends the options of a SYN-ACK: what the client offered and the stack has.
func (s *Stack) appendSYNACK(b []byte, offered packet.Options, tsval uint32, six bool) []byte {
	if s.mss == 0 {
		return b
	}
	mss := s.mss
	if six {
		mss -= 20
	}
	b = append(b, 2, 4, byte(mss>>8), byte(mss))
	scale := func() {
		if s.scaling && offered.HasScale {
			b = append(b, 1, 3, 3, s.scale)
		}
	}
	if s.scaleFirst {
		scale()
	}
	sack, timestamps := s.sack && offered.SACK, s.timestamps && offered.Timestamps
	switch {
	case sack && timestamps: // the two fill 12 bytes
		b = append(b, 4, 2)
		b = packet.AppendTimestamp(b, tsval, offered.TSVal)
		b = append(b[:len(b)-12], b[len(b)-10:]...) // without the two NOPs
	case timestamps:
		b = packet.AppendTimestamp(b, tsval, offered.TSVal)
	case sack:
		b = append(b, 1, 1, 4, 2)
	}
	if !s.scaleFirst {
		scale()
	}
	return b
}
