package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"laserdisc/capture/lab/servers"
	"laserdisc/capture/lab/tcp"
	"laserdisc/datasets"
)

// Population is what lives in a simulated Internet: a JSON file. Shares are 0 to 1; weights are
// relative to their sum. datasets/populations has the default, and explains where its numbers come
// from; an unknown field is an error.
type Population struct {
	// Name is the population's own, as manifests and reports show it.
	Name string `json:"name"`
	// Synthetic says, in words, that these hosts do not exist. It is shown wherever results are.
	Synthetic string `json:"synthetic"`
	// Source says where the numbers come from.
	Source string `json:"source,omitempty"`

	Prefixes []netip.Prefix    `json:"prefixes"` // of addresses; hosts live in them
	ASes     []AS              `json:"ases,omitempty"`
	Density  float64           `json:"density"` // share of the addresses that are hosts
	Hosts    []HostClass       `json:"hosts"`
	Stacks   Weights           `json:"stacks"`   // of linux, windows, freebsd, embedded, minimal, wrapping
	Defences []Defence         `json:"defences"` // named mixes of what services do that do not acknowledge data
	Mixes    []NamedMix        `json:"mixes,omitempty"`
	Content  Content           `json:"content,omitzero"`
	Ports    []Port            `json:"ports"`
	Tails    []Tail            `json:"tails,omitempty"`
	Answers  []servers.Answers `json:"answers,omitempty"`
	Options  []servers.Options `json:"options,omitempty"`
	Spoils   []Spoil           `json:"spoils,omitempty"` // where several are of one protocol and handshake, the first counts
	Pace     Weights           `json:"pace"`             // of prompt, late (0.5 to 3 s), byte_by_byte
	Network  Impairments       `json:"network"`
}

// HostClass is a kind of host.
type HostClass struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"`
	// Prefix, if given, makes whole prefixes of that length (of the address family) of this class.
	Prefix int `json:"prefix,omitempty"`
	// Closed has weights for what a port without a service does: reset, ignore, unreachable.
	Closed Weights `json:"closed,omitempty"`
	// Tails multiplies the chance of a service from the tails. 0 is none.
	Tails float64 `json:"tails,omitempty"`
	// EveryPort, if given, makes every port of the host the same service.
	EveryPort *Mix `json:"every_port,omitempty"`
}

// NamedMix are protocols under one name, which stands for them, by their weights, wherever a mix
// asks for protocols.
type NamedMix struct {
	Name      string  `json:"name"`
	Protocols Weights `json:"protocols"`
}

// Mix says what services are.
type Mix struct {
	Acks      float64 `json:"acks"`                // share that acknowledge data
	Defences  string  `json:"defences,omitempty"`  // what the others do; may be left out where all acknowledge
	Protocols Weights `json:"protocols,omitempty"` // what those speak that do, or would
}

// Defence is a named mix of behaviours.
type Defence struct {
	Name       string  `json:"name"`
	Behaviours Weights `json:"behaviours"`
}

// Port is a port that hosts of classes without every_port are likely to serve.
type Port struct {
	Port uint16  `json:"port"`
	Open float64 `json:"open"` // share of those hosts
	Mix
}

// Tail is a protocol's long tail over all ports that Population.Ports does not list.
type Tail struct {
	Protocol string  `json:"protocol"`
	PerHost  float64 `json:"per_host"` // services per host whose class has tails 1
	Skew     float64 `json:"skew"`     // port at rank x of 1 has a share like exp(-skew·x)
	// Head gives ports a share (0 to 1) of these services before the rest is spread over all ports.
	Head []PortShare `json:"head,omitempty"`
}

// PortShare is a port with its share.
type PortShare struct {
	Port  uint16  `json:"port"`
	Share float64 `json:"share"`
}

// Impairments are what the network does to packets, in each direction. Shares are of packets.
type Impairments struct {
	Loss      float64  `json:"loss"`
	Duplicate float64  `json:"duplicate"`
	Reorder   float64  `json:"reorder"`   // held back long enough for later ones to pass
	Delay     Duration `json:"delay"`     // round trip of the nearest host
	Spread    Duration `json:"spread"`    // how much longer that of the farthest is
	Jitter    Duration `json:"jitter"`    // random addition per packet, which does not reorder
	HoldBack  Duration `json:"hold_back"` // how long a reordered packet is held
}

