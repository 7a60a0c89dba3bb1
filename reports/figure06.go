package reports

import (
	"cmp"
	"strconv"

	"laserdisc/analysis"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// outcomes are the parts of Figure 6.
var outcomes = []layerOf{
	{speaksExpected, "expected protocol", plotters.Fill{Color: blue}},
	{speaksOther, "unexpected protocol", hatched(skyBlue, 1)},
	{unknownAcross, "unknown across ports", hatched(yellow, -1)},
	{unknownOnThisPort, "unknown", plotters.Fill{Color: lightGray}},
}

// figure06 is the paper's Figure 6 (section 3.1): what the services that acknowledge data turn out to be, per port.
func figure06(b *byClass, over sources) (figure, error) {
	s := &stacks{
		of: ofAcking, classes: []class{popular, unpopular, others}, layers: outcomes,
		kind:   func(k *analysis.Kind) string { return cmp.Or(outcome(k.Port, k.State, k.Label), absent) },
		judged: speaksExpected,
		paper: func(c class, port int, kind string) float64 {
			if port < 0 {
				return notPublished
			}
			return datasets.InText("3.1", kind, strconv.Itoa(port))
		},
	}
	return b.figure(s, over, "Services that acknowledge data, by what they turn out to be: the protocol expected on their port, another, unknown on a "+
		"host that acknowledges data on random ephemeral ports too, or unknown; as shares of each port's, and of "+classesCaption+
		" Error bars are of the expected protocol's share.", "acknowledging service", "Share (%)")
}
