package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// draft reads the content of a message from a call's arguments.
func draft(st *state, a args) (Message, answer) {
	blocks, refused := parseBlocks(a["blocks"], func() string { return st.nextID("b") })
	if refused != nil {
		return Message{}, refused
	}
	attachments := rawOrNil(a["attachments"])
	if a["text"] == "" && len(blocks.typed) == 0 && attachments == nil {
		return Message{}, fail("no_text")
	}
	if utf8.RuneCountInString(a["text"]) > maxMessageText {
		return Message{}, fail("msg_too_long")
	}
	return Message{
		Text: a["text"], Blocks: blocks.typed, RawBlocks: blocks.raw, Attachments: attachments, Metadata: rawOrNil(a["metadata"]),
		LinkNames: a.bool("link_names") || a["parse"] == "full",
	}, nil
}

func rawOrNil(s string) json.RawMessage {
	if s == "" || s == "null" || s == "[]" || !json.Valid([]byte(s)) {
		return nil
	}
	return json.RawMessage(s)
}

// chatPostMessage follows chat.postMessage: a user ID as channel means the direct message with that person, and a thread
// whose parent is gone is not an error: the message is posted outside it.
func chatPostMessage(w *Workspace, st *state, a args) answer {
	id := a["channel"]
	if u, ok := st.users[id]; ok && !u.Deleted {
		c, _ := st.openIM(id)
		id = c.ID
	}
	c, err := st.channel(id)
	switch {
	case err != nil:
		return fail("channel_not_found")
	case c.BotAbsent:
		return fail("not_in_channel")
	}
	m, refused := draft(st, a)
	if refused != nil {
		return refused
	}
	m.Channel, m.User, m.TS = c.ID, w.botUserID(), w.nextTS(st)
	m.ThreadTS = threadRoot(st.messages[c.ID], a["thread_ts"])
	st.messages[c.ID] = append(st.messages[c.ID], m)
	return answer{"ok": true, "channel": c.ID, "ts": m.TS, "message": m.json(w)}
}

// threadRoot returns the timestamp of the thread that a reply to ts belongs to, "" when there is no such message.
func threadRoot(list []Message, ts string) string {
	parent := find(list, ts)
	if parent == nil {
		return ""
	}
	return orDefault(parent.ThreadTS, parent.TS)
}

// chatUpdate follows chat.update: blocks that are not sent stay, an empty list removes them.
func chatUpdate(w *Workspace, st *state, a args) answer {
	c, err := st.channel(a["channel"])
	if err != nil {
		return fail("channel_not_found")
	}
	stored := find(st.messages[c.ID], a["ts"])
	if stored == nil {
		return fail("message_not_found")
	}
	if stored.User != w.botUserID() {
		return fail("cant_update_message")
	}
	_, sent := a["blocks"]
	if !sent && a["text"] == "" {
		return fail("no_text")
	}
	next, refused := draft(st, a)
	if refused != nil {
		return refused
	}
	if !sent {
		next.Blocks, next.RawBlocks = stored.Blocks, stored.RawBlocks
	}
	w.replace(stored, next)
	return answer{"ok": true, "channel": c.ID, "ts": stored.TS, "text": stored.Text, "message": stored.json(w)}
}

// replace gives a message new content and keeps the old one in its edits.
func (w *Workspace) replace(stored *Message, next Message) {
	old := Edit{At: w.now(), Text: stored.Text, Blocks: stored.Blocks}
	// A new slice, because snapshots share the old one.
	stored.Edits = append(slices.Clone(stored.Edits), old)
	stored.Text, stored.Blocks, stored.RawBlocks = next.Text, next.Blocks, next.RawBlocks
	stored.Attachments, stored.LinkNames = next.Attachments, next.LinkNames
	if next.Metadata != nil {
		stored.Metadata = next.Metadata
	}
}

func chatDelete(w *Workspace, st *state, a args) answer {
	c, err := st.channel(a["channel"])
	if err != nil {
		return fail("channel_not_found")
	}
	stored := find(st.messages[c.ID], a["ts"])
	if stored == nil {
		return fail("message_not_found")
	}
	if stored.User != w.botUserID() {
		return fail("cant_delete_message")
	}
	st.messages[c.ID] = without(st.messages[c.ID], a["ts"])
	return answer{"ok": true, "channel": c.ID, "ts": a["ts"]}
}

func without(list []Message, ts string) []Message {
	return slices.DeleteFunc(slices.Clone(list), func(m Message) bool { return m.TS == ts })
}

func chatPostEphemeral(w *Workspace, st *state, a args) answer {
	c, err := st.channel(a["channel"])
	switch {
	case err != nil:
		return fail("channel_not_found")
	case c.BotAbsent:
		return fail("not_in_channel")
	case !c.has(a["user"]):
		return fail("user_not_in_channel")
	}
	m, refused := draft(st, a)
	if refused != nil {
		return refused
	}
	m.ThreadTS = threadRoot(st.messages[c.ID], a["thread_ts"])
	m = w.addEphemeral(st, c.ID, a["user"], m)
	return answer{"ok": true, "message_ts": m.TS}
}

