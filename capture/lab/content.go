package lab

import (
	"fmt"

	"laserdisc/capture/lab/servers"
	"laserdisc/capture/target"
	"laserdisc/datasets"
)

// Content is how often services reveal something beyond their protocol (paper, section 3.3), by their ports. Of what is left out,
// servers.CommonContent has the share on every port.
type Content struct {
	Maker     []OnPorts `json:"maker,omitempty"`      // of TLS: the certificate names a maker of devices
	KnownKey  []OnPorts `json:"known_key,omitempty"`  // of TLS: the private key is printed in a standard
	SharedKey []OnPorts `json:"shared_key,omitempty"` // of TLS: other hosts have the key too, those with a known one included
	Login     []OnPorts `json:"login,omitempty"`      // of HTTP: the page asks for a login
	UPnP      []OnPorts `json:"upnp,omitempty"`       // of HTTP: the Server field is UPnP's
	DeviceSSH []OnPorts `json:"device_ssh,omitempty"` // of SSH: the software is that of devices
}

// OnPorts is a share of the services on some ports. Of several that have a port, the first counts, and if none has it the share
// is 0.
type OnPorts struct {
	Ports string  `json:"ports"` // as scans take them: 80,443, assigned, 1-1023, all
	Share float64 `json:"share"`
}

// contents is a Content made ready: what there is, and which of that each port has.
type contents struct {
	all  []servers.Content
	port [1 << 16]uint8
}

func (c *contents) on(port uint16) *servers.Content { return &c.all[c.port[port]] }

// contentField is a field of a Content, by its name, and where in a servers.Content it belongs.
type contentField struct {
	name string
	list []OnPorts
	of   func(*servers.Content) *float64
}

func (c *Content) fields() []contentField {
	return []contentField{
		{"maker", c.Maker, func(s *servers.Content) *float64 { return &s.Maker }},
		{"known_key", c.KnownKey, func(s *servers.Content) *float64 { return &s.KnownKey }},
		{"shared_key", c.SharedKey, func(s *servers.Content) *float64 { return &s.SharedKey }},
		{"login", c.Login, func(s *servers.Content) *float64 { return &s.Login }},
		{"upnp", c.UPnP, func(s *servers.Content) *float64 { return &s.UPnP }},
		{"device_ssh", c.DeviceSSH, func(s *servers.Content) *float64 { return &s.DeviceSSH }},
	}
}

func (c *Content) check() error {
	_, err := c.compile()
	return err
}

// compile makes it ready, or says what cannot be.
func (c *Content) compile() (*contents, error) {
	on := make([]servers.Content, 1<<16)
	for port := range on {
		on[port] = servers.CommonContent
	}
	for _, f := range c.fields() {
		if f.list == nil {
			continue
		}
		for port := range on {
			*f.of(&on[port]) = 0
		}
		for i := len(f.list) - 1; i >= 0; i-- { // the first counts
			field := fmt.Sprintf("content.%s[%d]", f.name, i)
			if err := share(field+".share", f.list[i].Share); err != nil {
				return nil, err
			}
			ports, err := target.ParsePorts(f.list[i].Ports, datasets.PortSets())
			if err != nil {
				return nil, fmt.Errorf("%s.ports: %w", field, err)
			}
			for _, port := range ports {
				*f.of(&on[port]) = f.list[i].Share
			}
		}
	}
	return distinct(on)
}

// distinct keeps of the contents of all ports those that differ.
func distinct(on []servers.Content) (*contents, error) {
	k := new(contents)
	number := make(map[servers.Content]uint8)
	for port := range on {
		n, ok := number[on[port]]
		if !ok {
			if len(k.all) == 1<<8 {
				return nil, fmt.Errorf("content: the ports differ in more than %d ways", len(k.all))
			}
			n = uint8(len(k.all))
			number[on[port]] = n
			k.all = append(k.all, on[port])
		}
		k.port[port] = n
	}
	return k, nil
}
