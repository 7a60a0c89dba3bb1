package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"laserdisc/analysis"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/record"
	"laserdisc/datasets"
)

// contents is what responses reveal beyond their protocol.
var contents = count(func(over sources) *analysis.Contents { return analysis.NewContents(over.design().Unit) })

var (
	plainCertificates = selection{
		of:      func(all sources) sources { return fewestPorts.of(all.where(says("tls12", "http"))) },
		Needs:   "a run that asked for certificates in TLS 1.2, where they are not encrypted, and for pages",
		Options: "--all-handshakes --handshakes wait,tls12,http",
	}
	bannersFirst = selection{
		of:      func(all sources) sources { return fewestPorts.of(all.where(says("wait"))) },
		Needs:   "a run that waited for banners",
		Options: "--handshakes wait,tls,http",
	}
)

// says reports of a run whether it tried all of some handshakes.
func says(handshakes ...string) func(*record.Manifest) bool {
	return func(m *record.Manifest) bool {
		return !slices.ContainsFunc(handshakes, func(name string) bool { return !slices.Contains(m.Handshakes, name) })
	}
}

// propertyTitles are what the properties of section 3.3 are called in figures.
var propertyTitles = map[string]string{
	"maker": "device maker", "known_key": "known key", "shared_key": "shared key", "login": "login page", "device_ssh": "device SSH", "upnp": "UPnP",
}

// revealed is a line of section 3.3: how much more often services on some ports have a property than on others.
type revealed struct {
	datasets.Property
	onHits, on, againstHits, against int
	times                            estimate.Estimate
}

// hasTotals reports whether the paper compares numbers of services, and not shares.
func (r *revealed) hasTotals() bool { return r.Property.Property == "upnp" }

func (r *revealed) title() string {
	return fmt.Sprintf("%s, %s : %s", propertyTitles[r.Property.Property], r.On, r.Against)
}

// section33 is what section 3.3 of the paper compares: properties of services on unexpected ports and on expected ones.
func section33(c *analysis.Contents, over sources) (figure, error) {
	ratios, reads, err := c.Ratios()
	if err != nil {
		return figure{}, err
	}
	var lines []revealed
	for i, p := range datasets.Properties() {
		r := revealed{Property: p}
		r.onHits, r.on = servicesOf(ratios[i].On())
		r.againstHits, r.against = servicesOf(ratios[i].Against())
		if r.times, err = ratios[i].Shares(over.design()); r.hasTotals() {
			r.times, err = ratios[i].Totals(over.design())
		}
		if err != nil {
			return figure{}, err
		}
		lines = append(lines, r)
	}
	n := readServices(reads)
	f := figure{
		Caption: "How many times as often services on some ports have a property as on others (of UPnP, how many times as many services): the " +
			"certificate names a maker of devices, its private key is known, hosts share it; a page asks for a login; SSH software is that of " +
			"devices; a Server field is UPnP's. On a logarithmic scale; hollow points are of fewer than " + strconv.Itoa(fewServices) + " services with the " +
			"property on one side. Makers and known keys are those of short lists, and keys are seen to be shared only within the sample: their " +
			"shares are lower bounds. Which methods of authentication an SSH server has is out of reach: it takes a key exchange, more than " +
			"first bytes. " + unread(reads) + " n = " + n + ".",
		table: tabulate(n, lines,
			texts("property", func(r *revealed) string { return r.Property.Property }),
			texts("ports", func(r *revealed) string { return r.On }),
			texts("against_ports", func(r *revealed) string { return r.Against }),
			numbers("with", "services", func(r *revealed) int { return r.onHits }),
			numbers("of", "services", func(r *revealed) int { return r.on }),
			numbers("against_with", "services", func(r *revealed) int { return r.againstHits }),
			numbers("against_of", "services", func(r *revealed) int { return r.against }),
			estimates("times", "times", func(r *revealed) estimate.Estimate { return r.times }),
			paper("times", func(r *revealed) float64 { return r.Ratio }),
			texts("published_as", func(r *revealed) string { return map[bool]string{true: "up to"}[r.UpTo] })),
		columns: 1, height: 2.5 * vg.Inch,
	}
	var dots []dot
	for i := range lines {
		r := &lines[i]
		dots = append(dots, dot{name: r.title(), here: r.times, paper: r.Ratio, few: min(r.onHits, r.againstHits) < fewServices})
	}
	axis := dotAxis{label: "Times as often", ticks: []float64{0.5, 1, 2, 5, 10, 20, 50}, unit: 1, mark: 1}
	err = f.drawDots(dots, axis)
	return f, err
}

