package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Payload is the content of an envelope, for tests that tamper with it before Send.
type Payload = map[string]any

// Outcome is what a person has before them once the app acknowledged what they did. What the app posts later is for WaitFor.
type Outcome struct {
	EnvelopeID string            // EnvelopeID is the envelope_id of the first delivery.
	Deliveries int               // Deliveries is how often the envelope was sent.
	Ack        json.RawMessage   // Ack is the payload of the acknowledgement, nil when there was none.
	Reply      string            // Reply is the text answered to a command in the acknowledgement, entities not decoded.
	Ephemerals []Message         // Ephemerals are what only this person was shown meanwhile, the Reply included.
	Views      []View            // Views are the modals now open before this person, the visible one last.
	Errors     map[string]string // Errors are shown beside inputs after a refused submission, by block_id.
}

// act sends an envelope for a person, lets apply show the answer, and collects what the person sees.
func (w *Workspace) act(ctx context.Context, user, kind string, payload Payload, apply func(*state, json.RawMessage) error) (Outcome, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return Outcome{}, fmt.Errorf("payload can't be written as JSON: %w", err)
	}
	st := w.lock()
	seen := map[string]bool{}
	for _, m := range st.ephemeral[user] {
		seen[m.TS] = true
	}
	accepts := kind == SlashCommands || payload["type"] == "view_submission" || payload["type"] == "block_suggestion"
	index := st.newEnvelope(kind, raw, accepts)
	w.unlock()

	got, err := w.deliver(ctx, index)
	st = w.lock()
	defer w.unlock()
	if err == nil && accepts && apply != nil {
		err = apply(st, got.payload)
		st.notify()
	}
	out := Outcome{EnvelopeID: got.envelope.ID, Deliveries: got.envelope.Deliveries, Ack: got.payload}
	for _, m := range st.ephemeral[user] {
		if !seen[m.TS] {
			out.Ephemerals = append(out.Ephemerals, m)
		}
	}
	for _, id := range st.stacks[user] {
		out.Views = append(out.Views, *st.views[id])
	}
	return out, err
}

// person finds somebody who is able to use Slack in a channel.
func (s *state) person(user, channel string) (User, *Channel, error) {
	u, err := s.user(user)
	if err != nil {
		return User{}, nil, err
	}
	c, err := s.channel(channel)
	switch {
	case err != nil:
		return User{}, nil, err
	case u.Deleted:
		return User{}, nil, fmt.Errorf("account_inactive: %s was deactivated and has no Slack any more (ClickStale and Send are for attacks)", u.Name)
	case !c.has(u.ID):
		return User{}, nil, fmt.Errorf("user_not_in_channel: %s is not a member of %s", u.Name, channel)
	}
	return u, c, nil
}

// Command types a slash command, for example Command(ctx, "alice", "#security", "/mde", "isolate host01"), and waits for the
// acknowledgement. User and channel are given by ID or name.
func (w *Workspace) Command(ctx context.Context, user, channel, command, text string) (Outcome, error) {
	st := w.lock()
	u, c, err := st.person(user, channel)
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	payload := w.commandPayload(st, u, c, command, text)
	w.unlock()
	var reply string
	out, err := w.act(ctx, u.ID, SlashCommands, payload, func(st *state, ack json.RawMessage) error {
		var e error
		reply, e = w.showReply(st, u, c, ack)
		return e
	})
	out.Reply = reply
	return out, err
}

// CommandPayload makes the payload that Command would send, without asking whether this person could send it.
func (w *Workspace) CommandPayload(user User, channel Channel, command, text string) Payload {
	st := w.lock()
	defer w.unlock()
	return w.commandPayload(st, user, &channel, command, text)
}

func (w *Workspace) commandPayload(st *state, u User, c *Channel, command, text string) Payload {
	return Payload{
		"token": "simulated", "team_id": u.TeamID, "team_domain": w.teamDomain(), "channel_id": c.ID,
		"channel_name": orDefault(c.Name, "directmessage"), "user_id": u.ID, "user_name": u.Name, "command": command, "text": text,
		"api_app_id": w.appID(), "is_enterprise_install": "false", "trigger_id": w.newTrigger(st, u.ID, ""),
		"response_url": w.newResponseURL(st, responseURL{channel: c.ID, user: u.ID}),
	}
}

