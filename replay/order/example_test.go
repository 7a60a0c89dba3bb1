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

// On web ports most of what is not http is tls, elsewhere http; and who sends to http what nobody recognises greets whoever waits.
func ExampleAdapt() {
	handshakes := []string{"http", "tls", "wait"}
	of := func(class string, services int, identified, sentData, ackedData []int) order.Outcome {
		o := order.Outcome{Class: class, Pattern: order.Pattern{Services: services, Weight: int64(services)}}
		for set, list := range map[*order.Set][]int{&o.Identified: identified, &o.SentData: sentData, &o.AckedData: ackedData} {
			for _, h := range list {
				set.Add(h)
			}
		}
		return o
	}
	services := []order.Outcome{
		of("web", 100, []int{1}, []int{1}, []int{0}),
		of("other", 300, []int{0}, []int{0}, []int{1}),
		of("other", 80, []int{1}, []int{1}, []int{0}),
		of("other", 60, []int{2}, []int{0, 1, 2}, nil),
		of("other", 90, nil, nil, []int{0, 1}),
	}
	adaptive := order.Adapt(services, handshakes)
	fixed := order.Fixed(order.Greedy(order.Patterns(services), handshakes), services, handshakes)
	fmt.Print(adaptive)
	fmt.Printf("%.2f handshakes for each service identified, not %.2f\n", adaptive.Effort(services).PerService(), fixed.PerService())
	// Output:
	// ports web: tls
	// other ports: http, tls, wait
	//   acks_data after http: tls
	//   sends_data after http: wait
	//   acks_data after tls: give up
	// 1.59 handshakes for each service identified, not 2.06
}
