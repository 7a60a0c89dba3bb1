package session

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"laserdisc/capture/handshake"
)

// MarshalJSON writes the service as one object of a services.jsonl line.
func (s *Service) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends the service as one object of a services.jsonl line: its fields in a fixed order, times as RFC 3339
// has them, the sub-labels by their names, and the response in base64, so that no byte of it is lost.
func (s *Service) AppendJSON(b []byte) []byte {
	b = append(b, `{"addr":"`...)
	b = s.Service.Addr().AppendTo(b)
	b = append(b, `","port":`...)
	b = strconv.AppendUint(b, uint64(s.Service.Port()), 10)
	b = appendText(b, `,"state":`, s.State.String())
	b = appendText(b, `,"label":`, s.Label)
	b = appendText(b, `,"evidence":`, s.Evidence.String())
	b = appendText(b, `,"handshake":`, s.Handshake)
	b = append(b, `,"attempts":`...)
	b = strconv.AppendInt(b, int64(s.Attempts), 10)
	b = appendTime(b, `,"first":"`, s.First)
	b = appendTime(b, `,"end":"`, s.End)
	b = append(b, `,"window":`...)
	b = strconv.AppendUint(b, uint64(s.Window), 10)
	b = append(b, `,"ttl":`...)
	b = strconv.AppendUint(b, uint64(s.TTL), 10)
	b = appendText(b, `,"options":`, s.Layout)
	b = append(b, `,"frame":`...)
	b = strconv.AppendUint(b, s.Frame, 10)
	b = appendDetails(b, handshake.Details(s.Label, s.Response))
	if len(s.Response) > 0 {
		b = append(b, `,"response":"`...)
		b = base64.StdEncoding.AppendEncode(b, s.Response)
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendTime(b []byte, name string, ns int64) []byte {
	b = append(b, name...)
	b = time.Unix(0, ns).UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendText appends a name and a text in quotes, escaped as encoding/json does.
func appendText(b []byte, name, text string) []byte {
	b = append(b, name...)
	if plain(text) {
		b = append(b, '"')
		b = append(b, text...)
		return append(b, '"')
	}
	quoted, _ := json.Marshal(text) // which does not fail for a string
	return append(b, quoted...)
}

// plain reports whether JSON has the text as it is.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// appendDetails appends the sub-labels in the order of their names. Of two of one name the later counts.
func appendDetails(b []byte, details []handshake.Detail) []byte {
	if len(details) == 0 {
		return b
	}
	slices.SortStableFunc(details, func(a, b handshake.Detail) int { return strings.Compare(a.Key, b.Key) })
	b = append(b, `,"details":{`...)
	first := true
	for i, d := range details {
		if i+1 < len(details) && details[i+1].Key == d.Key {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendText(b, "", d.Key), ':')
		b = appendText(b, "", d.Value)
	}
	return append(b, '}')
}
