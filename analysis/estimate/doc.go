// Package estimate says how far a sub-sample of services can be trusted. It turns small sums into estimates that carry how
// they were made: the design of the sample, how many services and hosts stand behind them, the method, an interval, warnings.
//
// A fold over rows sorted by host fills an accumulator, one host after the other:
//
//	var hosts estimate.Hosts
//	hosts.Add(hits, services) // of one host: how many of its services are such, of how many
//
// Accumulators are sums of integers. Two of them merge into what one would have been over both, to the last bit, in whatever
// order and however the hosts were divided. None of them keeps anything for each host.
//
// An estimate is asked of the accumulator, with the Design of the run:
//
//	share, err := hosts.Share(design)   // of the services: Wilson, or Korn and Graubard over hosts
//	total, err := hosts.Total(design)   // of all the population's: Horvitz and Thompson
//	curve, err := ports.Curve(design)   // share of services on the k most used ports, a band
//	times, err := ratio.Shares(design)  // how much more often in one group than in another, of a Ratio
//	kinds := estimate.CountKinds(counts) // how many kinds there are at least, seen and unseen
//
// Hosts matter because a host brings all its services along. Where hosts were drawn, an interval that counts services as if
// each had been drawn alone holds in a sixth of the cases on a heavy-tailed population; where services were drawn it is right.
// And where a few large hosts make up most of the variance, no interval holds: then there is none, and the warning
// TooFewHosts. Where blocks of addresses were drawn, all of this holds of blocks: what is added as one host is then one block,
// Unit.Cluster. docs/estimates.md has how often the intervals here hold, measured.
//
// Beside the estimates stand the tests that a paper on scanning needs and gonum lacks: Grubbs, Smirnov, Fisher, Pairs.McNemar,
// Pairs.Equivalence, Spearman, DipTest, KaplanMeier. Each is compared with SciPy, statsmodels, R or a published example.
//
// Whatever is left to chance takes its randomness as an argument. Weights, for the bootstrap, are functions of (seed,
// replicate, host), so that the parts of a data set give the same replicates as the whole.
package estimate
