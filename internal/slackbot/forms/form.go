package forms

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/tools"
)

// The ids of the windows and their fields. They are part of the wire: an open window carries them.
const (
	// ViewForm is a tool's form, ViewMenu the list of tools.
	ViewForm = "mde_form_view"
	ViewMenu = "mde_form_menu"
	// ActionPick is a menu of devices, whose options come from the tenant.
	ActionPick = "mde_pick_device"

	actionField = "mde_form_field"
	blockPrefix = "mde_form:"
	blockTool   = blockPrefix + "tool"
)

// Sizes that Slack sets.
const (
	maxInput   = 3000
	maxText    = 75
	maxValue   = 150
	maxHint    = 300
	maxTitle   = 24
	minLetters = 2
)

// Origin is where a form was opened, so that its answer finds the person again.
type Origin struct {
	Tool string `json:"tool,omitempty"`
	// Channel is empty for a form that was opened in no channel.
	Channel string `json:"channel,omitempty"`
}

// ReadOrigin reads the metadata of a window of ours.
func ReadOrigin(metadata string) (Origin, error) {
	var o Origin
	if err := json.Unmarshal([]byte(metadata), &o); err != nil || (o.Channel != "" && !blockkit.IsChannel(o.Channel)) {
		return Origin{}, fmt.Errorf("the window does not say where it was opened")
	}
	return o, nil
}

func (o Origin) String() string {
	raw, err := json.Marshal(o)
	if err != nil {
		return "" // two strings always marshal
	}
	return string(raw)
}

// Form is a tool's window. Args are the arguments that are filled in already; Notes are shown above the fields.
type Form struct {
	Tool   tools.Tool
	Origin Origin
	Args   json.RawMessage
	Notes  []string
}

// View draws the form.
func (f Form) View() slack.ModalViewRequest {
	given := map[string]any{}
	_ = json.Unmarshal(f.Args, &given) // what can't be read is not filled in
	f.Origin.Tool = f.Tool.Name
	v := window(cmp.Or(f.Tool.Title, f.Tool.Name), ViewForm, f.Origin)
	for _, n := range f.Notes {
		text, _ := blockkit.Plain(n, blockkit.MaxSection)
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewSectionBlock(text, nil, nil))
	}
	about, _ := blockkit.Plain(f.Tool.Summary, blockkit.MaxSection)
	v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewContextBlock("", about))
	for _, a := range inOrder(f.Tool.Args) {
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, field(a, given[a.Name]))
	}
	v.Submit, _ = blockkit.Plain(submitWord(f.Tool), maxTitle)
	return v
}

// submitWord is what the button says: what acts is asked for, and nothing more.
func submitWord(t tools.Tool) string {
	if t.Acts() {
		return "Ask for it"
	}
	return "Show"
}

func window(title, callback string, o Origin) slack.ModalViewRequest {
	v := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: callback, PrivateMetadata: o.String()}
	v.Title, _ = blockkit.Plain(title, maxTitle)
	v.Close, _ = blockkit.Plain("Close", maxTitle)
	return v
}

// inOrder puts what must be given first and the reason last.
func inOrder(args []tools.Arg) []tools.Arg {
	rank := func(a tools.Arg) int {
		switch {
		case a.Name == "reason":
			return 2
		case a.Required || a.Positional:
			return 0
		}
		return 1
	}
	list := slices.Clone(args)
	slices.SortStableFunc(list, func(a, b tools.Arg) int { return rank(a) - rank(b) })
	return list
}

func field(a tools.Arg, given any) slack.Block {
	label, _ := blockkit.Plain(labelOf(a.Name), maxText)
	var hint *slack.TextBlockObject
	if a.Description != "" {
		hint, _ = blockkit.Plain(a.Description, maxHint)
	}
	b := slack.NewInputBlock(blockPrefix+a.Name, label, hint, element(a, given))
	b.Optional = !a.Required
	return b
}

