package servers

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Kind is what a client's first words look like. They are recognised loosely, as a server would
// find out whether they are meant for it.
type Kind uint8

// The kinds.

const (
	Wait Kind = iota // nothing was said
	Text
	Binary
	Newlines
	HTTP
	TLS
	SSH
	SMTP
	FTP
	POP3
	IMAP
	Telnet
	VNC
	DNS
	Redis
	PPTP
	Oracle
	Postgres
	MQTT
	AMQP
	RDP
	MSSQL
	SMB
	IPP
	IPMI
	MongoDB
	Modbus
	Siemens
	DNP3
	Memcached
	Fox
	RTSP
	SIP
	X11
	BGP
	SOCKS5
	ENIP
)

// text reports whether the words are lines of text.
func (k Kind) text() bool {
	return slices.Contains([]Kind{Text, Newlines, HTTP, SSH, SMTP, FTP, POP3, IMAP,
		VNC, Redis, IPP, Memcached, Fox, RTSP, SIP}, k)
}

// Recognise finds the kind of what a client said.
func Recognise(b []byte) Kind {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	has := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	word := func(words ...string) bool {
		first, _, _ := bytes.Cut(line, []byte(" "))
		return slices.ContainsFunc(words, func(w string) bool { return bytes.EqualFold(first, []byte(w)) })
	}
	switch {
	case len(b) == 0:
		return Wait
	case len(bytes.Trim(b, "\r\n")) == 0:
		return Newlines
	case bytes.HasSuffix(line, []byte(" RTSP/1.0")):
		return RTSP
	case bytes.HasSuffix(line, []byte(" SIP/2.0")):
		return SIP
	case bytes.Contains(line, []byte(" HTTP/1.")):
		if has("POST") && bytes.Contains(b, []byte("application/ipp")) {
			return IPP
		}
		return HTTP
	case has("SSH-"):
		return SSH
	case has("RFB "):
		return VNC
	case has("AMQP"):
		return AMQP
	case has("fox a "):
		return Fox
	case word("EHLO", "HELO"):
		return SMTP
	case word("USER", "FEAT", "SYST"):
		return FTP
	case word("CAPA"):
		return POP3
	case bytes.HasSuffix(bytes.ToUpper(line), []byte(" CAPABILITY")):
		return IMAP
	case word("PING") || has("*1\r\n$4\r\nPING") || has("*1\r\n$4\r\nping"):
		return Redis
	case word("version", "stats"):
		return Memcached
	}
	return recogniseBinary(b)
}

func recogniseBinary(b []byte) Kind {
	at := func(i int) byte {
		if i < len(b) {
			return b[i]
		}
		return 0
	}
	be16 := func(i int) int { return int(at(i))<<8 | int(at(i+1)) }
	le32 := func(i int) uint32 {
		if i+4 > len(b) {
			return 0
		}
		return binary.LittleEndian.Uint32(b[i:])
	}
	switch {
	case at(0) == 0x16 && at(1) == 3:
		return TLS
	case at(0) == 0xff && at(1) >= 0xfb && at(1) <= 0xfe:
		return Telnet
	case bytes.HasPrefix(b, bytes.Repeat([]byte{0xff}, 16)):
		return BGP
	case at(0) == 3 && at(1) == 0 && at(5) == 0xe0: // TPKT and X.224: the parameters tell them apart
		if bytes.Contains(b[7:], []byte{0xc1, 2}) || bytes.Contains(b[7:], []byte{0xc2, 2}) {
			return Siemens
		}
		return RDP
	case len(b) >= 12 && be16(0) == 156 && be16(2) == 1:
		return PPTP
	case at(4) == 1 && len(b) > 8 && be16(0) == len(b):
		return Oracle
	case len(b) == 8 && be16(4) == 0x04d2 && be16(6) == 0x162f, len(b) > 8 && be16(0) == 0 && be16(2) == len(b) && be16(4) == 3 && be16(6) == 0:
		return Postgres
	case at(0) == 0x10 && (bytes.Contains(b, []byte("MQTT")) || bytes.Contains(b, []byte("MQIsdp"))):
		return MQTT
	case at(0) == 0x12 && at(1) <= 1 && be16(2) == len(b):
		return MSSQL
	case at(0) == 0 && bytes.Equal(b[min(5, len(b)):min(8, len(b))], []byte("SMB")):
		return SMB
	case be16(0) == 0x0600 && at(2) == 0xff && at(3) == 7:
		return IPMI
	case be16(0) == 0x0564:
		return DNP3
	case at(0) == 0x80 && len(b) >= 24 && at(1) <= 0x20:
		return Memcached
	case (at(0) == 0x6c || at(0) == 0x42) && (at(2) == 11 || at(3) == 11):
		return X11
	case at(0) == 5 && len(b) >= 3 && len(b) == 2+int(at(1)):
		return SOCKS5
	case len(b) >= 16 && le32(0) == uint32(len(b)) && (le32(12) == 2004 || le32(12) == 2013):
		return MongoDB
	case len(b) >= 24 && (at(0) == 4 || at(0) == 0x63 || at(0) == 0x65) && at(1) == 0 && int(at(2)) == len(b)-24:
		return ENIP
	case len(b) >= 8 && be16(2) == 0 && be16(4) == len(b)-6:
		return Modbus
	case len(b) >= 17 && be16(0) == len(b)-2 && at(4)&0x80 == 0 && be16(6) == 1:
		return DNS
	}
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' && c != '\t' {
			return Binary
		}
	}
	return Text
}
