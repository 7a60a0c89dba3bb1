package analysis

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"laserdisc/analysis/content"
	"laserdisc/analysis/estimate"
	"laserdisc/capture/session"
	"laserdisc/datasets"
)

// Contents is a Fold that reads in responses what services reveal beyond their protocol (paper, section 3.3), and counts that on the
// ports between which the paper compares; and what words are in banners (section 4.1).
//
// A key that hosts share is seen to be shared only where two of them are in the sample. For that it keeps 40 bytes of each service
// with a certificate; more than 512 MiB of them are an error.
type Contents struct {
	unit               estimate.Unit
	handshakes, labels names
	reads              Reads
	ratios             []estimate.Ratio // of each of comparedPorts
	words              Shares[string, string]
	keys               []certified

	in      place
	service revealing    // the service that the fold is in
	host    netip.Addr   // the one that it is in
	drawn   netip.Prefix // what was drawn with it, or itself
	sums    []besides    // of each of comparedPorts, the services of what was drawn
}

// Reads are how many services could be read, and how many could not.
type Reads struct {
	Certificates, CertificatesCut, CertificatesHidden int // TLS services that showed one; only a part; none, as TLS 1.3 does
	Pages, PagesCut                                   int // HTTP services whose page shows whether it asks for a login; ends before
	SSH                                               int // SSH services with a software version
}

// NewContents returns a Contents that has counted nothing, for a sample of such units.
func NewContents(unit estimate.Unit) *Contents { return &Contents{unit: unit} }

// besides are services of a host, or of what was drawn with it, on the two groups of ports that are compared, and those of them that
// have the property.
type besides struct{ onHits, on, againstHits, against uint32 }

// certified is a service with a certificate: its key, as much of the hash as tells keys apart, and on which of the ports compared it
// is, two bits for each of comparedPorts.
type certified struct {
	key, host [16]byte
	groups    uint32
}

const mostKeys = 512 << 20 / 40

// revealing is a service whose attempts are not all seen yet.
type revealing struct {
	responding
	certificate content.Certificate
	shows       content.Found // whether that is valid
	page        content.Page
	isPage      bool // whether that is valid
	software    string
	banner      bool   // whether it spoke first
	reset       bool   // it reset a connection
	bigIP       bool   // with the text of a BIG-IP
	words       uint32 // of which of the paper's protocols its banner has a word, a bit each
}

// Table is "attempts".
func (c *Contents) Table() string { return "attempts" }

// Columns are the columns that it reads.
func (c *Contents) Columns() []string {
	return append(slices.Clone(attemptColumns), "response", "truncated", "rst", "reset_text")
}

// Add takes the attempts of a batch into account.
func (c *Contents) Add(record arrow.Record) error {
	b := batch{Record: record}
	rows := readAttempts(&b, &c.handshakes, &c.labels)
	responses, truncated := readColumn[*array.Binary](&b, "response"), readColumn[*array.Boolean](&b, "truncated")
	rst, resetText := readColumn[*array.Boolean](&b, "rst"), readColumn[*array.Binary](&b, "reset_text")
	for row := range b.rows() {
		if !rows.visit(row).Tells() {
			continue
		}
		if addr, port := rows.addr.Value(row), rows.port.Value(row); c.in.moves(addr, port) {
			if err := c.closeService(); err != nil {
				return err
			}
			if string(c.in.addr) != addr {
				if err := c.enter(addr); err != nil {
					return err
				}
			}
			c.in.move(addr, port)
		}
		c.service.add(&rows, row, &c.labels)
		c.service.reset = c.service.reset || rst.Value(row)
		c.service.bigIP = c.service.bigIP || content.IsBIGIP(resetText.Value(row))
		handshake := c.handshakes.list[rows.handshakes.at(row)]
		if handshake == "wait" && rows.state(row) == session.SendsData {
			c.service.hear(responses.Value(row))
		}
		if rows.identifies(row) {
			c.service.read(c.labels.list[rows.labels.at(row)], handshake, responses.Value(row), truncated.Value(row))
		}
	}
	return b.err
}

// enter goes on to another host.
func (c *Contents) enter(addr string) (err error) {
	if c.host, err = netip.ParseAddr(addr); err != nil {
		return fmt.Errorf("analysis: column \"addr\": %w", err)
	}
	if drawn := c.unit.Cluster(c.host); drawn != c.drawn {
		c.closeDrawn()
		c.drawn = drawn
	}
	return nil
}

