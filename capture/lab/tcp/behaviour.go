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

// BehaviourNames are what population and truth files call the behaviours.
var BehaviourNames = []string{
	"serves", "zero_window", "dropped_handshake", "reset_after_handshake",
	"closed_after_handshake", "never_acks", "dynamic_blocking", "shunning",
}

// String is the name that population and truth files use.
func (b Behaviour) String() string { return BehaviourNames[b] }
