package slacksim_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// obj is a JSON object of Block Kit, written by hand: no library stands between these tests and the limits.
type obj = map[string]any

// and returns an object with some fields changed.
func and(o, more obj) obj {
	out := maps.Clone(o)
	maps.Copy(out, more)
	return out
}

func without(o obj, key string) obj {
	out := maps.Clone(o)
	delete(out, key)
	return out
}

func long(n int) string { return strings.Repeat("ü", n) }

func rawPlain(s string) obj { return obj{"type": "plain_text", "text": s} }

func rawMrkdwn(s string) obj { return obj{"type": "mrkdwn", "text": s} }

func times[T any](n int, item func(i int) T) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = item(i)
	}
	return out
}

func rawOption(i int) obj {
	return obj{"text": rawPlain(fmt.Sprint("o", i)), "value": fmt.Sprint("v", i)}
}

func rawButton(i int) obj {
	return obj{"type": "button", "action_id": fmt.Sprint("a", i), "text": rawPlain("B")}
}

func rawDivider(int) obj { return obj{"type": "divider"} }

func rawTable(parts ...any) obj {
	return obj{"type": "rich_text", "elements": []any{obj{"type": "rich_text_preformatted", "elements": parts}}}
}

func rawSection() obj { return obj{"type": "section", "text": rawPlain("x")} }

func rawActions(elements ...any) obj { return obj{"type": "actions", "elements": elements} }

func rawConfirm(changed obj) obj {
	c := obj{"title": rawPlain("t"), "text": rawPlain("t"), "confirm": rawPlain("y"), "deny": rawPlain("n")}
	return rawActions(and(rawButton(0), obj{"confirm": and(c, changed)}))
}

func rawMenu(changed obj) obj {
	return and(obj{"type": "static_select", "options": times(1, rawOption)}, changed)
}

func rawInput(element obj) obj {
	return obj{"type": "input", "label": rawPlain("L"), "element": element}
}

func rawModal(blocks ...any) obj {
	return obj{"type": "modal", "title": rawPlain("T"), "submit": rawPlain("S"), "blocks": append([]any{}, blocks...)}
}

func rawText(changed obj) obj { return and(obj{"type": "plain_text_input"}, changed) }

// limit is one of Slack's sizes: content of that size is taken, content of one more is refused with this pointer.
type limit struct {
	most    int
	pointer string
	of      func(n int) obj
}

