package slacksim

import (
	"fmt"
	"reflect"
	"sync"
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
	maxRichText      = 50 // maxRichText is the simulator's own; Slack documents none.
	maxActions       = 25
	maxButtonText    = 75
	maxButtonValue   = 2000
	maxURL           = 3000
	maxID            = 255
	maxOptions       = 100
	maxChoices       = 10 // maxChoices is for radio buttons and check boxes.
	maxOverflow      = 5
	maxOptionText    = 75
	maxOptionValue   = 150
	maxConfirmTitle  = 100
	maxConfirmText   = 300
	maxConfirmButton = 30
	maxLabel         = 2000
	maxPlaceholder   = 150
	maxAltText       = 2000
	maxInput         = 3000
	maxFiles         = 10
	maxTitle         = 24
	maxMetadata      = 3000
	maxMessageText   = 40000
)

// kit holds the rules of Block Kit, made once.
type kit struct {
	message, modal, home, suggestions rule
}

// blockKit is what the simulator knows of Block Kit: the blocks that such an app uses. A block, element or field that is not
// here is refused, newer ones of Slack's included.
var blockKit = sync.OnceValue(func() kit {
	text, elements := newTexts(), newElements()
	blocks := newBlocks(text, elements)
	inMessage := some(blocks, "section", "header", "context", "actions", "image", "divider", "rich_text")
	inView := also(list(0, maxViewBlocks, kinds(blocks)), blocksOnce)
	common := fields{"private_metadata": str(0, maxMetadata), "callback_id": str(0, maxID), "external_id": str(0, maxID)}
	title := text.plain(maxTitle)
	return kit{
		message: also(list(0, maxMessageBlocks, kinds(inMessage)), blocksOnce),
		modal: also(object(fields{"type": word("modal"), "title": title, "blocks": inView}, common.with(fields{
			"submit": title, "close": title, "clear_on_close": flag, "notify_on_close": flag,
		})), inputsAreSubmitted),
		home: object(fields{"type": word("home"), "blocks": inView}, common),
		suggestions: also(object(nil, fields{
			"options":       list(0, maxOptions, option(text.plain)),
			"option_groups": list(0, maxOptions, group(text.plain, 0)),
		}), eitherOf("options", "option_groups")),
	}
})

// texts makes rules for text objects of at most so many characters.
type texts struct{ plain, mrkdwn, any func(most int) rule }

func newTexts() texts {
	plain := func(most int) map[string]rule {
		return map[string]rule{"plain_text": object(fields{"type": anything, "text": str(1, most)}, fields{"emoji": flag})}
	}
	mrkdwn := func(most int) map[string]rule {
		return map[string]rule{"mrkdwn": object(fields{"type": anything, "text": str(1, most)}, fields{"verbatim": flag})}
	}
	return texts{
		plain:  func(most int) rule { return kinds(plain(most)) },
		mrkdwn: func(most int) rule { return kinds(mrkdwn(most)) },
		any: func(most int) rule {
			both := plain(most)
			both["mrkdwn"] = mrkdwn(most)["mrkdwn"]
			return kinds(both)
		},
	}
}