// read reads a response that is some protocol's. What an earlier attempt has shown stays.
func (s *revealing) read(label, handshake string, response []byte, truncated bool) {
	switch label {
	case "tls", "kubernetes":
		if s.shows != content.Present {
			if certificate, found := content.ReadCertificate(response); found >= s.shows {
				s.certificate, s.shows = certificate, found
			}
		}
	case "http":
		if handshake == "http" && !s.isPage {
			s.page, s.isPage = content.ReadPage(response, truncated)
		}
	case "ssh":
		if s.software == "" {
			s.software = content.SSHSoftware(response)
		}
	}
}

// hear reads what a server says unasked, which need not tell its protocol.
func (s *revealing) hear(banner []byte) {
	s.banner = true
	for i, b := range bannerWords {
		if content.HasWord(banner, b.Words) {
			s.words |= 1 << i
		}
	}
}

// closeService counts the service that the fold is in.
func (c *Contents) closeService() error {
	defer func() { c.service = revealing{} }()
	s := &c.service
	if !s.connected {
		return nil
	}
	protocol := s.protocol()
	if s.reset {
		drawn := c.drawn.String()
		c.words.Service(drawn, ResetWords)
		if s.bigIP {
			c.words.Hit(drawn, ResetWords, ResetWords)
		}
	}
	if s.banner {
		for i, b := range bannerWords {
			if b.Protocol == protocol {
				drawn := c.drawn.String()
				c.words.Service(drawn, protocol)
				if s.words&(1<<i) != 0 {
					c.words.Hit(drawn, protocol, protocol)
				}
			}
		}
	}
	switch protocol {
	case "tls", "kubernetes":
		return c.countCertificate(s)
	case "http":
		switch {
		case !s.isPage:
			return nil
		case s.page.Login == content.Cut:
			c.reads.PagesCut++
		default:
			c.reads.Pages++
			c.count("login", protocol, s.page.Login == content.Present)
		}
		c.count("upnp", protocol, content.IsUPnP(s.page.Server))
	case "ssh":
		if s.software != "" {
			c.reads.SSH++
			c.count("device_ssh", protocol, content.SSHMaker(s.software) != "")
		}
	}
	return nil
}

func (c *Contents) countCertificate(s *revealing) error {
	switch s.shows {
	case content.Absent:
		c.reads.CertificatesHidden++
		return nil
	case content.Cut:
		c.reads.CertificatesCut++
		return nil
	}
	c.reads.Certificates++
	_, known := knownKeys[s.certificate.SPKI]
	c.count("maker", "tls", s.certificate.Maker() != "")
	c.count("known_key", "tls", known)
	k := certified{key: [16]byte(s.certificate.SPKI[:16]), host: c.host.As16()}
	for i, p := range comparedPorts {
		if p.property == "shared_key" {
			k.groups |= bit(p.on.has(c.in.port, "tls"), 2*i) | bit(p.against.has(c.in.port, "tls"), 2*i+1)
		}
	}
	if len(c.keys) == mostKeys {
		return errors.New("analysis: more than 512 MiB of certificates' keys")
	}
	c.keys = append(c.keys, k)
	return nil
}

func bit(is bool, n int) uint32 {
	if is {
		return 1 << n
	}
	return 0
}

// count counts the service that the fold is in among those of its host that may have a property.
func (c *Contents) count(property, protocol string, has bool) {
	if c.sums == nil {
		c.sums = make([]besides, len(comparedPorts))
	}
	for i, p := range comparedPorts {
		if p.property == property {
			c.sums[i].add(p.on.has(c.in.port, protocol), p.against.has(c.in.port, protocol), has)
		}
	}
}

func (b *besides) add(on, against, has bool) {
	if on {
		b.on++
		b.onHits += bit(has, 0)
	}
	if against {
		b.against++
		b.againstHits += bit(has, 0)
	}
}

// portGroup is ports that a datasets.Property names: one, or some by a word.
type portGroup struct {
	word string
	port uint16
}

func newPortGroup(name string) portGroup {
	if port, err := strconv.ParseUint(name, 10, 16); err == nil {
		return portGroup{port: uint16(port)}
	}
	return portGroup{word: name}
}

// has reports whether a port is one of them, for services of a protocol. Kubernetes is expected to speak TLS.
func (g portGroup) has(port uint16, protocol string) bool {
	switch g.word {
	case "assigned":
		return slices.Contains(assignedPorts, port)
	case "unassigned":
		return !slices.Contains(assignedPorts, port)
	case "unexpected":
		expected := datasets.Expected(port)
		return expected != protocol && !(expected == "kubernetes" && protocol == "tls")
	}
	return port == g.port
}

