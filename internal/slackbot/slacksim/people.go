package slacksim

import (
	"fmt"
	"slices"
	"strings"
)

// User is a person or bot as the workspace knows it.
type User struct {
	ID              string // ID is the user ID (U…).
	Name            string // Name is the mutable handle without "@".
	RealName        string // RealName is the full name.
	Email           string // Email is shown to tokens with users:read.email.
	EmailConfirmed  bool   // EmailConfirmed is is_email_confirmed.
	Deleted         bool   // Deleted means deactivated.
	Bot             bool   // Bot is is_bot.
	AppUser         bool   // AppUser is is_app_user.
	Restricted      bool   // Restricted means a multi-channel guest (is_restricted).
	UltraRestricted bool   // UltraRestricted means a single-channel guest (is_ultra_restricted).
	Stranger        bool   // Stranger means from another workspace over Slack Connect (is_stranger).
	Invited         bool   // Invited means not yet joined (is_invited_user).
	TeamID          string // TeamID is the person's home workspace. Empty means this one.
}

// Group is a user group (S…).
type Group struct {
	ID      string   // ID is the user group ID (S…).
	Handle  string   // Handle is the mention name without "@".
	Members []string // Members are user IDs.
}

// Channel is a channel (C…) or a direct message with the bot (D…).
type Channel struct {
	ID        string   // ID is the channel ID.
	Name      string   // Name is without "#"; empty for a direct message.
	Members   []string // Members are user IDs.
	BotAbsent bool     // BotAbsent means the bot was not invited: chat.postMessage answers not_in_channel.
	IM        bool     // IM means a direct message.
}

// The people, groups and channel that Cast adds, by ID.
const (
	Alice   = "U0ALICE"   // Alice is a responder.
	Bob     = "U0BOB"     // Bob is a responder and the approver on call.
	Carol   = "U0CAROL"   // Carol is an approver on call.
	Dave    = "U0DAVE"    // Dave is a single-channel guest.
	Eve     = "U0EVE"     // Eve is a stranger from another workspace.
	Mallory = "U0MALLORY" // Mallory was deactivated.
	Robot   = "U0ROBOT"   // Robot is another app's bot.

	Responders = "S0RESPOND" // Responders is the group of alice and bob.
	OnCall     = "S0ONCALL"  // OnCall is the group of bob and carol.

	Security = "C0SECURITY" // Security is the channel #security.
)

// Cast adds the people of the demos: alice (responder), bob (responder and approver on call), carol (approver on call), dave
// (guest), eve (stranger from another workspace), mallory (deactivated) and robot (another bot); the groups responders and
// on-call; and the channel #security with all of them.
func (w *Workspace) Cast() {
	mail := func(name string) string { return name + "@example.com" }
	w.AddUser(User{ID: Alice, Name: "alice", RealName: "Alice Arden", Email: mail("alice"), EmailConfirmed: true})
	w.AddUser(User{ID: Bob, Name: "bob", RealName: "Bob Birch", Email: mail("bob"), EmailConfirmed: true})
	w.AddUser(User{ID: Carol, Name: "carol", RealName: "Carol Cole", Email: mail("carol"), EmailConfirmed: true})
	w.AddUser(User{ID: Dave, Name: "dave", RealName: "Dave Dunn", Email: "dave@contractor.example", EmailConfirmed: true, Restricted: true, UltraRestricted: true})
	w.AddUser(User{ID: Eve, Name: "eve", RealName: "Eve Elm", Email: "eve@elsewhere.example", EmailConfirmed: true, Stranger: true, TeamID: "T0ELSEWHERE"})
	w.AddUser(User{ID: Mallory, Name: "mallory", RealName: "Mallory Moss", Email: mail("mallory"), EmailConfirmed: true, Deleted: true})
	w.AddUser(User{ID: Robot, Name: "robot", RealName: "Robot", Bot: true})
	w.AddGroup(Responders, "responders", Alice, Bob)
	w.AddGroup(OnCall, "on-call", Bob, Carol)
	w.AddChannel(Security, "security", Alice, Bob, Carol, Dave, Eve, Mallory, Robot)
}

