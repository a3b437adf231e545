// Package manifest is what the Slack app must be allowed and configured to do, declared once: the command, the shortcuts, the
// events, and each scope with its reason. deploy/slack-manifest.yaml is written of it, and the doctor compares an installed
// app with it.
package manifest

import (
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
)

// Names by which Slack tells what a person did. They are part of the wire.
const (
	// Command is the slash command.
	Command = "/mde"
	// ShortcutAsk opens the menu of tools from anywhere, ShortcutLookUp is on messages.
	ShortcutAsk    = "mde_ask"
	ShortcutLookUp = "mde_look_up"
)

// Where Slack posts when it speaks HTTP.
const (
	PathCommands     = "/slack/commands"
	PathInteractions = "/slack/interactions"
	PathOptions      = "/slack/options"
	PathEvents       = "/slack/events"
)

// Scope is one thing that the bot token must be allowed, and why.
type Scope struct {
	Name, Why string
	// Lost is what does not work without it.
	Lost string
}

// Scopes are the smallest set with which everything works.
func Scopes() []Scope {
	return []Scope{
		{"commands", "the command /mde and the two shortcuts", "nothing can be asked in Slack"},
		{"chat:write", "cards, their updates, what follows in their threads, and answers that one person sees", "nothing is shown"},
		{"users:read", "who pressed, at that moment: member or guest, person or bot, active or not", "every command and vote is refused"},
		{"users:read.email", "the confirmed address by which a person is the same in Slack, Entra ID and MCP clients", "every command and vote is refused"},
		{"usergroups:read", "who is a responder and who an approver, at that moment", "every command and vote is refused, unless groups are lists or app roles"},
		{"files:write", "an answer that is longer than a message, as a file to whoever asked", "long answers are cut, and say so"},
		{"im:write", "the direct message into which that file goes", "long answers are cut, and say so"},
	}
}

// Looks are the scopes that only the check of the configuration uses: it looks whether the channels exist. They are no part
// of the manifest.
func Looks() []Scope {
	return []Scope{
		{"channels:read", "the check that the configured public channels exist", "the check skips them and says so"},
		{"groups:read", "the check that the configured private channels exist", "the check skips them and says so"},
	}
}

// AppScopes are those of the app-level token, which Socket Mode needs.
func AppScopes() []Scope {
	return []Scope{{"connections:write", "the connections of Socket Mode", "the bot can't connect"}}
}

// Events are those that the bot is told of, and why.
func Events() []Scope {
	return []Scope{
		{"app_home_opened", "the Home tab is drawn when somebody opens it", "the Home tab stays empty"},
		{"app_uninstalled", "the log says that nobody can ask or vote any more", "the log does not say so"},
		{"tokens_revoked", "the log says that a token was revoked", "the log does not say so"},
	}
}

// Options choose among the ways to run the app. The zero value is Socket Mode, whose tokens don't change.
type Options struct {
	// HTTP is the address at which Slack reaches the bot, such as https://mde.example.com; empty for Socket Mode.
	HTTP string
	// Rotate makes the bot token one that has to be renewed every twelve hours.
	Rotate bool
	// Looks adds the scopes with which the doctor looks at channels.
	Looks bool
}

//go:embed manifest.yaml.tmpl
var text string

// YAML renders the manifest. Its error says what is wrong with the address.
func YAML(o Options) (string, error) {
	if err := o.check(); err != nil {
		return "", err
	}
	t, err := template.New("manifest").Parse(text)
	if err != nil {
		return "", err
	}
	scopes := Scopes()
	if o.Looks {
		scopes = append(scopes, Looks()...)
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Command": Command, "Ask": ShortcutAsk, "LookUp": ShortcutLookUp, "Scopes": scopes, "Events": Events(), "Rotate": o.Rotate,
		"HTTP": o.HTTP != "", "Socket": o.HTTP == "", "Commands": o.at(PathCommands), "Interactions": o.at(PathInteractions),
		"Options": o.at(PathOptions), "EventsURL": o.at(PathEvents),
	})
	return b.String(), err
}

func (o Options) at(path string) string { return strings.TrimSuffix(o.HTTP, "/") + path }

func (o Options) check() error {
	if o.HTTP == "" {
		return nil
	}
	u, err := url.Parse(o.HTTP)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not an https address such as https://mde.example.com; Slack posts to nothing else", o.HTTP)
	}
	return nil
}

// Names are the names of scopes.
func Names(scopes []Scope) []string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = s.Name
	}
	return names
}

// Compare tells which of the scopes are missing in those that a token has, and which of the token's are superfluous.
func Compare(held []string) (missing []Scope, superfluous []string) {
	known := append(Names(Scopes()), Names(Looks())...)
	for _, s := range Scopes() {
		if !slices.Contains(held, s.Name) {
			missing = append(missing, s)
		}
	}
	for _, h := range held {
		if !slices.Contains(known, h) {
			superfluous = append(superfluous, h)
		}
	}
	return missing, superfluous
}
