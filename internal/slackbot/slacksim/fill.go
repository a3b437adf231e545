package slacksim

import (
	"fmt"
	"math/big"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// offering are the blocks of a view with the options that its menus got from the app.
func (s *state) offering(v *View) []Block {
	blocks := slices.Clone(v.Blocks)
	for i, b := range blocks {
		if b.Element == nil {
			continue
		}
		e := *b.Element
		if !external(e) {
			e.Options = slices.Clone(e.Options)
			for _, g := range e.OptionGroups {
				e.Options = append(e.Options, g.Options...)
			}
			blocks[i].Element = &e
			continue
		}
		e.Options = append(slices.Clone(e.InitialOptions), s.offered[v.ID][b.BlockID]...)
		if e.InitialOption != nil {
			e.Options = append(e.Options, *e.InitialOption)
		}
		blocks[i].Element = &e
	}
	return blocks
}

// fillIn makes view.state.values from what a person typed.
func fillIn(blocks []Block, values map[string]string) (Payload, error) {
	out, used := Payload{}, map[string]bool{}
	for _, b := range blocks {
		if b.Type != "input" || b.Element == nil {
			continue
		}
		key := b.BlockID
		typed, given := values[key]
		if !given {
			key = b.Element.ActionID
			typed, given = values[key]
		}
		used[key] = true
		if !given {
			typed = initial(*b.Element)
		}
		field, err := fillField(b, typed)
		if err != nil {
			return nil, err
		}
		out[b.BlockID] = Payload{b.Element.ActionID: field}
	}
	for key := range values {
		if !used[key] {
			return nil, fmt.Errorf("the modal has no input with the block_id or action_id %q", key)
		}
	}
	return out, nil
}

// initial is what an input holds before anybody typed.
func initial(e Element) string {
	if e.InitialOption != nil {
		return e.InitialOption.Value
	}
	chosen := make([]string, len(e.InitialOptions))
	for i, o := range e.InitialOptions {
		chosen[i] = o.Value
	}
	if e.InitialAt != 0 {
		return strconv.FormatInt(e.InitialAt, 10)
	}
	return e.InitialValue + e.InitialDate + e.InitialTime + strings.Join(chosen, ",")
}

// fillField makes what an input sends of what a person typed, or says why Slack's client would not send it.
func fillField(b Block, typed string) (Payload, error) {
	if typed == "" && !b.Optional {
		return nil, fmt.Errorf("please complete this required field: %s", labelOf(b))
	}
	e := *b.Element
	if err := fits(e, typed); err != nil {
		return nil, fmt.Errorf("%s: %w", labelOf(b), err)
	}
	key, value, err := entered(e, typed)
	if err != nil {
		return nil, fmt.Errorf("%s%w", labelOf(b), err)
	}
	return Payload{"type": e.Type, key: value}, nil
}

// fits is what Slack's client checks of a text before it sends it.
func fits(e Element, typed string) (err error) {
	n := utf8.RuneCountInString(typed)
	switch {
	case typed == "":
		return nil
	case n < e.MinLength, e.MaxLength > 0 && n > e.MaxLength:
		return fmt.Errorf("%d characters; at least %d and at most %d", n, e.MinLength, e.MaxLength)
	}
	switch e.Type {
	case "number_input":
		return fitsNumber(e, typed)
	case "datepicker":
		_, err = time.Parse(time.DateOnly, typed)
	case "timepicker":
		_, err = time.Parse("15:04", typed)
	case "datetimepicker":
		_, err = strconv.ParseInt(typed, 10, 64)
	case "email_text_input":
		_, err = mail.ParseAddress(typed)
	case "url_text_input":
		if u, broken := url.Parse(typed); broken != nil || u.Scheme == "" || u.Host == "" {
			err = fmt.Errorf("%q is not an address", typed)
		}
	}
	return err
}

func fitsNumber(e Element, typed string) error {
	n, ok := new(big.Rat).SetString(typed)
	switch {
	case !ok || strings.Contains(typed, "/"):
		return fmt.Errorf("%q is not a number", typed)
	case !n.IsInt() && (e.Decimals == nil || !*e.Decimals):
		return fmt.Errorf("%q is not a whole number", typed)
	}
	if least, ok := new(big.Rat).SetString(e.MinValue); ok && n.Cmp(least) < 0 {
		return fmt.Errorf("%s is less than %s", typed, e.MinValue)
	}
	if most, ok := new(big.Rat).SetString(e.MaxValue); ok && n.Cmp(most) > 0 {
		return fmt.Errorf("%s is more than %s", typed, e.MaxValue)
	}
	return nil
}

// entered is the field of view.state.values that an element sends, and what is in it.
func entered(e Element, typed string) (key string, value any, err error) {
	switch e.Type {
	case "static_select", "radio_buttons", "external_select":
		if typed == "" {
			return "selected_option", nil, nil
		}
		o, err := optionOf(e, typed)
		return "selected_option", o, err
	case "checkboxes", "multi_static_select", "multi_external_select":
		list, err := choose(e, typed)
		return "selected_options", list, err
	case "multi_users_select":
		return "selected_users", names(typed), nil
	case "multi_conversations_select":
		return "selected_conversations", names(typed), nil
	case "multi_channels_select":
		return "selected_channels", names(typed), nil
	case "datetimepicker":
		if n, err := strconv.ParseInt(typed, 10, 64); err == nil {
			return "selected_date_time", n, nil
		}
		return "selected_date_time", nil, nil
	}
	selected := map[string]string{
		"users_select": "selected_user", "conversations_select": "selected_conversation", "channels_select": "selected_channel",
		"datepicker": "selected_date", "timepicker": "selected_time",
	}
	return orDefault(selected[e.Type], "value"), nullable(typed), nil
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func labelOf(b Block) string {
	if b.Label == nil {
		return b.BlockID
	}
	return b.Label.Text
}

// optionOf finds the option that a person named by value or text.
func optionOf(e Element, name string) (Option, error) {
	i := slices.IndexFunc(e.Options, func(o Option) bool {
		return o.Value == name || o.Text != nil && strings.EqualFold(o.Text.Text, name)
	})
	if i < 0 {
		return Option{}, fmt.Errorf(" has no choice %q", name)
	}
	return e.Options[i], nil
}

// choose finds several options, no more than the menu allows.
func choose(e Element, typed string) ([]Option, error) {
	out := []Option{}
	for _, name := range names(typed) {
		o, err := optionOf(e, name)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	if e.MaxSelected > 0 && len(out) > e.MaxSelected {
		return nil, fmt.Errorf(": no more than %d can be chosen", e.MaxSelected)
	}
	return out, nil
}

// names are what a person chose, separated by commas.
func names(typed string) []string {
	out := []string{}
	for name := range strings.SplitSeq(typed, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}
