package content

import (
	"strings"

	"laserdisc/capture/handshake"
)

// softwareDetails are the sub-labels of each protocol that together name a server's software, in order. Banners of mail, FTP and
// Telnet servers are left out: what they say is the host's name and the time as often.
var softwareDetails = map[string][]string{
	"amqp":        {"product", "release"},
	"codesys2":    {"system", "version"},
	"drda":        {"class", "release"},
	"enip":        {"product"},
	"fox":         {"application", "release"},
	"http":        {"server"},
	"managesieve": {"software"},
	"memcached":   {"version"},
	"modbus":      {"vendor", "product", "revision"},
	"mssql":       {"version"},
	"mysql":       {"version"},
	"oracle":      {"number"},
	"pptp":        {"vendor"},
	"rtsp":        {"server"},
	"sip":         {"server"},
	"ssh":         {"software"},
	"x11":         {"vendor"},
}

// Software names the software of a server with this label, with its version if the response says so; "" if it does not tell.
// Control and non-ASCII bytes are as in a Go string literal.
func Software(label string, response []byte) string {
	keys := softwareDetails[label]
	if len(keys) == 0 || len(response) == 0 {
		return ""
	}
	details := handshake.Details(label, response)
	var words []string
	for _, key := range keys {
		for _, d := range details {
			if d.Key == key && d.Value != "" {
				words = append(words, d.Value)
			}
		}
	}
	return strings.Join(words, " ")
}
