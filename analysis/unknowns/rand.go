package unknowns

// AdjustedRand compares two ways to divide the same things into classes, 1 if they are equal and 0 on the average if one is by
// chance: the adjusted Rand index (Hubert and Arabie, Journal of Classification 2, 1985). Each pair of classes has the number of
// things that are in both. It is 1 if there are no two things.
func AdjustedRand[A, B comparable](both map[struct {
	A A
	B B
}]int) float64 {
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	a, b := make(map[A]int), make(map[B]int)
	index, n := 0.0, 0
	for k, m := range both {
		a[k.A] += m
		b[k.B] += m
		index += pairs(m) // sums of whole numbers: in any order
		n += m
	}
	inA, inB := 0.0, 0.0
	for _, m := range a {
		inA += pairs(m)
	}
	for _, m := range b {
		inB += pairs(m)
	}
	if n < 2 {
		return 1
	}
	expected := inA * inB / pairs(n)
	most := (inA + inB) / 2
	if most == expected {
		return 1
	}
	return (index - expected) / (most - expected)
}
