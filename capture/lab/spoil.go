package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"laserdisc/capture/handshake"
	"laserdisc/capture/lab/servers"
	"laserdisc/capture/lab/tcp"
)

// Spoil says which services a wrong handshake spoils for the right one (paper, section 4.3): those of a protocol that have
// answered the wrong one with data refuse or ignore whoever sent it, for some time.
type Spoil struct {
	Protocol string  `json:"protocol"`     // whose services they are
	By       string  `json:"by,omitempty"` // the wrong handshake, and what looks like it to a server; empty: any that is not the protocol's own
	Share    float64 `json:"share"`        // of the services that answer it with data
	Resets   float64 `json:"resets"`       // share of these that reset a SYN; the others ignore it
	For      Weights `json:"for"`          // how long, in rising order: {"5s": 75, "2m": 25} is up to 5 s, and from there to 2 min
}

// longestSpoil bounds how long a service remembers.
const longestSpoil = 10 * time.Minute

func (p *Population) checkSpoils() error {
	for i, s := range p.Spoils {
		field := fmt.Sprintf("spoils[%d]", i)
		if servers.Index(s.Protocol) < 0 {
			return fmt.Errorf("%s.protocol: there is no %q", field, s.Protocol)
		}
		if h, ok := handshake.Lookup(s.By); s.By != "" && (!ok || h.Hello == nil) {
			return fmt.Errorf("%s.by: no handshake %q says anything", field, s.By)
		}
		if err := share(field+".share", s.Share); err != nil {
			return err
		}
		if err := share(field+".resets", s.Resets); err != nil {
			return err
		}
		last := time.Duration(0)
		rising := func(name string) bool {
			long, err := time.ParseDuration(name)
			ok := err == nil && long > last && long <= longestSpoil
			last = long
			return ok
		}
		for _, x := range s.For {
			if !rising(x.Name) {
				return fmt.Errorf("%s.for: %q is not a time above the one before it and up to %v", field, x.Name, longestSpoil)
			}
		}
		if err := s.For.check(field+".for", func(string) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// newSpoil makes a Spoil ready.
func (n *Network) newSpoil(s *Spoil) tcp.Spoil {
	r := tcp.Spoil{Any: s.By == "", Share: s.Share, Resets: s.Resets}
	if i := slices.IndexFunc(n.words, func(w words) bool { return w.name == s.By }); i >= 0 {
		r.By = n.words[i].kind
	}
	sum, total := 0.0, s.For.sum()
	for _, x := range s.For {
		long, _ := time.ParseDuration(x.Name) // which Check has seen
		sum += x.Share
		r.For = append(r.For, tcp.Spell{UpTo: sum / total, Longest: long})
	}
	return r
}

// Spoiled tells for how long after its answer to a handshake a service lets nobody through who has sent it, and whether it
// resets his SYNs until then. It is 0 if there is no such service, or no such handshake, or it does not mind, or does not answer.
func (n *Network) Spoiled(at netip.AddrPort, handshake string) (long time.Duration, resets bool) {
	s, ok := n.find(at)
	i := slices.IndexFunc(n.words, func(w words) bool { return w.name == handshake })
	if !ok || i < 0 || s.Behaviour != tcp.Serves {
		return 0, false
	}
	w := &n.words[i]
	if answer, _ := s.Answer(w.kind, w.said); len(answer) == 0 {
		return 0, false
	}
	return s.Spoiled(w.kind)
}
