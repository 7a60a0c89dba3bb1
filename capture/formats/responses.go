package formats

import (
	"errors"
	"fmt"
)

// find reads the responses of a line: one, or for ZGrab2 one for each module that ran. Which fields hold them:
//
//	received_hex, received_base64   what the server sent
//	sent_hex, sent_base64           what had been sent to it; tells an echo
//	response                        base64: services.jsonl of laserdisc, which leaves it out if there was none
//	data, text                      LZR, likewise; laserdisc adds data_base64, which lost nothing
//	data, an object                 ZGrab2
func find(fields []field) ([]response, error) {
	r := response{lost: -1}
	readable := false
	for _, f := range fields {
		var err error
		switch string(f.key) {
		case "received_hex":
			readable = true
			r.received, err = fromHex(f.value)
		case "received_base64", "response":
			readable = true
			r.received, err = fromBase64(f.value)
		case "data_base64": // of laserdisc's LZR lines, after data, which may have lost bytes
			r.received, err = fromBase64(f.value)
			r.lost = -1
		case "sent_hex":
			r.sent, err = fromHex(f.value)
		case "sent_base64":
			r.sent, err = fromBase64(f.value)
		case "data":
			if f.value[0] == '{' {
				return zgrab(f.value)
			}
			readable = true
			r.received, r.lost, err = fromText(f.value)
		case "acknum", "handshake": // of a line of LZR or services.jsonl
			readable = true
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.key, err)
		}
	}
	if !readable {
		return nil, errors.New("no received_hex, received_base64, response or data in it")
	}
	return []response{r}, nil
}
