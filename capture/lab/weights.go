package lab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Weights are relative shares of named things, in the order of the file: {"http": 93, "tls": 1.2}.
type Weights []Weight

// Weight is one of them.
type Weight struct {
	Name  string
	Share float64
}

// UnmarshalJSON reads an object of numbers. A name given twice is an error.
func (w *Weights) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	open, err := d.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("weights must be an object, as in {\"name\": 1}")
	}
	*w = (*w)[:0]
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var share float64
		if err := d.Decode(&share); err != nil {
			return fmt.Errorf("weight of %q: %w", name, err)
		}
		if slices.ContainsFunc(*w, func(x Weight) bool { return x.Name == name }) {
			return fmt.Errorf("%q has two weights", name)
		}
		*w = append(*w, Weight{name.(string), share})
	}
	return nil
}

// MarshalJSON writes them as they are read.
func (w Weights) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range w {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(x.Name)
		if err != nil {
			return nil, err
		}
		share, err := json.Marshal(x.Share)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), share...)
	}
	return append(b, '}'), nil
}

func (w Weights) sum() (sum float64) {
	for _, x := range w {
		sum += x.Share
	}
	return sum
}

// check reports a weight that is no share, a name that known does not have, and nothing at all.
func (w Weights) check(field string, known func(string) bool) error {
	for _, x := range w {
		if !known(x.Name) {
			return fmt.Errorf("%s: there is no %q", field, x.Name)
		}
		if !(x.Share >= 0 && x.Share <= 1e9) {
			return fmt.Errorf("%s.%s: %v is not a weight: it must be 0 to 1e9", field, x.Name, x.Share)
		}
	}
	if w.sum() == 0 {
		return fmt.Errorf("%s: the weights add up to nothing", field)
	}
	return nil
}

// distribution is weights made ready for drawing.
type distribution struct {
	items []int     // what each weight is for
	upTo  []float64 // cumulative, the last is 1
}

func newDistribution(w Weights, index func(string) int) distribution {
	var d distribution
	sum, total := 0.0, w.sum()
	for _, x := range w {
		if x.Share > 0 {
			sum += x.Share
			d.items = append(d.items, index(x.Name))
			d.upTo = append(d.upTo, sum/total)
		}
	}
	return d
}

// at is the item at x in [0, 1).
func (d distribution) at(x float64) int {
	for i, top := range d.upTo {
		if x < top {
			return d.items[i]
		}
	}
	return d.items[len(d.items)-1]
}
