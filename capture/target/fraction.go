package target

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Fraction is an exact share, above 0 and at most 1, in lowest terms.
type Fraction struct{ Num, Den uint64 }

// ParseFraction reads "0.1%", "1/1000" or "0.001", which are all the same.
func ParseFraction(s string) (Fraction, error) {
	f, err := parseFraction(strings.TrimSpace(s))
	if err != nil {
		return Fraction{}, fmt.Errorf("%q is not a share such as 0.1%%, 1/1000 or 0.001: %w", s, err)
	}
	if f.Num == 0 || f.Num > f.Den {
		return Fraction{}, fmt.Errorf("%q is not above 0 and at most 1", s)
	}
	divisor := gcd(f.Num, f.Den)
	return Fraction{f.Num / divisor, f.Den / divisor}, nil
}

func parseFraction(s string) (Fraction, error) {
	if num, den, ok := strings.Cut(s, "/"); ok {
		return fractionOf(num, den)
	}
	percent := 0
	if number, ok := strings.CutSuffix(s, "%"); ok {
		s, percent = number, 2
	}
	whole, decimals, _ := strings.Cut(s, ".")
	return fractionOf(whole+decimals, "1"+strings.Repeat("0", len(decimals)+percent))
}

// fractionOf reads two numbers of at most 19 digits, so that products with an
// index stay below 2^128.
func fractionOf(num, den string) (Fraction, error) {
	n, err := parseDigits(num)
	if err != nil {
		return Fraction{}, err
	}
	d, err := parseDigits(den)
	return Fraction{n, d}, err
}

func parseDigits(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	switch {
	case err == nil:
		return n, nil
	case err.(*strconv.NumError).Err == strconv.ErrRange:
		return 0, fmt.Errorf("too many digits")
	}
	return 0, fmt.Errorf("not a number")
}

// String gives "1/1000".
func (f Fraction) String() string { return fmt.Sprintf("%d/%d", f.Num, f.Den) }

// Float gives the nearest floating-point number.
func (f Fraction) Float() float64 { return float64(f.Num) / float64(f.Den) }

// ceilOf gives the least integer that is not below f*n. n is at most 2^64.
func (f Fraction) ceilOf(n uint128) uint128 {
	product := n.times(f.Num)
	hi, rest := bits.Div64(0, product.hi, f.Den)
	lo, rest := bits.Div64(rest, product.lo, f.Den)
	quotient := uint128{hi, lo}
	if rest > 0 {
		quotient = quotient.plus(uint128{0, 1})
	}
	return quotient
}

// shard is one of count equal parts: index 0 to count-1.
type shard struct{ index, count uint64 }

// parseShard reads "i/n" with i from 1 to n.
func parseShard(s string) (shard, error) {
	first, second, _ := strings.Cut(s, "/")
	i, err := strconv.ParseUint(first, 10, 32)
	n, err2 := strconv.ParseUint(second, 10, 32)
	if err != nil || err2 != nil || i < 1 || i > n {
		return shard{}, fmt.Errorf("%q is not a shard i/n with i from 1 to n, at most %d", s, math.MaxUint32)
	}
	return shard{i - 1, n}, nil
}

// sizeOf gives the number of positions 0..all-1 that are the shard's: those that
// leave its index when divided by its count. all is at most 2^63.
func (s shard) sizeOf(all uint64) uint64 {
	return (all + s.count - 1 - s.index) / s.count
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}
