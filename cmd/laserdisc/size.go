package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag's number of bytes, such as 64MiB. It implements pflag.Value.
type byteSize int64

var units = [...]string{"KiB", "MiB", "GiB", "TiB"}

// Set reads a size from 1 MiB.
func (s *byteSize) Set(text string) error {
	for i, unit := range units {
		digits, ok := strings.CutSuffix(text, unit)
		bytes := int64(1024) << (10 * i)
		if n, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && n > 0 && n <= math.MaxInt64/bytes && n*bytes >= 1<<20 {
			*s = byteSize(n * bytes)
			return nil
		}
	}
	return fmt.Errorf("want a size from 1MiB, as in 64MiB or 1GiB")
}

// String is the size in the largest unit that it is a whole number of.
func (s *byteSize) String() string {
	n, unit := int64(*s), "B"
	for i := 0; i < len(units) && n >= 1024 && n%1024 == 0; i++ {
		n, unit = n/1024, units[i]
	}
	return strconv.FormatInt(n, 10) + unit
}

// Type is what the help calls it.
func (s *byteSize) Type() string { return "size" }
