package reports

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"laserdisc/analysis"
	"laserdisc/capture/session"
)

// servicesWhere are the services that a number counts, of those that answered with a SYN-ACK. The zero value is none.
type servicesWhere struct {
	is  func(*analysis.KindExample) bool
	sql string // the same in SQL; "" where that has no words for it
}

// and are the services that fulfil several conditions.
func and(conditions ...servicesWhere) servicesWhere {
	var sql []string
	for _, c := range conditions {
		if c.is == nil {
			return servicesWhere{}
		}
		if c.sql != "" {
			sql = append(sql, c.sql)
		}
	}
	w := servicesWhere{is: func(e *analysis.KindExample) bool {
		for _, c := range conditions {
			if !c.is(e) {
				return false
			}
		}
		return true
	}}
	if len(sql) == len(conditions) {
		w.sql = strings.Join(sql, " AND ")
	}
	return w
}

// onPort are the services on a port.
func onPort(port uint16) servicesWhere {
	return servicesWhere{func(e *analysis.KindExample) bool { return e.Port == port }, fmt.Sprintf("port = %d", port)}
}

// inState are the services in a state.
func inState(state session.State) servicesWhere {
	return servicesWhere{func(e *analysis.KindExample) bool { return e.State == state }, "state = " + quoteSQL(state.String())}
}

// identified is the condition, in SQL, that a service has a label that counts.
const identified = "evidence IN ('likely', 'certain')"

// speaking are the services that were identified as a protocol.
func speaking(protocol string) servicesWhere {
	return servicesWhere{func(e *analysis.KindExample) bool { return e.Label == protocol }, identified + " AND label = " + quoteSQL(protocol)}
}

// speakingOther are the services that were identified as another protocol.
func speakingOther(than string) servicesWhere {
	return servicesWhere{func(e *analysis.KindExample) bool { return e.Label != "" && e.Label != than }, identified + " AND label <> " + quoteSQL(than)}
}

// unidentified are the services that were not identified, and acknowledge data (be it as their host does on every port) or do not.
func unidentified(acks bool) servicesWhere {
	sql := "NOT (" + identified + ") AND state NOT IN ('all_ports', 'acks_data', 'sends_data')"
	if acks {
		sql = "NOT (" + identified + ") AND state IN ('all_ports', 'acks_data', 'sends_data')"
	}
	return servicesWhere{func(e *analysis.KindExample) bool { return e.Label == "" && e.State >= session.AllPorts == acks }, sql}
}

// announcedBy are the services whose addresses an AS announces.
func announcedBy(asn uint32) servicesWhere {
	return servicesWhere{func(e *analysis.KindExample) bool { return e.ASN == asn }, fmt.Sprintf("asn = %d", asn)}
}

// where are the services that the share counts, of whatever group it is; none for shares of hosts.
func (s *classShare) where(b *byClass) servicesWhere {
	if s.of == ofHosts || s.services == 0 {
		return servicesWhere{}
	}
	counted := servicesWhere{is: func(e *analysis.KindExample) (is bool) {
		if s.class != everyPort && classOf(e.Port) != s.class {
			return false
		}
		b.groups(e.Port, e.State, e.Label, func(o of, kinds []string) {
			is = is || o == s.of && (slices.Contains(kinds, s.kind) || s.kind == onEveryPort && e.State == session.AllPorts)
		})
		return is
	}}
	if s.port < 0 {
		return counted
	}
	return and(onPort(uint16(s.port)), counted)
}

// examples are services of a dataset, one of each kind.
type examples struct {
	dir  string
	list []analysis.KindExample
}

// examples reads the services of each dataset.
func (s sources) examples(ctx context.Context) (map[string]examples, error) {
	of := make(map[string]examples)
	for _, one := range s {
		fold := new(analysis.Examples)
		if err := one.dataset.Fold(ctx, fold); err != nil {
			return nil, err
		}
		of[one.Dir] = examples{one.Dir, fold.List()}
	}
	return of, nil
}

// commands print one of the services: its story, and its row with DuckDB. It is the one with the lowest address in the first dataset
// that has one.
func (s shown) commands(w servicesWhere) string {
	if w.is == nil {
		return ""
	}
	for _, from := range s.examples {
		for i := range from.list {
			e := &from.list[i]
			if !w.is(e) {
				continue
			}
			story := "laserdisc show " + quoteShell(from.dir) + " " + quoteShell(netip.AddrPortFrom(e.Addr, e.Port).String())
			if w.sql == "" {
				return story
			}
			return story + "\n" + w.query(from.dir)
		}
	}
	return ""
}

// query prints the row of one of the services, with DuckDB. The frame is where it is found in the record.
func (w servicesWhere) query(dir string) string {
	return "duckdb -c " + quoteShell("SELECT addr, port, state, label, evidence, first_frame FROM "+quoteSQL(filepath.Join(dir, "services*.parquet"))+
		" WHERE state NOT IN ('no_answer', 'unreachable', 'closed') AND "+w.sql+" LIMIT 1")
}
