package datasets

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed populations/*.json
var populations embed.FS

// DefaultPopulation is the population that a lab has when nobody asks for another.
const DefaultPopulation = "paper-shape"

// Populations are the names of the embedded lab populations, in alphabetical order.
func Populations() []string {
	files, err := fs.Glob(populations, "populations/*.json")
	if err != nil {
		panic(err) // the pattern is constant
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(f, "populations/"), ".json"))
	}
	return names
}

// Population returns the JSON of an embedded lab population, for lab.Parse.
func Population(name string) ([]byte, error) {
	data, err := populations.ReadFile("populations/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("datasets: no population is called %q; there are %s", name, strings.Join(Populations(), ", "))
	}
	return data, nil
}
