package estimate

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// near reports whether two numbers agree to 1e-6, relative to the second.
func near(got, want float64) bool { return math.Abs(got-want) <= 1e-6*math.Abs(want) }

// check compares a number with what a judge says it is.
func check(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !near(got, want) && math.Abs(got-want) > 1e-15 {
		t.Errorf("%s is %.10g, want %.10g", what, got, want)
	}
}

// TestCases has SciPy, statsmodels, diptest and published examples as judges: testdata/judge.py computes what is expected.
func TestCases(t *testing.T) {
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Test, Name string
		Input      struct {
			Values, X, Y, Times          []float64
			Ended                        []bool
			Nu, Upper, T                 float64
			Distance, Margin             float64
			Both, First, Second, Neither uint64
			Hits, N                      float64
			Hits1, N1, Hits2, N2         uint64
			Hosts                        [][][2]uint16 // of each service, its port and whether it is of the kind
			Drawn, Of                    uint64
		}
		Expect struct {
			Statistic, P       *float64
			Survival, Quantile *float64
			Lo, Hi, Effective  float64
			Curve              [][4]float64
		}
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Test+"/"+c.Name, func(t *testing.T) {
			in := c.Input
			var got Test
			var err error
			switch c.Test {
			case "grubbs":
				got, err = Grubbs(in.Values)
			case "student":
				if c.Expect.Survival != nil {
					check(t, "survival", studentSurvival(in.Nu, in.T), *c.Expect.Survival)
				} else {
					check(t, "quantile", studentQuantile(in.Nu, in.Upper), *c.Expect.Quantile)
				}
			case "smirnov":
				got, err = Smirnov(in.X, in.Y)
			case "kolmogorov":
				got.P = kolmogorov(in.Distance)
			case "spearman":
				got, err = Spearman(in.X, in.Y)
			case "pairs":
				got = Pairs{in.Both, in.First, in.Second, in.Neither}.McNemar()
			case "fisher":
				got, err = Fisher(in.Hits1, in.N1, in.Hits2, in.N2)
			case "equivalence":
				got, err = Pairs{in.Both, in.First, in.Second, in.Neither}.Equivalence(in.Margin)
			case "dip":
				got, err = DipTest(in.Values, 1, rand.New(rand.NewPCG(1, 1)))
			case "dip_p": // to three standard errors of the samples that ours is from; the table has four digits
				const samples = 4000
				got, err = DipTest(in.Values, samples, rand.New(rand.NewPCG(1, 1)))
				if want := *c.Expect.P; math.Abs(got.P-want) > 3*math.Sqrt(want*(1-want)/samples) {
					t.Errorf("p is %.4g, want about %.4g", got.P, want)
				}
				c.Expect.P = nil
			case "kaplan_meier":
				var durations []Duration
				for i, time := range in.Times {
					durations = append(durations, Duration{time, in.Ended[i]})
				}
				var curve []Survival
				if curve, err = KaplanMeier(durations); len(curve) != len(c.Expect.Curve) {
					t.Fatalf("%d times, want %d", len(curve), len(c.Expect.Curve))
				}
				for i, want := range c.Expect.Curve {
					for j, got := range []float64{curve[i].Time, curve[i].Share, curve[i].Lo, curve[i].Hi} {
						check(t, []string{"time", "share", "lo", "hi"}[j], got, want[j])
					}
				}
			case "wilson":
				lo, hi := wilson(in.Hits/in.N, in.N)
				check(t, "lo", lo, c.Expect.Lo)
				check(t, "hi", hi, c.Expect.Hi)
			case "mean_over_ports":
				var hosts []onPorts
				for _, services := range in.Hosts {
					h := make(onPorts)
					for _, s := range services {
						h[s[0]] = s[1] == 1
					}
					hosts = append(hosts, h)
				}
				m := NewMean(countPorts(hosts, numbers(len(hosts))))
				for _, h := range hosts {
					h.addTo(m)
				}
				var e Estimate
				e, err = m.Estimate(Design{ByHost, in.Drawn, in.Of})
				got.Statistic = e.Value
				check(t, "effective hosts", e.EffectiveHosts, c.Expect.Effective)
				check(t, "lo", e.Lo, c.Expect.Lo)
				check(t, "hi", e.Hi, c.Expect.Hi)
			default:
				t.Fatal("no such test here")
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Expect.Statistic != nil {
				check(t, "statistic", got.Statistic, *c.Expect.Statistic)
			}
			if c.Expect.P != nil {
				check(t, "p", got.P, *c.Expect.P)
			}
		})
	}
}

// table reads a file of columns that tabs separate, with a line of names.
func table(t *testing.T, file string) (rows []map[string]string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	names := strings.Split(lines[0], "\t")
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, field := range strings.Split(line, "\t") {
			row[names[i]] = field
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, field string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(field, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestSurveys has R's package survey as a judge: testdata/judge.R computes what is expected.
func TestSurveys(t *testing.T) {
	hosts := map[string]Hosts{}
	population := map[string]uint64{}
	for _, row := range table(t, "surveys.tsv") {
		h := hosts[row["set"]]
		h.Add(uint32(number(t, row["hits"])), uint32(number(t, row["services"])))
		hosts[row["set"]] = h
		population[row["set"]] = uint64(number(t, row["population"]))
	}
	printed := 0
	for _, row := range table(t, "surveys_expected.tsv") {
		h := hosts[row["set"]]
		d := Design{ByHost, h.hosts, population[row["set"]]}
		e, err := h.Share(d)
		if err != nil {
			t.Fatal(err)
		}
		square, _ := h.residuals()
		variance := h.variance(square, d)
		lo, hi := kornGraubard(e.Value, variance, float64(h.k), float64(h.hosts-1))
		set := "set " + row["set"] + ": "
		check(t, set+"share", e.Value, number(t, row["share"]))
		check(t, set+"variance", variance, number(t, row["variance"]))
		check(t, set+"lo", lo, number(t, row["lo"]))
		check(t, set+"hi", hi, number(t, row["hi"]))
		check(t, set+"effective hosts", e.EffectiveHosts, number(t, row["effective"]))
		if e.HasInterval() != (e.EffectiveHosts >= enoughHosts) {
			t.Errorf("%shas an interval: %v", set, e.HasInterval())
		}
		if e.HasInterval() {
			printed++
			check(t, set+"lo", e.Lo, number(t, row["effective_lo"]))
			check(t, set+"hi", e.Hi, number(t, row["effective_hi"]))
		}
	}
	if printed < 3 {
		t.Errorf("%d of the sets have an interval: too few to test it", printed)
	}
}

// TestTies has R's ks.test as a judge, which takes equal values into account where SciPy does not.
func TestTies(t *testing.T) {
	numbers := func(list string) (values []float64) {
		for field := range strings.SplitSeq(list, ",") {
			values = append(values, number(t, field))
		}
		return values
	}
	expected := table(t, "ties_expected.tsv")
	for i, row := range table(t, "ties.tsv") {
		got, err := Smirnov(numbers(row["x"]), numbers(row["y"]))
		if err != nil {
			t.Fatal(err)
		}
		check(t, row["name"]+": statistic", got.Statistic, number(t, expected[i]["statistic"]))
		check(t, row["name"]+": p", got.P, number(t, expected[i]["p"]))
	}
}
