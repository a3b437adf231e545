package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is one JSON value as it was written, without white space between its parts. When whole is false, it is only the
// beginning of one: of a string, that is enough.
type value struct {
	raw   []byte
	whole bool
}

func (v value) null() bool { return string(v.raw) == "null" }

// scalar looks into the two forms in which agents wrap a value: {"value": true, ...} and {"$type": "upToDate"}.
func (v value) scalar() (value, bool) {
	for range 3 {
		switch {
		case len(v.raw) == 0 || v.raw[0] == '[':
			return v, false
		case v.raw[0] != '{':
			return v, true
		case !v.whole:
			return v, false
		}
		var wrapped map[string]json.RawMessage
		if json.Unmarshal(v.raw, &wrapped) != nil {
			return v, false
		}
		inner, ok := wrapped["value"]
		if !ok {
			inner = wrapped["$type"]
		}
		v = value{raw: inner, whole: true}
	}
	return v, false
}

// text is a scalar's text, at most limit bytes; clipped tells that it was more.
func (v value) text(limit int) (text string, clipped, ok bool) {
	v, ok = v.scalar()
	switch {
	case !ok:
		return "", false, false
	case v.null():
		return "", false, true
	case v.raw[0] == '"':
		text, clipped = v.unquote(), !v.whole
	case v.whole:
		text = string(v.raw)
	default:
		return "", false, false // a number of thousands of digits
	}
	short := clip(text, limit)
	return short, clipped || len(short) < len(text), true
}

// unquote decodes a string, or its beginning.
func (v value) unquote() string {
	inner := v.raw[1:]
	if v.whole {
		inner = inner[:len(inner)-1]
	} else {
		inner = complete(inner)
	}
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	quoted := append(append([]byte{'"'}, inner...), '"')
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return "" // can't be: the scanner has checked it
	}
	return text
}

// complete leaves off an escape that was cut at the end of text.
func complete(text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		length := 2
		if i+1 < len(text) && text[i+1] == 'u' {
			length = 6
		}
		if i+length > len(text) {
			return text[:i]
		}
		i += length - 1
	}
	return text
}

// number is a whole number that is not negative: a JSON number or its digits as a string, as the two lists write it. null
// and an empty string are 0, which is how agents say that there is none.
func (v value) number() (int64, bool) {
	text, clipped, ok := v.text(64)
	if !ok || clipped {
		return 0, false
	}
	if text == "" {
		return 0, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, n >= 0 && text[0] != '+'
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 || f != math.Trunc(f) || f > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// truth is a yes or no, nil when the agent does not say.
func (v value) truth() (*bool, bool) {
	text, _, ok := v.text(8)
	if !ok || text == "" {
		return nil, ok
	}
	switch strings.ToLower(text) {
	case "true":
		yes := true
		return &yes, true
	case "false":
		no := false
		return &no, true
	}
	return nil, false
}

// clip shortens text to at most limit bytes, between two characters.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// fold makes one of the two spellings of a field's name: startTime and start_time are starttime.
func fold(text string) string {
	folded := strings.ToLower(strings.ReplaceAll(text, "_", ""))
	if folded == "" {
		return text
	}
	return folded
}
