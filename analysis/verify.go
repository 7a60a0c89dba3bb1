package analysis

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"laserdisc/capture/session"
)

// Verify reads every part of the dataset, and compares the order of its rows, their number and their digest with what
// dataset.json tells. The error names the part.
func (d *Dataset) Verify(ctx context.Context) error {
	if err := verify(ctx, d, attempts, d.header.Attempts, func() attempt { return attempt{Attempt: new(session.Attempt)} }); err != nil {
		return err
	}
	return verify(ctx, d, services, d.header.Services, func() service { return service{Service: new(session.Service)} })
}

func verify[R any](ctx context.Context, d *Dataset, t *table[R], h tableHeader, empty func() R) error {
	for _, p := range h.Parts {
		path := filepath.Join(d.dir, p.Name)
		var found part
		var last key
		var canonical []byte
		err := eachRow(ctx, d, t, tableHeader{Parts: []partHeader{p}}, empty, func(row *R) (err error) {
			k := t.key(row)
			if bytes.Compare(k[:], last[:]) < 0 {
				return fmt.Errorf("analysis: %s: row %d is out of order", path, found.rows)
			}
			last = k
			if canonical, err = t.appendRow(canonical[:0], row); err != nil {
				return fmt.Errorf("analysis: %s: row %d: %w", path, found.rows, err)
			}
			found.rows++
			found.digest.add(canonical)
			return nil
		})
		if err != nil {
			return err
		}
		if found.digest != p.Digest {
			return fmt.Errorf("analysis: %s: its %d rows have the digest %v, not the %v that %s tells of", path, found.rows, found.digest, p.Digest, headerFile)
		}
	}
	return nil
}
