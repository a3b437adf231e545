package slackbot

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// idsSearched is how many of the newest requests the beginning of an id is looked for in.
const idsSearched = 500

// partOfID is what the beginning of a request's id looks like, long enough to be meant.
var partOfID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z]{4,7}$`) })

// wholeIDs completes the ids of requests of which only the beginning was typed, where it can mean one recent request only.
// Anything else is for the tool to take or to refuse.
func (b *Bot) wholeIDs(ctx context.Context, tool string, args json.RawMessage) (json.RawMessage, error) {
	v, ok := b.grammar.tool(tool)
	given := map[string]any{}
	if !ok {
		return args, nil
	}
	if err := json.Unmarshal(args, &given); err != nil {
		return nil, err
	}
	changed := false
	for _, a := range v.tool.Args {
		typed, isText := given[a.Name].(string)
		if !a.Request() || !isText || !partOfID().MatchString(typed) {
			continue
		}
		id, err := b.wholeID(ctx, typed)
		if err != nil {
			return nil, err
		}
		given[a.Name], changed = id, true
	}
	if !changed {
		return args, nil
	}
	return json.Marshal(given)
}

func (b *Bot) wholeID(ctx context.Context, typed string) (string, error) {
	recent, err := b.memory.Requests(ctx, store.Filter{Limit: idsSearched})
	if err != nil {
		return "", err
	}
	var found []string
	for _, r := range recent {
		if strings.HasPrefix(r.ID, strings.ToUpper(typed)) {
			found = append(found, r.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", approvals.Refuse(approvals.KindNotFound, nil, "no recent request begins with %q; /mde requests lists them", typed)
	case 1:
		return found[0], nil
	}
	return "", approvals.Refuse(approvals.KindInvalid, nil, "%q is the beginning of %s; type more of the one that you mean", typed, strings.Join(found, " and "))
}
