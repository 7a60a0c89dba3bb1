package analysis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const curvesText = `
	addr     port  state      label      evidence
	10.0.0.1 80    sends_data http       certain
	10.0.0.1 8080  sends_data http       likely
	10.0.0.1 8081  sends_data http       weak
	10.0.0.1 443   dynamic_blocking tls  certain
	10.0.0.2 80    sends_data http       certain
	10.0.0.2 81    sends_data unknown    none
	10.0.0.2 8080  all_ports  -          none
	10.0.0.3 443   closed     tls        certain
	10.0.0.3 7547  sends_data http       certain
	2001:db8::1 443 sends_data kubernetes likely`

// toldCurves is what Curves give.
func toldCurves(c *Curves) []string {
	var list []string
	for _, p := range c.Protocols() {
		list = append(list, fmt.Sprint(p.Protocol, p.Services, p.Ports.Ranking(), p.Ports.Kinds()))
	}
	return list
}

func TestCurves(t *testing.T) {
	c := new(Curves)
	if err := c.Add(batchOf(t, c, curvesText)); err != nil {
		t.Fatal(err)
	}
	want := []string{"http4 [{80 2} {7547 1} {8080 1}] {3 2 1 4}", "kubernetes1 [{443 1}] {1 1 0 1}", "tls1 [{443 1}] {1 1 0 1}"}
	if d := cmp.Diff(want, toldCurves(c)); d != "" {
		t.Error(d)
	}
	err := c.Add(batchOf(t, c, strings.ReplaceAll(curvesText, "10.0.0.3", "host3")))
	if want := `column "addr": ParseAddr("host3")`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, should say %q", err, want)
	}
}
