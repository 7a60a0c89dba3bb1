package estimate_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"laserdisc/analysis/estimate"
)

// A hundredth of 100,000 hosts was drawn. 600 of the drawn answered, with one to eight services each.
func ExampleHosts() {
	g := rand.New(rand.NewPCG(1, 1))
	var hosts estimate.Hosts
	for range 600 {
		services := 1 + g.Uint32N(8)
		hosts.Add(g.Uint32N(services+1), services)
	}
	design := estimate.Design{Unit: estimate.ByHost, Drawn: 1000, Of: 100_000}
	share, err := hosts.Share(design)
	fmt.Println(share, err)
	total, err := hosts.Total(design)
	fmt.Println(total, err)
	// Output:
	// 0.4732 (0.4429 to 0.5036 at 95 %); n = 2758 on 600 hosts (221 effective); Korn-Graubard; 1000 of 100000 by host <nil>
	// 130500 (119400 to 142700 at 95 %); n = 1305 on 600 hosts (225.7 effective); Horvitz-Thompson, log scale; 1000 of 100000 by host <nil>
}

// Of 1,000 hosts that were drawn 312 answered, three of them on all ports: as a share of hosts, each is one of one.
func ExampleHosts_Share_ofHosts() {
	var hosts estimate.Hosts
	for i := range 312 {
		if i < 3 {
			hosts.Add(1, 1)
		} else {
			hosts.Add(0, 1)
		}
	}
	share, err := hosts.Share(estimate.Design{Unit: estimate.ByHost, Drawn: 1000, Of: 100_000})
	fmt.Println(share, err)
	// Output:
	// 0.009615 (0.003292 to 0.02775 at 95 %); n = 312 on 312 hosts (3.059 effective); Wilson; 1000 of 100000 by host <nil>
}

// A thousandth of the services was drawn. Half of those seen are on two ports, the others on any.
func ExamplePorts() {
	g := rand.New(rand.NewPCG(1, 1))
	ports := &estimate.Ports{Seed: 1}
	for i := range 2000 {
		host := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		switch {
		case i%4 == 0:
			ports.Add(host, 5672)
		case i%4 == 1:
			ports.Add(host, 5673)
		default:
			ports.Add(host, uint16(g.Uint32N(1<<16)))
		}
	}
	curve, err := ports.Curve(estimate.Design{Unit: estimate.ByService, Drawn: 65_536, Of: 65_536_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(curve.Share(2))
	fmt.Println(curve.PortsFor(0.4))
	fmt.Println(curve.PortsFor(0.9))
	// Output:
	// 0.5 (0.4735 to 0.5265 at 95 %); n = 2000 on 2000 hosts (2000 effective); plug-in above, split halves below; 65536 of 65536000 by service <nil>
	// 2 (2 to 2 at 95 %); n = 2000 on 2000 hosts (2000 effective); plug-in above, split halves below; 65536 of 65536000 by service <nil>
	// 798 (more than 787 at 95 %); n = 2000 on 2000 hosts (2000 effective); plug-in above, split halves below; 65536 of 65536000 by service <nil>
}

// Ten services speak five protocols, of which two were seen once, and one twice.
func ExampleKinds() {
	kinds := estimate.CountKinds([]int{1, 1, 2, 3, 3})
	design := estimate.Design{Unit: estimate.ByService, Drawn: 1000, Of: 1_000_000}
	fmt.Println(kinds.Chao1(design))
	fmt.Println(kinds.Coverage(design))
	// Output:
	// 6.8; n = 10; Chao1; 1000 of 1000000 by service; a lower bound: there may be more <nil>
	// 0.8; n = 10; Good-Turing; 1000 of 1000000 by service <nil>
}

// The paper calls ports popular whose number of SYN-ACKs is an outlier among all ports', one after the other.
func ExampleOutliers() {
	synAcks := []float64{21, 25, 19, 940, 22, 24, 26, 2300, 18, 23, 27, 20}
	fmt.Println(estimate.Outliers(synAcks, 0.001))
	// Output:
	// [7 3] <nil>
}

// Two scanners probe 1,000 hosts. They find 650 together, and each a few that the other does not.
func ExamplePairs() {
	hosts := estimate.Pairs{Both: 650, First: 9, Second: 4, Neither: 337}
	fmt.Println(hosts.McNemar())
	fmt.Println(hosts.Equivalence(0.02))
	// Output:
	// McNemar, exact: statistic 4, p = 0.267, n = 1000
	// TOST, score, margin 0.02: statistic 3.029, p = 0.00123, n = 1000 <nil>
}

// Services that a wrong handshake has spoilt recover after so many seconds; two had not when the scan ended.
func ExampleKaplanMeier() {
	curve, err := estimate.KaplanMeier([]estimate.Duration{
		{Time: 1, Ended: true}, {Time: 1, Ended: true}, {Time: 5, Ended: true}, {Time: 30, Ended: true}, {Time: 120}, {Time: 120},
	})
	for _, s := range curve {
		fmt.Printf("after %v s %.3f are spoilt (%.3f to %.3f)\n", s.Time, s.Share, s.Lo, s.Hi)
	}
	fmt.Println(err)
	// Output:
	// after 1 s 0.667 are spoilt (0.195 to 0.904)
	// after 5 s 0.500 are spoilt (0.111 to 0.804)
	// after 30 s 0.333 are spoilt (0.046 to 0.676)
	// <nil>
}

// A replicate of a sum counts each host with its weight. Wherever the hosts are summed, they have the same weights.
func ExampleWeights() {
	services := map[string]int{"192.0.2.1": 3, "192.0.2.7": 1, "198.51.100.9": 12}
	weights := make([]uint8, 4)
	sums := make([]int, len(weights))
	for host, n := range services {
		estimate.Weights(weights, 1, netip.MustParseAddr(host))
		for r, w := range weights {
			sums[r] += int(w) * n
		}
	}
	fmt.Println(sums)
	// Output:
	// [39 43 13 12]
}
