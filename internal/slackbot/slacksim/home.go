package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// viewsPublish shows a view on a person's Home tab of the app, in place of the one before.
func viewsPublish(w *Workspace, st *state, a args) answer {
	u, err := st.user(a["user_id"])
	if err != nil {
		return fail("user_not_found")
	}
	old := st.homes[u.ID]
	if hash := a["hash"]; hash != "" && (old == nil || hash != old.Hash) {
		return fail("hash_conflict")
	}
	v, refused := st.parseView(a["view"], blockKit().home)
	if refused != nil {
		return refused
	}
	v.User, v.RootID = u.ID, v.ID
	if old != nil {
		v.ID, v.RootID = old.ID, old.RootID
	}
	st.homes[u.ID] = v
	st.views[v.ID] = v
	return answer{"ok": true, "view": v.json(w, Payload{})}
}

// OpenHome opens the app's Home tab: the app gets the event app_home_opened, with the view that the tab has, and may publish
// another one when it likes.
func (w *Workspace) OpenHome(ctx context.Context, user string) (Outcome, error) {
	st := w.lock()
	u, err := st.user(user)
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	channel, _ := st.openIM(u.ID)
	event := Payload{"type": "app_home_opened", "user": u.ID, "channel": channel.ID, "tab": "home", "event_ts": w.nextTS(st)}
	if v := st.homes[u.ID]; v != nil {
		event["view"] = v.json(w, Payload{})
	}
	p := w.eventPayload(st, event)
	w.unlock()
	return w.act(ctx, u.ID, EventsAPI, p, nil)
}

// Event sends an event about the installation, such as app_uninstalled or tokens_revoked.
func (w *Workspace) Event(ctx context.Context, event Payload) (Outcome, error) {
	st := w.lock()
	p := w.eventPayload(st, event)
	w.unlock()
	return w.act(ctx, "", EventsAPI, p, nil)
}

func (w *Workspace) eventPayload(st *state, event Payload) Payload {
	return Payload{
		"token": "simulated", "team_id": w.teamID(), "api_app_id": w.appID(), "type": "event_callback", "event": event,
		"event_id": st.nextID("Ev"), "event_time": w.now().Truncate(time.Second).Unix(),
		"authorizations": []any{Payload{"enterprise_id": nil, "team_id": w.teamID(), "user_id": w.botUserID(), "is_bot": true, "is_enterprise_install": false}},
	}
}

// Home is what the app has published for a person.
func (w *Workspace) Home(user string) (View, bool) {
	st := w.lock()
	defer w.unlock()
	u, err := st.user(user)
	if err != nil || st.homes[u.ID] == nil {
		return View{}, false
	}
	return *st.homes[u.ID], true
}

// ClickHome presses a button on a person's Home tab, given as for Click.
func (w *Workspace) ClickHome(ctx context.Context, user, button string) (Outcome, error) {
	st := w.lock()
	u, err := st.user(user)
	if err == nil && st.homes[u.ID] == nil {
		err = fmt.Errorf("the app has published nothing for %s", u.Name)
	}
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	v := st.homes[u.ID]
	b, err := pickButton(v.Buttons(), button)
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	p := w.interaction(st, "block_actions", u, "")
	p["view"], p["container"] = v.json(w, Payload{}), Payload{"type": "view", "view_id": v.ID}
	p["actions"] = []any{w.action(st, b)}
	w.unlock()
	return w.act(ctx, u.ID, Interactive, p, nil)
}

// Shortcut starts a global shortcut of the app.
func (w *Workspace) Shortcut(ctx context.Context, user, callbackID string) (Outcome, error) {
	st := w.lock()
	u, err := st.user(user)
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	p := w.interaction(st, "shortcut", u, "")
	p["callback_id"], p["action_ts"] = callbackID, w.nextTS(st)
	w.unlock()
	return w.act(ctx, u.ID, Interactive, p, nil)
}

