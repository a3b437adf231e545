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

// OptionGroup is some options under a heading.
type OptionGroup struct {
	Label   *Text    `json:"label"`
	Options []Option `json:"options"`
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
	InitialDate    string          `json:"initial_date,omitempty"`
	InitialTime    string          `json:"initial_time,omitempty"`
	InitialAt      int64           `json:"initial_date_time,omitempty"` // InitialAt is in seconds since 1970, for a datetimepicker.
	MaxSelected    int             `json:"max_selected_items,omitempty"`
	Multiline      bool            `json:"multiline,omitempty"`
	MinLength      int             `json:"min_length,omitempty"`
	MaxLength      int             `json:"max_length,omitempty"`
	AltText        string          `json:"alt_text,omitempty"`
	Elements       []Element       `json:"elements,omitempty"` // Elements are those of a part of a rich_text block.
	// OptionGroups are options with a heading each, in place of Options.
	OptionGroups []OptionGroup `json:"option_groups,omitempty"`
	// MinQueryLength is how many letters have to be typed before the app is asked for options: 3 unless set.
	MinQueryLength int `json:"min_query_length,omitempty"`
	// Decimals is is_decimal_allowed, which a number_input must have; MinValue and MaxValue bound it.
	Decimals *bool  `json:"is_decimal_allowed,omitempty"`
	MinValue string `json:"min_value,omitempty"`
	MaxValue string `json:"max_value,omitempty"`
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
	Title     *Text     `json:"title,omitempty"`
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

// parseBlocks reads the blocks argument of a message: a JSON array, or nothing. newID makes the IDs Slack generates where the
// sender gave none.
func parseBlocks(src string, newID func() string) (parsedBlocks, answer) {
	if src == "" || src == "null" {
		return parsedBlocks{}, nil
	}
	var generic []any
	if err := json.Unmarshal([]byte(src), &generic); err != nil {
		return parsedBlocks{}, fail("invalid_blocks_format", "[ERROR] blocks are not a JSON array [json-pointer:/blocks]")
	}
	if bad := complaints("/blocks", generic, blockKit().message); len(bad) > 0 {
		return parsedBlocks{}, fail("invalid_blocks", bad...)
	}
	out, err := identify(generic, newID)
	if err != nil {
		return parsedBlocks{}, fail("invalid_blocks", "[ERROR] "+err.Error()+" [json-pointer:/blocks]")
	}
	return out, nil
}

// identify gives blocks that were checked the IDs that Slack generates, and returns both forms of them.
func identify(blocks []any, newID func() string) (out parsedBlocks, err error) {
	for _, b := range blocks {
		if obj, ok := b.(map[string]any); ok {
			fillIDs(obj, newID)
		}
	}
	if out.raw, err = json.Marshal(blocks); err != nil {
		return parsedBlocks{}, fmt.Errorf("blocks can't be stored: %w", err)
	}
	if err := json.Unmarshal(out.raw, &out.typed); err != nil {
		return parsedBlocks{}, fmt.Errorf("blocks have a field of the wrong kind: %w", err)
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
