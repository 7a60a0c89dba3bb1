package main

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"laserdisc/capture/formats"
	"laserdisc/capture/record"
	"laserdisc/capture/session"
)

// printer writes services to w as they are found, in the format that the flags name; nil is none.
func (o *scanOptions) printer(w io.Writer, m *record.Manifest) (func(*session.Service) error, error) {
	w = reader{w, o.out}
	switch {
	case o.format != "" && o.feedZGrab:
		return nil, errors.New("--format and --feed-zgrab both write to standard output: choose one")
	case o.feedZGrab:
		return func(s *session.Service) error { return formats.WriteZGrab(w, s) }, nil
	case o.format == "lzr":
		return func(s *session.Service) error {
			if o.onlyData && s.State != session.SendsData {
				return nil
			}
			return formats.WriteLZR(w, s, m.Handshakes)
		}, nil
	case o.format != "":
		return nil, fmt.Errorf("--format %q: lzr is the only one", o.format)
	}
	return nil, nil
}

// reader is who reads the services that a scan writes.
type reader struct {
	io.Writer
	record string
}

// Write implements io.Writer. What was found before the reader left is not lost.
func (r reader) Write(b []byte) (int, error) {
	n, err := r.Writer.Write(b)
	if errors.Is(err, unix.EPIPE) {
		err = fmt.Errorf("who read the services has left: %w; the record up to here is in %s", err, r.record)
	}
	return n, err
}
