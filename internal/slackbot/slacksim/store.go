package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Message is a stored message, or one only its recipient sees (Ephemeral).
type Message struct {
	Channel     string          // Channel is the channel ID.
	TS          string          // TS identifies the message in its channel: seconds.microseconds, unique and increasing.
	ThreadTS    string          // ThreadTS is the parent's TS, for a reply in a thread.
	User        string          // User is the author's user ID: the bot's.
	Human       bool            // Human says that a person wrote it.
	To          string          // To is the recipient's user ID, for an ephemeral message.
	Ephemeral   bool            // Ephemeral messages can't be changed by chat.update, only through a response_url.
	Text        string          // Text is the fallback that notifications show, entities not decoded.
	Blocks      []Block         // Blocks are the layout blocks, with the IDs Slack generates.
	RawBlocks   json.RawMessage // RawBlocks are the same as JSON.
	Attachments json.RawMessage // Attachments are kept as sent.
	Metadata    json.RawMessage // Metadata is the message metadata as sent.
	LinkNames   bool            // LinkNames means link_names or parse=full was set, so that a bare @channel notifies.
	Edits       []Edit          // Edits are the earlier versions, oldest first.
}

// Edit is a version of a message that was replaced.
type Edit struct {
	At     time.Time // At is when it was replaced.
	Text   string    // Text is the fallback text it had.
	Blocks []Block   // Blocks are the blocks it had.
}

// Buttons lists the message's buttons in the order RenderText numbers them.
func (m Message) Buttons() []Button { return buttonsOf(m.Blocks) }

// View is a modal that is open, or was, or a Home tab.
type View struct {
	ID              string            // ID is the view ID (V…).
	Hash            string            // Hash changes with every version.
	Type            string            // Type is modal or home.
	User            string            // User is who sees it.
	CallbackID      string            // CallbackID is the app's name for it.
	PrivateMetadata string            // PrivateMetadata is what the app hid in it.
	ExternalID      string            // ExternalID is the app's own unique ID, if given.
	Title           *Text             // Title is plain text.
	Submit          *Text             // Submit is the label of the submit button.
	Close           *Text             // Close is the label of the cancel button.
	Blocks          []Block           // Blocks are its content, with generated IDs.
	RawBlocks       json.RawMessage   // RawBlocks are the same as JSON.
	RootID          string            // RootID is the bottom view of its stack.
	PreviousID      string            // PreviousID is the view under it.
	ClearOnClose    bool              // ClearOnClose means closing it closes the stack.
	NotifyOnClose   bool              // NotifyOnClose means the app gets view_closed.
	Errors          map[string]string // Errors are shown beside inputs, by block_id, after a refused submission.
}

// Buttons lists the view's buttons in the order RenderView numbers them.
func (v View) Buttons() []Button { return buttonsOf(v.Blocks) }

// Snapshot is the workspace at one moment. It is a copy: keep it, compare it, read it without locks.
type Snapshot struct {
	Messages    map[string][]Message // Messages are by channel ID, oldest first, replies included.
	Ephemerals  map[string][]Message // Ephemerals are by user ID, oldest first.
	Homes       map[string]View      // Homes are the published Home tabs by user ID.
	Views       map[string][]View    // Views are the open modals by user ID, the visible one last.
	Calls       map[string]int       // Calls counts Web API calls by method; "response_url" counts posts to response_urls.
	Connections int                  // Connections is how many sockets get envelopes; one that was told to disconnect doesn't.
	Envelopes   []Envelope           // Envelopes are all that were sent, in order of first sending.
	LateAcks    int                  // LateAcks counts acknowledgements that nobody waited for any more.
	Oversized   int                  // Oversized counts answers dropped for being 20,480 bytes or more.
}

// Snapshot returns a copy of the workspace's state.
func (w *Workspace) Snapshot() Snapshot {
	st := w.lock()
	defer w.unlock()
	return st.snapshot()
}

func (s *state) snapshot() Snapshot {
	out := Snapshot{
		Messages: map[string][]Message{}, Ephemerals: map[string][]Message{}, Views: map[string][]View{}, Homes: map[string]View{},
		Calls: maps.Clone(s.calls), Connections: s.serving(), Envelopes: slices.Clone(s.envelopes),
		LateAcks: s.late, Oversized: s.oversized,
	}
	for id, list := range s.messages {
		out.Messages[id] = slices.Clone(list)
	}
	for id, list := range s.ephemeral {
		out.Ephemerals[id] = slices.Clone(list)
	}
	for user, v := range s.homes {
		out.Homes[user] = *v
	}
	for user, stack := range s.stacks {
		for _, id := range stack {
			out.Views[user] = append(out.Views[user], *s.views[id])
		}
	}
	return out
}

func (s *state) serving() (n int) {
	for _, c := range s.conns {
		if !c.draining {
			n++
		}
	}
	return n
}

