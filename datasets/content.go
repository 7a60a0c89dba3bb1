package datasets

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Maker is one line of makers.tsv: words by which a maker of devices (routers, cameras, printers, network storage, firewalls,
// management processors, phones) shows in what its devices say.
type Maker struct {
	Maker      string
	Field      MakerField
	BeginsWith string // what the field begins with, in lower case

	// Basis is "paper" for what section 3.3 names, "known" for what the public fingerprints of Rapid7's Recog have
	// (github.com/rapid7/recog, xml/x509_subjects.xml and x509_issuers.xml), and "guess" for names that stand in such
	// certificates and banners as far as the authors of this table know.
	Basis string
}

// MakerField is where a maker's words stand.
type MakerField string

// The fields.
const (
	Organization MakerField = "organization" // of a certificate's subject or issuer (RFC 5280, appendix A.1)
	CommonName   MakerField = "common_name"  // of a certificate's subject
	SSHSoftware  MakerField = "ssh_software" // the software version of an SSH banner (RFC 4253, section 4.2)
)

// KnownKey is one line of known_keys.tsv: a public key whose private key anybody can read.
type KnownKey struct {
	SPKI      [sha256.Size]byte // SHA-256 of the SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7)
	Key       string            // what it is
	Published string            // where its private key is printed
}

// Property is one line of the paper's section 3.3: how much more often services on some ports have a property than on others.
type Property struct {
	Property     string // "maker", "known_key", "shared_key", "login", "device_ssh" or "upnp"
	On, Against  string // ports: a number, "assigned", "unassigned", or "unexpected"
	Share        float64
	ShareAgainst float64
	Ratio        float64 // of the shares; of "upnp", of the numbers of services
	UpTo         bool    // Ratio is the highest of the ports
}

// BannerWords is one claim of section 4.1: the share of a protocol's banners that contain one of some words.
type BannerWords struct {
	Protocol string
	Words    []string
	Share    float64
}

//go:embed makers.tsv
var makersFile []byte

//go:embed known_keys.tsv
var knownKeysFile []byte

var (
	makers     = sync.OnceValue(func() []Maker { return must(parseMakers("makers.tsv", makersFile)) })
	knownKeys  = sync.OnceValue(func() map[[sha256.Size]byte]KnownKey { return must(parseKnownKeys("known_keys.tsv", knownKeysFile)) })
	properties = embedded("section33.tsv", parseProperties)
	banners    = embedded("banner_words.tsv", parseBannerWords)
)

// must gives what was read from a file that is part of the binary: an error in it is an error in the program.
func must[T any](rows T, err error) T {
	if err != nil {
		panic(err)
	}
	return rows
}

// Makers gives the makers' words, in the order of the file.
func Makers() []Maker { return slices.Clone(makers()) }

// KnownKeys gives the public keys whose private keys are known, by their SHA-256. The list is short: what is printed in RFCs
// and in the sources of software in wide use. A line of known_keys.tsv adds a key, such as those of LittleBlackBox
// (github.com/devttys0/littleblackbox), which is a data base to be read with its own tools.
func KnownKeys() map[[sha256.Size]byte]KnownKey { return maps.Clone(knownKeys()) }

// Properties gives section 3.3's claims, in its order.
func Properties() []Property { return slices.Clone(properties()) }

// Banners gives section 4.1's claims, in its order.
func Banners() []BannerWords {
	list := slices.Clone(banners())
	for i := range list {
		list[i].Words = slices.Clone(list[i].Words)
	}
	return list
}

func parseMakers(name string, text []byte) ([]Maker, error) {
	columns := []string{"maker", "field", "begins_with", "basis"}
	return parseRows(name, text, columns, func(c *cells) Maker {
		m := Maker{Maker: c.text(), Field: MakerField(c.oneOf("organization", "common_name", "ssh_software"))}
		m.BeginsWith = c.text()
		if m.BeginsWith == "" || m.BeginsWith != strings.ToLower(m.BeginsWith) {
			c.fail(fmt.Errorf("begins_with: %q is not words in lower case", m.BeginsWith))
		}
		m.Basis = c.oneOf("paper", "known", "guess")
		return m
	})
}

func parseKnownKeys(name string, text []byte) (map[[sha256.Size]byte]KnownKey, error) {
	rows, err := parseRows(name, text, []string{"spki_sha256", "key", "published"}, func(c *cells) KnownKey {
		return KnownKey{cell(c, parseSHA256), c.text(), c.text()}
	})
	by := make(map[[sha256.Size]byte]KnownKey)
	for i, k := range rows {
		if _, ok := by[k.SPKI]; ok {
			return nil, fmt.Errorf("%s:%d: key %x is there twice", name, i+2, k.SPKI)
		}
		by[k.SPKI] = k
	}
	return by, err
}

func parseProperties(name string, text []byte) ([]Property, error) {
	columns := []string{"property", "on", "against", "share", "share_against", "ratio", "wording"}
	return parseRows(name, text, columns, func(c *cells) Property {
		return Property{
			Property: c.oneOf("maker", "known_key", "shared_key", "login", "device_ssh", "upnp"),
			On:       c.text(), Against: c.text(), Share: c.shareOrNone(), ShareAgainst: c.shareOrNone(),
			Ratio: cell(c, parseNumber), UpTo: c.oneOf("as published", "up to") == "up to",
		}
	})
}

func parseBannerWords(name string, text []byte) ([]BannerWords, error) {
	return parseRows(name, text, []string{"protocol", "words", "share"}, func(c *cells) BannerWords {
		return BannerWords{c.text(), strings.Split(c.text(), ","), c.share()}
	})
}

// oneOf reads a cell that is one of some words.
func (c *cells) oneOf(words ...string) string {
	column := c.columns[0]
	word := c.text()
	if !slices.Contains(words, word) {
		c.fail(fmt.Errorf("%s: %q is none of %q", column, word, words))
	}
	return word
}

// shareOrNone reads a share, or "-" as 0.
func (c *cells) shareOrNone() float64 {
	if c.rest[0] == "-" {
		c.next()
		return 0
	}
	return c.share()
}

func parseSHA256(s string) (sum [sha256.Size]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(sum) {
		return sum, fmt.Errorf("%q is not 64 hexadecimal digits", s)
	}
	return [sha256.Size]byte(b), nil
}
