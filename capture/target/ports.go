package target

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ParsePorts reads a list of ports: numbers, ranges ("8000-8100"), "all" (1 to
// 65535) and the names in sets, separated by commas, in any order and as often
// as one likes. It gives each port once, in ascending order.
//
// Port 0 is an error, for it is reserved (RFC 6335 section 6): Linux and most
// other systems can neither listen nor connect to it.
func ParsePorts(list string, sets map[string][]uint16) ([]uint16, error) {
	var named [1 << 16]bool
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if set, ok := sets[item]; ok {
			for _, port := range set {
				named[port] = true
			}
			continue
		}
		first, last, err := parseRange(item)
		if err != nil {
			names := slices.Sorted(maps.Keys(sets))
			return nil, fmt.Errorf("%w: ports are numbers from 1 to 65535, ranges such as 8000-8100, or %s",
				err, strings.Join(append(names, "all"), ", "))
		}
		for port := int(first); port <= int(last); port++ {
			named[port] = true
		}
	}
	var ports []uint16
	for port, is := range named {
		if is {
			ports = append(ports, uint16(port))
		}
	}
	return ports, nil
}

func parseRange(item string) (first, last uint16, err error) {
	if item == "all" {
		return 1, 65535, nil
	}
	from, to, isRange := strings.Cut(item, "-")
	if !isRange {
		to = from
	}
	if first, err = parsePort(strings.TrimSpace(from)); err != nil {
		return 0, 0, err
	}
	if last, err = parsePort(strings.TrimSpace(to)); err != nil {
		return 0, 0, err
	}
	if first > last {
		return 0, 0, fmt.Errorf("range %q runs backwards", item)
	}
	return first, last, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port", s)
	}
	if n == 0 {
		return 0, fmt.Errorf("port 0 is reserved")
	}
	return uint16(n), nil
}
