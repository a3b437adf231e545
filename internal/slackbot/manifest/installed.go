package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Installed is an app as Slack has it, and how the program that it is for is set up.
type Installed struct {
	// Manifest is what Slack exports: a JSON object.
	Manifest json.RawMessage
	// OverHTTP is set where Slack delivers over HTTP, Rotates where the bot token is renewed.
	OverHTTP, Rotates bool
}

// Difference is one thing in which an app is not as its manifest.
type Difference struct {
	// Where is the place in the manifest, and Says what is there and should not be, or the other way round.
	Where, Says string
	// Lost is what does not work; empty where the app may only do or show more than it needs.
	Lost string
}

// Comparison is what became of looking at an installed app.
type Comparison struct {
	// Base is the address below which Slack posts, where it does over HTTP and below one only.
	Base        string
	Differences []Difference
}

// Compare compares the app with the manifest field by field. Names, descriptions and what the Messages tab shows may be the
// organization's own and are not compared.
func (i Installed) Compare() (Comparison, error) {
	have, err := flatten(i.Manifest)
	if err != nil {
		return Comparison{}, fmt.Errorf("what Slack exported is not a manifest: %w", err)
	}
	o := Options{Rotate: i.Rotates}
	var out Comparison
	if i.OverHTTP {
		out.Base = base(have)
		if o.HTTP = out.Base; o.HTTP == "" {
			o.HTTP = "https://HOST"
		}
	}
	want, err := o.fields()
	if err != nil {
		return Comparison{}, err
	}
	out.Differences = append(lacking(want, have), superfluous(want, have)...)
	return out, nil
}

// fields are the fields of the manifest itself.
func (o Options) fields() (map[string]any, error) {
	text, err := YAML(o)
	if err != nil {
		return nil, err
	}
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	return flatten(raw)
}

// The places of the addresses, and the path of each.
func addresses() map[string]string {
	return map[string]string{
		"settings.interactivity.request_url":              PathInteractions,
		"settings.interactivity.message_menu_options_url": PathOptions,
		"settings.event_subscriptions.request_url":        PathEvents,
		"features.slash_commands[" + Command + "].url":    PathCommands,
	}
}

// base is the address below which an app is posted to, empty when there is none or it can't be the bot's.
func base(have map[string]any) string {
	all := addresses()
	for _, where := range slices.Sorted(maps.Keys(all)) {
		address, _ := have[where].(string)
		if b, ok := strings.CutSuffix(address, all[where]); ok && (Options{HTTP: b}).check() == nil {
			return b
		}
	}
	return ""
}

// flatten makes one field of every value in a tree: a.b for what is in an object, a[x] for x in a list of texts or for what is
// called x in a list of objects.
func flatten(raw []byte) (map[string]any, error) {
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	if tree == nil {
		return nil, errors.New("it is empty")
	}
	out := map[string]any{}
	for key, v := range tree {
		put(out, key, v)
	}
	return out, nil
}

func put(out map[string]any, where string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			put(out, where+"."+key, child)
		}
	case []any:
		for i, child := range v {
			at := fmt.Sprintf("%s[%s]", where, called(child, i))
			out[at] = true
			if _, object := child.(map[string]any); object {
				put(out, at, child)
			}
		}
	default:
		out[where] = v
	}
}

// called is what one in a list is called.
func called(v any, i int) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		for _, key := range []string{"command", "callback_id"} {
			if name, ok := v[key].(string); ok {
				return name
			}
		}
	}
	return fmt.Sprint(i)
}

// lacking are the fields of the manifest that the app has not, or has otherwise.
func lacking(want, have map[string]any) (found []Difference) {
	absent := "\n" // what begins with it is not there as a whole
	for _, where := range slices.Sorted(maps.Keys(want)) {
		w, h := want[where], have[where]
		if own(where) || strings.HasPrefix(where, absent) || h == w || w == false && h == nil {
			continue
		}
		d := Difference{Where: where, Lost: lost(where, w), Says: fmt.Sprintf("%s is %s, and must be %v", where, shown(h), w)}
		if list, name, ok := member(where); ok {
			d.Says, absent = fmt.Sprintf("%s lacks %s", list, name), where
		}
		found = append(found, d)
	}
	return found
}

// superfluous are the fields by which the app can do more than it needs. Texts and numbers allow nothing by themselves, and a
// list of addresses from which the tokens work is a good thing.
func superfluous(want, have map[string]any) (found []Difference) {
	for _, s := range Looks() {
		want["oauth_config.scopes.bot["+s.Name+"]"] = true
	}
	strange := "\n" // what begins with it is said as a whole
	for _, where := range slices.Sorted(maps.Keys(have)) {
		_, known := want[where]
		if known || have[where] != true || own(where) || strings.HasPrefix(where, strange) || strings.HasPrefix(where, "settings.allowed_ip_address_ranges") {
			continue
		}
		says := where + " is true, and nothing here uses it"
		if list, name, ok := member(where); ok {
			says, strange = fmt.Sprintf("%s has %s, and nothing here uses it", list, shown(name)), where
		}
		found = append(found, Difference{Where: where, Says: says})
	}
	return found
}

// member splits the place of one in a list.
func member(where string) (list, name string, ok bool) {
	list, name, ok = strings.Cut(where, "[")
	name, closed := strings.CutSuffix(name, "]")
	return list, name, ok && closed
}

// own reports whether the organization may choose what is at a place.
func own(where string) bool {
	for _, p := range []string{"_metadata", "display_information.", "features.bot_user.", "features.app_home.messages_tab_"} {
		if strings.HasPrefix(where, p) {
			return true
		}
	}
	for _, p := range []string{".name", ".description", ".usage_hint"} {
		if strings.HasSuffix(where, p) {
			return true
		}
	}
	return false
}

// lost is what does not work where the app has not what the manifest has at a place.
func lost(where string, want any) string {
	if _, name, ok := member(where); ok {
		for _, s := range append(Scopes(), Events()...) {
			if s.Name == name {
				return s.Lost
			}
		}
	}
	for _, l := range []struct{ where, lost string }{
		{"features.slash_commands[" + Command + "].url", "commands don't reach the bot"},
		{"features.slash_commands[" + Command + "].should_escape", ""},
		{"features.slash_commands", "nothing can be asked in Slack"},
		{"features.shortcuts", "the shortcut does nothing"},
		{"features.app_home", "the Home tab is not shown"},
		{"settings.event_subscriptions.request_url", "the bot hears of no event"},
		{"settings.interactivity.message_menu_options_url", "menus of devices are empty"},
		{"settings.interactivity", "buttons, forms and shortcuts do nothing"},
		{"settings.token_rotation_enabled", "the bot token ends after 12 hours or can't be renewed; compare it with MDE_SLACK_REFRESH_TOKEN"},
		{"settings.socket_mode_enabled", map[any]string{
			true:  "the bot waits at sockets to which Slack does not deliver; compare it with MDE_SLACK_MODE",
			false: "Slack delivers to sockets and not over HTTP; compare it with MDE_SLACK_MODE",
		}[want]},
	} {
		if strings.HasPrefix(where, l.where) {
			return l.lost
		}
	}
	return ""
}

// shown is a value that somebody else wrote, in one line and cut.
func shown(v any) string {
	const most = 100
	switch v := v.(type) {
	case nil:
		return "not set"
	case string:
		if r := []rune(v); len(r) > most {
			v = string(r[:most]) + "…"
		}
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}
