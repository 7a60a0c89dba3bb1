// Package unknowns finds in what services said that nobody recognises what many of them say alike, and proposes signatures.
//
// Responses are alike by their first bytes, each at its place, the earlier ones weighing more, as most protocols begin with what is
// fixed in them; or by the sequences of three bytes (trigrams) that they have in common, wherever these are. [Group] joins them by
// average linkage (Sokal and Michener, University of Kansas Science Bulletin 38, 1958), a sample at a time, so that its time grows
// with the number of different responses and not with its square. [Propose] makes a signature of a cluster: the bytes that are the
// same in all of its responses, where they are, and words. [Signature.Go] writes it as a file of package handshake.
package unknowns

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/zeebo/xxh3"
	"gonum.org/v1/gonum/mat"
)

// Look is how many bytes of a response are looked at.
const Look = 128

// Response is what some services sent, the same to the last of the bytes that are looked at.
type Response struct {
	Data      string // at most Look bytes, at least 1
	Handshake string // that drew it
	Label     string // what it is labelled, other than unknown where its signature was withheld

	Services []netip.AddrPort // ascending, at least 1
}

// Cluster is responses that are alike.
type Cluster struct {
	Responses []*Response // by the number of services, and then by their bytes
	// Mixed is whether the responses have no more in common than their first byte, which more of the rest have than by chance.
	Mixed bool
}

// Services is how many there are.
func (c *Cluster) Services() (n int) {
	for _, r := range c.Responses {
		n += len(r.Services)
	}
	return n
}

// Hosts is how many they are on.
func (c *Cluster) Hosts() int {
	seen := make(map[netip.Addr]bool)
	for _, r := range c.Responses {
		for _, s := range r.Services {
			seen[s.Addr()] = true
		}
	}
	return len(seen)
}

const (
	// alike is how alike two responses must be, and clusters on the average. Four first bytes of many are 0.44.
	alike = 0.4
	// atOnce is how many different responses are compared with each other at once.
	atOnce = 1500
	// rounds is how often that is done with what was not like any cluster before.
	rounds = 8
	// compared is how many responses of a cluster others are compared with.
	compared = 8
	// places is how many first bytes are compared at their places.
	places = 16
	// least is how many services make a cluster of one response, and different responses one of more.
	least = 3
)

// Group gives the clusters, those of the most services first, and the responses that are in none.
func Group(responses []*Response) (clusters []Cluster, rest []*Response) {
	var left []*item
	for _, r := range responses {
		left = append(left, newItem(r))
	}
	// The sample is drawn by the bytes: it depends on no order.
	slices.SortFunc(left, func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.draw, b.draw), cmp.Compare(a.of.Data, b.of.Data), cmp.Compare(a.of.Handshake, b.of.Handshake))
	})
	var found [][]*item
	for range rounds {
		if len(left) == 0 {
			break
		}
		sample := left[:min(atOnce, len(left))]
		more := false
		in := make(map[*item]bool)
		for _, c := range link(sample) {
			services := 0
			for _, x := range c {
				services += len(x.of.Services)
			}
			if services < least {
				continue
			}
			found, more = append(found, c), true
			for _, x := range c {
				in[x] = true
			}
		}
		left = slices.DeleteFunc(left, func(x *item) bool { return in[x] })
		if !more {
			break
		}
		left = assign(found, left)
	}
	for _, c := range found {
		clusters = append(clusters, clusterOf(c))
	}
	begin, left := byFirstByte(left)
	clusters = append(clusters, begin...)
	slices.SortFunc(clusters, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(b.Services(), a.Services()), cmp.Compare(a.Responses[0].Data, b.Responses[0].Data))
	})
	for _, x := range left {
		rest = append(rest, x.of)
	}
	slices.SortFunc(rest, byServices)
	return clusters, rest
}

func clusterOf(items []*item) (c Cluster) {
	for _, x := range items {
		c.Responses = append(c.Responses, x.of)
	}
	slices.SortFunc(c.Responses, byServices)
	return c
}

func byServices(a, b *Response) int {
	return cmp.Or(cmp.Compare(len(b.Services), len(a.Services)), cmp.Compare(a.Data, b.Data), cmp.Compare(a.Handshake, b.Handshake))
}

// item is a response, with what it is compared by.
type item struct {
	of    *Response
	draw  uint64
	grams []uint32 // hashes of its trigrams, ascending, each once; a digit counts as any other
}

func newItem(r *Response) *item {
	x := &item{of: r, draw: xxh3.HashString(r.Data)}
	text := []byte(r.Data)
	for i, c := range text {
		if '0' <= c && c <= '9' {
			text[i] = '0'
		}
	}
	for i := range max(0, len(text)-2) {
		x.grams = append(x.grams, uint32(text[i])<<16|uint32(text[i+1])<<8|uint32(text[i+2]))
	}
	slices.Sort(x.grams)
	x.grams = slices.Compact(x.grams)
	return x
}

