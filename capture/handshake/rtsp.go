package handshake

import "net/netip"

var rtsp = Protocol{
	Name:      "rtsp",
	Ports:     []uint16{554},
	Spec:      "RFC 7826, RFC 2326",
	Version:   1,
	First:     "OPTIONS * RTSP/1.0",
	Signature: "status line RTSP/x.y and three digits, header section with CSeq; weak: without it",
	Leads:     "R",
	Hello: func(b []byte, _ netip.AddrPort, _ uint64) []byte {
		return append(b, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: "+UserAgent+"\r\n\r\n"...)
	},
	Match:   matchRTSP,
	Details: rtspDetails,
}

// matchRTSP wants the status line of RFC 7826, section 8.1, RTSP-Version SP Status-Code SP Reason-Phrase, of version 1.0 or
// 2.0, and CSeq, which every response has (section 18.20). An HTTP server may answer with the version that it was asked in,
// but without that.
func matchRTSP(data []byte) Match {
	r, ok := parseResponse(data, "RTSP/1.")
	if !ok {
		r, ok = parseResponse(data, "RTSP/2.")
	}
	if !ok {
		return Match{}
	}
	return r.sequenced()
}

func rtspDetails(data []byte) []Detail {
	r, ok := parseResponse(data, "RTSP/1.")
	if !ok {
		r, _ = parseResponse(data, "RTSP/2.")
	}
	return details("status", string(r.status), "server", show(r.field("server")), "methods", show(r.field("public")))
}
