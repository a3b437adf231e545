package slackbot_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const signingSecret = "0123456789abcdef0123456789abcdef"

// branch is one replica that takes requests over HTTP.
type branch struct {
	*house
	url string
}

// signedRequest is what Slack sends, kept so that it can be sent again.
type signedRequest struct {
	path, kind, body string
	header           http.Header
}

// overHTTP runs a bot of the house that takes requests over HTTP.
func (h *house) overHTTP(t testing.TB) branch {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := h.options
	o.AppToken, o.HTTP = "", &slackbot.HTTP{Listener: ln, SigningSecret: signingSecret}
	b, err := slackbot.New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	require.Eventually(t, b.Connected, patience, time.Millisecond)
	return branch{h, "http://" + ln.Addr().String()}
}

func signedForm(path string, fields url.Values) signedRequest {
	return signedRequest{path: path, kind: "application/x-www-form-urlencoded", body: fields.Encode()}.signed()
}

func (r signedRequest) signed() signedRequest { return r.signedAfter(0) }

// signedAfter signs as Slack does when it delivers again: at another time, and so with another signature.
func (r signedRequest) signedAfter(d time.Duration) signedRequest {
	stamp := fmt.Sprint(time.Now().Add(d).Unix())
	mac := hmac.New(sha256.New, []byte(signingSecret))
	_, _ = io.WriteString(mac, "v0:"+stamp+":"+r.body)
	r.header = http.Header{"Content-Type": {r.kind}, "X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))}}
	return r
}

func (b branch) send(t testing.TB, r signedRequest) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, b.url+r.path, strings.NewReader(r.body))
	require.NoError(t, err)
	req.Header = r.header.Clone()
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

// command is what Slack sends when somebody types /mde in #security.
func (h *house) command(t testing.TB, user, text string) signedRequest {
	t.Helper()
	who, err := h.User(user)
	require.NoError(t, err)
	return commandOf(h.CommandPayload(who, slacksim.Channel{ID: slacksim.Security}, "/mde", text))
}

func commandOf(payload slacksim.Payload) signedRequest {
	fields := url.Values{}
	for k, v := range payload {
		fields.Set(k, fmt.Sprint(v))
	}
	return signedForm(intake.PathCommands, fields)
}

func interactionOf(t testing.TB, payload slacksim.Payload) signedRequest {
	t.Helper()
	raw, err := json.Marshal(payload)
	require.NoError(t, err)
	return signedForm(intake.PathInteractions, url.Values{"payload": {string(raw)}})
}

// click is what Slack sends when somebody presses a button.
func (h *house) click(t testing.TB, user string, m slacksim.Message, button string) signedRequest {
	t.Helper()
	payload, err := h.ClickPayload(user, m, button)
	require.NoError(t, err)
	return interactionOf(t, payload)
}

// reply is what a person reads of an answer to a command: in the acknowledgement, or afterwards.
func (b branch) reply(t *testing.T, user, text string) string {
	t.Helper()
	before := len(b.Snapshot().Ephemerals[user])
	status, body := b.send(t, b.command(t, user, text))
	require.Equal(t, http.StatusOK, status, body)
	if body != "" {
		var m struct{ Text string }
		require.NoError(t, json.Unmarshal([]byte(body), &m))
		return m.Text
	}
	var got string
	b.wait(t, func(s slacksim.Snapshot) bool {
		list := s.Ephemerals[user]
		if len(list) > before {
			got = list[len(list)-1].Text
		}
		return len(list) > before
	})
	return got
}

var (
	anID   = regexp.MustCompile(`\b([0-9A-Z]{8}|da\d+_\d+)\b`)
	aClock = regexp.MustCompile(`\d\d:\d\d(:\d\d)?`)
)

// alike is an answer without what differs from one house to the next.
func alike(text string) string {
	return aClock.ReplaceAllString(anID.ReplaceAllString(text, "ID"), "TIME")
}

