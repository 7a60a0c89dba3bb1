package replay_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"laserdisc/capture"
	"laserdisc/capture/lab"
	"laserdisc/capture/link"
	"laserdisc/capture/session"
	"laserdisc/replay"
)

// printer prints the services that are found at some of the hosts.
type printer struct{}

func (printer) Attempt(*session.Attempt) error { return nil }
func (printer) Resumed([]netip.AddrPort)       {}
func (printer) Service(s *session.Service) error {
	fmt.Println(s.Service, s.State, s.Label)
	return nil
}

// A scan of one simulated host is recorded, and its record played back.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	p, err := lab.Parse("one host", []byte(`{
		"name": "one host", "synthetic": "an example", "prefixes": ["198.18.0.0/32"], "density": 1,
		"hosts": [{"name": "host", "weight": 1, "closed": {"reset": 1}}], "stacks": {"linux": 1},
		"ports": [{"port": 80, "open": 1, "acks": 1, "protocols": {"http": 1}}], "pace": {"prompt": 1},
		"network": {"delay": "1ms", "spread": "1ms", "jitter": "1ms", "hold_back": "1ms"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	m := manifest(1)
	m.Handshakes = []string{"http"}
	run := filepath.Join(dir, "run")
	s := capture.Scan{
		Dir: run, Manifest: m, Targets: listOf(netip.MustParseAddrPort("198.18.0.0:80"), netip.MustParseAddrPort("198.18.0.0:81")),
		Link: link.NewMemory(lab.New(p, 1), epoch),
	}
	if err := s.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}

	result, err := replay.Run(context.Background(), run, replay.Options{Workers: 1}, func(int) replay.Rows { return printer{} })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Packets, "packets; identical:", result.Difference == nil && result.Truncated == nil)
	// Output:
	// 198.18.0.0:80 sends_data http
	// 8 packets; identical: true
}