func messageLimits() map[string]limit {
	return map[string]limit{
		"section text": {3000, "/text/text", func(n int) obj { return obj{"type": "section", "text": rawMrkdwn(long(n))} }},
		"section fields": {10, "/fields", func(n int) obj {
			return obj{"type": "section", "fields": times(n, func(int) obj { return rawPlain("f") })}
		}},
		"field text": {2000, "/fields/0/text", func(n int) obj { return obj{"type": "section", "fields": []any{rawMrkdwn(long(n))}} }},
		"header":     {150, "/text/text", func(n int) obj { return obj{"type": "header", "text": rawPlain(long(n))} }},
		"block_id":   {255, "/block_id", func(n int) obj { return obj{"type": "divider", "block_id": long(n)} }},
		"context elements": {10, "/elements", func(n int) obj {
			return obj{"type": "context", "elements": times(n, func(int) obj { return rawPlain("c") })}
		}},
		"context text": {3000, "/elements/0/text", func(n int) obj { return obj{"type": "context", "elements": []any{rawMrkdwn(long(n))}} }},
		"actions":      {25, "/elements", func(n int) obj { return rawActions(times(n, rawButton)...) }},
		"button text":  {75, "/elements/0/text/text", func(n int) obj { return rawActions(and(rawButton(0), obj{"text": rawPlain(long(n))})) }},
		"button value": {2000, "/elements/0/value", func(n int) obj { return rawActions(and(rawButton(0), obj{"value": long(n)})) }},
		"button url":   {3000, "/elements/0/url", func(n int) obj { return rawActions(and(rawButton(0), obj{"url": long(n)})) }},
		"rich text":    {3000, "/elements/0/elements/0/text", func(n int) obj { return rawTable(obj{"type": "text", "text": long(n)}) }},
		"action_id":    {255, "/elements/0/action_id", func(n int) obj { return rawActions(and(rawButton(0), obj{"action_id": long(n)})) }},
		"label for readers": {75, "/elements/0/accessibility_label", func(n int) obj {
			return rawActions(and(rawButton(0), obj{"accessibility_label": long(n)}))
		}},
		"confirm title": {100, "/elements/0/confirm/title/text", func(n int) obj { return rawConfirm(obj{"title": rawPlain(long(n))}) }},
		"confirm text":  {300, "/elements/0/confirm/text/text", func(n int) obj { return rawConfirm(obj{"text": rawMrkdwn(long(n))}) }},
		"confirm yes":   {30, "/elements/0/confirm/confirm/text", func(n int) obj { return rawConfirm(obj{"confirm": rawPlain(long(n))}) }},
		"confirm no":    {30, "/elements/0/confirm/deny/text", func(n int) obj { return rawConfirm(obj{"deny": rawPlain(long(n))}) }},
		"options":       {100, "/elements/0/options", func(n int) obj { return rawActions(rawMenu(obj{"options": times(n, rawOption)})) }},
		"option text": {75, "/elements/0/options/0/text/text", func(n int) obj {
			return rawActions(rawMenu(obj{"options": []any{obj{"text": rawPlain(long(n)), "value": "v"}}}))
		}},
		"option value": {150, "/elements/0/options/0/value", func(n int) obj {
			return rawActions(rawMenu(obj{"options": []any{obj{"text": rawPlain("o"), "value": long(n)}}}))
		}},
		"option description": {75, "/elements/0/options/0/description/text", func(n int) obj {
			return rawActions(rawMenu(obj{"options": []any{and(rawOption(0), obj{"description": rawPlain(long(n))})}}))
		}},
		"placeholder": {150, "/elements/0/placeholder/text", func(n int) obj { return rawActions(rawMenu(obj{"placeholder": rawPlain(long(n))})) }},
		"groups": {100, "/elements/0/option_groups", func(n int) obj {
			group := func(int) obj { return obj{"label": rawPlain("g"), "options": times(1, rawOption)} }
			return rawActions(obj{"type": "static_select", "option_groups": times(n, group)})
		}},
		"group label": {75, "/elements/0/option_groups/0/label/text", func(n int) obj {
			return rawActions(obj{"type": "static_select", "option_groups": []any{obj{"label": rawPlain(long(n)), "options": times(1, rawOption)}}})
		}},
		"options of a group": {100, "/elements/0/option_groups/0/options", func(n int) obj {
			return rawActions(obj{"type": "static_select", "option_groups": []any{obj{"label": rawPlain("g"), "options": times(n, rawOption)}}})
		}},
		"overflow":      {5, "/elements/0/options", func(n int) obj { return rawActions(obj{"type": "overflow", "options": times(n, rawOption)}) }},
		"radio buttons": {10, "/elements/0/options", func(n int) obj { return rawActions(obj{"type": "radio_buttons", "options": times(n, rawOption)}) }},
		"check boxes":   {10, "/elements/0/options", func(n int) obj { return rawActions(obj{"type": "checkboxes", "options": times(n, rawOption)}) }},
		"image address": {3000, "/image_url", func(n int) obj { return obj{"type": "image", "image_url": long(n), "alt_text": "a"} }},
		"image in words": {2000, "/alt_text", func(n int) obj {
			return obj{"type": "image", "image_url": "https://example.com/x.png", "alt_text": long(n)}
		}},
	}
}

