package formats

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// field is one member of a JSON object, as it stands in the text.
type field struct {
	key   []byte // between its quotes, escapes resolved
	value []byte // without the space around it
	whole []byte // all that is between the commas or braces around it
}

// objectFields appends the members of a text that is one JSON object.
func objectFields(fields []field, text []byte) ([]field, error) {
	if !json.Valid(text) {
		var any json.RawMessage
		return fields, fmt.Errorf("not JSON: %w", json.Unmarshal(text, &any))
	}
	if text = bytes.TrimSpace(text); text[0] != '{' {
		return fields, errors.New("not a JSON object")
	}
	return members(fields, text), nil
}

// members appends the members of object, which is valid JSON; of anything but an object there are none.
func members(fields []field, object []byte) []field {
	if len(object) == 0 || object[0] != '{' {
		return fields
	}
	for i := 1; ; i++ { // i is behind a brace or comma
		start := i
		i = skipSpace(object, i)
		if object[i] == '}' {
			return fields
		}
		key := object[i:valueEnd(object, i)]
		i = skipSpace(object, skipSpace(object, i+len(key))+1) // over the colon
		value := object[i:valueEnd(object, i)]
		i = skipSpace(object, i+len(value))
		fields = append(fields, field{unquoteKey(key), value, object[start:i]})
		if object[i] == '}' {
			return fields
		}
	}
}

func skipSpace(text []byte, i int) int {
	for text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n' {
		i++
	}
	return i
}

// valueEnd is where the value that begins at i ends.
func valueEnd(text []byte, i int) int {
	switch text[i] {
	case '"':
		return stringEnd(text, i)
	case '{', '[':
		return nestedEnd(text, i)
	}
	for i < len(text) && bytes.IndexByte([]byte(",]} \t\r\n"), text[i]) < 0 {
		i++
	}
	return i
}

func nestedEnd(text []byte, i int) int {
	for depth := 0; ; i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

func stringEnd(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func unquoteKey(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var key string
	_ = json.Unmarshal(quoted, &key) // it is valid
	return []byte(key)
}

// plain is the text of a JSON string that needs no escapes; null is an empty one.
func plain(value []byte) ([]byte, error) {
	switch {
	case string(value) == "null":
		return nil, nil
	case value[0] != '"':
		return nil, errors.New("not a string")
	case bytes.IndexByte(value, '\\') >= 0: // such as a slash in base64, which may be escaped
		var text string
		err := json.Unmarshal(value, &text)
		return []byte(text), err
	}
	return value[1 : len(value)-1], nil
}

func fromHex(value []byte) ([]byte, error) {
	text, err := plain(value)
	if err != nil {
		return nil, err
	}
	b := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(b, text); err != nil {
		return nil, err
	}
	return b, nil
}

func fromBase64(value []byte) ([]byte, error) {
	text, err := plain(value)
	if err != nil {
		return nil, err
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(b, text)
	return b[:n], err
}

// lostByte stands for a byte whose value is not known, except that it is over 7Fh.
const lostByte = 0x80

// fromText reads bytes that were written as JSON text, where each that is not part of valid UTF-8 became U+FFFD and is
// lost. lost is where the first of these is, or -1.
func fromText(value []byte) (b []byte, lost int, err error) {
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return nil, -1, errors.New("not a string")
	}
	lost = -1
	for _, r := range text {
		if r != utf8.RuneError {
			b = utf8.AppendRune(b, r)
			continue
		}
		if lost < 0 {
			lost = len(b)
		}
		b = append(b, lostByte)
	}
	return b, lost, nil
}
