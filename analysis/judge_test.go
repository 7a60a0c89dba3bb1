package analysis

import (
	"cmp"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// judge is where other readers of Parquet find datasets, and what is in them: testdata/judge.mjs and judge.py.
var judge = flag.String("judge", "", "directory for the datasets that testdata/judge.mjs and judge.py read")

// judged is what a reader must find in a column.
type judged struct {
	Name     string `json:"name"`
	Type     string `json:"type"`     // as docs/tables.md has it
	Absent   string `json:"absent"`   // how many are null, or empty
	Distinct string `json:"distinct"` // how many different values there are, without nulls; of lists, of their elements
	Least    string `json:"least"`    // of numbers, times in nanoseconds and texts; of lists, of their elements
	Most     string `json:"most"`
	Sum      string `json:"sum"` // of numbers; of texts and bytes, of their lengths in bytes; how many are true; how many elements lists have
}

// TestJudge writes a dataset of one part and one of many, of rows of every sort and enough for several row groups, and what
// readers must find in each column. That is summed up from the rows, which do not pass through Arrow.
func TestJudge(t *testing.T) {
	dir := *judge
	if dir == "" {
		dir = t.TempDir()
	}
	rows := many(groupRows + 10_000)
	for i := range 500 {
		a, s := anyAttempt().Example(i), anyService().Example(i)
		for _, at := range []*int64{&a.SYNTime, &a.SYNACKTime, &a.AckTime, &a.DataTime, &a.Attempt.End, &s.First, &s.Service.End} {
			if *at < 0 || *at > 7e18 { // DuckDB takes the last one for infinity
				*at = 0
			}
		}
		rows.attempts, rows.services = append(rows.attempts, a), append(rows.services, s)
	}
	counted := rows.expected()
	for name, parts := range map[string]int{"one": 1, "many": 5} {
		path := filepath.Join(dir, name)
		d, err := build(path, rows, 2, Options{Parts: parts})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d.Attempts() != uint64(len(counted.attempts)) || d.Services() != uint64(len(counted.services)) {
			t.Errorf("%d attempts of %d, %d services of %d", d.Attempts(), len(counted.attempts), d.Services(), len(counted.services))
		}
		text, err := json.MarshalIndent(map[string][]judged{"attempts": sums(attempts, counted.attempts), "services": sums(services, counted.services)}, "", " ")
		if err == nil {
			err = os.WriteFile(filepath.Join(path, "judged.json"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sums[R any](t *table[R], rows []R) []judged {
	var list []judged
	for i := range t.columns {
		c := &t.columns[i]
		absent, sum, distinct := 0, new(big.Int), make(map[string]bool)
		var numbers []int64
		var words []string
		for j := range rows {
			r := &rows[j]
			var b []byte
			switch c.kind {
			case address:
				if a := c.address(r); a.IsValid() {
					b = a.AppendTo(nil)
				}
			case text:
				b = []byte(c.text(r))
			case octets:
				b = c.bytes(r)
			case texts:
				n := 0
				for {
					s, ok := c.list(r, n)
					if !ok {
						break
					}
					n++
					distinct[s], words = true, append(words, s)
				}
				if n == 0 {
					absent++
				}
				continue
			default:
				v := c.number(r)
				if v == none {
					absent++
					continue
				}
				numbers = append(numbers, v)
				sum.Add(sum, big.NewInt(v))
				distinct[strconv.FormatInt(v, 10)] = true
				continue
			}
			if len(b) == 0 {
				absent++
			}
			sum.Add(sum, big.NewInt(int64(len(b))))
			distinct[string(b)] = true
			if c.kind != octets {
				words = append(words, string(b))
			}
		}
		found := judged{Name: c.name, Type: kinds[c.kind].doc, Absent: strconv.Itoa(absent), Distinct: strconv.Itoa(len(distinct))}
		switch {
		case c.kind == texts:
			sum.SetInt64(int64(len(words)))
			found.Least, found.Most = ends(words)
		case len(words) > 0:
			found.Least, found.Most = ends(words)
		case c.kind != boolean && len(numbers) > 0:
			least, most := ends(numbers)
			found.Least, found.Most = strconv.FormatInt(least, 10), strconv.FormatInt(most, 10)
		}
		found.Sum = sum.String()
		list = append(list, found)
	}
	return list
}

func ends[T cmp.Ordered](list []T) (least, most T) {
	least, most = list[0], list[0]
	for _, v := range list {
		least, most = min(least, v), max(most, v)
	}
	return least, most
}
