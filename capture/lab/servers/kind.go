package servers

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// kind is what a client's first words look like. They are recognised loosely, as a server would
// find out whether they are meant for it.
type kind uint8

const (
	kindWait kind = iota // nothing was said
	kindText
	kindBinary
	kindNewlines
	kindHTTP
	kindTLS
	kindSSH
	kindSMTP
	kindFTP
	kindPOP3
	kindIMAP
	kindTelnet
	kindVNC
	kindDNS
	kindRedis
	kindPPTP
	kindOracle
	kindPostgres
	kindMQTT
	kindAMQP
	kindRDP
	kindMSSQL
	kindSMB
	kindIPP
	kindIPMI
	kindMongoDB
	kindModbus
	kindSiemens
	kindDNP3
	kindMemcached
	kindFox
	kindRTSP
	kindSIP
	kindX11
	kindBGP
	kindSOCKS5
	kindENIP
)

// text reports whether the words are lines of text.
func (k kind) text() bool {
	return slices.Contains([]kind{kindText, kindNewlines, kindHTTP, kindSSH, kindSMTP, kindFTP, kindPOP3, kindIMAP,
		kindVNC, kindRedis, kindIPP, kindMemcached, kindFox, kindRTSP, kindSIP}, k)
}

// recognise finds the kind of what a client said.
func recognise(b []byte) kind {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	has := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	word := func(words ...string) bool {
		first, _, _ := bytes.Cut(line, []byte(" "))
		return slices.ContainsFunc(words, func(w string) bool { return bytes.EqualFold(first, []byte(w)) })
	}
	switch {
	case len(b) == 0:
		return kindWait
	case len(bytes.Trim(b, "\r\n")) == 0:
		return kindNewlines
	case bytes.HasSuffix(line, []byte(" RTSP/1.0")):
		return kindRTSP
	case bytes.HasSuffix(line, []byte(" SIP/2.0")):
		return kindSIP
	case bytes.Contains(line, []byte(" HTTP/1.")):
		if has("POST") && bytes.Contains(b, []byte("application/ipp")) {
			return kindIPP
		}
		return kindHTTP
	case has("SSH-"):
		return kindSSH
	case has("RFB "):
		return kindVNC
	case has("AMQP"):
		return kindAMQP
	case has("fox a "):
		return kindFox
	case word("EHLO", "HELO"):
		return kindSMTP
	case word("USER", "FEAT", "SYST"):
		return kindFTP
	case word("CAPA"):
		return kindPOP3
	case bytes.HasSuffix(bytes.ToUpper(line), []byte(" CAPABILITY")):
		return kindIMAP
	case word("PING") || has("*1\r\n$4\r\nPING") || has("*1\r\n$4\r\nping"):
		return kindRedis
	case word("version", "stats"):
		return kindMemcached
	}
	return recogniseBinary(b)
}

func recogniseBinary(b []byte) kind {
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
		return kindTLS
	case at(0) == 0xff && at(1) >= 0xfb && at(1) <= 0xfe:
		return kindTelnet
	case bytes.HasPrefix(b, bytes.Repeat([]byte{0xff}, 16)):
		return kindBGP
	case at(0) == 3 && at(1) == 0 && at(5) == 0xe0: // TPKT and X.224: the parameters tell them apart
		if bytes.Contains(b[7:], []byte{0xc1, 2}) || bytes.Contains(b[7:], []byte{0xc2, 2}) {
			return kindSiemens
		}
		return kindRDP
	case len(b) >= 12 && be16(0) == 156 && be16(2) == 1:
		return kindPPTP
	case at(4) == 1 && len(b) > 8 && be16(0) == len(b):
		return kindOracle
	case len(b) == 8 && be16(4) == 0x04d2 && be16(6) == 0x162f, len(b) > 8 && be16(0) == 0 && be16(2) == len(b) && be16(4) == 3 && be16(6) == 0:
		return kindPostgres
	case at(0) == 0x10 && (bytes.Contains(b, []byte("MQTT")) || bytes.Contains(b, []byte("MQIsdp"))):
		return kindMQTT
	case at(0) == 0x12 && at(1) <= 1 && be16(2) == len(b):
		return kindMSSQL
	case at(0) == 0 && bytes.Equal(b[min(5, len(b)):min(8, len(b))], []byte("SMB")):
		return kindSMB
	case be16(0) == 0x0600 && at(2) == 0xff && at(3) == 7:
		return kindIPMI
	case be16(0) == 0x0564:
		return kindDNP3
	case at(0) == 0x80 && len(b) >= 24 && at(1) <= 0x20:
		return kindMemcached
	case (at(0) == 0x6c || at(0) == 0x42) && (at(2) == 11 || at(3) == 11):
		return kindX11
	case at(0) == 5 && len(b) >= 3 && len(b) == 2+int(at(1)):
		return kindSOCKS5
	case len(b) >= 16 && le32(0) == uint32(len(b)) && (le32(12) == 2004 || le32(12) == 2013):
		return kindMongoDB
	case len(b) >= 24 && (at(0) == 4 || at(0) == 0x63 || at(0) == 0x65) && at(1) == 0 && int(at(2)) == len(b)-24:
		return kindENIP
	case len(b) >= 8 && be16(2) == 0 && be16(4) == len(b)-6:
		return kindModbus
	case len(b) >= 17 && be16(0) == len(b)-2 && at(4)&0x80 == 0 && be16(6) == 1:
		return kindDNS
	}
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' && c != '\t' {
			return kindBinary
		}
	}
	return kindText
}