func TestHTTPAndSocketsAnswerTheSame(t *testing.T) {
	t.Parallel()
	sockets := newHouse(t, plan{})
	over := newHouse(t, plan{idle: true}).overHTTP(t)
	for _, c := range []struct{ user, text string }{
		{slacksim.Alice, "help"},
		{slacksim.Alice, "help isolate"},
		{slacksim.Alice, "isolat host01"},
		{slacksim.Alice, "device " + mdesim.NameHost},
		{slacksim.Alice, "device nosuchdevice"},
		{slacksim.Alice, "isolate " + mdesim.NameHost + " because beaconing to a known C2"},
		{slacksim.Alice, "alerts --severity high --limit 1"},
		{slacksim.Carol, "device " + mdesim.NameHost},
		{slacksim.Dave, "device " + mdesim.NameHost},
		{slacksim.Eve, "help"},
		{slacksim.Alice, `"unended`},
	} {
		seen := len(sockets.Snapshot().Ephemerals[c.user])
		out := sockets.typed(t, c.user, c.text)
		if out.Reply == "" {
			sockets.wait(t, func(s slacksim.Snapshot) bool {
				list := s.Ephemerals[c.user]
				if len(list) > seen {
					out.Reply = list[len(list)-1].Text
				}
				return len(list) > seen
			})
		}
		require.NotEmpty(t, out.Reply, c.text)
		require.Equal(t, alike(out.Reply), alike(over.reply(t, c.user, c.text)), "%s types %q", c.user, c.text)
	}
	onSockets, onHTTP := sockets.card(t, "Approval needed"), over.card(t, "Approval needed")
	for _, c := range []struct{ user, want string }{{slacksim.Alice, "Not counted"}, {slacksim.Dave, "Not counted"}, {slacksim.Bob, "is counted"}, {slacksim.Carol, "Not counted"}} {
		if c.user == slacksim.Carol { // who comes late, when all is done
			sockets.card(t, "Done")
			over.card(t, "Done")
		}
		_, err := sockets.ClickStale(t.Context(), c.user, onSockets, "Approve")
		require.NoError(t, err)
		status, body := over.send(t, over.click(t, c.user, onHTTP, "Approve"))
		require.Equal(t, http.StatusOK, status)
		require.Empty(t, body)
		require.Equal(t, alike(sockets.told(t, c.user, c.want)), alike(over.told(t, c.user, c.want)))
	}
	for _, h := range []*house{sockets, over.house} {
		r := h.settled(t, h.requests(t)[0].ID)
		require.Equal(t, approvals.Succeeded, r.State)
	}
}

func TestReplicasActOnceOnOneRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, approvers: 2})
	one, two := h.overHTTP(t), h.overHTTP(t)
	typed := h.command(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because beaconing to a known C2")
	send := func(r signedRequest) {
		var both sync.WaitGroup
		for range 5 {
			for _, b := range []branch{one, two} {
				both.Go(func() { b.send(t, r) })
			}
		}
		both.Wait()
	}
	send(typed)
	card := h.card(t, "Approval needed")
	require.Len(t, h.requests(t), 1)
	press := h.click(t, slacksim.Bob, card, "Approve")
	send(press)
	h.told(t, slacksim.Bob, "is counted")
	status, _ := two.send(t, press.signedAfter(5*time.Second))
	require.Equal(t, http.StatusOK, status)
	_, body := two.send(t, typed.signedAfter(5*time.Second))
	require.Contains(t, body, "more than once")
	r := h.state(t, h.requests(t)[0].ID)
	require.Len(t, r.Votes, 1)
	require.Len(t, h.requests(t), 1)
	require.Equal(t, approvals.Pending, r.State)
}

func TestOverHTTPNothingIsDoneWithoutTheStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, busy: 100 * time.Millisecond})
	b := h.overHTTP(t)
	card, id := h.ask(t, b)
	unlock := h.lock(t)
	press := h.click(t, slacksim.Bob, card, "Approve")
	status, body := b.send(t, press)
	require.Equal(t, http.StatusServiceUnavailable, status, body)
	typed := h.command(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because again")
	status, _ = b.send(t, typed)
	require.Equal(t, http.StatusServiceUnavailable, status)
	unlock()
	require.Empty(t, h.state(t, id).Votes)
	status, _ = b.send(t, press)
	require.Equal(t, http.StatusOK, status, "it was not taken for seen")
	h.told(t, slacksim.Bob, "is counted") // on a busy machine after the answer
	require.Len(t, h.state(t, id).Votes, 1)
}

