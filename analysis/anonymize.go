package analysis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"laserdisc/analysis/asn"
	"laserdisc/capture/anonymize"
	"laserdisc/capture/handshake"
	"laserdisc/capture/record"
)

// RelabeledError says that what a server sent would be labelled otherwise once it is anonymized.
type RelabeledError struct {
	Attempts int
	First    string // the service, and both labels
}

func (e *RelabeledError) Error() string {
	return fmt.Sprintf("analysis: anonymized, %d attempts would have another label; one: %s", e.Attempts, e.First)
}

// Anonymize makes a dataset in dir of another: the same rows with other addresses, and with responses and reset texts as
// anonymize.Key.Payload leaves them. The AS columns are empty, and manifests as anonymize.Key.Manifest makes them. States, labels,
// times and numbers of frames stay. A *RelabeledError comes with a dataset that is whole; after another error, or when ctx is
// done, dir is as it was before.
func (d *Dataset) Anonymize(ctx context.Context, dir string, k *anonymize.Key, o Options) (*Dataset, error) {
	if err := distinctDirs([]*Dataset{d}, dir); err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	o.Observed, o.ASes = false, nil
	b, err := Create(dir, o)
	if err != nil {
		return nil, err
	}
	b.finished = true
	var relabeled RelabeledError
	var sources []netip.Addr // of attempts, which come before services: a response may tell its client's address
	err = b.Partition(1).takeChanged(ctx, d, func(a *attempt) error {
		own := []netip.Addr{a.Service.Addr(), a.Source.Addr()}
		if !slices.Contains(sources, a.Source.Addr()) {
			if sources = append(sources, a.Source.Addr()); len(sources) > maxSources {
				return fmt.Errorf("analysis: %s: attempts come from more than %d addresses", d.dir, maxSources)
			}
		}
		before := a.Response
		a.Response, a.ResetText = payload(k, a.Response, own), payload(k, a.ResetText, own)
		var was, is handshake.Verdict
		handshake.Classify(&was, nil, before)
		handshake.Classify(&is, nil, a.Response)
		if was.Label != is.Label || was.Evidence != is.Evidence {
			if relabeled.Attempts++; relabeled.Attempts == 1 {
				relabeled.First = fmt.Sprintf("%v: %s (%v) became %s (%v)", a.Service, was.Label, was.Evidence, is.Label, is.Evidence)
			}
		}
		a.Service, a.Source, a.Reporter = k.AddrPort(a.Service), k.AddrPort(a.Source), k.Addr(a.Reporter)
		return nil
	}, func(s *service) error {
		s.Response = payload(k, s.Response, append([]netip.Addr{s.Service.Service.Addr()}, sources...))
		s.Service.Service, s.Origin = k.AddrPort(s.Service.Service), asn.Origin{}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, b.Abort())
	}
	var runs []*record.Manifest
	for _, m := range d.header.Runs {
		runs = append(runs, k.Manifest(m))
	}
	made, err := b.Close(ctx, runs)
	if err == nil && relabeled.Attempts > 0 {
		err = &relabeled
	}
	return made, err
}

// maxSources is how many addresses a scan's attempts may come from.
const maxSources = 256

func payload(k *anonymize.Key, b []byte, own []netip.Addr) []byte {
	b = bytes.Clone(b)
	k.Payload(b, own...)
	return b
}
