package mdecore

import (
	"bytes"
	"encoding/json"
)

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
