package reports

import (
	"strconv"

	"laserdisc/analysis"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// protocolFills are those of the protocols that unexpected services speak most.
var protocolFills = []plotters.Fill{
	{Color: blue}, hatched(skyBlue, 1), hatched(yellow, -1), {Color: vermilion}, hatched(reddishPurple, 1), hatched(bluishGreen, -1), {Color: black},
}

// figure07 is the paper's Figure 7 (section 3.1): which protocols the unexpected services speak, over all ports and on each.
func figure07(b *byClass, over sources) (figure, error) {
	var layers []layerOf
	for i, protocol := range b.protocols {
		layers = append(layers, layerOf{protocol, protocol, protocolFills[i]})
	}
	layers = append(layers, layerOf{otherProtocol, "other", plotters.Fill{Color: lightGray}})
	s := &stacks{
		of: ofUnexpected, classes: []class{everyPort}, layers: layers,
		kind: func(k *analysis.Kind) string {
			if outcome(k.Port, k.State, k.Label) != speaksOther {
				return absent
			}
			return b.protocol(k.Label)
		},
		judged: layers[0].kind,
		paper: func(c class, port int, kind string) float64 {
			if port < 0 {
				return datasets.InText("3.1", kind, c.String())
			}
			return datasets.InText("3.1", kind, strconv.Itoa(port))
		},
		says: func(port int, kind string) string { return only(port == 443 && kind == "http", "nearly all") },
	}
	return b.figure(s, over, "Services that acknowledge data and speak another protocol than the one expected on their port, by that protocol, over all "+
		"ports and on each. Of those on 443 the paper says that nearly all speak HTTP. Error bars are of "+layers[0].title+".", "unexpected service", "Share (%)")
}
