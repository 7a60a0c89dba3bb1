package datasets

import (
	"strings"
	"testing"
)

func TestContradictions(t *testing.T) {
	for _, c := range Contradictions() {
		if c.Name == "" || c.Text == "" || len(c.Numbers) == 0 {
			t.Errorf("%q has text %q and numbers %q", c.Name, c.Text, c.Numbers)
		}
	}
	list, err := parseContradictions("f.md", "# Title\n- not a number\n## a\nwhy\n\n- `x: y`\n- `z`\n## b\n- `w`\nbecause\nof this\n")
	if err != nil || len(list) != 2 || list[0].Numbers[1] != "z" || list[1].Text != "because\nof this" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestContradictionsAreStrict(t *testing.T) {
	for page, want := range map[string]string{
		"## a\nwhy\n- x\n":                     "f.md:3: \"- x\" is not a number's name in backquotes",
		"## a\nwhy\n- `x` and\n":               "f.md:3: ",
		"## a\nwhy\n- `x`\n- `x`\n":            "f.md:4: \"x\" is on line 3 already",
		"## a\nwhy\n- `x`\n## b\nwhy\n- `x`\n": "f.md:6: \"x\" is on line 3 already",
		"## a\nwhy\n## b\nwhy\n- `x`\n":        "f.md:1: \"a\" lists no number",
		"\n## a\n- `x`\n":                      "f.md:2: \"a\" does not say why",
		"## a\nwhy\n- `x`\n## a\nwhy\n- `y`\n": "f.md:4: heading \"a\"",
		"## \nwhy\n- `x`\n":                    "f.md:1: heading \"\"",
	} {
		_, err := parseContradictions("f.md", page)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", page, err, want)
		}
	}
}

// Whatever a page holds, it is sections or an error.
func FuzzContradictions(f *testing.F) {
	page, err := paper.ReadFile("paper/" + contradictionsFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(page))
	f.Fuzz(func(t *testing.T, page string) {
		list, err := parseContradictions("f.md", page)
		for _, c := range list {
			if err == nil && (c.Name == "" || len(c.Numbers) == 0) {
				t.Errorf("%+v", c)
			}
		}
	})
}
