package target

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// dryRun reads what `zmap --dryrun` prints, four lines a packet:
//
//	tcp { source: 65289 | dest: 80 | seq: 4056383391 | checksum: 0XB70A }
//	ip { saddr: 192.0.2.1 | daddr: 198.18.0.3 | checksum: 0X5F87 }
//	eth { shost: 42:a2:4f:4b:49:fc | dhost: 02:00:00:00:00:01 }
//	------------------------------------------------------
type dryRun struct {
	port string // of the packet whose address is to come
}

// line reads one line. isIt says whether it is of a dry run at all, and ready whether the packet's
// target is known with it.
func (d *dryRun) line(text string) (e entry, ready, isIt bool, err error) {
	switch {
	case strings.HasPrefix(text, "tcp {"):
		d.port = field(text, "dest")
	case strings.HasPrefix(text, "ip {"):
		e, err = d.target(field(text, "daddr"))
		return e, err == nil, true, err
	case !strings.HasPrefix(text, "eth {") && strings.Trim(text, "-") != "":
		return entry{}, false, false, nil
	}
	return entry{}, false, true, nil
}

func (d *dryRun) target(address string) (entry, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return entry{}, fmt.Errorf("a packet of a dry run, but no daddr: %w", err)
	}
	port, err := strconv.ParseUint(d.port, 10, 16)
	if err != nil || port == 0 {
		return entry{}, fmt.Errorf("a packet of a dry run to %v, but no port before it in a line tcp { ... dest: PORT ... }", addr)
	}
	d.port = ""
	return entry{unmapPrefix(hostPrefix(addr)), uint16(port)}, nil
}

// field finds a value in "layer { name: value | name: value }".
func field(text, name string) string {
	for part := range strings.SplitSeq(strings.Trim(text[strings.Index(text, "{"):], "{} "), "|") {
		if key, value, ok := strings.Cut(part, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
