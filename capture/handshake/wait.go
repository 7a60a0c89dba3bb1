package handshake

// wait says nothing and listens, since many servers speak first (paper, section 4.1).
var wait = Protocol{
	Name:  "wait",
	Spec:  "paper, section 4.1",
	First: "nothing",
}