func TestMessageLimits(t *testing.T) {
	t.Parallel()
	ws := new(slacksim.Workspace)
	for name, c := range messageLimits() {
		t.Run(name, func(t *testing.T) {
			_, err := ws.Draft(asJSON(t, []any{c.of(c.most)}))
			require.NoError(t, err)
			_, err = ws.Draft(asJSON(t, []any{c.of(c.most + 1)}))
			require.ErrorContains(t, err, "invalid_blocks: ")
			require.ErrorContains(t, err, "[json-pointer:/blocks/0"+c.pointer+"]")
		})
	}
	_, err := ws.Draft(asJSON(t, times(50, rawDivider)))
	require.NoError(t, err)
	_, err = ws.Draft(asJSON(t, times(51, rawDivider)))
	require.ErrorContains(t, err, "no more than 50 items allowed [json-pointer:/blocks]")
}

func TestViewLimits(t *testing.T) {
	t.Parallel()
	ws := new(slacksim.Workspace)
	for name, c := range map[string]limit{
		"title":            {24, "/title/text", func(n int) obj { return and(rawModal(), obj{"title": rawPlain(long(n))}) }},
		"submit":           {24, "/submit/text", func(n int) obj { return and(rawModal(), obj{"submit": rawPlain(long(n))}) }},
		"close":            {24, "/close/text", func(n int) obj { return and(rawModal(), obj{"close": rawPlain(long(n))}) }},
		"private_metadata": {3000, "/private_metadata", func(n int) obj { return and(rawModal(), obj{"private_metadata": long(n)}) }},
		"callback_id":      {255, "/callback_id", func(n int) obj { return and(rawModal(), obj{"callback_id": long(n)}) }},
		"external_id":      {255, "/external_id", func(n int) obj { return and(rawModal(), obj{"external_id": long(n)}) }},
		"blocks":           {100, "/blocks", func(n int) obj { return rawModal(times(n, rawDivider)...) }},
		"blocks of a home": {100, "/blocks", func(n int) obj { return obj{"type": "home", "blocks": times(n, rawDivider)} }},
		"input label":      {2000, "/blocks/0/label/text", func(n int) obj { return rawModal(and(rawInput(rawText(nil)), obj{"label": rawPlain(long(n))})) }},
		"input hint":       {2000, "/blocks/0/hint/text", func(n int) obj { return rawModal(and(rawInput(rawText(nil)), obj{"hint": rawPlain(long(n))})) }},
		"text at first":    {3000, "/blocks/0/element/initial_value", func(n int) obj { return rawModal(rawInput(rawText(obj{"initial_value": long(n)}))) }},
		"longest text":     {3000, "/blocks/0/element/max_length", func(n int) obj { return rawModal(rawInput(rawText(obj{"max_length": n}))) }},
		"files":            {10, "/blocks/0/element/max_files", func(n int) obj { return rawModal(rawInput(obj{"type": "file_input", "max_files": n})) }},
		"placeholder":      {150, "/blocks/0/element/placeholder/text", func(n int) obj { return rawModal(rawInput(rawText(obj{"placeholder": rawPlain(long(n))}))) }},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ws.DraftView(asJSON(t, c.of(c.most)))
			require.NoError(t, err)
			_, err = ws.DraftView(asJSON(t, c.of(c.most+1)))
			require.ErrorContains(t, err, "invalid_arguments: ")
			require.ErrorContains(t, err, "[json-pointer:/view"+c.pointer+"]")
		})
	}
}

// refusal is a message or view that Slack refuses, and where.
type refusal struct {
	content obj
	pointer string
}

