package replay

import (
	"cmp"
	"net/netip"
	"slices"

	"laserdisc/capture/session"
)

// Client is who made connections in a capture.
type Client struct {
	Addr     netip.Addr
	Attempts int
}

// mostClients bounds how many clients are told apart; the attempts of others are counted together.
const mostClients = 1 << 16

// clients counts attempts by client.
type clients struct {
	by     map[netip.Addr]int
	others int // attempts of clients beyond mostClients
}

func newClients() *clients { return &clients{by: make(map[netip.Addr]int)} }

func (c *clients) add(a *session.Attempt) {
	at := a.Source.Addr()
	if n := c.by[at]; n > 0 || len(c.by) < mostClients {
		c.by[at] = n + 1
		return
	}
	c.others++
}

// list gives the clients, those with the most attempts first.
func (c *clients) list() []Client {
	list := make([]Client, 0, len(c.by))
	for at, n := range c.by {
		list = append(list, Client{at, n})
	}
	slices.SortFunc(list, func(a, b Client) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), a.Addr.Compare(b.Addr))
	})
	return list
}
