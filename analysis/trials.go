package analysis

import (
	"fmt"
	"net/netip"
	"slices"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
	"laserdisc/replay/order"
)

// Trials gathers what each handshake drew from each service in runs with --all-handshakes: what
// the order of handshakes (Table 2) and the matrix (Figure 10) are made from.
type Trials struct {
	handshakes []string
	services   map[netip.AddrPort]*Trial
}

// Trial is one service under every handshake. Sets are over Trials.Handshakes.
type Trial struct {
	Service  netip.AddrPort
	Label    string // protocol that the best evidence is for, of equals the earliest; "" if none is likely
	evidence handshake.Evidence

	Tried      order.Set
	SentData   order.Set // what made it send any data
	Identified order.Set // what made it send data that identifies it, see Identifies
}

// Identifies reports whether an attempt identifies its service: it made the service send data
// whose label is a protocol, with certain or likely evidence. What other handshakes brought from
// the same service does not matter: a scan that tries this one first sees no more than this.
func Identifies(a *session.Attempt) bool {
	return a.State == session.SendsData && a.Verdict.Evidence >= handshake.Likely
}

// NewTrials starts with the handshakes of a run, in its order.
func NewTrials(handshakes []string) *Trials {
	return &Trials{handshakes: slices.Clone(handshakes), services: make(map[netip.AddrPort]*Trial)}
}

// Handshakes is the list that the sets are over: those of NewTrials, then others as they came.
func (t *Trials) Handshakes() []string { return slices.Clone(t.handshakes) }

// Add takes one attempt into account; attempts at one service come in their order. A service that
// never connected is none, and second looks are left out. It is an error if there are more than order.MaxHandshakes handshakes.
func (t *Trials) Add(a *session.Attempt) error {
	if a.Visit != session.First {
		return nil
	}
	h, err := t.index(a.Handshake.Name)
	if err != nil {
		return err
	}
	trial := t.services[a.Service]
	if trial == nil {
		if !a.State.Connected() {
			return nil
		}
		trial = &Trial{Service: a.Service}
		t.services[a.Service] = trial
	}
	trial.Tried.Add(h)
	if a.State == session.SendsData {
		trial.SentData.Add(h)
	}
	if !Identifies(a) {
		return nil
	}
	trial.Identified.Add(h)
	if a.Verdict.Evidence > trial.evidence {
		trial.Label, trial.evidence = a.Verdict.Label, a.Verdict.Evidence
	}
	return nil
}

func (t *Trials) index(name string) (int, error) {
	if h := slices.Index(t.handshakes, name); h >= 0 {
		return h, nil
	}
	if len(t.handshakes) == order.MaxHandshakes {
		return 0, fmt.Errorf("analysis: handshake %q is one more than %d", name, order.MaxHandshakes)
	}
	t.handshakes = append(t.handshakes, name)
	return len(t.handshakes) - 1, nil
}

// Services gives every trial, in the order of (address, port).
func (t *Trials) Services() []Trial {
	list := make([]Trial, 0, len(t.services))
	for _, trial := range t.services {
		list = append(list, *trial)
	}
	slices.SortFunc(list, func(a, b Trial) int { return a.Service.Compare(b.Service) })
	return list
}

// Order gives the trials as replay/order takes them, with Handshakes as the list that goes with
// the sets. Expected is the protocol to expect on a port, "" for none.
func (t *Trials) Order(expected func(port uint16) string) []order.Service {
	var list []order.Service
	for _, trial := range t.Services() {
		port := trial.Service.Port()
		list = append(list, order.Service{
			Port: port, Expected: expected(port), Label: trial.Label, Identified: trial.Identified,
		})
	}
	return list
}
