package tcp

// Behaviour is what a service does with a TCP connection (paper, section 2).
type Behaviour uint8

// The behaviours. All but the first allow no exchange of data.
const (
	Serves               Behaviour = iota // acknowledges data, and speaks its protocol
	ZeroWindow                            // its SYN-ACK has window 0, and the window never opens
	DroppedHandshake                      // repeats its SYN-ACK: the acknowledgement never reaches it
	ResetAfterHandshake                   // resets once the handshake is complete
	ClosedAfterHandshake                  // closes once the handshake is complete
	NeverAcks                             // completes the handshake and hears nothing from then on
	DynamicBlocking                       // the same for the first source that connects; others are served
	Shunning                              // connects a source once, hears nothing more from it on that connection or any other
)

var behaviourNames = []string{
	"serves", "zero_window", "dropped_handshake", "reset_after_handshake",
	"closed_after_handshake", "never_acks", "dynamic_blocking", "shunning",
}

// String is the name that population and truth files use.
func (b Behaviour) String() string { return behaviourNames[b] }

// refusal is what a host does with a SYN to a port that serves nothing.
type refusal uint8

const (
	resets refusal = iota
	ignores
	unreachable // by an ICMP error
)

var refusalNames = []string{"reset", "ignore", "unreachable"}

// pace is how fast a server speaks.
type pace uint8

const (
	prompt     pace = iota // within 40 ms
	late                   // starts after 0.5 to 3 s
	byteByByte             // dribbles over up to 2.4 s
)

var paceNames = []string{"prompt", "late", "byte_by_byte"}
