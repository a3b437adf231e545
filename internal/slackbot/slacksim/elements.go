package slacksim

import "math"

// option is a rule for one choice; text makes the rule for its text.
func option(text func(int) rule) rule {
	return object(fields{"text": text(maxOptionText), "value": str(1, maxOptionValue)}, fields{"description": text(maxOptionText)})
}

// group is a rule for options under a heading.
func group(plain func(int) rule, least int) rule {
	return object(fields{"label": plain(maxOptionText), "options": list(least, maxOptions, option(plain))}, nil)
}

// focus counts the elements that want the focus.
func focus(c *checker, p string, v any) {
	flag(c, p, v)
	if v == true {
		c.focused++
	}
}

// newElements are the rules of interactive elements, and of images, by type.
func newElements() map[string]rule {
	text := newTexts()
	kind := fields{"type": anything}
	style := fields{"style": word("primary", "danger")}
	button := text.plain(maxConfirmButton)
	confirm := fields{"confirm": object(fields{
		"title": text.plain(maxConfirmTitle), "text": text.any(maxConfirmText), "confirm": button, "deny": button,
	}, style)}
	every := fields{"action_id": str(0, maxID)}
	placed := every.with(fields{"placeholder": text.plain(maxPlaceholder), "focus_on_load": focus})
	menu := placed.with(confirm)
	multi := menu.with(fields{"max_selected_items": whole(1, math.MaxInt32)})
	out := map[string]rule{
		"image": object(kind.with(fields{"image_url": str(1, maxURL), "alt_text": str(1, maxAltText)}), nil),
		"button": object(kind.with(fields{"text": text.plain(maxButtonText)}), every.with(confirm, style, fields{
			"value": str(0, maxButtonValue), "url": str(1, maxURL), "accessibility_label": str(1, maxButtonText),
		})),
		"overflow": object(kind.with(fields{"options": list(1, maxOverflow, object(
			fields{"text": text.plain(maxOptionText), "value": str(1, maxOptionValue)},
			fields{"description": text.plain(maxOptionText), "url": str(1, maxURL)},
		))}), every.with(confirm)),
		"datepicker":     object(kind, menu.with(fields{"initial_date": str(10, 10)})),
		"timepicker":     object(kind, menu.with(fields{"initial_time": str(5, 5), "timezone": str(1, maxID)})),
		"datetimepicker": object(kind, every.with(confirm, fields{"focus_on_load": focus, "initial_date_time": whole(1e9, 1e10-1)})),
		"file_input":     object(kind, every.with(fields{"filetypes": list(1, maxOptions, str(1, maxID)), "max_files": whole(1, maxFiles)})),
	}
	addMenus(out, text, kind, menu, multi)
	addChoices(out, text, kind, every.with(confirm, fields{"focus_on_load": focus}))
	addInputs(out, kind, placed)
	return out
}

// addMenus adds the menus, each for one choice and for several.
func addMenus(out map[string]rule, text texts, kind, menu, multi fields) {
	id, choice := str(1, maxID), option(text.plain)
	several := func(item rule) rule { return list(0, maxOptions, item) }
	from := fields{
		"options": list(1, maxOptions, choice), "option_groups": list(1, maxOptions, group(text.plain, 1)),
	}
	typed := fields{"min_query_length": whole(0, maxOptionText)}
	narrow := fields{"default_to_current_conversation": flag, "filter": object(nil, fields{
		"include":                          list(1, 4, word("im", "mpim", "private", "public")),
		"exclude_external_shared_channels": flag, "exclude_bot_users": flag,
	})}
	answers := fields{"response_url_enabled": flag}
	one := func(key string, value rule) fields { return menu.with(fields{key: value}) }
	many := func(key string, value rule) fields { return multi.with(fields{key: several(value)}) }
	chosen := func(f fields) rule { return also(object(kind, f), eitherOf("options", "option_groups"), among) }
	out["static_select"] = chosen(one("initial_option", choice).with(from))
	out["multi_static_select"] = chosen(many("initial_options", choice).with(from))
	out["external_select"] = object(kind, one("initial_option", choice).with(typed))
	out["multi_external_select"] = object(kind, many("initial_options", choice).with(typed))
	out["users_select"] = object(kind, one("initial_user", id))
	out["multi_users_select"] = object(kind, many("initial_users", id))
	out["conversations_select"] = object(kind, one("initial_conversation", id).with(narrow, answers))
	out["multi_conversations_select"] = object(kind, many("initial_conversations", id).with(narrow))
	out["channels_select"] = object(kind, one("initial_channel", id).with(answers))
	out["multi_channels_select"] = object(kind, many("initial_channels", id))
}

// addChoices adds what shows its options all at once. Their texts may be mrkdwn.
func addChoices(out map[string]rule, text texts, kind, every fields) {
	choice := option(text.any)
	all := kind.with(fields{"options": list(1, maxChoices, choice)})
	out["radio_buttons"] = also(object(all, every.with(fields{"initial_option": choice})), among)
	out["checkboxes"] = also(object(all, every.with(fields{"initial_options": list(1, maxChoices, choice)})), among)
}

// addInputs adds what a person types into.
func addInputs(out map[string]rule, kind, placed fields) {
	placed = placed.with(fields{"initial_value": str(0, maxInput), "dispatch_action_config": object(nil, fields{
		"trigger_actions_on": list(1, 2, word("on_enter_pressed", "on_character_entered")),
	})})
	out["plain_text_input"] = object(kind, placed.with(fields{
		"multiline": flag, "min_length": whole(0, maxInput), "max_length": whole(1, maxInput),
	}))
	out["number_input"] = object(kind.with(fields{"is_decimal_allowed": flag}), placed.with(fields{
		"min_value": str(1, maxID), "max_value": str(1, maxID),
	}))
	out["email_text_input"] = object(kind, placed)
	out["url_text_input"] = object(kind, placed)
}
