package mdecore

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

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

// Bool is true or false, which may also come as a string in any case; null and "" are false.
type Bool bool

// UnmarshalJSON implements json.Unmarshaler.
func (b *Bool) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text != "true" && text != "false" {
		var err error
		if text, _, err = jsonText(data); err != nil {
			return fmt.Errorf("%s is neither true nor false", shorten(string(data)))
		}
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		*b = true
	case "false", "":
		*b = false
	default:
		return fmt.Errorf("%q is neither true nor false", shorten(text))
	}
	return nil
}
