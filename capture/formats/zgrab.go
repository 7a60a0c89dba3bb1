package formats

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"laserdisc/capture/handshake"
	"laserdisc/capture/session"
)

// WriteZGrab writes the line that makes `zgrab2 multiple` visit a service: its address, no domain, its label as the tag, its
// port. ZGrab2 has no module for a service that was not identified: it has no line.
func WriteZGrab(w io.Writer, s *session.Service) error {
	if s.Evidence == handshake.None {
		return nil
	}
	_, err := fmt.Fprintf(w, "%v,,%s,%d\n", s.Service.Addr(), s.Label, s.Service.Port())
	return err
}

// zgrab reads the field data of a ZGrab2 line: a scan for each module that ran. Many modules keep none of the server's
// bytes, only what they made of them: a line that has nothing else cannot be read.
func zgrab(data []byte) ([]response, error) {
	var found []response
	var missing error
	bytes := 0
	for _, module := range members(nil, data) {
		scan := valuesOf(module.value)
		result, protocol := scan["result"], string(module.key)
		if p, err := plain(orNull(scan["protocol"])); err == nil && len(p) > 0 {
			protocol = string(p)
		}
		if len(members(nil, result)) == 0 { // no answer
			found = append(found, response{lost: -1})
			continue
		}
		r, ok, err := zgrabResult(protocol, valuesOf(result))
		if err != nil {
			return nil, fmt.Errorf("data.%s.result: %w", module.key, err)
		}
		if !ok {
			missing = fmt.Errorf("data.%s.result holds none of the server's bytes", module.key)
			continue
		}
		bytes += len(r.received)
		found = append(found, r)
	}
	if bytes == 0 && missing != nil {
		return nil, missing
	}
	return found, nil
}

// zgrabResult finds the server's bytes in the result of a module; ok is false if they are not there.
func zgrabResult(protocol string, result map[string][]byte) (r response, ok bool, err error) {
	r.lost = -1
	switch protocol {
	case "pptp": // its banner is what the client sent
		return r, false, nil
	case "ssh":
		id := valuesOf(result["server_id"])["raw"]
		if id == nil {
			return r, false, nil
		}
		r.received, r.lost, err = fromText(id)
		r.received = append(r.received, "\r\n"...) // cut off by the module; RFC 4253, section 4.2
		return r, true, err
	case "modbus":
		r.received, err = fromBase64(orNull(result["raw"]))
	case "dnp3":
		r.received, err = fromBase64(orNull(result["raw_response"]))
	case "drda":
		r.received, err = fromHex(orNull(result["raw"]))
	case "mysql":
		r.received, err = mysqlPacket(result["raw_packets"])
	case "redis":
		r.received, err = firstOutput(result["raw_command_output"])
	default:
		if result["banner"] != nil {
			r, err = banner(result)
		} else if answer := valuesOf(result["response"]); answer["status_line"] != nil {
			r, err = httpAnswer(answer)
		}
	}
	return r, len(r.received) > 0, err
}

// banner reads the text of a banner; the module of that name can also write it in hexadecimal or base64, which its length
// tells apart.
func banner(result map[string][]byte) (r response, err error) {
	r.received, r.lost, err = fromText(result["banner"])
	if err != nil {
		return r, fmt.Errorf("banner: %w", err)
	}
	var length int
	if json.Unmarshal(orNull(result["length"]), &length) != nil || length == 0 || length == len(r.received) {
		return r, nil
	}
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if b, err := decode(string(r.received)); err == nil && len(b) == length {
			r.received = b
			break
		}
	}
	return r, nil
}

// firstOutput is the first of a list in base64.
func firstOutput(list []byte) ([]byte, error) {
	var outputs [][]byte
	if err := json.Unmarshal(orNull(list), &outputs); err != nil || len(outputs) == 0 {
		return nil, err
	}
	return outputs[0], nil
}

// mysqlPacket gives the server's first packet back its header: a length of three bytes, and the number 0.
func mysqlPacket(list []byte) ([]byte, error) {
	body, err := firstOutput(list)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	n := len(body)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), 0}, body...), nil
}

// httpAnswer writes an answer as it was before ZGrab2 parsed it, save the case of its fields' names and those
// fields that ZGrab2 has no name for.
func httpAnswer(answer map[string][]byte) (r response, err error) {
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s\r\n", httpVersion(answer["protocol"]), stringOf(answer["status_line"]))
	for _, f := range members(nil, answer["headers"]) {
		var values []string
		if json.Unmarshal(f.value, &values) == nil {
			for _, value := range values {
				fmt.Fprintf(&head, "%s: %s\r\n", strings.ReplaceAll(string(f.key), "_", "-"), value)
			}
		}
	}
	head.WriteString("\r\n")
	r = response{received: []byte(head.String()), lost: -1}
	body, lost, err := fromText(orNull(answer["body"]))
	if err != nil {
		return r, fmt.Errorf("response.body: %w", err)
	}
	if lost >= 0 {
		r.lost = len(r.received) + lost
	}
	r.received = append(r.received, body...)
	return r, nil
}

// httpVersion reads the field protocol: HTTP/1.1, or an object that has it as its name.
func httpVersion(value []byte) string {
	if version := stringOf(value); version != "" {
		return version
	}
	return stringOf(valuesOf(value)["name"])
}

func stringOf(value []byte) (text string) {
	_ = json.Unmarshal(orNull(value), &text) // "" if it is something else
	return text
}

func valuesOf(object []byte) map[string][]byte {
	values := map[string][]byte{}
	for _, f := range members(nil, object) {
		values[string(f.key)] = f.value
	}
	return values
}

func orNull(value []byte) []byte {
	if value == nil {
		return []byte("null")
	}
	return value
}
