package slacksim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxViewStack is how many modals Slack stacks on one another.
const maxViewStack = 3

// trigger is a trigger_id: it opens one view, for a short time.
type trigger struct {
	user string
	view string // view is the modal it was made in, for views.push.
	at   time.Time
	used bool
}

// responseURL is where an app may answer an interaction without a token.
type responseURL struct {
	channel   string
	user      string
	source    string // source is the timestamp of the message whose button was pressed, "" for a command.
	ephemeral bool
	at        time.Time
	uses      int
}

func (w *Workspace) newTrigger(st *state, user, view string) string {
	id := st.nextID("trg.")
	st.triggers[id] = &trigger{user: user, view: view, at: w.now()}
	return id
}

// takeTrigger uses a trigger up, or says why it can't be used.
func (w *Workspace) takeTrigger(st *state, id string) (*trigger, answer) {
	t := st.triggers[id]
	switch {
	case id == "" || t == nil:
		return nil, fail("invalid_trigger_id")
	case t.used:
		return nil, fail("exchanged_trigger_id")
	case w.now().Sub(t.at) > orDefault(w.TriggerLife, defaultTriggerLife):
		return nil, fail("expired_trigger_id")
	}
	t.used = true
	return t, nil
}

// viewRequest is a view as an app sends it.
type viewRequest struct {
	Type            string `json:"type"`
	Title           *Text  `json:"title"`
	Submit          *Text  `json:"submit"`
	Close           *Text  `json:"close"`
	PrivateMetadata string `json:"private_metadata"`
	CallbackID      string `json:"callback_id"`
	ExternalID      string `json:"external_id"`
	ClearOnClose    bool   `json:"clear_on_close"`
	NotifyOnClose   bool   `json:"notify_on_close"`
}

// parseView reads and checks a modal; the answer says what Slack would refuse.
func parseView(st *state, src string) (*View, answer) { return st.parseView(src, blockKit().modal) }

// parseView reads a view that follows a rule of blockKit.
func (s *state) parseView(src string, check rule) (*View, answer) {
	var generic map[string]any
	if err := json.Unmarshal([]byte(src), &generic); err != nil || generic == nil {
		return nil, fail("invalid_arguments", "[ERROR] view is not an object [json-pointer:/view]")
	}
	if bad := complaints("/view", generic, check); len(bad) > 0 {
		return nil, fail("invalid_arguments", bad...)
	}
	var req viewRequest
	blocks, err := identify(itemsOf(generic, "blocks"), func() string { return s.nextID("b") })
	if err == nil {
		err = json.Unmarshal([]byte(src), &req)
	}
	if err != nil {
		return nil, fail("invalid_arguments", "[ERROR] "+err.Error()+" [json-pointer:/view]")
	}
	return &View{
		ID: s.nextID("V"), Hash: s.nextID("h"), Type: req.Type, CallbackID: req.CallbackID, PrivateMetadata: req.PrivateMetadata,
		ExternalID: req.ExternalID, Title: req.Title, Submit: req.Submit, Close: req.Close, Blocks: blocks.typed, RawBlocks: blocks.raw,
		ClearOnClose: req.ClearOnClose, NotifyOnClose: req.NotifyOnClose,
	}, nil
}

func viewsOpen(w *Workspace, st *state, a args) answer {
	v, refused := parseView(st, a["view"])
	if refused != nil {
		return refused
	}
	t, refused := w.takeTrigger(st, a["trigger_id"])
	if refused != nil {
		return refused
	}
	if v.ExternalID != "" && viewByExternalID(st, v.ExternalID) != nil {
		return fail("duplicate_external_id")
	}
	st.closeAll(t.user)
	st.pushView(t.user, v)
	return answer{"ok": true, "view": v.json(w, map[string]any{})}
}

func viewsPush(w *Workspace, st *state, a args) answer {
	v, refused := parseView(st, a["view"])
	if refused != nil {
		return refused
	}
	t, refused := w.takeTrigger(st, a["trigger_id"])
	if refused != nil {
		return refused
	}
	switch stack := st.stacks[t.user]; {
	case t.view == "" || !slices.Contains(stack, t.view):
		return fail("not_found")
	case len(stack) >= maxViewStack:
		return fail("push_limit_reached")
	}
	st.pushView(t.user, v)
	return answer{"ok": true, "view": v.json(w, map[string]any{})}
}