// WaitFor returns when ok says yes, looking again after each change; ok may read nothing but its argument. It fails when ctx
// ends or the server closes, and says what the workspace held.
func (w *Workspace) WaitFor(ctx context.Context, ok func(Snapshot) bool) error {
	for {
		st := w.lock()
		snap, changed, closed := st.snapshot(), st.changed, st.closed
		w.unlock()
		switch {
		case ok(snap):
			return nil
		case closed:
			return fmt.Errorf("waiting for the simulated workspace: %w", ErrClosed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the simulated workspace: %w (it held %s)", context.Cause(ctx), snap.summary())
		}
	}
}

func (s Snapshot) summary() string {
	count := func(m map[string][]Message) (n int) {
		for _, list := range m {
			n += len(list)
		}
		return n
	}
	return fmt.Sprintf("%d messages, %d ephemerals, %d envelopes, %d connections", count(s.Messages), count(s.Ephemerals),
		len(s.Envelopes), s.Connections)
}

// Messages returns a channel's messages, oldest first, replies in threads included. The channel is given by ID or name.
func (w *Workspace) Messages(channel string) []Message {
	st := w.lock()
	defer w.unlock()
	c, err := st.channel(channel)
	if err != nil {
		return nil
	}
	return slices.Clone(st.messages[c.ID])
}

// Thread returns the message with timestamp ts and the replies to it, oldest first.
func (w *Workspace) Thread(channel, ts string) []Message {
	return slices.DeleteFunc(w.Messages(channel), func(m Message) bool { return m.TS != ts && m.ThreadTS != ts })
}

// Message returns one message by channel and timestamp.
func (w *Workspace) Message(channel, ts string) (Message, bool) {
	for _, m := range w.Messages(channel) {
		if m.TS == ts {
			return m, true
		}
	}
	return Message{}, false
}

// Ephemerals returns what only the given person (ID or handle) was shown, oldest first.
func (w *Workspace) Ephemerals(user string) []Message {
	st := w.lock()
	defer w.unlock()
	u, err := st.user(user)
	if err != nil {
		return nil
	}
	return slices.Clone(st.ephemeral[u.ID])
}

// Views returns the modals open before the given person (ID or handle), the visible one last.
func (w *Workspace) Views(user string) []View {
	u, err := w.User(user)
	if err != nil {
		return nil
	}
	return w.Snapshot().Views[u.ID]
}

// Calls returns how often a Web API method was called, refused calls included. "response_url" counts posts to response_urls.
func (w *Workspace) Calls(method string) int {
	st := w.lock()
	defer w.unlock()
	return st.calls[method]
}

// nextTS returns a message timestamp that is unique and increasing even when the clock stands still.
func (w *Workspace) nextTS(st *state) string {
	st.lastTS = max(w.now().UnixMicro(), st.lastTS+1)
	return fmt.Sprintf("%d.%06d", st.lastTS/1e6, st.lastTS%1e6)
}

// find returns the message with timestamp ts in list, for changing it in place.
func find(list []Message, ts string) *Message {
	for i := range list {
		if list[i].TS == ts {
			return &list[i]
		}
	}
	return nil
}

// json is the message as Slack sends it to an app.
func (m Message) json(w *Workspace) map[string]any {
	out := map[string]any{
		"type": "message", "user": m.User, "bot_id": w.botID(), "app_id": w.appID(), "team": w.teamID(), "ts": m.TS, "text": m.Text,
	}
	optional := map[string]json.RawMessage{"blocks": m.RawBlocks, "attachments": m.Attachments, "metadata": m.Metadata}
	for key, raw := range optional {
		if len(raw) > 0 {
			out[key] = raw
		}
	}
	if m.ThreadTS != "" {
		out["thread_ts"] = m.ThreadTS
	}
	if n := len(m.Edits); n > 0 {
		out["edited"] = map[string]any{"user": m.User, "ts": fmt.Sprintf("%d.000000", m.Edits[n-1].At.Unix())}
	}
	return out
}

// json is the view as Slack sends it to an app.
func (v View) json(w *Workspace, values map[string]any) map[string]any {
	return map[string]any{
		"id": v.ID, "team_id": w.teamID(), "type": v.Type, "hash": v.Hash, "callback_id": v.CallbackID,
		"private_metadata": v.PrivateMetadata, "external_id": v.ExternalID, "title": v.Title, "submit": v.Submit, "close": v.Close,
		"blocks": v.RawBlocks, "root_view_id": v.RootID, "previous_view_id": v.PreviousID, "clear_on_close": v.ClearOnClose,
		"notify_on_close": v.NotifyOnClose, "app_id": w.appID(), "bot_id": w.botID(), "app_installed_team_id": w.teamID(),
		"state": map[string]any{"values": values},
	}
}
