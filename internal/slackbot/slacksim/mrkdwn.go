package slacksim

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// EntityKind says what a piece of mrkdwn between < and > does.
type EntityKind string

// The kinds of entities.
const (
	EntityUser    EntityKind = "user"    // EntityUser notifies a person: <@U…>.
	EntityChannel EntityKind = "channel" // EntityChannel links a channel: <#C…>.
	EntityGroup   EntityKind = "group"   // EntityGroup notifies a user group: <!subteam^S…>.
	EntitySpecial EntityKind = "special" // EntitySpecial notifies many: <!here>, <!channel>, <!everyone>, and "@here" where link_names is set.
	EntityDate    EntityKind = "date"    // EntityDate shows a time in the reader's zone: <!date^…>.
	EntityLink    EntityKind = "link"    // EntityLink is a link with any scheme: <https://…|label>.
	EntityBare    EntityKind = "bare"    // EntityBare is an address that Slack makes a link by itself.
)

// Entity is something in a text that fires: notifies or links.
type Entity struct {
	Kind   EntityKind // Kind is what it does.
	Target string     // Target is the ID, the address, or the special mention's name.
	Label  string     // Label is what is shown instead, "" when Slack chooses.
}

// Mention reports whether the entity notifies somebody.
func (e Entity) Mention() bool {
	return e.Kind == EntityUser || e.Kind == EntityGroup || e.Kind == EntitySpecial
}

// Entities lists what would fire in a mrkdwn text because it stands between unescaped < and >. Code spans are no protection
// here, because Slack doesn't promise that they are.
func Entities(mrkdwn string) []Entity {
	found, _ := splitEntities(mrkdwn)
	return found
}

// splitEntities separates the entities of a text from what stands between them.
func splitEntities(s string) (found []Entity, between string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return found, b.String() + s
		}
		b.WriteString(s[:i] + " ")
		e, n, ok := parseEntity(s[i:])
		if ok {
			found = append(found, e)
		}
		s = s[i+n:]
	}
}

// parseEntity reads the entity at the beginning of s, which begins with '<', and returns how many bytes to go on by.
func parseEntity(s string) (e Entity, n int, ok bool) {
	end := strings.IndexAny(s[1:], "<>\n") + 1
	if end <= 1 || s[end] != '>' {
		return Entity{}, 1, false
	}
	target, label, _ := strings.Cut(s[1:end], "|")
	if kind, id := classify(target); kind != "" {
		return Entity{Kind: kind, Target: id, Label: label}, end + 1, true
	}
	return Entity{}, 1, false
}

func classify(target string) (EntityKind, string) {
	switch {
	case len(target) < 2:
		return "", ""
	case target[0] == '@':
		return EntityUser, target[1:]
	case target[0] == '#':
		return EntityChannel, target[1:]
	case strings.HasPrefix(target, "!subteam^"):
		return EntityGroup, target[len("!subteam^"):]
	case strings.HasPrefix(target, "!date^"):
		return EntityDate, target
	case target[0] == '!':
		return EntitySpecial, target[1:]
	case hasScheme(target):
		return EntityLink, target
	}
	return "", ""
}

func hasScheme(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		switch {
		case r == ':':
			return i > 0 && len(s) > i+1
		case letter, i > 0 && (r >= '0' && r <= '9' || strings.ContainsRune("+.-", r)):
		default:
			return false
		}
	}
	return false
}

// FiresMention reports whether an mrkdwn text would notify somebody.
func FiresMention(mrkdwn string) bool {
	for _, e := range Entities(mrkdwn) {
		if e.Mention() {
			return true
		}
	}
	return false
}

// FiresLink reports whether an mrkdwn text would show a link, those that Slack makes of bare addresses included.
func FiresLink(mrkdwn string) bool {
	for _, e := range Entities(mrkdwn) {
		if e.Kind == EntityLink {
			return true
		}
	}
	return len(bareLinks(mrkdwn)) > 0
}

// bareAddress is what Slack makes a link by itself.
var bareAddress = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\b(https?://|mailto:)[^\s<>|]+`) })

func bareLinks(mrkdwn string) []Entity {
	_, between := splitEntities(mrkdwn)
	var out []Entity
	for _, u := range bareAddress().FindAllString(between, -1) {
		out = append(out, Entity{Kind: EntityBare, Target: u})
	}
	return out
}

// Fires lists everything in a message that would notify or link: in its blocks, menus and confirmation dialogs included, in its
// attachments, and in its fallback text, which notifications show. With LinkNames, a bare "@channel" counts too.
func (m Message) Fires() []Entity {
	out := firesIn(Text{Type: "mrkdwn", Text: m.Text}, m.LinkNames)
	out = append(out, firesInJSON(m.RawBlocks, m.LinkNames, mrkdwnOf)...)
	return append(out, firesInJSON(m.Attachments, m.LinkNames, stringsOf)...)
}

// Fires lists everything in a view that would notify or link.
func (v View) Fires() []Entity { return firesInJSON(v.RawBlocks, false, mrkdwnOf) }

// firesInJSON lists what fires in the texts that are found in a JSON document.
func firesInJSON(raw json.RawMessage, linkNames bool, texts func(any) []Text) []Entity {
	var doc any
	if json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	var out []Entity
	for _, t := range texts(doc) {
		out = append(out, firesIn(t, linkNames)...)
	}
	return out
}

// mrkdwnOf finds the mrkdwn texts of blocks, wherever they are.
func mrkdwnOf(v any) (out []Text) {
	if text, ok := field(v, "text").(string); ok && field(v, "type") == "mrkdwn" {
		verbatim, _ := field(v, "verbatim").(bool)
		return []Text{{Type: "mrkdwn", Text: text, Verbatim: verbatim}}
	}
	for _, child := range childrenOf(v) {
		out = append(out, mrkdwnOf(child)...)
	}
	return out
}

// stringsOf takes every string of attachments for mrkdwn, because which fields are depends on mrkdwn_in.
func stringsOf(v any) (out []Text) {
	if s, ok := v.(string); ok {
		return []Text{{Type: "mrkdwn", Text: s}}
	}
	for _, child := range childrenOf(v) {
		out = append(out, stringsOf(child)...)
	}
	return out
}

// childrenOf are the values in an object, by the order of their names, or in an array.
func childrenOf(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		out := make([]any, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = append(out, v[key])
		}
		return out
	}
	return nil
}

func firesIn(t Text, linkNames bool) []Entity {
	if t.Type != "mrkdwn" {
		return nil
	}
	out := Entities(t.Text)
	if !t.Verbatim {
		out = append(out, bareLinks(t.Text)...)
	}
	for _, name := range []string{"channel", "here", "everyone"} {
		if linkNames && strings.Contains(t.Text, "@"+name) {
			out = append(out, Entity{Kind: EntitySpecial, Target: name})
		}
	}
	return out
}

// unescape decodes the three entities that Slack decodes.
func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}
