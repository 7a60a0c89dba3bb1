package handshake

import "net/netip"

var siemens = Protocol{
	Name:      "siemens",
	Ports:     []uint16{102},
	Spec:      "RFC 1006, ISO 8073, section 13.3; S7 as in Wireshark's packet-s7comm.c",
	Version:   2,
	First:     "COTP connection request for rack 0, slot 2, and the S7 set-up behind it",
	Signature: "S7 data (32h) in a COTP data unit; weak: a connection confirm with parameters, a disconnect request or an error, which any ISO-TSAP server sends",
	Leads:     "\x03",
	Hello:     siemensHello,
	Match:     matchSiemens,
}

// siemensHello is a TPKT with a connection request, ISO 8073, section 13.3: source reference 4, class 0, TSAPs 0100h (C1) and
// 0102h (C2), unit size 2^10 (C0). Then TPKT, data TPDU, and S7 Setup Communication: 32h, job (1), parameters of 8 bytes,
// function F0h, one job each way, 480 bytes. Without the latter a confirm would be all there is, and not proof.
func siemensHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	b = append(b, 3, 0, 0, 22, 17, cotpRequest, 0, 0, 0, 4, 0, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2, 0xc0, 1, 10)
	return append(b, 3, 0, 0, 25, 2, cotpData, 0x80, 0x32, 1, 0, 0, 0, 0, 0, 8, 0, 0, 0xf0, 0, 0, 1, 0, 1, 1, 0xe0)
}

// matchSiemens walks the TPKTs: the first may be the confirm, the next must be S7's.
func matchSiemens(data []byte) Match {
	tpdu, size, ok := cutTPKT(data)
	if !ok {
		return Match{}
	}
	found := Match{}
	if tpdu[1] == cotpConfirm && tpdu[0] > 6 && hasParameters(tpdu) {
		found = weak(min(len(data), size))
		if len(data) <= size {
			return found
		}
		data = data[size:]
		if tpdu, _, ok = cutTPKT(data); !ok {
			return found
		}
		if isS7(tpdu) {
			return certain(size + 4 + len(tpdu))
		}
		return found
	}
	switch {
	case isS7(tpdu):
		return certain(4 + len(tpdu))
	case tpdu[1] == cotpDisconnect && tpdu[0] >= 6 && size == 5+int(tpdu[0]), tpdu[1] == cotpError && tpdu[0] >= 4 && size == 5+int(tpdu[0]):
		return weak(min(len(data), size))
	}
	return found
}

// hasParameters walks the parameters of a confirm (code, length, value), ISO 8073, section 13.4: the size of a TPDU, C0h, and the
// TSAPs, C1h and C2h, are those of its fixed part.
func hasParameters(tpdu []byte) bool {
	found := false
	for p := tpdu[min(7, len(tpdu)):]; len(p) >= 2; {
		found = true
		if p[0] < 0xc0 || p[0] > 0xc2 {
			return false
		}
		p = p[min(len(p), 2+int(p[1])):]
	}
	return found
}

// isS7 wants a data TPDU of 2 bytes and end of transmission, protocol 32h, acknowledgement (2, 3) or user data (7).
func isS7(tpdu []byte) bool {
	return len(tpdu) >= 15 && hasPrefix(tpdu, "\x02\xf0\x80\x32") && (tpdu[4] == 2 || tpdu[4] == 3 || tpdu[4] == 7)
}
