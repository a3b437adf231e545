package kql

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxText is the longest string that an expression may make; Kusto has the same.
const maxText = 1 << 20

// typeOf is the type of a value; null and JSON are Dynamic.
func typeOf(v any) Type {
	switch v.(type) {
	case string:
		return String
	case int64:
		return Long
	case float64:
		return Real
	case bool:
		return Bool
	case time.Time:
		return DateTime
	case time.Duration:
		return Timespan
	}
	return Dynamic
}

func numeric(t Type) bool { return t == Long || t == Real }

// comparable reports whether values of two types can be compared.
func comparableTypes(a, b Type) bool {
	return a == b && a != Dynamic || numeric(a) && numeric(b)
}

// compareValues orders two values that are not null and of comparable types.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok {
			return cmp.Compare(number(a), number(b))
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	case time.Duration:
		if b, ok := b.(time.Duration); ok {
			return cmp.Compare(a, b)
		}
	case int64:
		switch b := b.(type) {
		case int64:
			return cmp.Compare(a, b)
		case float64:
			return cmp.Compare(float64(a), b)
		}
	case float64:
		switch b := b.(type) {
		case int64:
			return cmp.Compare(a, float64(b))
		case float64:
			return cmp.Compare(a, b)
		}
	}
	// Dynamic values of unlike kinds have no order of their own.
	return strings.Compare(textOf(a), textOf(b))
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// textOf is what tostring() makes of a value.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.0000000Z")
	case time.Duration:
		return SpanText(v)
	}
	// Only what encoding/json made gets here.
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// SpanText writes a time span as the service does: 1.02:03:04.5000000.
func SpanText(d time.Duration) string {
	sign := ""
	if d < 0 {
		// The smallest span has no positive counterpart; one tick less is near enough.
		sign, d = "-", -max(d, -1<<63+1)
	}
	days := d / (24 * time.Hour)
	d %= 24 * time.Hour
	text := fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
	if days > 0 {
		text = fmt.Sprintf("%d.%s", days, text)
	}
	if ticks := d % time.Second / 100; ticks > 0 {
		text += fmt.Sprintf(".%07d", ticks)
	}
	return sign + text
}

// keyOf makes a value usable as a map key; values of different kinds differ.
func keyOf(v any) string {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		v = int64(f)
	}
	return strconv.Itoa(int(typeOf(v))) + ":" + textOf(v)
}

// empty reports what isempty() does: null, or an empty string.
func empty(v any) bool {
	s, ok := v.(string)
	return v == nil || ok && s == ""
}