func TestMessagesThatAreNotBlockKit(t *testing.T) {
	t.Parallel()
	ws := new(slacksim.Workspace)
	other := func(changed obj) obj { return and(rawSection(), changed) }
	for name, c := range map[string]refusal{
		"unknown block":             {obj{"type": "video"}, "/type"},
		"rich text of nothing":      {obj{"type": "rich_text", "elements": []any{}}, "/elements"},
		"unknown rich text":         {obj{"type": "rich_text", "elements": []any{obj{"type": "rich_text_quote"}}}, "/elements/0/type"},
		"mention in rich text":      {rawTable(obj{"type": "broadcast", "range": "channel"}), "/elements/0/elements/0/type"},
		"empty rich text":           {rawTable(obj{"type": "text", "text": ""}), "/elements/0/elements/0/text"},
		"block without type":        {obj{}, "/type"},
		"unknown field of a block":  {other(obj{"colour": "red"}), ""},
		"unknown field of a text":   {other(obj{"text": and(rawPlain("x"), obj{"verbatim": true})}), "/text"},
		"emoji of mrkdwn":           {other(obj{"text": and(rawMrkdwn("x"), obj{"emoji": true})}), "/text"},
		"unknown field of a button": {rawActions(and(rawButton(0), obj{"visible_to_user_ids": []any{"U1"}})), "/elements/0"},
		"text of another kind":      {other(obj{"text": "x"}), "/text"},
		"number in place of text":   {other(obj{"text": obj{"type": "plain_text", "text": 1}}), "/text/text"},
		"null in place of text":     {other(obj{"text": nil}), "/text"},
		"empty text":                {other(obj{"text": rawPlain("")}), "/text/text"},
		"string as flag":            {other(obj{"expand": "true"}), "/expand"},
		"object as list":            {other(obj{"fields": obj{}}), "/fields"},
		"no fields":                 {other(obj{"fields": []any{}}), "/fields"},
		"block_id of another kind":  {other(obj{"block_id": 7}), "/block_id"},
		"section of nothing":        {obj{"type": "section"}, ""},
		"mrkdwn header":             {obj{"type": "header", "text": rawMrkdwn("x")}, "/text/type"},
		"mrkdwn on a button":        {rawActions(and(rawButton(0), obj{"text": rawMrkdwn("x")})), "/elements/0/text/type"},
		"mrkdwn in a menu":          {rawActions(rawMenu(obj{"options": []any{and(rawOption(0), obj{"text": rawMrkdwn("x")})}})), "/elements/0/options/0/text/type"},
		"button without text":       {rawActions(without(rawButton(0), "text")), "/elements/0"},
		"button with loud style":    {rawActions(and(rawButton(0), obj{"style": "loud"})), "/elements/0/style"},
		"actions of nothing":        {rawActions(), "/elements"},
		"an action_id twice":        {rawActions(rawButton(1), rawButton(1)), "/elements/1/action_id"},
		"context of nothing":        {obj{"type": "context", "elements": []any{}}, "/elements"},
		"button in a context":       {obj{"type": "context", "elements": []any{rawButton(0)}}, "/elements/0/type"},
		"input in a message":        {rawInput(rawText(nil)), "/type"},
		"text field among actions":  {rawActions(rawText(nil)), "/elements/0/type"},
		"text field in a section":   {other(obj{"accessory": rawText(nil)}), "/accessory/type"},
		"menu of nothing":           {rawActions(obj{"type": "static_select"}), "/elements/0"},
		"options and groups": {
			rawActions(rawMenu(obj{"option_groups": []any{obj{"label": rawPlain("g"), "options": times(1, rawOption)}}})),
			"/elements/0",
		},
		"choice that is no option": {rawActions(rawMenu(obj{"initial_option": rawOption(2)})), "/elements/0/initial_option"},
		"choices that are no options": {
			rawActions(and(rawMenu(obj{"initial_options": times(2, rawOption)}), obj{"type": "multi_static_select"})),
			"/elements/0/initial_options/1",
		},
		"option without value":   {rawActions(rawMenu(obj{"options": []any{without(rawOption(0), "value")}})), "/elements/0/options/0"},
		"confirm without answer": {rawActions(and(rawButton(0), obj{"confirm": obj{"title": rawPlain("t"), "text": rawPlain("t")}})), "/elements/0/confirm"},
		"image without words":    {obj{"type": "image", "image_url": "https://example.com/x.png"}, ""},
		"half a letter":          {rawActions(obj{"type": "external_select", "min_query_length": 0.5}), "/elements/0/min_query_length"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ws.Draft(asJSON(t, []any{c.content}))
			require.ErrorContains(t, err, "invalid_blocks: ")
			require.ErrorContains(t, err, "[json-pointer:/blocks/0"+c.pointer+"]")
		})
	}
	_, err := ws.Draft(asJSON(t, []any{and(rawSection(), obj{"block_id": "b"}), and(rawSection(), obj{"block_id": "b"})}))
	require.ErrorContains(t, err, "[json-pointer:/blocks/1/block_id]")
	for _, broken := range []string{"{", "{}", `"text"`, "7"} {
		_, err := ws.Draft(broken)
		require.ErrorContains(t, err, "invalid_blocks_format", broken)
	}
	_, err = ws.Draft(`[null]`)
	require.ErrorContains(t, err, "[json-pointer:/blocks/0]")
}