// ask asks for host01 over HTTP.
func (h *house) ask(t *testing.T, b branch) (slacksim.Message, string) {
	t.Helper()
	b.reply(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because beaconing to a known C2")
	card := h.card(t, "Approval needed")
	return card, requestOn(t, card)
}

func TestEventsAreActedOnOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true, busy: 100 * time.Millisecond})
	one, two := h.overHTTP(t), h.overHTTP(t)
	body := `{"type":"event_callback","team_id":"` + slacksim.DefaultTeamID + `","event_id":"Ev01","event":{"type":"app_uninstalled"}}`
	sent := signedRequest{path: intake.PathEvents, kind: "application/json", body: body}
	unlock := h.lock(t)
	status, _ := one.send(t, sent.signed())
	require.Equal(t, http.StatusServiceUnavailable, status, "so that Slack sends it again")
	unlock()
	for i, b := range []branch{one, two, one} {
		r := sent.signedAfter(time.Duration(i+1) * 5 * time.Second)
		r.header.Set("X-Slack-Retry-Num", fmt.Sprint(i+1))
		status, _ = b.send(t, r)
		require.Equal(t, http.StatusOK, status)
	}
	require.Eventually(t, func() bool { return strings.Contains(h.log.String(), "was removed from the workspace") }, patience, 5*time.Millisecond)
	status, _ = one.send(t, signedRequest{path: intake.PathEvents, kind: "application/json", body: strings.Replace(body, "Ev01", "Ev02", 1)}.signed())
	require.Equal(t, http.StatusOK, status)
	require.Eventually(t, func() bool { return strings.Count(h.log.String(), "was removed from the workspace") == 2 }, patience, 5*time.Millisecond)
}

func TestOnlyTheConfiguredWorkspaceIsServed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, bot: func(o *slackbot.Options) { o.Team = slacksim.DefaultTeamID }})
	b := h.overHTTP(t)
	card, id := h.ask(t, b)
	alice, err := h.User(slacksim.Alice)
	require.NoError(t, err)
	change := func(fields slacksim.Payload) string {
		p := maps.Clone(h.CommandPayload(alice, slacksim.Channel{ID: slacksim.Security}, "/mde", "isolate "+mdesim.NameHost+" because x"))
		maps.Copy(p, fields)
		status, body := b.send(t, commandOf(p))
		require.Equal(t, http.StatusOK, status)
		return body
	}
	require.Contains(t, change(slacksim.Payload{"team_id": "T0ELSEWHERE"}), "serves another workspace")
	require.Contains(t, change(slacksim.Payload{"is_enterprise_install": "true"}), "whole organization")
	press, err := h.ClickPayload(slacksim.Bob, card, "Approve")
	require.NoError(t, err)
	for _, fields := range []slacksim.Payload{{"team": slacksim.Payload{"id": "T0ELSEWHERE"}}, {"is_enterprise_install": true}} {
		p := maps.Clone(press)
		maps.Copy(p, fields)
		status, _ := b.send(t, interactionOf(t, p))
		require.Equal(t, http.StatusOK, status)
	}
	require.Len(t, h.requests(t), 1)
	require.Empty(t, h.state(t, id).Votes)
	require.Contains(t, h.log.String(), "for another workspace")
	status, _ := b.send(t, interactionOf(t, press))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, approvals.Succeeded, h.settled(t, id).State)
}

// The whole story over HTTP, delivered by the simulated workspace: a form, a card, a click, a Home tab.
func TestIsolateOverHTTPAsSlackDeliversIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, workspace: func(w *slacksim.Workspace) { w.SigningSecret = signingSecret }})
	b := h.overHTTP(t)
	h.PostTo(slacksim.RequestURLs{
		Commands: b.url + intake.PathCommands, Interactions: b.url + intake.PathInteractions, Options: b.url + intake.PathOptions, Events: b.url + intake.PathEvents,
	})
	h.typed(t, slacksim.Alice, "isolate because beaconing")
	v := h.form(t, "Isolate devices")
	offered := h.suggested(t, v, "devices", mdesim.NameHost)
	h.fillIn(t, v, map[string]string{fieldOf("devices"): offered[0].Value})
	card := h.card(t, "Approval needed")
	h.openHome(t, slacksim.Bob, "Waits for you (1)")
	h.press(t, slacksim.Bob, card, "Approve")
	h.card(t, "Done: isolate devices")
	require.Equal(t, 1, h.isolations())

	for _, r := range h.Sent() { // all of it once more, as somebody who has read it could send it
		status, _, err := h.Resend(t.Context(), r)
		require.NoError(t, err)
		require.Contains(t, []int{http.StatusOK, http.StatusConflict}, status)
	}
	require.Equal(t, 1, h.isolations())
	list, err := h.db.Requests(t.Context(), everything())
	require.NoError(t, err)
	require.Len(t, list, 1)
}