// weights are what the places of the first bytes weigh: like 4/(4+place), in whole numbers.
var weights = func() (w [places]int) {
	for i := range w {
		w[i] = 4000 / (4 + i)
	}
	return w
}()

// likeness is how alike two responses are, 0 to 1: by their first bytes or by their trigrams, whichever is more.
func likeness(a, b *item) float64 {
	same, all := 0, 0
	p, q := a.of.Data, b.of.Data
	for i := range min(places, max(len(p), len(q))) {
		switch {
		case i >= len(p) || i >= len(q) || p[i] != q[i]:
			all += weights[i]
		case p[i] == 0: // lengths and flags of many protocols begin with such
			same += weights[i] / 2
			all += weights[i] / 2
		default:
			same += weights[i]
			all += weights[i]
		}
	}
	common := 0
	for i, j := 0, 0; i < len(a.grams) && j < len(b.grams); {
		switch x, y := a.grams[i], b.grams[j]; {
		case x == y:
			common++
			i++
			j++
		case x < y:
			i++
		default:
			j++
		}
	}
	// Jaccard's index.
	return max(float64(same)/float64(all), float64(common)/float64(max(1, len(a.grams)+len(b.grams)-common)))
}

// link joins the most similar clusters, on the average of their responses, as long as they are alike.
func link(items []*item) [][]*item {
	n := len(items)
	likenesses := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i {
			likenesses.SetSym(i, j, likeness(items[i], items[j]))
		}
	}
	clusters := make([][]*item, n)
	for i := range clusters {
		clusters[i] = []*item{items[i]}
	}
	// A chain of nearest neighbours ends with two that are each other's (Murtagh, Computational Statistics Quarterly 1, 1984).
	nearest := func(i, before int) (best int, most float64) {
		best = -1
		if before >= 0 {
			best, most = before, likenesses.At(i, before)
		}
		for j := range n {
			if j != i && clusters[j] != nil && likenesses.At(i, j) > most {
				best, most = j, likenesses.At(i, j)
			}
		}
		return best, most
	}
	for start := range n {
		if clusters[start] == nil {
			continue
		}
		chain := []int{start}
		for len(chain) > 0 {
			i, before := chain[len(chain)-1], -1
			if len(chain) > 1 {
				before = chain[len(chain)-2]
			}
			j, most := nearest(i, before)
			if most < alike {
				break // nor has what leads to it anything nearer
			}
			if j != before {
				chain = append(chain, j)
				continue
			}
			chain = chain[:len(chain)-2]
			keep, gone := min(i, j), max(i, j)
			a, b := float64(len(clusters[keep])), float64(len(clusters[gone]))
			for k := range n {
				if k != keep && k != gone && clusters[k] != nil {
					likenesses.SetSym(k, keep, (float64(a*likenesses.At(k, keep))+float64(b*likenesses.At(k, gone)))/(a+b))
				}
			}
			clusters[keep] = append(clusters[keep], clusters[gone]...)
			clusters[gone] = nil
			if len(chain) == 0 && clusters[start] != nil {
				chain = append(chain, start)
			}
		}
	}
	return slices.DeleteFunc(clusters, func(c []*item) bool { return c == nil })
}

// assign adds responses to the clusters that they are most like, and gives those that are like none.
func assign(clusters [][]*item, items []*item) (left []*item) {
	some := make([][]*item, len(clusters))
	for i, c := range clusters {
		some[i] = c[:min(compared, len(c))]
	}
	for _, x := range items {
		best, most := -1, 0.0
		for i, c := range some {
			sum := 0.0
			for _, y := range c {
				sum += likeness(x, y)
			}
			if mean := sum / float64(len(c)); mean >= alike && mean > most {
				best, most = i, mean
			}
		}
		if best < 0 {
			left = append(left, x)
			continue
		}
		clusters[best] = append(clusters[best], x)
	}
	return left
}

// byFirstByte makes clusters of responses that are alike in nothing but their first byte, where ten times as many begin with it as
// if all bytes were as frequent.
func byFirstByte(items []*item) (clusters []Cluster, rest []*item) {
	by := make([][]*item, 256)
	for _, x := range items {
		by[x.of.Data[0]] = append(by[x.of.Data[0]], x)
	}
	for _, list := range by {
		if len(list) < 8 || len(list)*256 < 10*len(items) {
			rest = append(rest, list...)
			continue
		}
		c := clusterOf(list)
		c.Mixed = true
		clusters = append(clusters, c)
	}
	return clusters, rest
}
