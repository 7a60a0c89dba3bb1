package datasets

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Contradiction is a section of paper/contradictions.md: published numbers that the default population does not have, for they contradict
// others, or for a lab is too small; the section's text has the arithmetic.
type Contradiction struct {
	Name    string   // its heading
	Numbers []string // as `laserdisc lab --published` names them: "Table 2: assigned ports: 1. wait"
	Text    string   // without its list of numbers
}

const contradictionsFile = "contradictions.md"

var contradictions = sync.OnceValue(func() []Contradiction {
	data, err := paper.ReadFile("paper/" + contradictionsFile)
	if err != nil {
		panic(err)
	}
	list, err := parseContradictions(contradictionsFile, string(data))
	if err != nil {
		panic(err) // it is part of the binary
	}
	return list
})

// Contradictions gives the sections of paper/contradictions.md, in its order.
func Contradictions() []Contradiction {
	list := slices.Clone(contradictions())
	for i := range list {
		list[i].Numbers = slices.Clone(list[i].Numbers)
	}
	return list
}

// parseContradictions reads the page. What stands before the first section, which begins with "## ", is for people. A section has text, and
// lines such as "- `Figure 10: ...`", each of which is a number and nothing else. No number is listed twice.
func parseContradictions(name, page string) (list []Contradiction, err error) {
	lineOf := map[string]int{}
	begun := 0
	end := func() error {
		if len(list) == 0 {
			return nil
		}
		c := &list[len(list)-1]
		c.Text = strings.TrimSpace(c.Text)
		switch {
		case len(c.Numbers) == 0:
			return fmt.Errorf("%s:%d: %q lists no number", name, begun, c.Name)
		case c.Text == "":
			return fmt.Errorf("%s:%d: %q does not say why", name, begun, c.Name)
		}
		return nil
	}
	number := 0
	for line := range strings.Lines(page) {
		number++
		line = strings.TrimRight(line, "\r\n")
		heading, isHeading := strings.CutPrefix(line, "## ")
		switch {
		case isHeading:
			if err := end(); err != nil {
				return nil, err
			}
			if heading == "" || slices.ContainsFunc(list, func(c Contradiction) bool { return c.Name == heading }) {
				return nil, fmt.Errorf("%s:%d: heading %q: is empty, or there already", name, number, heading)
			}
			list, begun = append(list, Contradiction{Name: heading}), number
		case len(list) == 0:
		case strings.HasPrefix(line, "- "):
			text, opened := strings.CutPrefix(line, "- `")
			text, closed := strings.CutSuffix(text, "`")
			if !opened || !closed || text == "" || strings.Contains(text, "`") {
				return nil, fmt.Errorf("%s:%d: %q is not a number's name in backquotes", name, number, line)
			}
			if first, ok := lineOf[text]; ok {
				return nil, fmt.Errorf("%s:%d: %q is on line %d already", name, number, text, first)
			}
			lineOf[text] = number
			c := &list[len(list)-1]
			c.Numbers = append(c.Numbers, text)
		default:
			list[len(list)-1].Text += line + "\n"
		}
	}
	return list, end()
}