func TestViewsThatAreNotBlockKit(t *testing.T) {
	t.Parallel()
	ws := new(slacksim.Workspace)
	focused := rawInput(rawText(obj{"focus_on_load": true}))
	for name, c := range map[string]refusal{
		"another type":              {and(rawModal(), obj{"type": "workflow_step"}), "/type"},
		"no title":                  {without(rawModal(), "title"), ""},
		"no blocks":                 {without(rawModal(), "blocks"), ""},
		"mrkdwn title":              {and(rawModal(), obj{"title": rawMrkdwn("T")}), "/title/type"},
		"unknown field":             {and(rawModal(), obj{"colour": "red"}), ""},
		"state sent back":           {and(rawModal(), obj{"state": obj{}}), ""},
		"input without submit":      {without(rawModal(rawInput(rawText(nil))), "submit"), ""},
		"input without label":       {rawModal(without(rawInput(rawText(nil)), "label")), "/blocks/0"},
		"input without element":     {rawModal(without(rawInput(rawText(nil)), "element")), "/blocks/0"},
		"button as input":           {rawModal(rawInput(rawButton(0))), "/blocks/0/element/type"},
		"mrkdwn label":              {rawModal(and(rawInput(rawText(nil)), obj{"label": rawMrkdwn("L")})), "/blocks/0/label/type"},
		"number without decimals":   {rawModal(rawInput(obj{"type": "number_input"})), "/blocks/0/element"},
		"number as least":           {rawModal(rawInput(obj{"type": "number_input", "is_decimal_allowed": false, "min_value": 1})), "/blocks/0/element/min_value"},
		"time at first as text":     {rawModal(rawInput(obj{"type": "datetimepicker", "initial_date_time": "1700000000"})), "/blocks/0/element/initial_date_time"},
		"time at first in ms":       {rawModal(rawInput(obj{"type": "datetimepicker", "initial_date_time": 1700000000000})), "/blocks/0/element/initial_date_time"},
		"none at most":              {rawModal(rawInput(obj{"type": "multi_external_select", "max_selected_items": 0})), "/blocks/0/element/max_selected_items"},
		"options of an app's menu":  {rawModal(rawInput(obj{"type": "external_select", "options": times(1, rawOption)})), "/blocks/0/element"},
		"two with the focus":        {rawModal(focused, focused), "/blocks"},
		"home with a title":         {obj{"type": "home", "title": rawPlain("T"), "blocks": []any{}}, ""},
		"block_id of two in a view": {rawModal(obj{"type": "divider", "block_id": "b"}, obj{"type": "divider", "block_id": "b"}), "/blocks/1/block_id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ws.DraftView(asJSON(t, c.content))
			require.ErrorContains(t, err, "invalid_arguments: ")
			require.ErrorContains(t, err, "[json-pointer:/view"+c.pointer+"]")
		})
	}
	for _, broken := range []string{"{", "[]", "null", ""} {
		_, err := ws.DraftView(broken)
		require.ErrorContains(t, err, "view is not an object", broken)
	}
}