// comparison is a property, and the ports between which the paper compares how often services have it.
type comparison struct {
	property    string
	on, against portGroup
}

// These are of the paper, as package datasets has it: comparedPorts are those of each of datasets.Properties.
var (
	assignedPorts = datasets.Assigned()
	bannerWords   = datasets.Banners()
	knownKeys     = datasets.KnownKeys()
	comparedPorts = func() (list []comparison) {
		for _, p := range datasets.Properties() {
			list = append(list, comparison{p.Property, newPortGroup(p.On), newPortGroup(p.Against)})
		}
		return list
	}()
)

// closeDrawn adds what was drawn with the host that the fold is in to the ratios.
func (c *Contents) closeDrawn() {
	c.ratios = addDrawn(c.ratios, c.sums)
	clear(c.sums)
}

func addDrawn(ratios []estimate.Ratio, sums []besides) []estimate.Ratio {
	if ratios == nil {
		ratios = make([]estimate.Ratio, len(comparedPorts))
	}
	for i, b := range sums {
		if b.on+b.against > 0 {
			ratios[i].Add(b.onHits, b.on, b.againstHits, b.against)
		}
	}
	return ratios
}

// close counts the service that the fold is in, and what was drawn with it.
func (c *Contents) close() error {
	err := c.closeService()
	c.closeDrawn()
	c.in, c.drawn = place{}, netip.Prefix{}
	return err
}

// Merge adds what another Contents has counted, of other hosts and, if blocks were drawn, of other blocks.
func (c *Contents) Merge(fold Fold) error {
	other, ok := fold.(*Contents)
	if !ok {
		return fmt.Errorf("analysis: a %T does not merge with a %T", fold, c)
	}
	if err := errors.Join(c.close(), other.close()); err != nil {
		return err
	}
	for i := range other.ratios {
		c.ratios[i].Merge(other.ratios[i])
	}
	c.reads.add(other.reads)
	c.words.merge(&other.words)
	if len(c.keys)+len(other.keys) > mostKeys {
		return errors.New("analysis: more than 512 MiB of certificates' keys")
	}
	c.keys = append(c.keys, other.keys...)
	return nil
}

func (r *Reads) add(other Reads) {
	r.Certificates += other.Certificates
	r.CertificatesCut += other.CertificatesCut
	r.CertificatesHidden += other.CertificatesHidden
	r.Pages += other.Pages
	r.PagesCut += other.PagesCut
	r.SSH += other.SSH
}

// Ratios gives the sums of each of datasets.Properties, in its order, and how many services they were read from.
func (c *Contents) Ratios() ([]estimate.Ratio, Reads, error) {
	if err := c.close(); err != nil {
		return nil, c.reads, err
	}
	ratios, shared := slices.Clone(c.ratios), c.sharedKeys()
	sums := make([]besides, len(comparedPorts))
	for i := range c.keys {
		k := &c.keys[i]
		for j := range sums {
			sums[j].add(k.groups&(1<<(2*j)) != 0, k.groups&(2<<(2*j)) != 0, shared[k.key])
		}
		if i+1 == len(c.keys) || c.drawnWith(&c.keys[i+1]) != c.drawnWith(k) {
			ratios = addDrawn(ratios, sums)
			clear(sums)
		}
	}
	return ratios, c.reads, nil
}

func (c *Contents) drawnWith(k *certified) netip.Prefix {
	return c.unit.Cluster(netip.AddrFrom16(k.host).Unmap())
}

// sharedKeys are the keys that several hosts have. It leaves the services in the order of their hosts.
func (c *Contents) sharedKeys() map[[16]byte]bool {
	slices.SortFunc(c.keys, func(a, b certified) int {
		return cmp.Or(bytes.Compare(a.key[:], b.key[:]), bytes.Compare(a.host[:], b.host[:]))
	})
	shared := make(map[[16]byte]bool)
	for i := 1; i < len(c.keys); i++ {
		if a, b := &c.keys[i-1], &c.keys[i]; a.key == b.key && a.host != b.host {
			shared[a.key] = true
		}
	}
	slices.SortFunc(c.keys, func(a, b certified) int { return bytes.Compare(a.host[:], b.host[:]) })
	return shared
}

// ResetWords stands for resets where Words has protocols.
const ResetWords = "reset"

// Words gives, for each protocol of datasets.Banners, the hosts whose services spoke first, and which of their banners have one of
// its words; and for ResetWords those whose services reset a connection, and which did so with the text of a BIG-IP (section 3.1).
func (c *Contents) Words(protocol string) (estimate.Hosts, error) {
	err := c.close()
	return c.words.Of(protocol, protocol), err
}
