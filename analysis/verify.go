package analysis

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"laserdisc/capture/session"
)

// Verify reads every part of the dataset, and compares the order of its rows, their number and their digest, and the SHA-256 of
// all its bytes, with what dataset.json tells; and that with its own SHA-256. The error names the file.
func (d *Dataset) Verify(ctx context.Context) error {
	if h := &d.header; h.SHA256 == "" {
		return fmt.Errorf("analysis: %s: %w", filepath.Join(d.dir, headerFile), errNoSHA256)
	} else if h.SHA256 != h.found {
		return fmt.Errorf("analysis: %s: it has the SHA-256 %s, not the %s that it tells of", filepath.Join(d.dir, headerFile), h.found, h.SHA256)
	}
	if err := verify(ctx, d, attempts, d.header.Attempts, func() attempt { return attempt{Attempt: new(session.Attempt)} }); err != nil {
		return err
	}
	return verify(ctx, d, services, d.header.Services, func() service { return service{Service: new(session.Service)} })
}

// errNoSHA256 is about what was made before there were such sums.
var errNoSHA256 = errors.New("it tells no SHA-256, so that not all of it can be verified: an earlier laserdisc made it, or it was changed")

// verifyBytes compares a file's SHA-256: rows do not show what stands beside them, such as the statistics that readers skip by.
func verifyBytes(path, told string) error {
	if told == "" {
		return errNoSHA256
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if found := hex.EncodeToString(sum.Sum(nil)); found != told {
		return fmt.Errorf("its rows are right, but its bytes have the SHA-256 %s, not the %s that %s tells of: something beside the rows has changed",
			found, told, headerFile)
	}
	return nil
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
		if err := verifyBytes(path, p.SHA256); err != nil {
			return fmt.Errorf("analysis: %s: %w", path, err)
		}
	}
	return nil
}