// AddUser adds a person, or replaces the one with the same ID: deactivating somebody in the middle of a test is AddUser too.
func (w *Workspace) AddUser(u User) {
	if u.TeamID == "" {
		u.TeamID = w.teamID()
	}
	st := w.lock()
	defer w.unlock()
	st.addUser(u)
	st.notify()
}

func (s *state) addUser(u User) {
	if _, ok := s.users[u.ID]; !ok {
		s.userIDs = append(s.userIDs, u.ID)
	}
	s.users[u.ID] = u
}

// User returns the person with the given ID or handle ("alice", "@alice").
func (w *Workspace) User(idOrName string) (User, error) {
	st := w.lock()
	defer w.unlock()
	return st.user(idOrName)
}

func (s *state) user(idOrName string) (User, error) {
	name := strings.TrimPrefix(idOrName, "@")
	if u, ok := s.users[name]; ok {
		return u, nil
	}
	for _, id := range s.userIDs {
		if s.users[id].Name == name {
			return s.users[id], nil
		}
	}
	return User{}, fmt.Errorf("user_not_found: nobody with the ID or handle %q in the simulated workspace", idOrName)
}

// AddGroup adds a user group with its members' IDs.
func (w *Workspace) AddGroup(id, handle string, members ...string) {
	st := w.lock()
	defer w.unlock()
	if _, ok := st.groups[id]; !ok {
		st.groupIDs = append(st.groupIDs, id)
	}
	st.groups[id] = Group{ID: id, Handle: handle, Members: slices.Clone(members)}
	st.notify()
}

// SetGroup replaces a group's members; an unknown group is created with its ID as handle.
func (w *Workspace) SetGroup(id string, members ...string) {
	st := w.lock()
	handle := orDefault(st.groups[id].Handle, id)
	w.unlock()
	w.AddGroup(id, handle, members...)
}

// AddChannel adds a channel with its members' IDs; name may begin with "#". The bot is in it.
func (w *Workspace) AddChannel(id, name string, members ...string) {
	w.SetChannel(Channel{ID: id, Name: name, Members: members})
}

// SetChannel adds or replaces a channel; its messages stay.
func (w *Workspace) SetChannel(c Channel) {
	st := w.lock()
	defer w.unlock()
	c.Name = strings.TrimPrefix(c.Name, "#")
	c.Members = slices.Clone(c.Members)
	st.setChannel(c)
	st.notify()
}

func (s *state) setChannel(c Channel) {
	if _, ok := s.channels[c.ID]; !ok {
		s.chanIDs = append(s.chanIDs, c.ID)
	}
	s.channels[c.ID] = &c
}

// channel finds a channel by ID or name ("#security").
func (s *state) channel(idOrName string) (*Channel, error) {
	if c, ok := s.channels[idOrName]; ok {
		return c, nil
	}
	name := strings.TrimPrefix(idOrName, "#")
	for _, id := range s.chanIDs {
		if c := s.channels[id]; c.Name == name && name != "" {
			return c, nil
		}
	}
	return nil, fmt.Errorf("channel_not_found: no channel with the ID or name %q in the simulated workspace", idOrName)
}

// openIM returns the direct message between the bot and a person, made on first use.
func (s *state) openIM(user string) (ch *Channel, existed bool) {
	id := "D" + strings.TrimPrefix(user, "U")
	if c, ok := s.channels[id]; ok {
		return c, true
	}
	s.setChannel(Channel{ID: id, Members: []string{user}, IM: true})
	return s.channels[id], false
}

// DirectMessages returns the channel ID of the direct message between the bot and a person (ID or handle).
func (w *Workspace) DirectMessages(user string) (string, error) {
	st := w.lock()
	defer w.unlock()
	u, err := st.user(user)
	if err != nil {
		return "", err
	}
	c, _ := st.openIM(u.ID)
	return c.ID, nil
}

func (c *Channel) has(user string) bool { return slices.Contains(c.Members, user) }
