package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
)

// AS is an autonomous system of the simulated Internet: whose addresses are whose. It changes nothing in what lives there.
type AS struct {
	ASN      uint32         `json:"asn"`
	Name     string         `json:"name"`
	Prefixes []netip.Prefix `json:"prefixes"` // that it announces; none of them is another's too
}

func (p *Population) checkASes() error {
	var all []netip.Prefix
	for i, as := range p.ASes {
		field := fmt.Sprintf("ases[%d]", i)
		if as.ASN == 0 {
			return fmt.Errorf("%s.asn: is missing", field)
		}
		if slices.ContainsFunc([]rune(as.Name), func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("%s.name: %q has a control character", field, as.Name)
		}
		for j, x := range as.Prefixes {
			switch {
			case x != x.Masked():
				return fmt.Errorf("%s.prefixes[%d]: %s has bits beyond its length: write %s", field, j, x, x.Masked())
			case slices.Contains(all, x):
				return fmt.Errorf("%s.prefixes[%d]: %s is there twice", field, j, x)
			}
			all = append(all, x)
		}
	}
	return nil
}

// WriteASes writes which AS announces which prefix, as text that package asn reads: address, length, AS and name, separated by
// tabs.
func (p *Population) WriteASes(w io.Writer) error {
	if len(p.ASes) == 0 {
		return errors.New("lab: the population has no ases")
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s: %s\n", p.Name, p.Synthetic)
	for _, as := range p.ASes {
		for _, x := range as.Prefixes {
			fmt.Fprintf(b, "%s\t%d\t%d\t%s\n", x.Addr(), x.Bits(), as.ASN, as.Name)
		}
	}
	return b.Flush()
}
