package slackbot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/rotation"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// people makes the directory of a process whose token is of the workspace of srv.
func (h *house) peopleOf(t *testing.T, srv *slacksim.Server, change func(*slackbot.PeopleOptions)) *slackbot.People {
	t.Helper()
	o := slackbot.PeopleOptions{APIURL: srv.APIURL(), BotToken: slacksim.DefaultBotToken, Keeper: h.db}
	if change != nil {
		change(&o)
	}
	p, err := slackbot.NewPeople(o)
	require.NoError(t, err)
	return p
}

func otherWorkspace(t *testing.T, id string) *slacksim.Server {
	t.Helper()
	w := &slacksim.Workspace{TeamID: id}
	w.Cast()
	srv, err := w.Start()
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return srv
}

func TestOneStoreServesOneWorkspace(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	team, err := h.peopleOf(t, h.slack, nil).Workspace(t.Context())
	require.NoError(t, err)
	require.Equal(t, slacksim.DefaultTeamID, team)
	_, err = h.peopleOf(t, h.slack, nil).Workspace(t.Context())
	require.NoError(t, err, "a restart, or another replica")

	second := otherWorkspace(t, "T0SECOND")
	_, err = h.peopleOf(t, second, nil).Workspace(t.Context())
	require.ErrorContains(t, err, "belongs to the Slack workspace T0MDEOPS and the bot token to T0SECOND")
	_, err = h.peopleOf(t, second, nil).Identify(t.Context(), "T0SECOND", slacksim.Bob)
	require.ErrorContains(t, err, "one store serves one workspace", "nobody of it is anybody")
	in, err := h.peopleOf(t, second, nil).Eligible(t.Context(), approvals.Group{Slack: slacksim.OnCall}, approvals.Person{
		ID: "bob@example.com", Aliases: []string{approvals.SlackAlias("T0SECOND", slacksim.Bob)},
	})
	require.Error(t, err)
	require.False(t, in)

	_, err = slackbot.GiveStore(t.Context(), h.db, "second")
	require.ErrorContains(t, err, "begins with T")
	before, err := slackbot.GiveStore(t.Context(), h.db, "T0SECOND")
	require.NoError(t, err)
	require.Equal(t, slacksim.DefaultTeamID, before)
	_, err = h.peopleOf(t, second, nil).Workspace(t.Context())
	require.NoError(t, err)
	_, err = h.peopleOf(t, h.slack, nil).Workspace(t.Context())
	require.ErrorContains(t, err, "belongs to the Slack workspace T0SECOND")
}

func TestTwoWorkspacesThatStartTogetherDontShareAStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	second := otherWorkspace(t, "T0SECOND")
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		p := h.peopleOf(t, []*slacksim.Server{h.slack, second}[i%2], nil)
		all.Go(func() { _, errs[i] = p.Workspace(context.Background()) })
	}
	all.Wait()
	winner := 0
	if errs[0] != nil {
		winner = 1
	}
	for i, err := range errs {
		if i%2 == winner {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "one store serves one workspace")
		}
	}
}

func TestWorkspaceMustBeTheConfiguredOneAndNoOrganization(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	_, err := h.peopleOf(t, h.slack, func(o *slackbot.PeopleOptions) { o.Team = "T0OTHER" }).Workspace(t.Context())
	require.ErrorContains(t, err, "MDE_SLACK_TEAM says T0OTHER")
	_, err = h.peopleOf(t, otherWorkspace(t, "E0ORG"), nil).Workspace(t.Context())
	require.ErrorContains(t, err, "whole organization E0ORG")
	kept, err := h.db.Kept(t.Context(), "slack-workspace")
	require.NoError(t, err)
	require.Zero(t, kept.Version, "who is refused claims nothing")
	_, err = h.peopleOf(t, h.slack, func(o *slackbot.PeopleOptions) { o.Team = slacksim.DefaultTeamID }).Workspace(t.Context())
	require.NoError(t, err)

	p := h.peopleOf(t, h.slack, nil)
	require.NoError(t, h.db.Close())
	_, err = p.Identify(t.Context(), slacksim.DefaultTeamID, slacksim.Bob)
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), "a store that can't be asked lets nobody in")
}

// renewing stands before the simulated workspace: its tokens end when the test says so, and serve in place of the fixed one.
type renewing struct {
	url     string
	mu      sync.Mutex
	serial  int
	refused int
}