// TestEverythingKnownIsTaken keeps the rules from becoming stricter than Slack: each element with each of its fields.
func TestEverythingKnownIsTaken(t *testing.T) {
	t.Parallel()
	confirm := obj{"title": rawPlain("t"), "text": rawMrkdwn("t"), "confirm": rawPlain("y"), "deny": rawPlain("n"), "style": "danger"}
	placed := obj{"placeholder": rawPlain("p"), "focus_on_load": false}
	menu := and(placed, obj{"confirm": confirm})
	fancy := obj{"text": rawMrkdwn("*o*"), "value": "v", "description": rawMrkdwn("d")}
	groups := []any{obj{"label": rawPlain("g"), "options": []any{rawOption(1)}}}
	filter := obj{"include": []any{"public", "private"}, "exclude_bot_users": true}
	written := and(placed, obj{"initial_value": "1", "dispatch_action_config": obj{"trigger_actions_on": []any{"on_enter_pressed"}}})
	inputs := []obj{
		and(menu, obj{"type": "static_select", "options": times(2, rawOption), "initial_option": rawOption(1)}),
		and(menu, obj{"type": "static_select", "option_groups": groups, "initial_option": rawOption(1)}),
		and(menu, obj{"type": "multi_static_select", "options": times(2, rawOption), "initial_options": times(1, rawOption), "max_selected_items": 1}),
		and(menu, obj{"type": "external_select", "initial_option": rawOption(1), "min_query_length": 0}),
		and(menu, obj{"type": "multi_external_select", "initial_options": times(1, rawOption), "min_query_length": 1}),
		and(menu, obj{"type": "users_select", "initial_user": "U1"}), and(menu, obj{"type": "multi_users_select", "initial_users": []any{"U1"}}),
		and(menu, obj{"type": "conversations_select", "default_to_current_conversation": true, "response_url_enabled": true, "filter": filter}),
		and(menu, obj{"type": "multi_conversations_select", "initial_conversations": []any{"C1"}}),
		and(menu, obj{"type": "channels_select", "initial_channel": "C1"}), and(menu, obj{"type": "multi_channels_select", "initial_channels": []any{"C1"}}),
		and(menu, obj{"type": "datepicker", "initial_date": "2026-03-01"}), and(menu, obj{"type": "timepicker", "initial_time": "09:41", "timezone": "Etc/UTC"}),
		{"type": "datetimepicker", "initial_date_time": 1772358060, "confirm": confirm, "focus_on_load": false},
		{"type": "radio_buttons", "options": []any{fancy}, "initial_option": fancy},
		{"type": "checkboxes", "options": []any{fancy}, "initial_options": []any{fancy}},
		and(written, obj{"type": "plain_text_input", "multiline": true, "min_length": 0, "max_length": 9}),
		and(written, obj{"type": "number_input", "is_decimal_allowed": true, "min_value": "0.5", "max_value": "2"}),
		and(written, obj{"type": "email_text_input"}), and(written, obj{"type": "url_text_input"}),
		{"type": "file_input", "filetypes": []any{"pdf"}, "max_files": 1},
	}
	blocks := []any{
		and(rawSection(), obj{"expand": true, "accessory": obj{"type": "image", "image_url": "https://example.com/x.png", "alt_text": "x"}}),
		rawActions(and(rawButton(0), obj{"url": "https://example.com", "value": "v", "style": "primary", "confirm": confirm, "accessibility_label": "B"}),
			obj{"type": "overflow", "options": []any{and(rawOption(0), obj{"url": "https://example.com", "description": rawPlain("d")})}, "confirm": confirm}),
		obj{"type": "image", "image_url": "https://example.com/x.png", "alt_text": "x", "title": rawPlain("t")},
		obj{"type": "header", "text": and(rawPlain("h"), obj{"emoji": false})},
		obj{"type": "context", "elements": []any{and(rawMrkdwn("c"), obj{"verbatim": true}), obj{"type": "image", "image_url": "https://example.com/x.png", "alt_text": "x"}}},
	}
	ws := new(slacksim.Workspace)
	_, err := ws.Draft(asJSON(t, blocks))
	require.NoError(t, err)
	for _, e := range inputs {
		blocks = append(blocks, and(rawInput(e), obj{"hint": rawPlain("h"), "optional": true, "dispatch_action": true}))
	}
	v, err := ws.DraftView(asJSON(t, and(rawModal(blocks...), obj{"clear_on_close": true, "notify_on_close": true, "close": rawPlain("C")})))
	require.NoError(t, err)
	drawn := slacksim.RenderView(v, slacksim.RenderOptions{})
	require.NotContains(t, drawn, "%!")
}
