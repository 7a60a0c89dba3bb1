package handshake

import (
	"bytes"
	"net/netip"
)

var kubernetes = Protocol{
	Name:      "kubernetes",
	Ports:     []uint16{6443, 443},
	Spec:      "Kubernetes API reference, meta/v1 Status and version.Info",
	Version:   1,
	First:     "ClientHello of TLS 1.2 alone, in which the certificate comes unencrypted",
	Signature: "certificate for kubernetes.default.svc, or an HTTP answer with a Status or version object of the API",
	Leads:     "\x16H",
	Hello: func(b []byte, _ netip.AddrPort, nonce uint64) []byte {
		return appendClientHello(b, 0x0303, modernCiphers[3:], olderExtensions, nonce)
	},
	Match:   matchKubernetes,
	Details: kubernetesDetails,
}

// olderExtensions are those of TLS 1.2: without supported_versions a server must not choose 1.3 (RFC 8446, section 4.2.1).
var olderExtensions = func() []byte {
	b := appendExtension(nil, extMasterSecret, nil)
	b = appendExtension(b, extGroups, u16List(groupX25519, 0x0017, 0x0018, 0x0019))
	b = appendExtension(b, extPointFormats, []byte{1, 0})
	return appendExtension(b, extSignatures, u16List(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0203, 0x0201))
}()

func matchKubernetes(data []byte) Match {
	if hasPrefix(data, "H") {
		return matchKubernetesAPI(data)
	}
	list, at := handshakeMessage(data, certificate)
	if i := bytes.Index(list, apiServerName); i >= 0 {
		return likely(at + i + len(apiServerName))
	}
	return Match{}
}

// apiServerName is a dNSName (RFC 5280, section 4.2.1.6: context tag 2) of the name that every cluster's API server has
// in its certificate.
var apiServerName = []byte("\x82\x16kubernetes.default.svc")

// matchKubernetesAPI wants a JSON object with the fields of a Status (every refusal is one) or of version.Info.
func matchKubernetesAPI(data []byte) Match {
	r, ok := parseResponse(data, "HTTP/1.")
	if !ok || !hasPrefix(r.body, "{") {
		return Match{}
	}
	body := r.body[:min(len(r.body), 1024)]
	status := hasMember(body, "kind", "Status") && hasMember(body, "apiVersion", "v1")
	version := hasMember(body, "gitVersion", "v") && hasMember(body, "gitTreeState", "") && hasMember(body, "goVersion", "go")
	if !status && !version {
		return Match{}
	}
	return certain(r.size + len(body))
}

// hasMember looks for a member of a JSON object, "name": "value...", by the beginning of its value.
func hasMember(object []byte, name, value string) bool {
	for at := 0; ; {
		i := bytes.IndexByte(object[at:], '"')
		if i < 0 {
			return false
		}
		at += i + 1
		if rest := object[at:]; hasPrefix(rest, name) && hasPrefix(rest[len(name):], `"`) {
			rest = bytes.TrimLeft(rest[len(name)+1:], ": \t\r\n")
			if hasPrefix(rest, `"`) && hasPrefix(rest[1:], value) {
				return true
			}
		}
	}
}

func kubernetesDetails(data []byte) []Detail {
	if hasPrefix(data, "H") {
		return httpDetails(data)
	}
	return tlsDetails(data)
}