// showReply shows the answer to a command that came with its acknowledgement.
func (w *Workspace) showReply(st *state, u User, c *Channel, ack json.RawMessage) (string, error) {
	if len(ack) == 0 || string(ack) == "null" {
		return "", nil
	}
	var b responseBody
	if err := json.Unmarshal(ack, &b); err != nil {
		return "", fmt.Errorf("dispatch_failed: the acknowledgement's payload is not a message: %w", err)
	}
	if b.Text == "" && len(b.Blocks) == 0 {
		return "", nil
	}
	if refused := w.respond(st, responseURL{channel: c.ID, user: u.ID}, b); refused != nil {
		return "", fmt.Errorf("dispatch_failed: the acknowledgement's message was refused: %v %v", refused["error"], refused["response_metadata"])
	}
	return b.Text, nil
}

// Click presses a button of a stored message and waits for the acknowledgement. The button is given by action_id, by the text
// on it, or by the number RenderText draws. Only what the person has before them can be pressed: a button that was removed,
// or somebody else's ephemeral message, is an error, and so is a person without access to the channel.
func (w *Workspace) Click(ctx context.Context, user, channel, messageTS, button string) (Outcome, error) {
	st := w.lock()
	u, c, err := st.person(user, channel)
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	m := find(st.messages[c.ID], messageTS)
	if m == nil {
		m = find(st.ephemeral[u.ID], messageTS)
	}
	if m == nil {
		w.unlock()
		return Outcome{}, fmt.Errorf("message_not_found: %s has no message %s in %s", u.Name, messageTS, channel)
	}
	shown := *m
	w.unlock()
	return w.ClickStale(ctx, u.ID, shown, button)
}

// ClickStale presses a button of a message as it was at some earlier time, as a client with an old screen or an attacker can:
// it asks neither whether the message still has the button nor whether the person may use Slack.
func (w *Workspace) ClickStale(ctx context.Context, user string, m Message, button string) (Outcome, error) {
	payload, err := w.ClickPayload(user, m, button)
	if err != nil {
		return Outcome{}, err
	}
	id := payload["user"].(Payload)["id"].(string)
	return w.act(ctx, id, Interactive, payload, nil)
}

// ClickPayload makes the payload of pressing a button, for tests that tamper with it before Send.
func (w *Workspace) ClickPayload(user string, m Message, button string) (Payload, error) {
	b, err := pickButton(m.Buttons(), button)
	if err != nil {
		return nil, err
	}
	st := w.lock()
	defer w.unlock()
	u, err := st.user(user)
	if err != nil {
		return nil, err
	}
	c, err := st.channel(m.Channel)
	if err != nil {
		return nil, err
	}
	container := Payload{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.Ephemeral}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	p := w.interaction(st, "block_actions", u, "")
	p["container"], p["channel"] = container, Payload{"id": c.ID, "name": orDefault(c.Name, "directmessage")}
	p["actions"], p["state"] = []any{w.action(st, b)}, Payload{"values": Payload{}}
	p["response_url"] = w.newResponseURL(st, responseURL{channel: c.ID, user: u.ID, source: m.TS, ephemeral: m.Ephemeral})
	if !m.Ephemeral { // Slack leaves the message out for ephemeral ones.
		p["message"] = m.json(w)
	}
	return p, nil
}

// interaction is what all interactive payloads share.
func (w *Workspace) interaction(st *state, kind string, u User, view string) Payload {
	return Payload{
		"type": kind, "token": "simulated", "api_app_id": w.appID(), "trigger_id": w.newTrigger(st, u.ID, view),
		"team": Payload{"id": w.teamID(), "domain": w.teamDomain()}, "enterprise": nil, "is_enterprise_install": false,
		"user": Payload{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.TeamID},
	}
}

func (w *Workspace) action(st *state, b Button) Payload {
	a := Payload{
		"type": "button", "action_id": b.ActionID, "block_id": b.BlockID, "text": b.raw.textObject(), "value": b.Value,
		"action_ts": w.nextTS(st),
	}
	if b.Style != "" {
		a["style"] = b.Style
	}
	if b.URL != "" {
		a["url"] = b.URL
	}
	return a
}

// pickButton finds a button by action_id, label or number.
func pickButton(buttons []Button, want string) (Button, error) {
	labels := make([]string, len(buttons))
	for i, b := range buttons {
		if b.ActionID == want || strings.EqualFold(b.Label, want) {
			return b, nil
		}
		labels[i] = fmt.Sprintf("%d %q (%s)", i+1, b.Label, b.ActionID)
	}
	if n, err := strconv.Atoi(want); err == nil && n >= 1 && n <= len(buttons) {
		return buttons[n-1], nil
	}
	if len(labels) == 0 {
		labels = []string{"none"}
	}
	return Button{}, fmt.Errorf("no button %q here; there is: %s", want, strings.Join(labels, ", "))
}

var errNoView = errors.New("view_not_found: the person has no such modal open")
