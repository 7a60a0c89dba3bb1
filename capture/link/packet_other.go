//go:build !linux

package link

import (
	"errors"
	"net/netip"
)

var errNotLinux = errors.New("link: live packets need Linux (AF_PACKET); runs can be played back here, and the in-memory lab scanned")

// Open opens an interface for scanning; it needs Linux.
func Open(Config) (Link, error) { return nil, errNotLinux }

// Serve opens an interface for answering; it needs Linux.
func Serve(string, []netip.Prefix) (Link, error) { return nil, errNotLinux }
