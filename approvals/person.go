package approvals

import (
	"slices"
	"strings"
)

// Via names the face that a call came through.
type Via string

// The faces of the product.
const (
	ViaMCP   Via = "mcp"
	ViaSlack Via = "slack"
	ViaShell Via = "shell"
)

// Person is one human. Two persons are the same when any of their names is the same, so that one human can't be two
// people by coming through two channels.
type Person struct {
	// ID is the canonical name: the confirmed e-mail address or user principal name, in lower case.
	ID string `json:"id"`
	// Aliases are further names of the same human, such as "slack:T0001/U0002" or "entra:<object id>".
	Aliases []string `json:"aliases,omitempty"`
	// Name is what people call them; never used to decide anything.
	Name string `json:"name,omitempty"`
}

// SlackAlias is the alias of a Slack user: team and user id together, because a user id alone is only unique in its team.
func SlackAlias(team, user string) string { return "slack:" + team + "/" + user }

// Slack returns the Slack team and user of p, and false when p has none.
func (p Person) Slack() (team, user string, ok bool) {
	for _, a := range p.Aliases {
		if rest, found := strings.CutPrefix(a, "slack:"); found {
			team, user, ok = strings.Cut(rest, "/")
			if ok {
				return team, user, true
			}
		}
	}
	return "", "", false
}

// Same reports whether p and q are, by any of their names, the same human. Names are compared without case because
// e-mail providers and Entra ID do.
func (p Person) Same(q Person) bool {
	for _, a := range p.names() {
		if slices.ContainsFunc(q.names(), func(b string) bool { return strings.EqualFold(a, b) }) {
			return true
		}
	}
	return false
}

// CheckID refuses an id that is no person's: nothing, an alias such as "slack:T0001/U0002", which would make its bearer
// that person, or a word that the audit uses for what no person did. KindInvalid.
func (p Person) CheckID() error {
	id := strings.ToLower(strings.TrimSpace(p.ID))
	switch {
	case id == "":
		return Refuse(KindInvalid, nil, "the call has no requester; sign in, or configure who is asking")
	case strings.Contains(id, ":"), slices.Contains([]string{"worker", "clock", "gate"}, id):
		return Refuse(KindInvalid, nil, "%q is not the name of a person; use the e-mail address or user principal name of who is asking", p.ID)
	}
	return nil
}

func (p Person) names() []string {
	names := make([]string, 0, 1+len(p.Aliases))
	for _, n := range append([]string{p.ID}, p.Aliases...) {
		if n = strings.TrimSpace(n); n != "" {
			names = append(names, n)
		}
	}
	return names
}

// Requester is who asks for a call: always a human, perhaps through an assistant.
type Requester struct {
	Person
	// Verified says that the identity was proved (a Slack click, an Entra sign-in) and not only configured.
	Verified bool `json:"verified"`
	// Via is the face the call came through.
	Via Via `json:"via"`
	// Agent is the assistant that speaks for the person, as its client names itself; empty when the person typed.
	// It is the client's word: shown, never trusted.
	Agent string `json:"agent,omitempty"`
}

// Origin is where the answer to a request goes besides the approvers' card.
type Origin struct {
	// Channel is the Slack channel the command was typed in; empty when the request came another way.
	Channel string `json:"channel,omitempty"`
}
