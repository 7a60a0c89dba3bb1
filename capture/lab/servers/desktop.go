package servers

import "laserdisc/capture/lab/draw"

// desktopProtocols are those of remote screens: RDP (MS-RDPBCGR), VNC (RFC 6143), X11.
var desktopProtocols = []*Protocol{
	{
		Name: "rdp", Label: "rdp", own: []Kind{RDP}, answers: Answers{TLS: 0.98},
		reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
			switch {
			case k == RDP && s.Unit(draw.ForVariant) < 0.9: // X.224 connection confirm, negotiation response
				return append(b, 3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, [...]byte{0x1f, 9, 1}[s.Below(draw.ForDetail, 3)], 8, 0, 2, 0, 0, 0), ""
			case k == RDP: // negotiation failure: TLS required by server
				return append(b, 3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, 1, 0, 0, 0), ""
			}
			return append(b, 3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, 2, 0, 0, 0), ""
		},
	},
	{
		Name: "vnc", Label: "vnc", First: true, own: []Kind{VNC},
		answers: Answers{TLS: 0.98, Newlines: 0.99, HTTP: 0.98, Wait: 0.96},
		greet: func(b []byte, s *Service) []byte {
			return append(b, pick(s, "RFB 003.008\n", "RFB 003.003\n", "RFB 003.007\n", "RFB 003.889\n")...)
		},
		reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
			if k == VNC {
				return append(b, 1, 2), "" // one security type: VNC authentication
			}
			return b, ""
		},
	},
	{
		Name: "x11", Label: "x11", own: []Kind{X11},
		reply: func(b []byte, s *Service, k Kind, _ []byte) ([]byte, string) {
			if k != X11 {
				return b, ""
			}
			// Connection refused (X11 protocol, section 8): reason, version 11.0.
			reason := "No protocol specified\n\x00\x00"
			return append(append(b, 0, 22, 11, 0, 0, 0, byte(len(reason)/4), 0), reason...), ""
		},
	},
}
