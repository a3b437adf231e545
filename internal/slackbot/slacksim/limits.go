package slacksim

import (
	"fmt"
	"unicode/utf8"
)

// Slack's published sizes, in characters or items.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxSectionText   = 3000
	maxFields        = 10
	maxFieldText     = 2000
	maxHeaderText    = 150
	maxContext       = 10
	maxActions       = 25
	maxButtonText    = 75
	maxButtonValue   = 2000
	maxURL           = 3000
	maxID            = 255
	maxOptions       = 100
	maxOptionText    = 75
	maxOptionValue   = 150
	maxLabel         = 2000
	maxPlaceholder   = 150
	maxTitle         = 24
	maxMetadata      = 3000
	maxMessageText   = 40000
)

// checker collects what Slack would complain about, each with a JSON pointer.
type checker struct {
	messages []string
	blockIDs map[string]bool
}

func (c *checker) fail(pointer, format string, args ...any) {
	c.messages = append(c.messages, fmt.Sprintf("[ERROR] %s [json-pointer:%s]", fmt.Sprintf(format, args...), pointer))
}

func (c *checker) length(pointer, s string, limit int) {
	if utf8.RuneCountInString(s) > limit {
		c.fail(pointer, "must be less than %d characters", limit+1)
	}
}

// text checks a text object. kind is the only type allowed there, or "" for both.
func (c *checker) text(pointer string, t *Text, limit int, kind string) {
	switch {
	case t == nil:
		c.fail(pointer, "missing required field: text")
		return
	case t.Type != "plain_text" && t.Type != "mrkdwn":
		c.fail(pointer+"/type", "unsupported type: %s", t.Type)
	case kind != "" && t.Type != kind:
		c.fail(pointer+"/type", "must be %s", kind)
	case t.Text == "":
		c.fail(pointer+"/text", "must be more than 0 characters")
	}
	c.length(pointer+"/text", t.Text, limit)
}

func (c *checker) optionalText(pointer string, t *Text, limit int, kind string) {
	if t != nil {
		c.text(pointer, t, limit, kind)
	}
}

// checkBlocks returns Slack's complaints about blocks, empty when they are fine. base is the JSON pointer of their parent.
func checkBlocks(base string, blocks []Block, limit int, inView bool) []string {
	c := &checker{blockIDs: map[string]bool{}}
	if len(blocks) > limit {
		c.fail(base+"/blocks", "no more than %d items allowed", limit)
	}
	for i, b := range blocks {
		p := fmt.Sprintf("%s/blocks/%d", base, i)
		c.length(p+"/block_id", b.BlockID, maxID)
		if c.blockIDs[b.BlockID] {
			c.fail(p+"/block_id", "block_id %s is used twice", b.BlockID)
		}
		c.blockIDs[b.BlockID] = true
		c.block(p, b, inView)
	}
	return c.messages
}

func (c *checker) block(p string, b Block, inView bool) {
	switch b.Type {
	case "section":
		c.section(p, b)
	case "header":
		c.text(p+"/text", b.Text, maxHeaderText, "plain_text")
	case "context":
		c.context(p, b)
	case "actions":
		c.actions(p, b)
	case "input":
		c.input(p, b, inView)
	case "image":
		c.length(p+"/image_url", b.ImageURL, maxURL)
		if b.AltText == "" {
			c.fail(p, "missing required field: alt_text")
		}
	case "divider":
	default:
		c.fail(p+"/type", "unsupported type: %s", b.Type)
	}
}

func (c *checker) section(p string, b Block) {
	if b.Text == nil && len(b.Fields) == 0 {
		c.fail(p, "missing required field: text")
	}
	c.optionalText(p+"/text", b.Text, maxSectionText, "")
	if len(b.Fields) > maxFields {
		c.fail(p+"/fields", "no more than %d items allowed", maxFields)
	}
	for i := range b.Fields {
		c.text(fmt.Sprintf("%s/fields/%d", p, i), &b.Fields[i], maxFieldText, "")
	}
	if b.Accessory != nil {
		c.element(p+"/accessory", *b.Accessory)
	}
}

func (c *checker) context(p string, b Block) {
	if n := len(b.Elements); n == 0 || n > maxContext {
		c.fail(p+"/elements", "between 1 and %d items allowed", maxContext)
	}
	for i, e := range b.Elements {
		q := fmt.Sprintf("%s/elements/%d", p, i)
		switch e.Type {
		case "plain_text", "mrkdwn":
			t := e.textObject()
			c.text(q, &t, maxSectionText, "")
		case "image":
			if e.AltText == "" {
				c.fail(q, "missing required field: alt_text")
			}
		default:
			c.fail(q+"/type", "unsupported type: %s", e.Type)
		}
	}
}

func (c *checker) actions(p string, b Block) {
	if n := len(b.Elements); n == 0 || n > maxActions {
		c.fail(p+"/elements", "between 1 and %d items allowed", maxActions)
	}
	seen := map[string]bool{}
	for i, e := range b.Elements {
		q := fmt.Sprintf("%s/elements/%d", p, i)
		c.element(q, e)
		if seen[e.ActionID] {
			c.fail(q+"/action_id", "action_id %s is used twice", e.ActionID)
		}
		seen[e.ActionID] = true
	}
}

func (c *checker) input(p string, b Block, inView bool) {
	if !inView {
		c.fail(p+"/type", "unsupported type: input")
	}
	c.text(p+"/label", b.Label, maxLabel, "plain_text")
	c.optionalText(p+"/hint", b.Hint, maxLabel, "plain_text")
	if b.Element == nil {
		c.fail(p, "missing required field: element")
		return
	}
	c.element(p+"/element", *b.Element)
}

func (c *checker) element(p string, e Element) {
	c.length(p+"/action_id", e.ActionID, maxID)
	c.optionalText(p+"/placeholder", e.Placeholder, maxPlaceholder, "plain_text")
	switch e.Type {
	case "button":
		t := e.textObject()
		c.text(p+"/text", &t, maxButtonText, "plain_text")
		c.length(p+"/value", e.Value, maxButtonValue)
		c.length(p+"/url", e.URL, maxURL)
		if e.Style != "" && e.Style != "primary" && e.Style != "danger" {
			c.fail(p+"/style", "must be primary or danger")
		}
	case "static_select", "multi_static_select", "radio_buttons", "checkboxes", "overflow":
		c.options(p, e)
	case "plain_text_input", "users_select", "multi_users_select", "conversations_select", "channels_select",
		"datepicker", "timepicker", "number_input", "email_text_input", "url_text_input", "image":
	default:
		c.fail(p+"/type", "unsupported type: %s", e.Type)
	}
}

func (c *checker) options(p string, e Element) {
	if n := len(e.Options); n == 0 || n > maxOptions {
		c.fail(p+"/options", "between 1 and %d items allowed", maxOptions)
	}
	for i, o := range e.Options {
		q := fmt.Sprintf("%s/options/%d", p, i)
		c.text(q+"/text", o.Text, maxOptionText, "")
		c.length(q+"/value", o.Value, maxOptionValue)
	}
}
