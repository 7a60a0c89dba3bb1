package reports

import (
	"laserdisc/analysis"
	"laserdisc/capture/session"
	"laserdisc/datasets"
	"laserdisc/reports/plotters"
)

// defences are the paper's five (section 2), and what is none of them.
var defences = []layerOf{
	{session.ResetAfterHandshake.String(), "reset or closed", plotters.Fill{Color: blue}},
	{session.ZeroWindow.String(), "zero window", hatched(skyBlue, 1)},
	{session.DynamicBlocking.String(), "dynamic blocking", hatched(yellow, -1)},
	{session.Shunned.String(), "connection shunning", plotters.Fill{Color: vermilion}},
	{session.DroppedHandshake.String(), "handshake dropped", hatched(reddishPurple, 1)},
	{leftOver, "none of these", plotters.Fill{Color: lightGray}},
}

// figure03 is about the paper's Figures 3a and 3b (section 2): by which defences services keep data out, on popular and on
// unpopular ports. Their form was not seen.
func figure03(b *byClass, over sources) (figure, error) {
	s := &stacks{
		of: ofServices, classes: []class{popular, unpopular, others}, layers: defences,
		kind:   func(k *analysis.Kind) string { return defence(k.State) },
		judged: notAcknowledging,
		paper: func(c class, port int, kind string) float64 {
			if port >= 0 {
				return paperNoAck(port, kind)
			}
			if kind != notAcknowledging {
				return notPublished // the paper's shares of defences are of those that acknowledge no data: section2 has them
			}
			return datasets.InText("2", kind, c.String())
		},
	}
	return b.figure(s, over, "Services that acknowledge no data, by how they keep it out, as shares of the services of each port, and of "+
		classesCaption+" Error bars are of all defences together.", "service", "Acknowledge no data (%)")
}

// What captions say of the classes of ports.
const (
	classesCaption = "the popular and the unpopular ports, " + meansAre + ", and of other ports together. " + classesAre
	classesAre     = "Popular are 80, 443, 7547, 22, 21 and 25, which the paper found so; unpopular its other 49."
	meansAre       = "means over ports, each of which weighs alike"
)
