package analysis

import (
	"fmt"

	"laserdisc/capture/handshake"
)

// handshakeNamed takes a name that the table does not have for one of another version's: what
// is read here is what a handshake was called and what came of it.
func handshakeNamed(name string) *handshake.Protocol {
	if p, ok := handshake.Lookup(name); ok {
		return p
	}
	return &handshake.Protocol{Name: name}
}

func evidenceNamed(name string) (handshake.Evidence, error) {
	for e := handshake.None; e <= handshake.Certain; e++ {
		if e.String() == name {
			return e, nil
		}
	}
	return 0, fmt.Errorf("no evidence is called %q", name)
}

// The matches of a verdict are two lists side by side, so that SQL can ask for a name in one.

func matchNames(a *attempt) cell {
	return matchTexts(a, func(m handshake.Match) string { return m.Protocol.Name })
}

func matchEvidence(a *attempt) cell {
	return matchTexts(a, func(m handshake.Match) string { return m.Evidence.String() })
}

func matchTexts(a *attempt, text func(handshake.Match) string) cell {
	var c cell
	for _, m := range a.Verdict.Matches {
		c.texts = append(c.texts, text(m))
	}
	return c
}

func setMatchNames(a *attempt, c cell) error {
	for _, name := range c.texts {
		a.Verdict.Matches = append(a.Verdict.Matches, handshake.Match{Protocol: handshakeNamed(name)})
	}
	return nil
}

// setMatchEvidence completes what setMatchNames began: the columns are read in their order.
func setMatchEvidence(a *attempt, c cell) (err error) {
	if len(c.texts) != len(a.Verdict.Matches) {
		return fmt.Errorf("%d of them for %d matches", len(c.texts), len(a.Verdict.Matches))
	}
	for i, name := range c.texts {
		if a.Verdict.Matches[i].Evidence, err = evidenceNamed(name); err != nil {
			return err
		}
	}
	return nil
}
