package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"laserdisc/capture/session"
)

// Agrees compares the services.jsonl that the live scan wrote into dir with what playback found:
// every service, every field. The error names the first line that differs.
func (r *Result) Agrees(dir string) error {
	path := filepath.Join(dir, "services.jsonl")
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	played := make(map[netip.AddrPort]*session.Service)
	for _, s := range r.Services {
		played[s.Service] = s
	}
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = agree(bytes.TrimSuffix(line, []byte("\n")), played)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	for _, s := range r.Services {
		if _, left := played[s.Service]; left {
			return fmt.Errorf("%s: %v is missing, and %d more that playback found", path, s.Service, len(played)-1)
		}
	}
	return nil
}

// agree takes the service of one line off those played.
func agree(line []byte, played map[netip.AddrPort]*session.Service) error {
	var id struct {
		Addr netip.Addr
		Port uint16
	}
	if err := json.Unmarshal(line, &id); err != nil {
		return err
	}
	key := netip.AddrPortFrom(id.Addr, id.Port)
	s, ok := played[key]
	if !ok {
		return fmt.Errorf("%v is here twice, or playback did not find it", key)
	}
	delete(played, key)
	again, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, line) {
		return fmt.Errorf("playback says %s", again)
	}
	return nil
}