// Duration is written as Go does: "1.5s", "20ms".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Parse reads a population. Errors name the file and the line or the field.
func Parse(file string, data []byte) (*Population, error) {
	p := new(Population)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, line(data, d.InputOffset(), err), err)
	}
	if rest := bytes.TrimLeft(data[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, fmt.Errorf("%s:%d: something follows the population", file, line(data, int64(len(data)-len(rest)), nil))
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// line is the number of the line that err is about, as well as it can be told.
func line(data []byte, offset int64, err error) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		offset = int64(len(data))
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field "):
		// The decoder reports it when the whole value has been read; its first mention is close.
		name, _ := strings.CutPrefix(err.Error(), "json: unknown field ")
		if at := bytes.Index(data, []byte(name)); at >= 0 {
			offset = int64(at)
		}
	}
	return 1 + bytes.Count(data[:min(max(offset, 0), int64(len(data)))], []byte{'\n'})
}

// Check reports the first thing that cannot be, by its field.
func (p *Population) Check() error {
	switch {
	case p.Name == "":
		return errors.New("name: is missing")
	case p.Synthetic == "":
		return errors.New("synthetic: is missing: say in words that the hosts are made up")
	case len(p.Prefixes) == 0:
		return errors.New("prefixes: there are none")
	case len(p.Hosts) == 0:
		return errors.New("hosts: there are none")
	}
	for i, x := range p.Prefixes {
		if x != x.Masked() {
			return fmt.Errorf("prefixes[%d]: %s has bits beyond its length: write %s", i, x, x.Masked())
		}
		for _, y := range p.Prefixes[:i] {
			if x.Overlaps(y) {
				return fmt.Errorf("prefixes[%d]: %s overlaps %s", i, x, y)
			}
		}
	}
	if err := share("density", p.Density); err != nil {
		return err
	}
	if err := p.Stacks.check("stacks", known(tcp.StackNames)); err != nil {
		return err
	}
	if err := p.Pace.check("pace", known(servers.PaceNames)); err != nil {
		return err
	}
	for _, check := range []func() error{p.checkDefences, p.checkMixes, p.checkHosts, p.checkPorts, p.checkTails, p.checkAnswers, p.checkOptions, p.checkASes, p.checkSpoils} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := p.Content.check(); err != nil {
		return err
	}
	return p.Network.Check()
}

func (p *Population) checkDefences() error {
	for i, d := range p.Defences {
		field := fmt.Sprintf("defences[%d]", i)
		if d.Name == "" {
			return fmt.Errorf("%s.name: is missing", field)
		}
		if slices.ContainsFunc(p.Defences[:i], func(x Defence) bool { return x.Name == d.Name }) {
			return fmt.Errorf("%s.name: %q is taken", field, d.Name)
		}
		if err := d.Behaviours.check(field+".behaviours", known(tcp.BehaviourNames[tcp.Serves+1:])); err != nil {
			return err
		}
	}
	return nil
}

func (p *Population) checkHosts() error {
	longest := 128
	for _, x := range p.Prefixes {
		longest = min(longest, x.Addr().BitLen())
	}
	total, scattered := 0.0, 0.0
	for i, c := range p.Hosts {
		field := fmt.Sprintf("hosts[%d]", i)
		if c.Name == "" {
			return fmt.Errorf("%s.name: is missing", field)
		}
		if slices.ContainsFunc(p.Hosts[:i], func(x HostClass) bool { return x.Name == c.Name }) {
			return fmt.Errorf("%s.name: %q is taken", field, c.Name)
		}
		if !(c.Weight >= 0 && c.Weight <= 1e9) {
			return fmt.Errorf("%s.weight: %v is not a weight: it must be 0 to 1e9", field, c.Weight)
		}
		total += c.Weight
		if c.Prefix == 0 {
			scattered += c.Weight
		}
		if c.Prefix < 0 || c.Prefix > longest {
			return fmt.Errorf("%s.prefix: %d is not a prefix length of every prefix's family", field, c.Prefix)
		}
		if !(c.Tails >= 0 && c.Tails <= 1e6) {
			return fmt.Errorf("%s.tails: %v is not a factor: it must be 0 to 1e6", field, c.Tails)
		}
		if c.EveryPort != nil {
			if c.Closed != nil || c.Tails != 0 {
				return fmt.Errorf("%s: a host with every_port has neither closed ports nor tails", field)
			}
			if err := p.checkMix(field+".every_port", c.EveryPort); err != nil {
				return err
			}
		} else if err := c.Closed.check(field+".closed", known(refusalNames)); err != nil {
			return err
		}
	}
	if total == 0 || scattered == 0 {
		return errors.New("hosts: the weights of the classes without prefix add up to nothing")
	}
	return nil
}

