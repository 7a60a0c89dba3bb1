package estimate

// Kinds sums up how many services there are of each kind: of each port, of each protocol. What it counts says how many kinds
// there must be that were not seen.
type Kinds struct {
	Seen   uint64 // kinds with a service at least
	Once   uint64 // kinds with one
	Twice  uint64 // kinds with two
	Number uint64 // services
}

// CountKinds takes the number of services of each kind.
func CountKinds[Count ~uint32 | ~uint64 | ~int](services []Count) Kinds {
	var k Kinds
	for _, n := range services {
		if n <= 0 {
			continue
		}
		k.Seen++
		k.Number += uint64(n)
		switch n {
		case 1:
			k.Once++
		case 2:
			k.Twice++
		}
	}
	return k
}

// Chao1 is how many kinds there are at least (Chao 1984, Scandinavian Journal of Statistics 11; with the factor (n-1)/n and, if
// no kind has two services, the form without bias, as in iNEXT, Hsieh, Ma and Chao 2016). It is a lower bound in expectation:
// no sample shows how many kinds are too rare for it. So Value is that, and there is no interval.
func (k Kinds) Chao1(d Design) (Estimate, error) {
	e := Estimate{Design: d, N: k.Number, Method: "Chao1", Value: float64(k.Seen)}
	if err := d.check(); err != nil {
		return e, err
	}
	if k.Number == 0 {
		return e.warn(NoData), nil
	}
	n, once, twice := float64(k.Number), float64(k.Once), float64(k.Twice)
	unseen := once * (once - 1) / 2
	if twice > 0 {
		unseen = once * once / (2 * twice)
	}
	e.Value += (n - 1) / n * unseen
	if !d.random() {
		e = e.warn(NoSample)
	}
	return e.warn(LowerBound), nil
}

// Coverage is which share of the population's services is of a kind that was seen, 1 - f1/n (Good 1953, Biometrika 40; he
// credits Turing). There is no interval.
func (k Kinds) Coverage(d Design) (Estimate, error) {
	e := Estimate{Design: d, N: k.Number, Method: "Good-Turing"}
	if err := d.check(); err != nil {
		return e, err
	}
	if k.Number == 0 {
		return e.warn(NoData), nil
	}
	e.Value = 1 - float64(k.Once)/float64(k.Number)
	if !d.random() {
		e = e.warn(NoSample)
	}
	return e, nil
}
