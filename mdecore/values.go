package mdecore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Time is a point in time as the API writes it: RFC 3339 with up to seven digits of a second, sometimes without a zone
// (then UTC), sometimes with a space instead of the T, sometimes only a date. null and "" are the zero Time.
type Time struct{ time.Time }

// ParseTime reads a time in any form that the API's samples show. The result is in UTC.
func ParseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range timeLayouts() {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time in a form that the API uses", shorten(text))
}

// timeLayouts are tried in turn; Go accepts a fraction of a second after any of them.
func timeLayouts() [6]string {
	return [...]string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02Z07:00", time.DateOnly,
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(data []byte) error {
	text, ok, err := jsonText(data)
	if err != nil {
		return err
	}
	if !ok || text == "" {
		*t = Time{}
		return nil
	}
	parsed, err := ParseTime(text)
	if err != nil {
		return err
	}
	t.Time = parsed
	return nil
}

// MarshalJSON writes RFC 3339 in UTC, or null for the zero Time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().MarshalJSON()
}

// ID is an identifier that the API writes as a string in one place and as a number in another.
type ID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *ID) UnmarshalJSON(data []byte) error {
	if number(data) {
		*id = ID(data)
		return nil
	}
	text, _, err := jsonText(data)
	*id = ID(text)
	return err
}

// Int is a whole number that may also come as a string; null and "" are 0.
type Int int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *Int) UnmarshalJSON(data []byte) error {
	text := string(data)
	if !number(data) {
		var err error
		if text, _, err = jsonText(data); err != nil {
			return err
		}
	}
	if text == "" {
		*n = 0
		return nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", shorten(text))
	}
	*n = Int(value)
	return nil
}

// Float is a number with a fraction that may also come as a string; null and "" are 0.
type Float float64

// UnmarshalJSON implements json.Unmarshaler. What JSON cannot say, such as NaN, is refused in a string as well, because
// it could not be written again.
func (f *Float) UnmarshalJSON(data []byte) error {
	text := string(data)
	if !number(data) {
		var err error
		if text, _, err = jsonText(data); err != nil {
			return err
		}
	}
	if text = strings.TrimSpace(text); text == "" {
		*f = 0
		return nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return fmt.Errorf("%q is not a number", shorten(text))
	}
	*f = Float(value)
	return nil
}

// Strings is a list that may also come as a single string, with or without commas.
type Strings []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *Strings) UnmarshalJSON(data []byte) error {
	*s = nil
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(s))
	}
	text, _, err := jsonText(data)
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*s = append(*s, part)
		}
	}
	return err
}

// Texts is a list of texts whose page calls it one text: it comes as an array, as a single string or as null. Unlike
// Strings it is never split at commas, because the texts are values and sentences. An element that is not a string is
// kept as its JSON.
type Texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Texts) UnmarshalJSON(data []byte) error {
	*t = nil
	if len(data) == 0 || data[0] != '[' {
		text, ok, err := jsonText(data)
		if ok && text != "" {
			*t = Texts{text}
		}
		return err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	*t = make(Texts, 0, len(items))
	for _, item := range items {
		text, err := textOf(item)
		if err != nil {
			return err
		}
		*t = append(*t, text)
	}
	return nil
}

// textOf is a string's text, or any other value's JSON without spaces.
func textOf(item json.RawMessage) (string, error) {
	if text, ok, err := jsonText(item); err == nil && ok {
		return text, nil
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, item)
	return compact.String(), err
}

// jsonText returns a JSON string's value, or false for null.
func jsonText(data []byte) (string, bool, error) {
	if bytes.Equal(data, []byte("null")) {
		return "", false, nil
	}
	if len(data) >= 2 && data[0] == '"' && bytes.IndexByte(data, '\\') < 0 && isASCII(data) {
		return string(data[1 : len(data)-1]), true, nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return "", false, fmt.Errorf("%s is neither a string nor null", shorten(string(data)))
	}
	return text, true, nil
}

// isASCII reports whether data has no byte above 127, so that it needs no check for broken UTF-8.
func isASCII(data []byte) bool {
	for _, b := range data {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// number reports whether a JSON value is a number.
func number(data []byte) bool {
	return len(data) > 0 && (data[0] == '-' || (data[0] >= '0' && data[0] <= '9'))
}

// shorten keeps a quoted value readable.
func shorten(text string) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(text[:60], "") + "..."
	}
	return text
}
