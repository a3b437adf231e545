package slacksim

import (
	"encoding/json"
	"fmt"
)

// Text is a Block Kit text object.
type Text struct {
	Type     string `json:"type"`               // Type is plain_text or mrkdwn.
	Text     string `json:"text"`               // Text is the content as sent, entities not decoded.
	Emoji    *bool  `json:"emoji,omitempty"`    // Emoji says whether :names: are drawn, for plain_text.
	Verbatim bool   `json:"verbatim,omitempty"` // Verbatim stops automatic linking, for mrkdwn.
}

// Option is one choice of a menu, radio group or checkbox group.
type Option struct {
	Text        *Text  `json:"text"`
	Value       string `json:"value"`
	Description *Text  `json:"description,omitempty"`
}

// Element is an interactive element, or a text or image inside a context block.
type Element struct {
	Type           string          `json:"type"`
	ActionID       string          `json:"action_id,omitempty"`
	Text           json.RawMessage `json:"text,omitempty"` // Text is a text object, or a string when Type is plain_text or mrkdwn.
	Value          string          `json:"value,omitempty"`
	Style          string          `json:"style,omitempty"`
	URL            string          `json:"url,omitempty"`
	Confirm        json.RawMessage `json:"confirm,omitempty"`
	Placeholder    *Text           `json:"placeholder,omitempty"`
	Options        []Option        `json:"options,omitempty"`
	InitialOption  *Option         `json:"initial_option,omitempty"`
	InitialOptions []Option        `json:"initial_options,omitempty"`
	InitialValue   string          `json:"initial_value,omitempty"`
	Multiline      bool            `json:"multiline,omitempty"`
	MinLength      int             `json:"min_length,omitempty"`
	MaxLength      int             `json:"max_length,omitempty"`
	AltText        string          `json:"alt_text,omitempty"`
}

// Block is a layout block of a message or view.
type Block struct {
	Type      string    `json:"type"`
	BlockID   string    `json:"block_id,omitempty"`
	Text      *Text     `json:"text,omitempty"`
	Fields    []Text    `json:"fields,omitempty"`
	Elements  []Element `json:"elements,omitempty"`
	Accessory *Element  `json:"accessory,omitempty"`
	Label     *Text     `json:"label,omitempty"`
	Element   *Element  `json:"element,omitempty"`
	Hint      *Text     `json:"hint,omitempty"`
	Optional  bool      `json:"optional,omitempty"`
	AltText   string    `json:"alt_text,omitempty"`
	ImageURL  string    `json:"image_url,omitempty"`
}

// textObject returns the element's text: of a button, or of a text inside a context block.
func (e Element) textObject() Text {
	var obj Text
	if json.Unmarshal(e.Text, &obj) == nil && obj.Type != "" {
		return obj
	}
	var s string
	if json.Unmarshal(e.Text, &s) == nil {
		return Text{Type: e.Type, Text: s}
	}
	return Text{}
}

// parsedBlocks are blocks in two forms: raw, with Slack's generated IDs filled in, as Slack would send them back; and typed.
type parsedBlocks struct {
	raw   json.RawMessage
	typed []Block
}

// parseBlocks reads the blocks argument: a JSON array, or nothing. newID makes the IDs Slack generates where the sender gave none.
func parseBlocks(src string, newID func() string) (parsedBlocks, error) {
	if src == "" || src == "null" {
		return parsedBlocks{}, nil
	}
	var generic []map[string]any
	if err := json.Unmarshal([]byte(src), &generic); err != nil {
		return parsedBlocks{}, fmt.Errorf("blocks are not a JSON array of objects: %w", err)
	}
	for _, b := range generic {
		if b == nil {
			return parsedBlocks{}, fmt.Errorf("blocks contain null")
		}
		fillIDs(b, newID)
	}
	raw, err := json.Marshal(generic)
	if err != nil {
		return parsedBlocks{}, fmt.Errorf("blocks can't be stored: %w", err)
	}
	out := parsedBlocks{raw: raw}
	if err := json.Unmarshal(raw, &out.typed); err != nil {
		return parsedBlocks{}, fmt.Errorf("blocks have a field of the wrong type: %w", err)
	}
	return out, nil
}

// fillIDs gives a block and its interactive elements the IDs that Slack generates when they are missing.
func fillIDs(block map[string]any, newID func() string) {
	setID(block, "block_id", newID)
	for _, key := range []string{"element", "accessory"} {
		if el, ok := block[key].(map[string]any); ok && el["type"] != "image" {
			setID(el, "action_id", newID)
		}
	}
	if block["type"] != "actions" {
		return
	}
	elements, _ := block["elements"].([]any)
	for _, e := range elements {
		if el, ok := e.(map[string]any); ok {
			setID(el, "action_id", newID)
		}
	}
}

func setID(obj map[string]any, key string, newID func() string) {
	if id, _ := obj[key].(string); id == "" {
		obj[key] = newID()
	}
}

// Button is something a person can press in a message or view.
type Button struct {
	BlockID  string // BlockID is the block's ID.
	ActionID string // ActionID is the element's ID.
	Label    string // Label is the text on it, entities decoded.
	Value    string // Value is what the app put there.
	Style    string // Style is "", primary or danger.
	URL      string // URL is opened when pressed, if set.
	raw      Element
}

// buttonsOf lists the buttons of blocks in the order a person reads them: the numbers that RenderText draws.
func buttonsOf(blocks []Block) []Button {
	var out []Button
	add := func(b Block, e Element) {
		if e.Type == "button" {
			out = append(out, Button{
				BlockID: b.BlockID, ActionID: e.ActionID, Label: unescape(e.textObject().Text),
				Value: e.Value, Style: e.Style, URL: e.URL, raw: e,
			})
		}
	}
	for _, b := range blocks {
		if b.Accessory != nil {
			add(b, *b.Accessory)
		}
		if b.Type != "actions" {
			continue
		}
		for _, e := range b.Elements {
			add(b, e)
		}
	}
	return out
}
