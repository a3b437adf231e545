package forms

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/tools"
)

// Args are what somebody filled in, as the arguments of a call. Fields that were left empty are not among them. What is not
// right is for the tool to say, as of typed words.
func Args(t tools.Tool, state *slack.ViewState) (json.RawMessage, error) {
	args := map[string]any{}
	if state != nil {
		for _, a := range t.Args {
			for _, in := range state.Values[blockPrefix+a.Name] {
				if v, filled := valueOf(a, in); filled {
					args[a.Name] = v
				}
			}
		}
	}
	return json.Marshal(args)
}

// valueOf is the value of one field in the argument's own type.
func valueOf(a tools.Arg, in slack.BlockAction) (any, bool) {
	switch {
	case a.Type == tools.TypeBoolean:
		on := slices.ContainsFunc(in.SelectedOptions, func(o slack.OptionBlockObject) bool { return o.Value == ticked })
		return on, on || a.Default == ticked
	case a.Type == tools.TypeInteger:
		text := strings.TrimSpace(in.Value)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, true
		}
		return text, text != ""
	case a.Type == tools.TypeStrings:
		list := listOf(a, in)
		return list, len(list) > 0
	case a.Device(), len(a.Enum) > 0:
		return in.SelectedOption.Value, in.SelectedOption.Value != ""
	case a.Long():
		return in.Value, strings.TrimSpace(in.Value) != ""
	}
	text := strings.TrimSpace(in.Value)
	return text, text != ""
}

// listOf is a list: what was chosen, or a line each of what was typed, or the parts between commas of a single line.
func listOf(a tools.Arg, in slack.BlockAction) []string {
	var list []string
	for _, o := range in.SelectedOptions {
		list = append(list, o.Value)
	}
	separator := "\n"
	if !a.Long() && !strings.Contains(strings.TrimSpace(in.Value), "\n") {
		separator = ","
	}
	for one := range strings.SplitSeq(in.Value, separator) {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
}

// maxError is how long a text beside a field may be.
const maxError = 300

// Beside puts each problem beside its field. rest are those that have none there.
func Beside(t tools.Tool, problems tools.Problems) (byBlock map[string]string, rest []string) {
	byBlock = map[string]string{}
	for _, p := range problems {
		name, _, _ := strings.Cut(p.Arg, "[")
		if _, known := t.Arg(name); !known {
			rest = append(rest, tools.Problems{p}.Error())
			continue
		}
		block := blockPrefix + name
		text := p.Text
		if before := byBlock[block]; before != "" {
			text = before + "; " + text
		}
		byBlock[block] = first(blockkit.Clean(text), maxError)
	}
	return byBlock, rest
}