func (w *Workspace) addEphemeral(st *state, channel, user string, m Message) Message {
	m.Channel, m.User, m.TS, m.To, m.Ephemeral = channel, w.botUserID(), w.nextTS(st), user, true
	st.ephemeral[user] = append(st.ephemeral[user], m)
	return m
}

func authTest(w *Workspace, st *state, _ args) answer {
	return answer{
		"ok": true, "url": "https://" + w.teamDomain() + ".slack.com/", "team": w.teamDomain(), "team_id": w.teamID(),
		"user": st.users[w.botUserID()].Name, "user_id": w.botUserID(), "bot_id": w.botID(), "is_enterprise_install": false,
	}
}

func usersInfo(w *Workspace, st *state, a args) answer {
	u, ok := st.users[a["user"]]
	if !ok {
		return fail("user_not_found")
	}
	return answer{"ok": true, "user": w.userJSON(u)}
}

func usersLookupByEmail(w *Workspace, st *state, a args) answer {
	for _, id := range st.userIDs {
		if u := st.users[id]; u.Email != "" && strings.EqualFold(u.Email, a["email"]) && !u.Deleted {
			return answer{"ok": true, "user": w.userJSON(u)}
		}
	}
	return fail("users_not_found")
}

// userJSON is a user object; the e-mail is there only for tokens with users:read.email.
func (w *Workspace) userJSON(u User) map[string]any {
	profile := map[string]any{"real_name": u.RealName, "display_name": u.Name, "team": u.TeamID}
	if slices.Contains(w.botScopes(), "users:read.email") {
		profile["email"] = u.Email
	}
	return map[string]any{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted, "profile": profile,
		"is_bot": u.Bot, "is_app_user": u.AppUser, "is_restricted": u.Restricted, "is_ultra_restricted": u.UltraRestricted,
		"is_stranger": u.Stranger, "is_invited_user": u.Invited, "is_email_confirmed": u.EmailConfirmed, "tz": "Etc/UTC",
	}
}

func usergroupsList(w *Workspace, st *state, a args) answer {
	list := []any{}
	for _, id := range st.groupIDs {
		g := st.groups[id]
		obj := map[string]any{
			"id": g.ID, "team_id": w.teamID(), "is_usergroup": true, "name": g.Handle, "handle": g.Handle,
			"user_count": len(g.Members), "date_delete": 0,
		}
		if a.bool("include_users") {
			obj["users"] = append([]string{}, g.Members...)
		}
		list = append(list, obj)
	}
	return answer{"ok": true, "usergroups": list}
}

func usergroupsUsersList(_ *Workspace, st *state, a args) answer {
	g, ok := st.groups[a["usergroup"]]
	if !ok {
		return fail("no_such_subteam")
	}
	return answer{"ok": true, "users": append([]string{}, g.Members...)}
}

func conversationsInfo(w *Workspace, st *state, a args) answer {
	c, ok := st.channels[a["channel"]]
	if !ok {
		return fail("channel_not_found")
	}
	return answer{"ok": true, "channel": channelJSON(w, c)}
}

func channelJSON(w *Workspace, c *Channel) map[string]any {
	obj := map[string]any{
		"id": c.ID, "name": c.Name, "is_channel": !c.IM, "is_im": c.IM, "is_member": !c.BotAbsent, "is_archived": false,
		"num_members": len(c.Members), "context_team_id": w.teamID(),
	}
	if c.IM && len(c.Members) > 0 {
		obj["user"] = c.Members[0]
	}
	return obj
}

func conversationsOpen(w *Workspace, st *state, a args) answer {
	id, more, _ := strings.Cut(a["users"], ",")
	u, ok := st.users[id]
	switch {
	case more != "":
		return fail("method_not_supported_for_channel_type")
	case !ok:
		return fail("user_not_found")
	case u.Deleted:
		return fail("user_disabled")
	}
	c, existed := st.openIM(id)
	return answer{"ok": true, "no_op": existed, "already_open": existed, "channel": channelJSON(w, c)}
}

// Draft makes a message of blocks (a JSON array) without posting it; the error lists what Slack would refuse. It is for tests
// of a renderer that need no server.
func (w *Workspace) Draft(blocks string) (Message, error) {
	st := w.lock()
	defer w.unlock()
	m, refused := draft(st, args{"blocks": blocks})
	if refused != nil {
		return Message{}, fmt.Errorf("%v: %v", refused["error"], refused["response_metadata"])
	}
	m.User, m.TS = w.botUserID(), w.nextTS(st)
	return m, nil
}

// DraftView makes a modal or Home tab (a JSON object) without showing it; the error lists what Slack would refuse.
func (w *Workspace) DraftView(view string) (View, error) {
	st := w.lock()
	defer w.unlock()
	check := blockKit().modal
	var kind struct{ Type string }
	if json.Unmarshal([]byte(view), &kind) == nil && kind.Type == "home" {
		check = blockKit().home
	}
	v, refused := st.parseView(view, check)
	if refused != nil {
		return View{}, fmt.Errorf("%v: %v", refused["error"], refused["response_metadata"])
	}
	return *v, nil
}