// revealedShare is a property's share on some ports.
type revealedShare struct {
	property, ports string
	hits            int
	share           estimate.Estimate
	paper           float64 // NaN if the paper has none
}

// section33Shares is the shares behind section33. Two of the paper's it has in full; it has the third as a ratio.
func section33Shares(c *analysis.Contents, over sources) (figure, error) {
	ratios, reads, err := c.Ratios()
	if err != nil {
		return figure{}, err
	}
	var lines []revealedShare
	add := func(property, ports string, hosts estimate.Hosts, published float64) error {
		if slices.ContainsFunc(lines, func(l revealedShare) bool { return l.property == property && l.ports == ports }) {
			return nil
		}
		if published == 0 {
			published = math.NaN()
		}
		hits, _ := servicesOf(hosts)
		share, err := hosts.Share(over.design())
		lines = append(lines, revealedShare{property, ports, hits, share, published})
		return err
	}
	for i, p := range datasets.Properties() {
		if err := add(p.Property, p.Against, ratios[i].Against(), p.ShareAgainst); err != nil {
			return figure{}, err
		}
		if err := add(p.Property, p.On, ratios[i].On(), p.Share); err != nil {
			return figure{}, err
		}
	}
	n := readServices(reads)
	f := figure{
		Caption: "Shares of the services on some ports that have a property of section 3.3: of those with a certificate, a page, an SSH banner. " +
			"On a logarithmic scale; hollow points are of fewer than " + strconv.Itoa(fewServices) + " services with the property. " + unread(reads) + " n = " + n + ".",
		table: tabulate(n, lines,
			texts("property", func(r *revealedShare) string { return r.property }),
			texts("ports", func(r *revealedShare) string { return r.ports }),
			numbers("with", "services", func(r *revealedShare) int { return r.hits }),
			estimates("share", "share of the services on these ports", func(r *revealedShare) estimate.Estimate { return r.share }),
			paper("share of the services on these ports", func(r *revealedShare) float64 { return r.paper })),
		columns: 1, height: 3.2 * vg.Inch,
	}
	var dots []dot
	for _, l := range lines {
		dots = append(dots, dot{name: propertyTitles[l.property] + ", " + l.ports, here: l.share, paper: l.paper, few: l.hits < fewServices})
	}
	axis := dotAxis{label: "Share of services (%)", ticks: []float64{0.001, 0.01, 0.1, 1}, unit: 100}
	err = f.drawDots(dots, axis)
	return f, err
}

func servicesOf(h estimate.Hosts) (hits, services int) {
	x, k := h.Services()
	return int(x), int(k)
}

func readServices(r analysis.Reads) string {
	return plural(r.Certificates, "certificate") + ", " + plural(r.Pages, "page") + ", " + plural(r.SSH, "SSH banner")
}

// unread says how many services could not be read.
func unread(r analysis.Reads) string {
	return fmt.Sprintf("Not read: %s of which the response had only a part, %s without any (TLS 1.3 encrypts it), %s that ended before a login field was found.",
		plural(r.CertificatesCut, "certificate"), plural(r.CertificatesHidden, "TLS service"), plural(r.PagesCut, "page"))
}

// bannerShare is a claim of section 4.1.
type bannerShare struct {
	datasets.BannerWords
	hits  int
	share estimate.Estimate
}

func (b *bannerShare) title() string {
	return b.Protocol + `: "` + strings.Join(b.Words, `" or "`) + `"`
}

// bannerTexts is section 4.1's: how many banners of a protocol contain a word that tells it.
func bannerTexts(c *analysis.Contents, over sources) (figure, error) {
	// The paper names the text without a share.
	bigIP := datasets.BannerWords{Protocol: analysis.ResetWords, Words: []string{"BIG-IP"}, Share: math.NaN()}
	var lines []bannerShare
	var of []string
	for _, b := range append(datasets.Banners(), bigIP) {
		hosts, err := c.Words(b.Protocol)
		if err != nil {
			return figure{}, err
		}
		share, err := hosts.Share(over.design())
		if err != nil {
			return figure{}, err
		}
		hits, services := servicesOf(hosts)
		lines, of = append(lines, bannerShare{b, hits, share}), append(of, plural(services, b.Protocol+" service"))
	}
	n := strings.Join(of, ", ")
	f := figure{
		Caption: "Banners that contain a word which tells their protocol, of the services that were identified as this protocol, by whatever " +
			"handshake, and spoke first; and resets with the text of an F5 BIG-IP (section 3.1), of the services that reset a connection. n = " + n + ".",
		table: tabulate(n, lines,
			texts("protocol", func(b *bannerShare) string { return b.Protocol }),
			texts("words", func(b *bannerShare) string { return strings.Join(b.Words, " ") }),
			numbers("with", "services", func(b *bannerShare) int { return b.hits }),
			estimates("share", "share of the banners", func(b *bannerShare) estimate.Estimate { return b.share }),
			paper("share of the banners", func(b *bannerShare) float64 { return b.Share })),
		columns: 1, height: 1.6 * vg.Inch,
	}
	var dots []dot
	for i := range lines {
		dots = append(dots, dot{name: lines[i].title(), here: lines[i].share, paper: lines[i].Share, few: lines[i].share.N < fewServices})
	}
	axis := dotAxis{label: "Share of banners (%)", ticks: []float64{0, 0.25, 0.5, 0.75, 1}, unit: 100, linear: true}
	err := f.drawDots(dots, axis)
	return f, err
}