func viewsUpdate(w *Workspace, st *state, a args) answer {
	stored := st.views[a["view_id"]]
	if stored == nil && a["external_id"] != "" {
		stored = viewByExternalID(st, a["external_id"])
	}
	if stored == nil || !slices.Contains(st.stacks[stored.User], stored.ID) {
		return fail("not_found")
	}
	if hash := a["hash"]; hash != "" && hash != stored.Hash {
		return fail("hash_conflict")
	}
	next, refused := parseView(st, a["view"])
	if refused != nil {
		return refused
	}
	st.replaceView(stored, next)
	return answer{"ok": true, "view": next.json(w, map[string]any{})}
}

func viewByExternalID(st *state, id string) *View {
	for _, v := range st.views {
		if v.ExternalID == id && slices.Contains(st.stacks[v.User], v.ID) {
			return v
		}
	}
	return nil
}

// pushView shows a view to a person on top of what is open.
func (s *state) pushView(user string, v *View) {
	stack := s.stacks[user]
	v.User, v.RootID = user, v.ID
	if n := len(stack); n > 0 {
		v.PreviousID, v.RootID = stack[n-1], s.views[stack[n-1]].RootID
	}
	s.views[v.ID] = v
	s.stacks[user] = append(slices.Clone(stack), v.ID)
}

// replaceView gives an open view new content under its old ID.
func (s *state) replaceView(stored, next *View) {
	next.ID, next.User, next.RootID, next.PreviousID = stored.ID, stored.User, stored.RootID, stored.PreviousID
	s.views[next.ID] = next
}

// popView closes one view and those above it.
func (s *state) popView(user, id string) {
	if i := slices.Index(s.stacks[user], id); i >= 0 {
		s.stacks[user] = slices.Clone(s.stacks[user][:i])
	}
}

func (s *state) closeAll(user string) { delete(s.stacks, user) }

func (w *Workspace) newResponseURL(st *state, r responseURL) string {
	id := st.nextID("r")
	r.at = w.now()
	st.responses[id] = &r
	return st.baseURL + "/response/" + id
}

// responseBody is what an app posts to a response_url, or returns from a slash command.
type responseBody struct {
	Text            string          `json:"text"`
	Blocks          json.RawMessage `json:"blocks"`
	Attachments     json.RawMessage `json:"attachments"`
	ResponseType    string          `json:"response_type"`
	ReplaceOriginal bool            `json:"replace_original"`
	DeleteOriginal  bool            `json:"delete_original"`
	ThreadTS        string          `json:"thread_ts"`
}

func (b responseBody) args() args {
	return args{"text": b.Text, "blocks": string(b.Blocks), "attachments": string(b.Attachments)}
}

// useResponseURL follows a post to a response_url: five uses in half an hour, answered with plain text.
func (w *Workspace) useResponseURL(st *state, id string, body []byte) reply {
	r := st.responses[id]
	switch {
	case r == nil:
		return textReply(http.StatusNotFound, "invalid_url")
	case w.now().Sub(r.at) > orDefault(w.ResponseURLLife, defaultResponseURLLife):
		return textReply(http.StatusNotFound, "expired_url")
	case r.uses >= orDefault(w.ResponseURLUses, defaultResponseURLUses):
		return textReply(http.StatusNotFound, "used_url")
	}
	var b responseBody
	if err := json.Unmarshal(body, &b); err != nil {
		return textReply(http.StatusBadRequest, "invalid_payload")
	}
	r.uses++
	if refused := w.respond(st, *r, b); refused != nil {
		return textReply(http.StatusBadRequest, refused["error"].(string))
	}
	return textReply(http.StatusOK, "ok")
}

// respond posts an answer where the interaction happened: to the person alone unless response_type is in_channel.
func (w *Workspace) respond(st *state, r responseURL, b responseBody) answer {
	if b.DeleteOriginal {
		st.messages[r.channel] = without(st.messages[r.channel], r.source)
		st.ephemeral[r.user] = without(st.ephemeral[r.user], r.source)
		return nil
	}
	m, refused := draft(st, b.args())
	if refused != nil {
		return refused
	}
	if b.ReplaceOriginal && r.source != "" {
		list := st.messages[r.channel]
		if r.ephemeral {
			list = st.ephemeral[r.user]
		}
		if stored := find(list, r.source); stored != nil {
			w.replace(stored, m)
			return nil
		}
		return fail("message_not_found")
	}
	m.ThreadTS = threadRoot(st.messages[r.channel], b.ThreadTS)
	if strings.EqualFold(b.ResponseType, "in_channel") {
		m.Channel, m.User, m.TS = r.channel, w.botUserID(), w.nextTS(st)
		st.messages[r.channel] = append(st.messages[r.channel], m)
		return nil
	}
	w.addEphemeral(st, r.channel, r.user, m)
	return nil
}