func (p *Population) checkMix(field string, m *Mix) error {
	if err := share(field+".acks", m.Acks); err != nil {
		return err
	}
	if m.Defences == "" && m.Acks < 1 {
		return fmt.Errorf("%s.defences: is missing: acks is %v, and what do the others do?", field, m.Acks)
	}
	if m.Defences != "" && !slices.ContainsFunc(p.Defences, func(d Defence) bool { return d.Name == m.Defences }) {
		return fmt.Errorf("%s.defences: there is no %q in defences", field, m.Defences)
	}
	if m.Protocols == nil && m.Acks == 0 {
		return nil
	}
	return m.Protocols.check(field+".protocols", func(name string) bool {
		return isProtocol(name) || slices.ContainsFunc(p.Mixes, func(m NamedMix) bool { return m.Name == name })
	})
}

func isProtocol(name string) bool { return servers.Index(name) >= 0 }

func (p *Population) checkMixes() error {
	for i, m := range p.Mixes {
		field := fmt.Sprintf("mixes[%d]", i)
		if m.Name == "" {
			return fmt.Errorf("%s.name: is missing", field)
		}
		if isProtocol(m.Name) || slices.ContainsFunc(p.Mixes[:i], func(x NamedMix) bool { return x.Name == m.Name }) {
			return fmt.Errorf("%s.name: %q is taken", field, m.Name)
		}
		if err := m.Protocols.check(field+".protocols", isProtocol); err != nil {
			return err
		}
	}
	return nil
}

// flat is w with the mixes that it names replaced by their protocols.
func (p *Population) flat(w Weights) Weights {
	var out Weights
	for _, x := range w {
		i := slices.IndexFunc(p.Mixes, func(m NamedMix) bool { return m.Name == x.Name })
		if i < 0 {
			out = append(out, x)
			continue
		}
		m := p.Mixes[i].Protocols
		for _, y := range m {
			out = append(out, Weight{y.Name, x.Share * y.Share / m.sum()})
		}
	}
	return out
}

func (p *Population) checkPorts() error {
	seen := map[uint16]bool{}
	for i, x := range p.Ports {
		field := fmt.Sprintf("ports[%d]", i)
		if x.Port == 0 {
			return fmt.Errorf("%s.port: 0 is not a port", field)
		}
		field += " (" + strconv.Itoa(int(x.Port)) + ")"
		if seen[x.Port] {
			return fmt.Errorf("%s: the port is listed twice", field)
		}
		seen[x.Port] = true
		if err := share(field+".open", x.Open); err != nil {
			return err
		}
		if err := p.checkMix(field, &x.Mix); err != nil {
			return err
		}
	}
	return nil
}

