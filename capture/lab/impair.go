package lab

import (
	"bufio"
	"encoding/json"
	"io"
	"iter"
	"net/netip"
	"slices"

	"laserdisc/capture/lab/draw"
	"laserdisc/capture/packet"
)

// Loss is a packet that was lost on its way to or from a service.
type Loss struct {
	Time    int64          `json:"time"` // ns since the Unix epoch
	Service netip.AddrPort `json:"service"`
	Client  netip.AddrPort `json:"client"`
	Inbound bool           `json:"inbound"` // on the way to the service
	Flags   string         `json:"flags"`   // as in "SYN|ACK"
	Payload int            `json:"payload"` // bytes
}

// Lost iterates over the lost packets of services, in the order of loss. Those to addresses and
// ports where nothing lives are only counted.
func (n *Network) Lost() iter.Seq[Loss] { return slices.Values(n.lost) }

// WriteLost writes them as JSON lines.
func (n *Network) WriteLost(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for _, l := range n.lost {
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return b.Flush()
}

func (m *Impairments) impaired() bool { return m.Loss > 0 || m.Duplicate > 0 || m.Reorder > 0 }

// fate is what happens to one packet: three draws from the bits of its number.
func (n *Network) fate(number, direction uint64) (lost, twice, held bool) {
	m := &n.population.Network
	d := draw.Source{Key: n.key, This: n.key.Draw(number, direction)}
	return d.Unit(1) < m.Loss, d.Unit(2) < m.Duplicate, d.Unit(3) < m.Reorder
}

// arrives reports whether a frame from the client is to be handled now.
func (n *Network) arrives(now int64, frame []byte) bool {
	n.arrivals++
	lost, twice, held := n.fate(n.arrivals, draw.ForArrival)
	if lost {
		n.counters.LostIn++
		s := &n.in
		if s.Decode(packet.LinkEthernet, frame) == nil && s.ICMP == 0 {
			n.lose(now, s.Dst, s.Src, true, s)
		}
		return false
	}
	copies := 0
	if twice {
		n.counters.Duplicated++
		copies++
	}
	if held {
		n.counters.Reordered++
		copies++
	}
	for range copies {
		n.tcp.HoldBack(now+max(int64(n.population.Network.HoldBack), 1), frame)
	}
	return !held
}

// depart emits a frame, which carries out, at the time given, if the network lets it through. It
// returns the time.
func (n *Network) depart(now, at int64, out *packet.Segment, frame []byte) int64 {
	m := &n.population.Network
	number := n.counters.Sent + n.counters.LostOut + 1
	if m.Jitter > 0 {
		at += int64(draw.Unit(n.key.Draw(number, draw.ForDelay)) * float64(m.Jitter))
	}
	if !m.impaired() {
		n.counters.Sent++
		n.emit(at, frame)
		return at
	}
	lost, twice, held := n.fate(number, draw.ForDeparture)
	if lost {
		n.counters.LostOut++
		n.lose(now, out.Src, out.Dst, false, out)
		return at
	}
	n.counters.Sent++
	if held {
		n.counters.Reordered++
		n.emit(at+int64(m.HoldBack), frame)
	} else {
		n.emit(at, frame)
	}
	if twice {
		n.counters.Duplicated++
		n.emit(at+int64(m.HoldBack), frame)
	}
	return at
}

// lose writes the loss of s into the log, if it was to or from a service.
func (n *Network) lose(now int64, server, client netip.AddrPort, inbound bool, s *packet.Segment) {
	if _, ok := n.find(server); ok {
		n.lost = append(n.lost, Loss{now, server, client, inbound, s.Flags.String(), len(s.Payload)})
	}
}
