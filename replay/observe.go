package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"laserdisc/capture/dissect"
	"laserdisc/capture/packet"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// Observe reads a capture that something else made, pcap or pcapng: ZMap with LZR, ZGrab, a browser. There is no log of
// events to play back and nothing to compare with, so that it goes through a session.Observer. Its manifest says what is
// known of it.
//
// The sink gets the attempts alone, whose Number is that of their SYN in the capture: a session.Summary makes services of
// them, once all attempts at one are known.
func Observe(ctx context.Context, path string, o Options, sink Sink) (*Result, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("replay: %s is not a regular file, and a capture is read twice", path)
	}
	digest := make(chan digested, 1)
	go func() { digest <- fileDigest(ctx, path) }()
	result, err := observe(ctx, path, o, sink)
	d := <-digest
	if d.err != nil {
		return nil, d.err
	}
	if err != nil {
		return nil, err
	}
	result.Manifest.Observed = &record.Observed{Path: path, SHA256: d.sum, Other: result.Other, Skipped: result.Skipped}
	return result, nil
}

func observe(ctx context.Context, path string, o Options, sink Sink) (*Result, error) {
	r, err := record.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	limit := session.Defaults().ResponseLimit
	m := &record.Manifest{
		Format: record.ManifestFormat, Go: runtime.Version(), GOARCH: runtime.GOARCH,
		Settings: session.Settings{ResponseLimit: limit},
	}
	if own := r.Manifest(); own != nil { // a record of ours, its packets only
		m.Synthetic, m.Anonymized = own.Synthetic, own.Anonymized
	}
	result := &Result{Manifest: m, Parts: 1}
	observer := session.NewObserver(limit, sink(1).Attempt)
	dissector := dissect.New()
	var first, last int64
	for ctx.Err() == nil {
		var b record.Batch
		if err = r.NextBatch(&b); errors.As(err, new(*record.LostError)) {
			if result.Damage == nil {
				result.Damage = err
			}
			r.GoOn()
			continue
		}
		if err != nil {
			break
		}
		for i := range b.Frames {
			f := &b.Frames[i]
			if f.Time != 0 {
				if first == 0 {
					first = f.Time
				}
				last = max(last, f.Time)
			}
			s := packet.Segment{Time: f.Time, Number: f.Number}
			if bad := dissector.Decode(f.LinkType, f.Data, &s); bad != nil {
				if errors.Is(bad, packet.ErrOther) { // than TCP, or an error about it
					result.Other++
				}
				continue // what else was skipped the dissector counts
			}
			if err := observer.Observe(&s); err != nil {
				return nil, err
			}
		}
		result.Packets += uint64(len(b.Frames))
		b.Release()
		if o.Progress != nil {
			p := Progress{Packets: result.Packets}
			p.Read, p.Size = r.Position()
			o.Progress(p)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	switch {
	case errors.As(err, &result.Truncated) && result.Packets > 0:
	case damaged(err) && result.Packets > 0:
		if result.Damage == nil {
			result.Damage = err
		}
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if first != 0 {
		m.Start, m.End = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
	}
	result.Skipped = dissector.End()
	return result, observer.End()
}

// digested is a file's digest, or why it has none.
type digested struct {
	sum string
	err error
}

// fileDigest is the SHA-256 of a file's bytes.
func fileDigest(ctx context.Context, path string) digested {
	f, err := os.Open(path)
	if err != nil {
		return digested{err: fmt.Errorf("replay: %w", err)}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, interruptible{ctx, f}); err != nil {
		return digested{err: fmt.Errorf("replay: %s: %w", path, err)}
	}
	return digested{sum: hex.EncodeToString(h.Sum(nil))}
}

// interruptible reads until ctx is done.
type interruptible struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r interruptible) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(b)
}