func newBlocks(text texts, elements map[string]rule) map[string]rule {
	every := fields{"block_id": str(0, maxID)}
	kind := fields{"type": anything}
	menus := []string{
		"static_select", "external_select", "users_select", "conversations_select", "channels_select", "multi_static_select",
		"multi_external_select", "multi_users_select", "multi_conversations_select", "multi_channels_select",
		"checkboxes", "radio_buttons", "datepicker", "timepicker",
	}
	inSection := kinds(some(elements, append(menus, "button", "overflow", "image")...))
	inActions := kinds(some(elements, append(menus, "button", "overflow", "datetimepicker")...))
	inInput := kinds(some(elements, append(menus, "datetimepicker", "plain_text_input", "number_input", "email_text_input", "url_text_input", "file_input")...))
	inContext := text.any(maxSectionText)
	return map[string]rule{
		"divider": object(kind, every),
		"header":  object(kind.with(fields{"text": text.plain(maxHeaderText)}), every),
		"section": also(object(kind, every.with(fields{
			"text": text.any(maxSectionText), "fields": list(1, maxFields, text.any(maxFieldText)), "accessory": inSection, "expand": flag,
		})), sectionHolds),
		"context": object(kind.with(fields{"elements": list(1, maxContext, func(c *checker, p string, v any) {
			if field(v, "type") == "image" {
				elements["image"](c, p, v)
				return
			}
			inContext(c, p, v)
		})}), every),
		"actions": also(object(kind.with(fields{"elements": list(1, maxActions, inActions)}), every), actionsOnce),
		"input": object(kind.with(fields{"label": text.plain(maxLabel), "element": inInput}), every.with(fields{
			"hint": text.plain(maxLabel), "optional": flag, "dispatch_action": flag,
		})),
		"rich_text": object(kind.with(fields{"elements": list(1, maxRichText, kinds(map[string]rule{
			"rich_text_preformatted": object(kind.with(fields{"elements": list(1, maxRichText, kinds(map[string]rule{
				"text": object(kind.with(fields{"text": str(1, maxSectionText)}), nil),
			}))}), fields{"border": whole(0, 1)}),
		}))}), every),
		"image": object(kind.with(fields{"image_url": str(1, maxURL), "alt_text": str(1, maxAltText)}), every.with(fields{"title": text.plain(maxLabel)})),
	}
}

// inputsAreSubmitted is a rule for a modal: with inputs it has a submit button.
func inputsAreSubmitted(c *checker, p string, v any) {
	for _, b := range itemsOf(v, "blocks") {
		if field(b, "type") == "input" && field(v, "submit") == nil {
			c.fail(p, "missing required field: submit, because the view has an input block")
			return
		}
	}
}

func sectionHolds(c *checker, p string, v any) {
	if field(v, "text") == nil && field(v, "fields") == nil {
		c.fail(p, "missing required field: text")
	}
}

// eitherOf is a rule for an object with exactly one of two fields.
func eitherOf(one, other string) rule {
	return func(c *checker, p string, v any) {
		if (field(v, one) == nil) == (field(v, other) == nil) {
			c.fail(p, "must have either %s or %s", one, other)
		}
	}
}

// actionsOnce is a rule for a block whose elements have different action_ids.
func actionsOnce(c *checker, p string, v any) {
	seen := map[string]bool{}
	for i, e := range itemsOf(v, "elements") {
		id, _ := field(e, "action_id").(string)
		if id != "" && seen[id] {
			c.fail(fmt.Sprintf("%s/elements/%d/action_id", p, i), "action_id %s is used twice", id)
		}
		seen[id] = true
	}
}

// blocksOnce is a rule for blocks that have different block_ids, and of which at most one element wants the focus.
func blocksOnce(c *checker, p string, v any) {
	blocks, _ := v.([]any)
	seen := map[string]bool{}
	for i, b := range blocks {
		id, _ := field(b, "block_id").(string)
		if id != "" && seen[id] {
			c.fail(fmt.Sprintf("%s/%d/block_id", p, i), "block_id %s is used twice", id)
		}
		seen[id] = true
	}
	if c.focused > 1 {
		c.fail(p, "no more than one element may have focus_on_load")
	}
}

// complaints is what Slack complains about in a value that stands at pointer.
func complaints(pointer string, v any, check rule) []string {
	c := &checker{}
	check(c, pointer, v)
	return c.messages
}

// among is a rule for an element whose first choices are among its options.
func among(c *checker, p string, v any) {
	options := itemsOf(v, "options")
	for _, g := range itemsOf(v, "option_groups") {
		options = append(options, itemsOf(g, "options")...)
	}
	known := func(want any) bool {
		for _, o := range options {
			if reflect.DeepEqual(o, want) {
				return true
			}
		}
		return false
	}
	if first := field(v, "initial_option"); first != nil && !known(first) {
		c.fail(p+"/initial_option", "must exactly match one of the options")
	}
	for i, first := range itemsOf(v, "initial_options") {
		if !known(first) {
			c.fail(fmt.Sprintf("%s/initial_options/%d", p, i), "must exactly match one of the options")
		}
	}
}
