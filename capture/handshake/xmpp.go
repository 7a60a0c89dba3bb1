package handshake

import "bytes"

var xmpp = Protocol{
	Name:      "xmpp",
	Ports:     []uint16{5222, 5269},
	Spec:      "RFC 6120, sections 4.2 and 4.8",
	Version:   1,
	First:     "nothing: there is no handshake",
	Signature: "a stream element in XML, with the namespace of streams",
	Leads:     "<",
	Match:     matchXMPP,
}

// matchXMPP reads the stream's header: an XML declaration, which may be missing, and the tag <stream:stream>, whose namespace is
// fixed (section 4.8.1).
func matchXMPP(data []byte) Match {
	head := data[:min(len(data), 1024)]
	if hasPrefix(head, "<?xml ") {
		_, after, ok := bytes.Cut(head, []byte("?>"))
		if !ok {
			return Match{}
		}
		head = bytes.TrimLeft(after, " \r\n\t")
	}
	if !hasPrefix(head, "<stream:stream ") {
		return Match{}
	}
	tag, _, ended := bytes.Cut(head, []byte(">"))
	if !bytes.Contains(tag, xmppStreams) {
		return Match{}
	}
	from := min(len(data), 1024) - len(head)
	if ended {
		return certain(from + len(tag) + 1)
	}
	return likely(from + len(tag))
}

var xmppStreams = []byte("http://etherx.jabber.org/streams")
