package slackbot

import (
	"encoding/json"
	"fmt"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

// The break-glass dialog and its parts.
const (
	viewGlass   = "mde_glass_view"
	blockDevice = "mde_glass_device"
	inputDevice = "mde_glass_device_text"

	maxDeviceName = 253
	// glassTool is what breaking the glass does: it contains, and nothing else.
	glassTool = "isolate_devices"
)

// glassTicket is what the dialog carries from the command that opened it to its submission. Slack keeps it and nobody can
// fill it in; what matters is looked up again all the same.
type glassTicket struct {
	// ID and Name are the device as it was shown, and Key the plan's: what is submitted must still be that.
	ID   string `json:"id"`
	Name string `json:"name"`
	Key  string `json:"key"`
	// User is whom the dialog was opened for, and Channel where they typed.
	User    string `json:"user"`
	Channel string `json:"channel"`
}

func (t glassTicket) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		return "" // strings always marshal; an empty ticket is refused when it comes back
	}
	return string(b)
}

func parseGlassTicket(metadata string) (glassTicket, error) {
	var t glassTicket
	if err := json.Unmarshal([]byte(metadata), &t); err != nil || t.ID == "" || t.Name == "" || t.Key == "" || t.User == "" {
		return glassTicket{}, cards.ErrBadStamp
	}
	return t, nil
}

// glassNote is the dialog without anything to fill in: while the device is looked up, and when there is nothing to do.
func glassNote(lines ...string) slack.ModalViewRequest {
	c := blockkit.New()
	c.Lines(lines...)
	return glassModal(glassTicket{}, c.Blocks)
}

func glassModal(t glassTicket, blocks []slack.Block) slack.ModalViewRequest {
	v := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: viewGlass, PrivateMetadata: t.String(), Blocks: slack.Blocks{BlockSet: blocks},
	}
	v.Title, _ = blockkit.Plain("Break-glass", 24)
	v.Close, _ = blockkit.Plain("Close", 24)
	return v
}

// glassDialog shows the device and asks for its name and a reason. It is never offered when the device could not be shown
// whole.
func glassDialog(t glassTicket, p approvals.Plan, reason string) (slack.ModalViewRequest, bool) {
	c := blockkit.New()
	c.Lines("Nobody else is asked. What you submit here is done at once, in your name, and everybody is told.", p.Preview)
	c.Label("On what")
	c.Lines(cards.Targets(p.Targets, p.Risk)...)
	if len(p.Warnings) > 0 {
		c.Label("Know this first")
		c.Lines(cards.Bullets(p.Warnings)...)
	}
	c.Label("What is done, in this order")
	c.Lines(cards.Planned(p)...)
	label, _ := blockkit.Plain("The device's name, typed as it stands above", 200)
	c.Blocks = append(c.Blocks, slack.NewInputBlock(blockDevice, label, nil,
		slack.NewPlainTextInputBlockElement(nil, inputDevice).WithMaxLength(maxDeviceName)))
	why, _ := blockkit.Plain("Why this can't wait. Everybody will read it.", 200)
	input := slack.NewPlainTextInputBlockElement(nil, cards.InputReason).WithMultiline(true).WithMaxLength(cards.MaxReason)
	if first, lost := blockkit.Cut(reason, cards.MaxReason); !lost && first != "" {
		input = input.WithInitialValue(first)
	}
	c.Blocks = append(c.Blocks, slack.NewInputBlock(cards.BlockReason, why, nil, input))
	v := glassModal(t, c.Blocks)
	v.Submit, _ = blockkit.Plain("Do it now", 24)
	return v, !c.Cut
}

// theOnlyTarget is the plan's device, or a refusal: one dialog is about one device.
func theOnlyTarget(p approvals.Plan) (approvals.Target, error) {
	if len(p.Targets) != 1 {
		return approvals.Target{}, invalid("Breaking the glass is for one device at a time; that names %d.", len(p.Targets))
	}
	return p.Targets[0], nil
}

// typedName refuses whatever is not the name, letter by letter. Only A to Z may differ in case: other letters fold into
// these, and look-alikes must not pass.
func typedName(typed, name string) error {
	if lowerASCII(typed) == lowerASCII(name) {
		return nil
	}
	return invalid("That is not the name of the device, which is %s. Nothing was done.", blockkit.Quote(name))
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// glassBroken is what the person reads when it was done.
func glassBroken(r approvals.Request, channel string) blockkit.Message {
	c := blockkit.New()
	text := fmt.Sprintf("Request %s is %s without anybody else's yes: %s.", r.ID, r.State, r.Plan.Preview)
	c.Lines(text)
	c.Markup(fmt.Sprintf("Everybody is told in <#%s>. `/mde request %s` shows how far it is.", channel, r.ID))
	return c.Message(text, "There is more on the card.")
}
