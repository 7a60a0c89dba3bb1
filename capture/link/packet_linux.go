package link

import (
	"errors"
	"net/netip"
)

// Open opens an interface for scanning.
func Open(Config) (Link, error) { return nil, errors.New("not yet") }

// Serve opens an interface for answering.
func Serve(string, []netip.Prefix) (Link, error) { return nil, errors.New("not yet") }
