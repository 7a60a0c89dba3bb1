package order_test

import (
	"fmt"

	"laserdisc/replay/order"
)

// Nine services, each tried with every handshake, and which of them identified it.
func ExampleGreedy() {
	handshakes := []string{"wait", "tls", "http"}
	by := func(services int, identified ...int) order.Pattern {
		p := order.Pattern{Services: services, Weight: int64(services)}
		for _, h := range identified {
			p.Identified.Add(h)
		}
		return p
	}
	steps := order.Greedy([]order.Pattern{
		by(4, 2),    // four speak HTTP
		by(2, 1, 2), // two say in HTTP that they want TLS
		by(1, 1),    // one speaks TLS
		by(1, 0, 2), // one greets, and answers HTTP with a complaint
		by(1),       // one is identified by none
	}, handshakes)
	for _, s := range steps {
		fmt.Printf("%d %-4s +%d %3.0f %%\n", s.Rank, s.Handshake, s.Gained, 100*s.CumulativeShare)
	}
	// Output:
	// 1 http +7  88 %
	// 2 tls  +1 100 %
}