func (p *Population) checkTails() error {
	for i, t := range p.Tails {
		field := fmt.Sprintf("tails[%d]", i)
		if servers.Index(t.Protocol) < 0 {
			return fmt.Errorf("%s.protocol: there is no %q", field, t.Protocol)
		}
		if slices.ContainsFunc(p.Tails[:i], func(x Tail) bool { return x.Protocol == t.Protocol }) {
			return fmt.Errorf("%s.protocol: %q has a tail already", field, t.Protocol)
		}
		if !(t.PerHost >= 0 && t.PerHost <= 65535) {
			return fmt.Errorf("%s.per_host: %v is not 0 to 65535", field, t.PerHost)
		}
		if !(t.Skew >= 0 && t.Skew <= 100) {
			return fmt.Errorf("%s.skew: %v is not 0 to 100", field, t.Skew)
		}
		sum := 0.0
		for j, h := range t.Head {
			if h.Port == 0 {
				return fmt.Errorf("%s.head[%d].port: 0 is not a port", field, j)
			}
			if slices.ContainsFunc(p.Ports, func(x Port) bool { return x.Port == h.Port }) {
				return fmt.Errorf("%s.head[%d].port: %d is in ports: give it its services there", field, j, h.Port)
			}
			if slices.ContainsFunc(t.Head[:j], func(x PortShare) bool { return x.Port == h.Port }) {
				return fmt.Errorf("%s.head[%d].port: %d is there twice", field, j, h.Port)
			}
			if err := share(fmt.Sprintf("%s.head[%d].share", field, j), h.Share); err != nil {
				return err
			}
			sum += h.Share
		}
		if sum > 1 {
			return fmt.Errorf("%s.head: the shares add up to %v", field, sum)
		}
	}
	return nil
}

func (p *Population) checkAnswers() error {
	for i, a := range p.Answers {
		field := fmt.Sprintf("answers[%d]", i)
		if servers.Index(a.Protocol) < 0 {
			return fmt.Errorf("%s.protocol: there is no %q", field, a.Protocol)
		}
		if slices.ContainsFunc(p.Answers[:i], func(x servers.Answers) bool { return x.Protocol == a.Protocol }) {
			return fmt.Errorf("%s.protocol: %q has answers already", field, a.Protocol)
		}
		for _, x := range []struct {
			name  string
			share float64
		}{{"tls", a.TLS}, {"newlines", a.Newlines}, {"http", a.HTTP}, {"wait", a.Wait}} {
			if err := share(field+"."+x.name, x.share); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Population) checkOptions() error {
	for i, o := range p.Options {
		field := fmt.Sprintf("options[%d]", i)
		if !servers.HasOptions(o.Protocol) {
			return fmt.Errorf("%s.protocol: there is no %q with options", field, o.Protocol)
		}
		if slices.ContainsFunc(p.Options[:i], func(x servers.Options) bool { return x.Protocol == o.Protocol && x.Port == o.Port }) {
			return fmt.Errorf("%s: %q has options on port %d already", field, o.Protocol, o.Port)
		}
		if err := share(field+".only_usual", o.OnlyUsual); err != nil {
			return err
		}
		if err := share(field+".only_other", o.OnlyOther); err != nil {
			return err
		}
		if sum := o.OnlyUsual + o.OnlyOther; sum > 1 {
			return fmt.Errorf("%s: the shares add up to %v", field, sum)
		}
	}
	return nil
}

// Check reports what cannot be.
func (m *Impairments) Check() error {
	for _, x := range []struct {
		name  string
		share float64
	}{{"loss", m.Loss}, {"duplicate", m.Duplicate}, {"reorder", m.Reorder}} {
		if err := share("network."+x.name, x.share); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		name string
		time Duration
	}{{"delay", m.Delay}, {"spread", m.Spread}, {"jitter", m.Jitter}, {"hold_back", m.HoldBack}} {
		if x.time < 0 || time.Duration(x.time) > time.Minute {
			return fmt.Errorf("network.%s: %v is not 0 to 1m", x.name, time.Duration(x.time))
		}
	}
	return nil
}

func share(field string, x float64) error {
	if !(x >= 0 && x <= 1) {
		return fmt.Errorf("%s: %v is not a share: it must be 0 to 1", field, x)
	}
	return nil
}

func known(names []string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// Default is the population that is embedded for demonstrations, shaped after the paper.
func Default() *Population {
	data, err := datasets.Population(datasets.DefaultPopulation)
	if err != nil {
		panic(err) // it is part of the binary
	}
	p, err := Parse(datasets.DefaultPopulation+".json", data)
	if err != nil {
		panic(err)
	}
	return p
}