// MessageShortcut starts a shortcut of the app on a message in a channel that the person is in.
func (w *Workspace) MessageShortcut(ctx context.Context, user, channel, ts, callbackID string) (Outcome, error) {
	st := w.lock()
	u, c, err := st.person(user, channel)
	var m *Message
	if err == nil {
		if m = find(st.messages[c.ID], ts); m == nil {
			err = fmt.Errorf("message_not_found: there is no message %s in %s", ts, channel)
		}
	}
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	p := w.interaction(st, "message_action", u, "")
	p["callback_id"], p["action_ts"], p["message_ts"] = callbackID, w.nextTS(st), m.TS
	p["channel"], p["message"] = Payload{"id": c.ID, "name": orDefault(c.Name, "directmessage")}, m.json(w)
	p["response_url"] = w.newResponseURL(st, responseURL{channel: c.ID, user: u.ID, source: m.TS})
	w.unlock()
	return w.act(ctx, u.ID, Interactive, p, nil)
}

// Say has a person write a message into a channel.
func (w *Workspace) Say(user, channel, text string) (Message, error) {
	st := w.lock()
	defer w.unlock()
	u, c, err := st.person(user, channel)
	if err != nil {
		return Message{}, err
	}
	m := Message{Channel: c.ID, User: u.ID, Human: true, TS: w.nextTS(st), Text: text}
	st.messages[c.ID] = append(st.messages[c.ID], m)
	st.notify()
	return m, nil
}

// Suggest types into a menu whose options the app gives (external_select) in the modal in front, and returns the options that
// the app answered with. Only these, and those that the app put in at first, can be submitted. As in Slack nothing is asked
// for fewer letters than the menu's min_query_length.
func (w *Workspace) Suggest(ctx context.Context, user, viewID, menu, typed string) ([]Option, error) {
	st := w.lock()
	u, v, err := st.openView(user, viewID)
	if err != nil {
		w.unlock()
		return nil, err
	}
	blockID, e, ok := menuOf(v.Blocks, menu)
	if !ok {
		w.unlock()
		return nil, fmt.Errorf("the modal has no menu %q whose options the app gives", menu)
	}
	if least := orDefault(e.MinQueryLength, defaultMinQuery); len([]rune(typed)) < least {
		w.unlock()
		return nil, nil
	}
	p := w.interaction(st, "block_suggestion", u, viewID)
	delete(p, "trigger_id")
	p["action_id"], p["block_id"], p["value"] = e.ActionID, blockID, typed
	p["container"], p["view"] = Payload{"type": "view", "view_id": viewID}, v.json(w, Payload{})
	w.unlock()
	var found []Option
	_, err = w.act(ctx, u.ID, Interactive, p, func(st *state, ack json.RawMessage) error {
		var e error
		found, e = st.suggested(viewID, blockID, ack)
		return e
	})
	return found, err
}

// menuOf finds a menu with external options by its action_id or block_id.
func menuOf(blocks []Block, name string) (blockID string, e Element, ok bool) {
	for _, b := range blocks {
		for _, e := range elementsOf(b) {
			if (e.ActionID == name || b.BlockID == name) && external(e) {
				return b.BlockID, e, true
			}
		}
	}
	return "", Element{}, false
}

func elementsOf(b Block) []Element {
	list := append([]Element{}, b.Elements...)
	for _, e := range []*Element{b.Element, b.Accessory} {
		if e != nil {
			list = append(list, *e)
		}
	}
	return list
}

func external(e Element) bool {
	return e.Type == "external_select" || e.Type == "multi_external_select"
}

// suggested reads the app's options and remembers them for the submission.
func (s *state) suggested(viewID, blockID string, ack json.RawMessage) ([]Option, error) {
	var generic any
	if err := json.Unmarshal(ack, &generic); err != nil {
		return nil, fmt.Errorf("the options can't be shown: %w", err)
	}
	if bad := complaints("", generic, blockKit().suggestions); len(bad) > 0 {
		return nil, fmt.Errorf("the options can't be shown: %v", bad)
	}
	var res struct {
		Options []Option      `json:"options"`
		Groups  []OptionGroup `json:"option_groups"`
	}
	if err := json.Unmarshal(ack, &res); err != nil {
		return nil, fmt.Errorf("the options can't be shown: %w", err)
	}
	all := res.Options
	for _, g := range res.Groups {
		all = append(all, g.Options...)
	}
	if s.offered[viewID] == nil {
		s.offered[viewID] = map[string][]Option{}
	}
	s.offered[viewID][blockID] = append(s.offered[viewID][blockID], all...)
	return all, nil
}
