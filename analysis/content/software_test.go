package content

import (
	"testing"

	"laserdisc/capture/handshake"
)

func TestSoftware(t *testing.T) {
	for _, c := range []struct{ label, response, want string }{
		{"ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "OpenSSH_9.2p1"},
		{"http", "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n", "nginx/1.22.1"},
		{"http", "HTTP/1.1 200 OK\r\n\r\n", ""},
		{"ssh", "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n", ""},
		{"mysql", "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefghijkl\x00mysql_native_password\x00", "8.0.36"},
		{"", "SSH-2.0-x\r\n", ""},
		{"ssh", "", ""},
	} {
		if got := Software(c.label, []byte(c.response)); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.label, c.response, got, c.want)
		}
	}
}

// Each protocol that is named here exists: a name that changes would silently lose its software.
func TestSoftwareNamesProtocols(t *testing.T) {
	for label := range softwareDetails {
		if _, ok := handshake.Lookup(label); !ok {
			t.Errorf("no protocol is called %q", label)
		}
	}
}
