package handshake

import (
	"fmt"
	"net/netip"
)

var sip = Protocol{
	Name:      "sip",
	Ports:     []uint16{5060},
	Spec:      "RFC 3261",
	Version:   1,
	First:     "OPTIONS",
	Signature: "status line SIP/2.0 and three digits, header section with CSeq; weak: without it",
	Leads:     "S",
	Hello:     sipHello,
	Match:     matchSIP,
	Details:   sipDetails,
}

// sipHello is a request with the fields that RFC 3261, section 8.1.1, demands. Branches begin with z9hG4bK, section 8.1.1.7.
func sipHello(b []byte, to netip.AddrPort, nonce uint64) []byte {
	uri, id := "sip:"+to.String(), fmt.Sprintf("%016x", nonce)
	b = append(b, "OPTIONS "+uri+" SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK"+id+"\r\nMax-Forwards: 70\r\n"...)
	b = append(b, "From: <sip:laserdisc@127.0.0.1>;tag="+id+"\r\nTo: <"+uri+">\r\nCall-ID: "+id+"@127.0.0.1\r\nCSeq: 1 OPTIONS\r\n"...)
	return append(b, "User-Agent: "+UserAgent+"\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n"...)
}

// matchSIP wants the status line of RFC 3261, section 7.2, SIP-Version SP Status-Code SP Reason-Phrase, of version 2.0, and
// the request's CSeq, which the response has (section 8.2.6.2).
func matchSIP(data []byte) Match {
	r, ok := parseResponse(data, "SIP/2.")
	if !ok {
		return Match{}
	}
	return r.sequenced()
}

func sipDetails(data []byte) []Detail {
	r, _ := parseResponse(data, "SIP/2.")
	server := r.field("server")
	if server == nil {
		server = r.field("user-agent")
	}
	return details("status", string(r.status), "server", show(server))
}
