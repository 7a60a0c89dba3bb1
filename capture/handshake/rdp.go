package handshake

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

var rdp = Protocol{
	Name:      "rdp",
	Ports:     []uint16{3389},
	Spec:      "MS-RDPBCGR, section 2.2.1",
	Version:   1,
	First:     "X.224 connection request with a negotiation request for TLS and CredSSP",
	Signature: "X.224 connection confirm with a negotiation response or failure; likely: an MCS disconnect; weak: a confirm with neither parameters nor negotiation",
	Leads:     "\x03",
	Hello:     rdpHello,
	Match:     matchRDP,
	Details:   rdpDetails,
}

// These are the X.224 codes of a TPDU, in its upper four bits (ISO 8073, section 13).
const (
	cotpRequest    = 0xe0
	cotpConfirm    = 0xd0
	cotpDisconnect = 0x80
	cotpError      = 0x70
	cotpData       = 0xf0
)

// rdpHello is a TPKT (RFC 1006, section 6) of 19 bytes; a connection request of 14 after its length byte; RDP_NEG_REQ,
// MS-RDPBCGR, section 2.2.1.1.1: type 1, flags 0, length 8, protocols TLS (1) and CredSSP (2).
func rdpHello(b []byte, _ netip.AddrPort, _ uint64) []byte {
	return append(b, 3, 0, 0, 19, 14, cotpRequest, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0)
}

// cutTPKT reads RFC 1006, section 6: version 3, reserved 0, length of the whole. The TPDU is as much as is there.
func cutTPKT(data []byte) (tpdu []byte, size int, ok bool) {
	if len(data) < 7 || data[0] != 3 || data[1] != 0 {
		return nil, 0, false
	}
	size = int(binary.BigEndian.Uint16(data[2:]))
	if size < 7 || int(data[4]) > size-5 {
		return nil, 0, false
	}
	return data[4:min(len(data), size)], size, true
}

func matchRDP(data []byte) Match {
	tpdu, size, ok := cutTPKT(data)
	if !ok {
		return Match{}
	}
	switch {
	case tpdu[1] == cotpConfirm && size == 19 && tpdu[0] == 14:
		return matchNegotiation(tpdu, size)
	case tpdu[1] == cotpConfirm && size == 11 && tpdu[0] == 6 && len(tpdu) == 7: // any ISO-TSAP server says this
		return weak(11)
	case string(tpdu) == mcsDisconnect && len(data) == size:
		return likely(size)
	}
	return Match{}
}

// matchNegotiation reads RDP_NEG_RSP or RDP_NEG_FAILURE, MS-RDPBCGR, sections 2.2.1.2.1 and 2.2.1.2.2: type 2 or 3,
// flags, length 8, the chosen protocol (0, 1, 2, 4, 8, 16) or the failure code (1 to 6).
func matchNegotiation(tpdu []byte, size int) Match {
	if len(tpdu) < 15 || tpdu[9] != 8 || tpdu[10] != 0 {
		return Match{}
	}
	value := binary.LittleEndian.Uint32(tpdu[11:])
	selected := tpdu[7] == 2 && value <= 16 && value&(value-1) == 0
	failed := tpdu[7] == 3 && value >= 1 && value <= 6
	if !selected && !failed {
		return Match{}
	}
	return certain(size)
}

// mcsDisconnect is an X.224 data TPDU with the MCS Disconnect Provider Ultimatum, reason provider-initiated
// (T.125, section 7; MS-RDPBCGR, section 2.2.2.3).
const mcsDisconnect = "\x02\xf0\x80\x21\x80"

func rdpDetails(data []byte) []Detail {
	tpdu, _, ok := cutTPKT(data)
	if !ok || len(tpdu) < 15 {
		return nil
	}
	value := strconv.Itoa(int(binary.LittleEndian.Uint32(tpdu[11:])))
	if tpdu[7] == 3 {
		return details("failure", value)
	}
	return details("protocol", map[string]string{"0": "standard", "1": "tls", "2": "credssp", "8": "credssp-ex"}[value])
}
