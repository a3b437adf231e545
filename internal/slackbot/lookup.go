package slackbot

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/forms"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/internal/slackbot/sightings"
	"github.com/mde-ops/mde-ops/tools"
)

// What can be pressed in the window of the shortcut on a message. It is part of the wire.
const (
	actionLookUp  = "mde_look_up"
	actionDevice  = "mde_look_up_device"
	actionIsolate = "mde_look_up_isolate"
	deviceTool    = "get_device"
	isolateTool   = "isolate_devices"
	// lookUpLines is how much of an answer a window shows.
	lookUpLines = 200
)

// question is what a button of the window asks: a tool that reads, and its one argument.
type question struct {
	Tool  string `json:"tool"`
	Arg   string `json:"arg"`
	Value string `json:"value"`
}

// questionsAbout are the questions about a sighting: what reads it, and for what may be a device its isolation.
func questionsAbout(s sightings.Sighting) (look question, device bool) {
	switch s.Kind {
	case sightings.Alert:
		return question{"get_alert", "alert_id", s.Value}, false
	case sightings.Request:
		return question{"get_request", "id", s.Value}, false
	case sightings.Name:
		return question{deviceTool, "device", s.Value}, true
	case sightings.Domain:
		return question{"look_up", "value", s.Value}, true
	case sightings.IP:
		return question{"look_up", "value", s.Value}, s.Private
	case sightings.SHA1, sightings.SHA256, sightings.URL, sightings.Account:
	}
	return question{"look_up", "value", s.Value}, false
}

// lookUpMessage shows a responder what can be looked up in a message. Nothing of the message goes anywhere but to them.
func (b *Bot) lookUpMessage(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	b.ack(ctx, e, nil)
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	v := lookUpView(sightings.Find(messageText(ic.Message)))
	b.openFor(ctx, ic, v)
}

// messageText is all the text of a message: what a person typed, or what an app put into blocks and attachments.
func messageText(m slack.Message) string {
	parts := []string{m.Text}
	if raw, err := json.Marshal(m.Blocks); err == nil && len(m.Blocks.BlockSet) > 0 {
		var tree any
		if json.Unmarshal(raw, &tree) == nil {
			parts = append(parts, textsIn(tree)...)
		}
	}
	for _, a := range m.Attachments {
		parts = append(parts, a.Title, a.Text, a.Fallback)
		for _, f := range a.Fields {
			parts = append(parts, f.Title, f.Value)
		}
	}
	return strings.Join(parts, " \n ")
}

// textsIn are the texts and addresses in a tree of blocks.
func textsIn(node any) (texts []string) {
	switch v := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := v[key]
			if s, ok := child.(string); ok && (key == "text" || key == "url") {
				texts = append(texts, s)
				continue
			}
			texts = append(texts, textsIn(child)...)
		}
	case []any:
		for _, child := range v {
			texts = append(texts, textsIn(child)...)
		}
	}
	return texts
}

// lookUpView lists sightings with what can be done about each.
func lookUpView(found []sightings.Sighting) slack.ModalViewRequest {
	if len(found) == 0 {
		return forms.Note("MDE: look up", "There is no hash, address, domain, account, device name, alert or request in this message.")
	}
	v := forms.Note("MDE: look up", fmt.Sprintf("%d found. Nothing was asked yet.", len(found)))
	for i, s := range found {
		says := blockkit.Quote(s.Value) + " · " + string(s.Kind)
		if s.Private {
			says += ", private"
		}
		text, _ := blockkit.Plain(says, blockkit.MaxSection)
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewSectionBlock(text, nil, nil))
		look, device := questionsAbout(s)
		buttons := []slack.BlockElement{blockkit.Button(actionLookUp, "Look up", look.String())}
		if device && look.Tool != deviceTool {
			buttons = append(buttons, blockkit.Button(actionDevice, "Device", question{deviceTool, "device", s.Value}.String()))
		}
		if device {
			buttons = append(buttons, blockkit.Button(actionIsolate, "Isolate…", question{isolateTool, "devices", s.Value}.String()))
		}
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewActionBlock(fmt.Sprintf("mde_look_up_%d", i), buttons...))
	}
	return v
}

func (q question) String() string {
	raw, err := json.Marshal(q)
	if err != nil || len(raw) > 2000 {
		return "{}" // too long for a button; it asks nothing
	}
	return string(raw)
}

// pressLookUp answers a button of the window: with an answer in a window of its own, or with the form that asks for an
// isolation.
func (b *Bot) pressLookUp(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, action *slack.BlockAction) {
	b.ack(ctx, e, nil)
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	var q question
	if json.Unmarshal([]byte(action.Value), &q) != nil {
		return
	}
	v, known := b.grammar.tool(q.Tool)
	_, takes := v.tool.Arg(q.Arg)
	switch {
	case !known, !takes:
		b.log.WarnContext(ctx, "a button with a strange value was pressed", "user", ic.User.ID)
	case action.ActionID == actionIsolate && q.Tool == isolateTool:
		b.pushFor(ctx, ic, forms.Form{Tool: v.tool, Args: q.args(true)}.View())
	case action.ActionID != actionIsolate && !v.tool.Acts():
		b.lookUp(ctx, ic, q)
	}
}

func (q question) args(list bool) json.RawMessage {
	var value any = q.Value
	if list {
		value = []string{q.Value}
	}
	raw, err := json.Marshal(map[string]any{q.Arg: value})
	if err != nil {
		return nil // texts always marshal
	}
	return raw
}

// pushFor puts a window on top of the one before a responder, or one that says why not.
func (b *Bot) pushFor(ctx context.Context, ic slack.InteractionCallback, v slack.ModalViewRequest) (id string, person approvals.Person, ok bool) {
	person, err := b.responder(ctx, teamOf(ic), ic.User.ID)
	if err != nil {
		v = b.refusalNote(ctx, ic, err)
	}
	res, fault := b.slack.api.PushViewContext(ctx, ic.TriggerID, v)
	if fault != nil {
		b.log.WarnContext(ctx, "a window was not opened", "user", ic.User.ID, "error", explain("views.push", fault))
		return "", person, false
	}
	return res.ID, person, err == nil
}

// lookUp shows that something is asked, asks it as that person, and shows the answer.
func (b *Bot) lookUp(ctx context.Context, ic slack.InteractionCallback, q question) {
	id, person, ok := b.pushFor(ctx, ic, forms.Note("MDE: look up", "Asking Defender about "+blockkit.Quote(q.Value)+" …"))
	if !ok {
		return
	}
	lines := []string{}
	res, err := b.dispatcher.Call(ctx, tools.Call{
		Tool: q.Tool, Args: q.args(false), Requester: approvals.Requester{Person: person, Verified: true, Via: approvals.ViaSlack},
	})
	if err != nil {
		lines = append(lines, sayRefused(err))
	} else {
		lines = append(lines, strings.Split(strings.TrimSpace(forPeople(res)), "\n")...)
	}
	v := forms.Note("MDE: look up")
	c := blockkit.New()
	c.Lines(lines[:min(len(lines), lookUpLines)]...)
	v.Blocks.BlockSet = c.Blocks
	if _, err := b.slack.api.UpdateViewContext(ctx, v, "", "", id); err != nil {
		b.log.WarnContext(ctx, "an answer was not shown", "user", ic.User.ID, "error", explain("views.update", err))
	}
}
