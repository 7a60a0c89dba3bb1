package handshake

// Say nothing and listen: many servers speak first (paper, section 4.1).
var wait = Protocol{
	Name:  "wait",
	Spec:  "paper, section 4.1",
	First: "nothing",
}