// labelOf is an argument's name as a person reads it.
func labelOf(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// element is the field of an argument, with what was given in it.
func element(a tools.Arg, given any) slack.BlockElement {
	switch {
	case a.Device():
		return devices(a, texts(given))
	case len(a.Enum) > 0:
		return choices(a, texts(given))
	case a.Type == tools.TypeBoolean:
		return tick(given, a.Default)
	case a.Type == tools.TypeInteger:
		return number(a, given)
	}
	in := slack.NewPlainTextInputBlockElement(nil, actionField)
	in.Multiline = a.Type == tools.TypeStrings || a.Long() || a.Name == "reason"
	if a.Max > 0 && a.Type == tools.TypeString {
		in.MaxLength = min(a.Max, maxInput)
	}
	in.InitialValue = first(strings.Join(texts(given), "\n"), cmp.Or(in.MaxLength, maxInput))
	if a.Default != "" {
		in.Placeholder, _ = blockkit.Plain(a.Default, maxText)
	}
	return in
}

// devices is a menu of devices that asks for its options while somebody types.
func devices(a tools.Arg, given []string) slack.BlockElement {
	placeholder, _ := blockkit.Plain("Name, address or id", maxText)
	least := minLetters
	var chosen []*slack.OptionBlockObject
	for _, d := range given {
		chosen = append(chosen, Option(d, d))
	}
	if a.Type == tools.TypeStrings {
		menu := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeExternal, placeholder, ActionPick)
		menu.MinQueryLength, menu.InitialOptions = &least, chosen
		return menu
	}
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, placeholder, ActionPick)
	menu.MinQueryLength = &least
	if len(chosen) > 0 {
		menu.InitialOption = chosen[0]
	}
	return menu
}

// Option is one choice: what it says, and what it stands for. A value that is too long for Slack is not cut, because it would
// stand for something else: such an option stands for nothing.
func Option(says, value string) *slack.OptionBlockObject {
	text, _ := blockkit.Plain(says, maxText)
	if len([]rune(value)) > maxValue {
		value = ""
	}
	return slack.NewOptionBlockObject(value, text, nil)
}

func choices(a tools.Arg, given []string) slack.BlockElement {
	placeholder, _ := blockkit.Plain("Choose", maxText)
	var all, chosen []*slack.OptionBlockObject
	for _, e := range a.Enum {
		o := Option(e, e)
		all = append(all, o)
		if slices.Contains(given, e) || (len(given) == 0 && e == a.Default) {
			chosen = append(chosen, o)
		}
	}
	if a.Type == tools.TypeStrings {
		menu := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeStatic, placeholder, actionField, all...)
		menu.InitialOptions = chosen
		return menu
	}
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, placeholder, actionField, all...)
	if len(chosen) > 0 {
		menu.InitialOption = chosen[0]
	}
	return menu
}

// ticked is the value of a box that is ticked.
const ticked = "true"

func tick(given any, usual string) slack.BlockElement {
	yes := Option("Yes", ticked)
	box := slack.NewCheckboxGroupsBlockElement(actionField, yes)
	if on, isBool := given.(bool); on || (!isBool && usual == ticked) {
		box.InitialOptions = []*slack.OptionBlockObject{yes}
	}
	return box
}

func number(a tools.Arg, given any) slack.BlockElement {
	in := slack.NewNumberInputBlockElement(nil, actionField, false)
	if a.Min != 0 || a.Max != 0 {
		in.MinValue, in.MaxValue = strconv.Itoa(a.Min), strconv.Itoa(a.Max)
	}
	if n, ok := given.(float64); ok {
		in.InitialValue = strconv.FormatInt(int64(n), 10)
	}
	if a.Default != "" {
		in.Placeholder, _ = blockkit.Plain(a.Default, maxText)
	}
	return in
}

// texts are the strings of an argument as JSON has it.
func texts(given any) []string {
	switch v := given.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// first is at most n letters of a text. What is left out was typed, and the person sees that it is not there.
func first(s string, n int) string {
	r := []rune(s)
	return string(r[:min(len(r), n)])
}
