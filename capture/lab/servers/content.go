package servers

import "laserdisc/capture/lab/draw"

// Content is how often what servers say reveals something beyond their protocol (paper, section 3.3): shares of the services of a
// protocol, 0 to 1, which may differ from port to port.
type Content struct {
	Maker     float64 // of TLS: the certificate names a maker of devices
	KnownKey  float64 // of TLS: its private key is printed in a standard
	SharedKey float64 // of TLS: its key is that of other hosts, too; those with a known key are among them
	Login     float64 // of HTTP: the page asks for a login
	UPnP      float64 // of HTTP: the Server field is that of UPnP
	DeviceSSH float64 // of SSH: the software is one that devices have
}

// CommonContent is that of populations that say nothing of it.
var CommonContent = Content{Maker: 0.35, KnownKey: 0.02, SharedKey: 0.2, Login: 0.2, UPnP: 0.05, DeviceSSH: 0.35}

// Reveals are the names of the fields of Content of which the service is, as population files call them: what can be read from what
// it says to a client of its own protocol.
func (s *Service) Reveals() (names []string) {
	add := func(name string, is bool) {
		if is {
			names = append(names, name)
		}
	}
	switch s.Protocol.Name {
	case "kubernetes", "tls":
		key := s.keyOf()
		add("maker", s.isDevices() && s.Protocol.Name == "tls")
		add("known_key", key == sharedKeys)
		add("shared_key", key <= sharedKeys)
	case "http":
		add("login", !s.takesCWMP() && s.Unit(draw.ForLogin) < s.Content.Login)
		add("upnp", s.Unit(draw.ForUPnP) < s.Content.UPnP)
	case "ssh":
		add("device_ssh", s.Unit(draw.ForSoftware) < s.Content.DeviceSSH)
	}
	return names
}

// isDevices reports whether the service's host is one whose certificate names its maker. A host that is so where the share is low
// is so wherever it is higher.
func (s *Service) isDevices() bool { return s.Host.Unit(draw.ForMaker) < s.Content.Maker }

// keyOf is the number of the service's key: few of those that hosts share, the last of which is known, and one for each other host.
func (s *Service) keyOf() uint64 {
	switch x := s.Host.Unit(draw.ForKey); {
	case x < s.Content.KnownKey:
		return sharedKeys
	case x < s.Content.SharedKey:
		return uint64(s.Host.Below(draw.ForText, sharedKeys))
	}
	return s.Host.This | 1<<63
}

// sharedKeys is how many keys are those of many hosts. They are so few that a sample of the hosts has each several times.
const sharedKeys = 16

// choose returns one of the variants: of the first n with the share, and otherwise of the others.
func choose[T any](s *Service, purpose uint64, share float64, variants []T, n int) *T {
	if s.Unit(purpose) < share {
		return &variants[s.Below(draw.ForVariant, n)]
	}
	return &variants[n+s.Below(draw.ForVariant, len(variants)-n)]
}