// dot is an estimate with its interval, and the paper's value, on a line of its own.
type dot struct {
	name  string
	here  estimate.Estimate
	paper float64 // NaN if there is none
	few   bool    // it rests on few services
}

// dotAxis is where dots are drawn: from the first tick to the last.
type dotAxis struct {
	label  string
	ticks  []float64
	unit   float64 // what a value is multiplied with where it is printed
	linear bool    // and not logarithmic
	mark   float64 // where a line stands across it; 0 is none
}

// within keeps a value on the axis.
func (a *dotAxis) within(v float64) float64 { return min(max(v, a.ticks[0]), a.ticks[len(a.ticks)-1]) }

// drawDots draws dots below each other.
func (f *figure) drawDots(dots []dot, axis dotAxis) error {
	p := newPlot()
	names, ticks := make(plot.ConstantTicks, len(dots)), make(plot.ConstantTicks, len(axis.ticks))
	for i, v := range axis.ticks {
		ticks[i] = plot.Tick{Value: v, Label: strconv.FormatFloat(v*axis.unit, 'g', 3, 64)}
	}
	if axis.mark > 0 {
		if err := addLine(p, ruleLine, plotter.XY{X: axis.mark, Y: -0.6}, plotter.XY{X: axis.mark, Y: float64(len(dots)) - 0.4}); err != nil {
			return err
		}
	}
	for i, d := range dots {
		y := float64(len(dots) - 1 - i)
		names[i] = plot.Tick{Value: y, Label: d.name}
		if err := d.addTo(p, axis, y); err != nil {
			return err
		}
	}
	p.X.Label.Text, p.X.Tick.Marker, p.X.Min, p.X.Max = axis.label, ticks, axis.ticks[0], axis.ticks[len(ticks)-1]
	if !axis.linear {
		p.X.Scale = plot.LogScale{}
	}
	p.Y.Tick.Marker, p.Y.Tick.Length, p.Y.Min, p.Y.Max = names, 0, -0.6, float64(len(dots))-0.4
	entries := []entry{
		{"here, with its interval", []plot.Thumbnailer{glyph(hereGlyph)}},
		{"in the paper", []plot.Thumbnailer{glyph(paperGlyph)}},
	}
	f.draw = func(c draw.Canvas) { drawUnder(addLegend(c, len(entries), entries), p, axis.label) }
	p.X.Label.Text = ""
	return nil
}

var (
	hereGlyph  = draw.GlyphStyle{Color: blue, Radius: 2, Shape: draw.CircleGlyph{}}
	paperGlyph = draw.GlyphStyle{Color: vermilion, Radius: 2.6, Shape: draw.CrossGlyph{}}
)

// glyph draws a glyph in a legend.
func glyph(style draw.GlyphStyle) plot.Thumbnailer { return &plotter.Scatter{GlyphStyle: style} }

func (d *dot) addTo(p *plot.Plot, axis dotAxis, y float64) error {
	if d.here.HasInterval() {
		if err := addLine(p, draw.LineStyle{Color: blue, Width: curveLine}, plotter.XY{X: axis.within(d.here.Lo), Y: y}, plotter.XY{X: axis.within(d.here.Hi), Y: y}); err != nil {
			return err
		}
	}
	for _, point := range []struct {
		value float64
		style draw.GlyphStyle
	}{{d.here.Value, hereGlyph}, {d.paper, paperGlyph}} {
		if math.IsNaN(point.value) || point.value < axis.ticks[0] {
			continue
		}
		scatter, err := plotter.NewScatter(plotter.XYs{{X: axis.within(point.value), Y: y}})
		if err != nil {
			return err
		}
		scatter.GlyphStyle = point.style
		if d.few && point.style == hereGlyph {
			scatter.Shape = draw.RingGlyph{}
		}
		p.Add(scatter)
	}
	return nil
}
