package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// general is a channel in which /mde does not work.
const general = "C0GENERAL"

// addPlaces adds what a workspace has besides the channel of the responders.
func addPlaces(w *slacksim.Workspace) {
	w.AddChannel(general, "general", slacksim.Alice, slacksim.Bob, slacksim.Carol)
}

// placeWords are the lines that are about places and screens of Slack, by their first word.
func (t *terminal) placeWords() map[string]func(context.Context, string) error {
	return map[string]func(context.Context, string) error{
		"/in": t.goTo, "/say": t.write, "/home": t.home, "/ask": t.ask, "/look": t.look, "/threads": t.threads,
	}
}

// goTo goes to another channel.
func (t *terminal) goTo(_ context.Context, name string) error {
	name = strings.TrimPrefix(name, "#")
	for id, known := range map[string]string{slacksim.Security: "security", general: "general"} {
		if name == known {
			t.channel = id
			fmt.Fprintf(t.w, "   You are in #%s.\n", known)
			return nil
		}
	}
	return fmt.Errorf("there is no channel #%s; there are #security and #general", name)
}

// write puts a message into the channel.
func (t *terminal) write(_ context.Context, text string) error {
	if text == "" {
		return errors.New("say what? /say host01 talks to 198.51.100.23")
	}
	m, err := t.workspace.Say(t.me, t.channel, text)
	t.said = m.TS
	return err
}

// look starts the shortcut "MDE: look up" on what was said last.
func (t *terminal) look(ctx context.Context, _ string) error {
	if t.said == "" {
		return errors.New("nobody has said anything yet; /say host01 talks to 198.51.100.23")
	}
	before := len(t.workspace.Ephemerals(t.me))
	out, err := t.workspace.MessageShortcut(ctx, t.me, t.channel, t.said, manifest.ShortcutLookUp)
	if err != nil {
		return err
	}
	return t.outcome(ctx, out, before)
}

// ask starts the shortcut "MDE: ask".
func (t *terminal) ask(ctx context.Context, _ string) error {
	before := len(t.workspace.Ephemerals(t.me))
	out, err := t.workspace.Shortcut(ctx, t.me, manifest.ShortcutAsk)
	if err != nil {
		return err
	}
	return t.outcome(ctx, out, before)
}

// home opens the Home tab, or presses a button on it.
func (t *terminal) home(ctx context.Context, button string) error {
	me, err := t.workspace.User(t.me)
	if err != nil {
		return err
	}
	calls := t.workspace.Calls("views.publish")
	if button != "" {
		before := len(t.workspace.Ephemerals(t.me))
		out, err := t.workspace.ClickHome(ctx, t.me, button)
		if err != nil {
			return err
		}
		if !strings.EqualFold(button, "Refresh") && button != "1" {
			return t.outcome(ctx, out, before)
		}
	} else if _, err := t.workspace.OpenHome(ctx, t.me); err != nil {
		return err
	}
	if err := t.workspace.WaitFor(ctx, func(s slacksim.Snapshot) bool {
		_, published := s.Homes[me.ID]
		return published && s.Calls["views.publish"] > calls
	}); err != nil {
		return err
	}
	v, _ := t.workspace.Home(t.me)
	fmt.Fprintf(t.w, "\n   %s\n   /home N presses the button with that number.\n", indent(slacksim.RenderHome(v, t.render()), 3))
	return nil
}

// threads draws the replies in the thread of each card.
func (t *terminal) threads(context.Context, string) error {
	for _, m := range t.workspace.Messages(slacksim.Security) {
		if m.ThreadTS != "" {
			fmt.Fprintf(t.w, "\n   %s\n", indent(slacksim.RenderText(m, t.render()), 3))
		}
	}
	return nil
}

// places are the channels whose messages are drawn: the public ones, and the direct messages of whoever types.
func (t *terminal) places() []string {
	list := []string{slacksim.Security, general}
	if dm, err := t.workspace.DirectMessages(t.me); err == nil {
		list = append(list, dm)
	}
	return list
}

// fields gives a line to the fields of a dialog: "value | value" in their order, or "Name=value | Name=value" for some of them.
func fields(v slacksim.View, line string) (map[string]string, error) {
	asked := inputs(v)
	parts := []string{line}
	if len(asked) > 1 {
		parts = strings.Split(line, "|")
	}
	values := map[string]string{}
	named := 0
	for _, part := range parts {
		name, value, has := strings.Cut(part, "=")
		if b, ok := fieldCalled(asked, name); has && ok {
			values[b.BlockID] = strings.TrimSpace(value)
			named++
		}
	}
	switch {
	case named == len(parts):
	case named > 0, len(parts) != len(asked):
		return nil, fmt.Errorf("the dialog has %d fields and %q fills %d; write them in one line with | between, or name those that you fill, as %s=…, or /close",
			len(asked), line, len(parts), label(asked[0]))
	default:
		for i, b := range asked {
			values[b.BlockID] = strings.TrimSpace(parts[i])
		}
	}
	return values, nil
}

// offered has menus whose options come from the app ask for them, as typing into them does.
func (t *terminal) offered(ctx context.Context, v slacksim.View, values map[string]string) error {
	for _, b := range inputs(v) {
		if b.Element == nil || !strings.HasSuffix(b.Element.Type, "external_select") || values[b.BlockID] == "" {
			continue
		}
		for one := range strings.SplitSeq(values[b.BlockID], ",") {
			if _, err := t.workspace.Suggest(ctx, t.me, v.ID, b.BlockID, strings.TrimSpace(one)); err != nil {
				return err
			}
		}
	}
	return nil
}

func fieldCalled(asked []slacksim.Block, name string) (slacksim.Block, bool) {
	i := slices.IndexFunc(asked, func(b slacksim.Block) bool { return strings.EqualFold(label(b), strings.TrimSpace(name)) })
	if i < 0 {
		return slacksim.Block{}, false
	}
	return asked[i], true
}

func label(b slacksim.Block) string {
	if b.Label == nil {
		return b.BlockID
	}
	return b.Label.Text
}

// inputs are the fields of a dialog.
func inputs(v slacksim.View) (list []slacksim.Block) {
	for _, b := range v.Blocks {
		if b.Type == "input" {
			list = append(list, b)
		}
	}
	return list
}

// pressable reports whether a dialog is there for its buttons.
func pressable(v slacksim.View) bool {
	return slices.ContainsFunc(v.Buttons(), func(b slacksim.Button) bool { return strings.HasPrefix(b.ActionID, manifest.ShortcutLookUp) })
}

// pressIn presses a button in a dialog, and draws the one that comes on top of it once it holds an answer.
func (t *terminal) pressIn(ctx context.Context, v slacksim.View, number string) error {
	me, err := t.workspace.User(t.me)
	if err != nil {
		return err
	}
	if _, err := t.workspace.ClickView(ctx, t.me, v.ID, number); err != nil {
		return err
	}
	var top slacksim.View
	if err := t.workspace.WaitFor(ctx, func(s slacksim.Snapshot) bool {
		open := s.Views[me.ID]
		if len(open) == 0 || open[len(open)-1].ID == v.ID {
			return false
		}
		top = open[len(open)-1]
		return !strings.Contains(string(top.RawBlocks), "Asking Defender")
	}); err != nil {
		return err
	}
	return t.dialog(ctx, top)
}
