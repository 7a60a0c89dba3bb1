package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"laserdisc/datasets"
)

// Certificate is what a server's own certificate says, the first of those that it shows.
type Certificate struct {
	SPKI            [sha256.Size]byte // SHA-256 of its SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7)
	Subject, Issuer Name
}

// Name is a distinguished name (RFC 5280, section 4.1.2.4), with the first of each attribute. What a certificate lacks is "".
type Name struct{ CommonName, Organization string }

// Maker gives the maker of devices that a certificate names in the organization of its subject or issuer, or in its subject's
// common name; "" if it is none that datasets.Makers has.
func (c *Certificate) Maker() string {
	for _, name := range []string{c.Subject.Organization, c.Issuer.Organization} {
		if maker := makerOf(datasets.Organization, name); maker != "" {
			return maker
		}
	}
	return makerOf(datasets.CommonName, c.Subject.CommonName)
}

// These are a record's type (RFC 5246, section 6.2.1) and types of handshake messages (section 7.4).
const (
	handshakeRecord = 22

	serverHello     = 2
	certificate     = 11
	keyExchange     = 12
	serverHelloDone = 14
)

// ReadCertificate reads the certificate in the server's first flight of TLS 1.2 or before (RFC 5246, section 7.3), in which it is
// not encrypted. It is Absent from a flight of TLS 1.3, from an alert, where the server shows none, and where what it shows is
// none. What crypto/x509 refuses is read as well: nothing but the structure around the names and the key matters.
func ReadCertificate(response []byte) (c Certificate, found Found) {
	messages, whole := handshakeMessages(response)
	for len(messages) >= 4 {
		kind, size := messages[0], length24(messages[1:])
		body := messages[4:min(len(messages), 4+size)]
		switch {
		case kind == serverHello && isTLS13(body), kind == keyExchange, kind == serverHelloDone:
			return c, Absent
		case kind == certificate:
			return readList(body, whole || len(body) == size)
		case len(body) < size:
			return c, cutUnless(whole)
		}
		messages = messages[4+size:]
	}
	return c, cutUnless(whole)
}

// cutUnless is Cut where the flight ended with the response, and Absent where something else ended it.
func cutUnless(whole bool) Found {
	if whole {
		return Absent
	}
	return Cut
}

// handshakeMessages joins the messages in the handshake records that a response begins with. They are whole if another record, or
// something that is none, ends them. A response that begins with none has no messages, and they are whole.
func handshakeMessages(response []byte) (messages []byte, whole bool) {
	for at := response; ; {
		if len(at) > 0 && at[0] != handshakeRecord || len(at) > 1 && at[1] != 3 {
			return messages, true
		}
		if len(at) < 5 {
			return messages, len(response) == 0
		}
		size := int(binary.BigEndian.Uint16(at[3:]))
		if size == 0 || size > 1<<14+256 {
			return messages, true
		}
		messages = append(messages, at[5:min(len(at), 5+size)]...)
		at = at[min(len(at), 5+size):]
	}
}

// isTLS13 reports whether a ServerHello chooses TLS 1.3: by the extension supported_versions (RFC 8446, section 4.2.1), which no
// older version answers with.
func isTLS13(hello []byte) bool {
	const supportedVersions = 43
	if len(hello) < 35 {
		return false
	}
	rest := hello[35:] // version, random, and the session's length
	skip := int(hello[34]) + 3 + 2
	if len(rest) < skip {
		return false
	}
	for rest = rest[skip:]; len(rest) >= 4; {
		if binary.BigEndian.Uint16(rest) == supportedVersions {
			return true
		}
		rest = rest[min(len(rest), 4+int(binary.BigEndian.Uint16(rest[2:]))):]
	}
	return false
}

// readList reads the first certificate of a list (RFC 5246, section 7.4.2), which goes on behind the body if that is not whole.
func readList(body []byte, whole bool) (c Certificate, found Found) {
	if len(body) >= 3 && length24(body) == 0 {
		return c, Absent // it has none
	}
	if len(body) >= 6 {
		if der, size := body[6:], length24(body[3:]); len(der) >= size {
			if c, ok := parseCertificate(der[:size]); ok {
				return c, Present
			}
			return c, Absent
		}
	}
	return c, cutUnless(whole)
}

func length24(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
}

// parseCertificate walks through a certificate (RFC 5280, section 4.1) as far as its key.
func parseCertificate(der []byte) (c Certificate, ok bool) {
	outer := elements{rest: der}
	toBeSigned := elements{rest: outer.next(asn1.TagSequence).Bytes}
	fields := elements{rest: toBeSigned.next(asn1.TagSequence).Bytes}
	if len(fields.rest) > 0 && fields.rest[0] == 0xa0 { // the version, which is [0] EXPLICIT and may be left out
		fields.skip()
	}
	fields.next(asn1.TagInteger)  // serial number
	fields.next(asn1.TagSequence) // algorithm of the signature
	issuer := fields.next(asn1.TagSequence)
	fields.next(asn1.TagSequence) // validity
	subject := fields.next(asn1.TagSequence)
	key := fields.next(asn1.TagSequence)
	if outer.failed || toBeSigned.failed || fields.failed {
		return c, false
	}
	return Certificate{sha256.Sum256(key.FullBytes), nameOf(subject.Bytes), nameOf(issuer.Bytes)}, true
}

// elements are DER values that follow each other.
type elements struct {
	rest   []byte
	failed bool
}

// next takes the next value, which must have the tag of a universal type.
func (e *elements) next(tag int) asn1.RawValue {
	v := e.skip()
	if v.Class != asn1.ClassUniversal || v.Tag != tag {
		e.failed = true
		return asn1.RawValue{}
	}
	return v
}

// skip takes the next value, whatever it is.
func (e *elements) skip() (v asn1.RawValue) {
	rest, err := asn1.Unmarshal(e.rest, &v)
	if err != nil {
		e.rest, e.failed = nil, true
		return asn1.RawValue{}
	}
	e.rest = rest
	return v
}

// These are the types of attributes, 2.5.4.3 and 2.5.4.10 (RFC 5280, appendix A.1), as they stand in DER.
var (
	commonName   = []byte{0x55, 4, 3}
	organization = []byte{0x55, 4, 10}
)

// nameOf reads a sequence of sets of (type, value).
func nameOf(der []byte) (name Name) {
	for sets := (elements{rest: der}); len(sets.rest) > 0; {
		for pairs := (elements{rest: sets.next(asn1.TagSet).Bytes}); len(pairs.rest) > 0; {
			pair := elements{rest: pairs.next(asn1.TagSequence).Bytes}
			kind, value := pair.next(asn1.TagOID), pair.skip()
			switch {
			case pair.failed:
			case bytes.Equal(kind.Bytes, commonName) && name.CommonName == "":
				name.CommonName = text(value)
			case bytes.Equal(kind.Bytes, organization) && name.Organization == "":
				name.Organization = text(value)
			}
		}
	}
	return name
}

// text is a string of whatever type: UCS-2 in a BMPString, and else UTF-8, or what others write for that.
func text(v asn1.RawValue) string {
	if v.Tag == asn1.TagBMPString {
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(v.Bytes[2*i:])
		}
		return string(utf16.Decode(units))
	}
	return strings.ToValidUTF8(string(v.Bytes), "\ufffd")
}
