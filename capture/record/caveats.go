package record

import "fmt"

// Caveats says what a reader of the run's results has to know because they are not of the whole scan that was meant, one
// sentence each; none if they are.
func (m *Manifest) Caveats() []string {
	var list []string
	if missing := m.Missing(); missing != "" {
		list = append(list, fmt.Sprintf("of %d shards of the scan, these are missing: %s", m.Sample.Shards, missing))
	}
	for _, r := range m.Recorded() {
		shard := ""
		if len(m.Shards) > 0 {
			shard = fmt.Sprintf("shard %d: ", r.Sample.Shard)
		}
		for _, caveat := range r.ownCaveats() {
			list = append(list, shard+caveat)
		}
	}
	return list
}

// ownCaveats are those of one record.
func (m *Manifest) ownCaveats() []string {
	var list []string
	if m.Partial != "" {
		list = append(list, "the tables have only a part of the record: "+m.Partial)
	}
	switch {
	case m.Observed != nil:
	case m.End.IsZero() && m.Partial == "": // the packets have their end, which a killed scan's do not
		list = append(list, "how the scan ended is not known, as its manifest.json is missing or of its start: maybe not every target was probed")
	case m.End.IsZero():
		list = append(list, "the scan was killed: not every target was probed")
	case m.Problem != "":
		list = append(list, "the scan was ended by an error, and is not whole: "+m.Problem)
	case m.Interrupted:
		list = append(list, "the scan was interrupted: not every target was probed")
	case m.EndedBy == EndedMaxTargets || m.EndedBy == EndedMaxResults || m.EndedBy == EndedMaxRuntime:
		list = append(list, fmt.Sprintf("the scan was ended by --%s: not every target was probed", m.EndedBy))
	}
	return list
}