func newRenewing(t *testing.T, slack *slacksim.Server) *renewing {
	t.Helper()
	r := &renewing{}
	to, err := url.Parse(slack.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/api/oauth.v2.access" {
			r.renew(rw, req)
			return
		}
		if !r.admit(rw, req) {
			return
		}
		proxy.ServeHTTP(rw, req)
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/api/"
	return r
}

func (r *renewing) token() string { return fmt.Sprintf("xoxe.xoxb-%d", r.serial) }

// end ends the present token.
func (r *renewing) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serial++
}

func (r *renewing) renew(rw http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !strings.HasPrefix(req.PostFormValue("refresh_token"), "xoxe-1-") {
		_ = json.NewEncoder(rw).Encode(map[string]any{"ok": false, "error": "invalid_refresh_token"})
		return
	}
	_ = json.NewEncoder(rw).Encode(map[string]any{
		"ok": true, "access_token": r.token(), "refresh_token": fmt.Sprintf("xoxe-1-%d", r.serial), "expires_in": 43200, "token_type": "bot",
	})
}

// admit puts the fixed token in for the present one, and refuses every other.
func (r *renewing) admit(rw http.ResponseWriter, req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	given := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	inForm := given == ""
	if inForm {
		given = req.PostFormValue("token")
	}
	ofPerson := strings.HasPrefix(given, "xoxe.xoxp-") // an app configuration token
	if given != r.token() && !ofPerson && !strings.HasPrefix(given, "xapp-") && !strings.HasPrefix(req.URL.Path, "/response/") {
		r.refused++
		_ = json.NewEncoder(rw).Encode(map[string]any{"ok": false, "error": "token_expired"})
		return false
	}
	if !strings.HasPrefix(given, "xoxe.") {
		return true
	}
	if !inForm {
		req.Header.Set("Authorization", "Bearer "+slacksim.DefaultBotToken)
		return true
	}
	form := maps.Clone(req.PostForm)
	if !ofPerson {
		form.Set("token", slacksim.DefaultBotToken)
	}
	body := form.Encode()
	req.Body, req.ContentLength = http.NoBody, 0
	if body != "" {
		req.Body, req.ContentLength = readCloser{strings.NewReader(body)}, int64(len(body))
	}
	return true
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestTokenThatEndsInTheMiddleOfWorkIsRenewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	r := newRenewing(t, h.slack)
	tokens, err := rotation.New(rotation.Options{
		APIURL: r.url, ClientID: "1.2", ClientSecret: "secret", RefreshToken: "xoxe-1-first", Vault: h.db, Logger: h.logger(),
	})
	require.NoError(t, err)
	client := tokens.Client(&http.Client{Timeout: 10 * time.Second})
	h.options.APIURL, h.options.BotToken, h.options.HTTPClient = r.url, rotation.Placeholder, client
	h.options.People, err = slackbot.NewPeople(slackbot.PeopleOptions{APIURL: r.url, BotToken: rotation.Placeholder, HTTPClient: client, Keeper: h.db, GroupTTL: time.Nanosecond})
	require.NoError(t, err)
	notifier, err := slackbot.NewNotifier(slackbot.NotifierOptions{
		APIURL: r.url, BotToken: rotation.Placeholder, HTTPClient: client, Store: h.db, ApprovalChannel: slacksim.Security, Gate: h.gate, Logger: h.logger(),
	})
	require.NoError(t, err)
	b := h.overHTTP(t)
	b.reply(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because beaconing to a known C2")
	id := h.requests(t)[0].ID
	r.end()
	_, err = notifier.Notify(t.Context(), id)
	require.NoError(t, err)
	card := h.card(t, "Approval needed")
	r.end()
	status, _ := b.send(t, h.click(t, slacksim.Bob, card, "Deny"))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, h.modal(t, slacksim.Bob).CallbackID, "deny")
	r.end()
	status, _ = b.send(t, h.click(t, slacksim.Bob, card, "Approve"))
	require.Equal(t, http.StatusOK, status)
	require.Len(t, h.state(t, id).Votes, 1)
	r.end()
	_, err = notifier.Notify(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, h.Snapshot().Messages[slacksim.Security], 2, "what was refused was sent once more, and nothing twice: the card, and who approved")
	require.GreaterOrEqual(t, r.refused, 3)
	require.NotContains(t, h.log.String(), "xoxe")
}
