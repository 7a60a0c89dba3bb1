package datasets

import (
	"fmt"
	"slices"
	"sync"
)

// Port is one line of the paper's Appendix A.
type Port struct {
	Port uint16

	// Expected is the protocol that the port's assignment leads one to expect,
	// by the name that laserdisc gives to what such a server says first on the
	// wire; "" is none. Hence:
	//   - tls for HTTPS, IMAPS and POP3S, and for 465 and 8883, whose assignments
	//     (RFC 8314 section 7.3; IANA "secure-mqtt") put TLS first. The paper
	//     spoke plain SMTP and MQTT there;
	//   - http for CWMP, which is HTTP (TR-069);
	//   - kubernetes, not tls: laserdisc tells it by its certificate. With TLS 1.3
	//     the certificate is hidden, and such a server is labelled tls;
	//   - none for SCCP, which laserdisc does not know.
	Expected string

	Title   string // the expected protocol as the paper writes it; "" is none
	IANA    string // the port's assignment; "" is none
	Scanner string // what the paper's authors scanned it with; "" is none
	Top30   bool   // among the 30 ports with most SYN-ACKs in a 1 % scan of all
}

var (
	ports    = embedded("ports.tsv", parsePorts)
	expected = sync.OnceValue(func() map[uint16]string {
		by := make(map[uint16]string)
		for _, p := range ports() {
			by[p.Port] = p.Expected
		}
		return by
	})
	popular   = []uint16{80, 443, 7547, 22, 21, 25}
	ephemeral = []uint16{62220, 53194, 49227, 47808, 65535}
)

// Ports gives the paper's 55 ports, in its table's order.
func Ports() []Port { return slices.Clone(ports()) }

// Expected gives the protocol to expect on a port, as Port.Expected does; "" for
// a port that is not of the 55 or has none.
func Expected(port uint16) string {
	return expected()[port]
}

// Assigned gives the 37 of the paper's ports that have an expected protocol and
// a scanner for it (section 3), in its table's order.
func Assigned() []uint16 {
	return numbers(func(p Port) bool { return p.Scanner != "" })
}

// Popular gives the six of the assigned ports that the paper found popular, by Grubbs's test on their SYN-ACKs (section 2).
func Popular() []uint16 { return slices.Clone(popular) }

// Ephemeral gives the five random ports without an assignment on which the paper
// computes the second order of Table 2 (section 4).
func Ephemeral() []uint16 { return slices.Clone(ephemeral) }

// PortSets gives the sets of ports that have a name: "paper" (all 55),
// "assigned" and "ephemeral".
func PortSets() map[string][]uint16 {
	return map[string][]uint16{
		"paper":     numbers(func(Port) bool { return true }),
		"assigned":  Assigned(),
		"ephemeral": Ephemeral(),
	}
}

func numbers(keep func(Port) bool) []uint16 {
	var list []uint16
	for _, p := range ports() {
		if keep(p) {
			list = append(list, p.Port)
		}
	}
	return list
}

func parsePorts(name string, text []byte) ([]Port, error) {
	columns := []string{"port", "expected", "protocol", "iana", "scanner", "top30"}
	rows, err := parseRows(name, text, columns, func(c *cells) Port {
		var p Port
		p.Port = c.port()
		p.Title = c.text()
		p.Expected = c.text()
		p.IANA = c.text()
		p.Scanner = c.text()
		p.Top30 = cell(c, parseYes)
		return p
	})
	if err != nil {
		return nil, err
	}
	line := make(map[uint16]int)
	for i, p := range rows {
		if first, ok := line[p.Port]; ok {
			return nil, fmt.Errorf("%s:%d: port %d is on line %d already", name, i+2, p.Port, first)
		}
		line[p.Port] = i + 2
	}
	return rows, nil
}
