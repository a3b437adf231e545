package intake_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/interop/npm"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

// theirs is an answer of the endpoint that a program in JavaScript posted to.
type theirs struct {
	Genuine bool   `json:"genuine"`
	Status  int    `json:"status"`
	Body    string `json:"body"`
}

// What Bolt takes for Slack's is taken here, and what it doesn't is not. The one difference makes ours the stricter: Bolt takes
// a request whose time is ahead. That Bolt takes what our simulated workspace signs is a test of that.
func TestOthersSignaturesAreTakenHere(t *testing.T) {
	t.Parallel()
	guest := npm.Start(t, "slack.mjs")
	p := open(t, &memory{}, say(map[string]string{"text": "heard"}))
	post := func(l letter, key string, age time.Duration) (a theirs) {
		guest.Ask(t, map[string]any{
			"do": "post", "url": p.url + l.path, "secret": key, "age": int(age.Seconds()), "type": l.kind, "body": l.body,
		}, &a)
		require.Equal(t, age < 5*time.Minute, a.Genuine, "Bolt, with this secret, %s old", age)
		return a
	}
	for _, l := range []letter{
		command("isolate host01 because ä & 😀"),
		interaction(intake.PathInteractions, `{"type":"block_actions","user":{"id":"U1"},"team":{"id":"T1"}}`),
		interaction(intake.PathOptions, `{"type":"block_suggestion","value":"ho"}`), homeOpened("Ev1"),
	} {
		a := post(l, secret, 0)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", l.path, a.Body)
		require.JSONEq(t, `{"text":"heard"}`, a.Body)
		require.NotNil(t, <-p.taken)
	}
	a := post(event(`{"type":"url_verification","challenge":"3eZbrw1aB"}`), secret, 0)
	require.Equal(t, http.StatusOK, a.Status)
	require.JSONEq(t, `{"challenge":"3eZbrw1aB"}`, a.Body)

	for name, c := range map[string]struct {
		key string
		age time.Duration
	}{"another secret": {"another", 0}, "old": {secret, 6 * time.Minute}, "ahead": {secret, -6 * time.Minute}} {
		require.Equal(t, http.StatusUnauthorized, post(command(name), c.key, c.age).Status, name)
	}
	require.Empty(t, p.taken)
}
