package forms

import (
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/tools"
)

// Menu is the window in which a tool is chosen, by families.
func Menu(list []tools.Tool, o Origin) slack.ModalViewRequest {
	v := window("MDE: ask", ViewMenu, o)
	label, _ := blockkit.Plain("What do you want to do?", maxText)
	placeholder, _ := blockkit.Plain("Choose", maxText)
	menu := slack.NewOptionsGroupSelectBlockElement(slack.OptTypeStatic, placeholder, actionField, families(list)...)
	hint, _ := blockkit.Plain("Whatever changes a device is first shown to its approvers.", maxHint)
	v.Blocks.BlockSet = []slack.Block{slack.NewInputBlock(blockTool, label, hint, menu)}
	v.Submit, _ = blockkit.Plain("Next", maxTitle)
	return v
}

// families are the tools by their toolsets, in the order of the catalogue.
func families(list []tools.Tool) []*slack.OptionGroupBlockObject {
	var names []tools.Toolset
	byName := map[tools.Toolset][]*slack.OptionBlockObject{}
	for _, t := range list {
		if !slices.Contains(names, t.Toolset) {
			names = append(names, t.Toolset)
		}
		byName[t.Toolset] = append(byName[t.Toolset], Option(t.Title, t.Name))
	}
	groups := make([]*slack.OptionGroupBlockObject, len(names))
	for i, name := range names {
		label, _ := blockkit.Plain(labelOf(string(name)), maxText)
		groups[i] = slack.NewOptionGroupBlockElement(label, byName[name]...)
	}
	return groups
}

// Chosen is the name of the tool that was chosen in the menu; empty when none was.
func Chosen(state *slack.ViewState) string {
	if state == nil {
		return ""
	}
	return strings.TrimSpace(state.Values[blockTool][actionField].SelectedOption.Value)
}

// Note is a window that only says something.
func Note(title string, lines ...string) slack.ModalViewRequest {
	v := window(title, "", Origin{})
	for _, l := range lines {
		text, _ := blockkit.Plain(l, blockkit.MaxSection)
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewSectionBlock(text, nil, nil))
	}
	return v
}
