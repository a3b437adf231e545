package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// answer is a Web API response body.
type answer map[string]any

// args are a call's arguments, from a form or a JSON body; anything but a string is kept as its JSON text.
type args map[string]string

func (a args) bool(key string) bool { return a[key] == "true" || a[key] == "1" }

// method is a Web API method: what the token must be allowed, how often it may be called a minute, and what it does with the
// state locked.
type method struct {
	scope    string
	perMin   int
	appToken bool
	// configToken is for methods that take an app configuration token, which has no scopes.
	configToken bool
	noToken     bool // noToken is for methods that ask for the app's id and secret instead.
	run         func(w *Workspace, st *state, a args) answer
}

// The bytes of a call, and of a file.
const (
	maxCall   = 1 << 20
	maxUpload = 1 << 26
)

// Calls a minute in Slack's rate-limit tiers.
const (
	tier1 = 1
	tier2 = 20
	tier3 = 50
	tier4 = 100
)

func methods() map[string]method {
	return map[string]method{
		"auth.test":                    {perMin: tier4, run: authTest},
		"auth.revoke":                  {perMin: tier3, run: authRevoke},
		"oauth.v2.access":              {noToken: true, perMin: tier4, run: oauthAccess},
		"chat.postMessage":             {scope: "chat:write", perMin: tier4, run: chatPostMessage},
		"chat.update":                  {scope: "chat:write", perMin: tier3, run: chatUpdate},
		"chat.delete":                  {scope: "chat:write", perMin: tier3, run: chatDelete},
		"chat.postEphemeral":           {scope: "chat:write", perMin: tier4, run: chatPostEphemeral},
		"views.open":                   {perMin: tier4, run: viewsOpen},
		"views.update":                 {perMin: tier4, run: viewsUpdate},
		"views.push":                   {perMin: tier4, run: viewsPush},
		"views.publish":                {perMin: tier4, run: viewsPublish},
		"bots.info":                    {scope: "users:read", perMin: tier3, run: botsInfo},
		"apps.manifest.export":         {configToken: true, perMin: tier3, run: appsManifestExport},
		"users.info":                   {scope: "users:read", perMin: tier4, run: usersInfo},
		"users.lookupByEmail":          {scope: "users:read.email", perMin: tier3, run: usersLookupByEmail},
		"usergroups.list":              {scope: "usergroups:read", perMin: tier2, run: usergroupsList},
		"usergroups.users.list":        {scope: "usergroups:read", perMin: tier2, run: usergroupsUsersList},
		"conversations.info":           {scope: "channels:read", perMin: tier3, run: conversationsInfo},
		"files.getUploadURLExternal":   {scope: "files:write", perMin: tier4, run: filesGetUploadURL},
		"files.completeUploadExternal": {scope: "files:write", perMin: tier4, run: filesComplete},
		"conversations.open":           {scope: "im:write", perMin: tier3, run: conversationsOpen},
		// Slack counts apps.connections.open in tier 1 but lets an app reconnect, so the limit here is looser.
		"apps.connections.open": {scope: "connections:write", perMin: tier2, appToken: true, run: appsConnectionsOpen},
	}
}

func fail(code string, messages ...string) answer {
	a := answer{"ok": false, "error": code}
	if len(messages) > 0 {
		a["response_metadata"] = map[string]any{"messages": messages}
	}
	return a
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	all := methods()
	mux.HandleFunc("/api/{method}", func(rw http.ResponseWriter, r *http.Request) {
		name := r.PathValue("method")
		s.serve(rw, r, name, func(st *state, body []byte) reply { return s.callMethod(st, r, name, all[name], body) })
	})
	mux.HandleFunc("POST /response/{id}", func(rw http.ResponseWriter, r *http.Request) {
		s.serve(rw, r, "response_url", func(st *state, body []byte) reply { return s.ws.useResponseURL(st, r.PathValue("id"), body) })
	})
	mux.HandleFunc("POST /upload/{id}", func(rw http.ResponseWriter, r *http.Request) {
		s.serve(rw, r, "upload", func(st *state, body []byte) reply { return takeUpload(st, r, r.PathValue("id"), body) })
	})
	mux.HandleFunc("GET /link/", s.serveSocket)
	return mux
}

// reply is an HTTP answer.
type reply struct {
	status      int
	contentType string
	retryAfter  string
	scopes      string // of the token, where the answer is a method's
	body        []byte
}

func jsonReply(a answer) reply {
	body, err := json.Marshal(a)
	if err != nil {
		return textReply(http.StatusInternalServerError, "simulator: the answer can't be written as JSON: "+err.Error())
	}
	return reply{status: http.StatusOK, contentType: "application/json; charset=utf-8", body: body}
}

func textReply(status int, text string) reply {
	return reply{status: status, contentType: "text/plain; charset=utf-8", body: []byte(text)}
}

// serve counts a call, lets it meet its fault, performs it and answers.
func (s *Server) serve(rw http.ResponseWriter, r *http.Request, name string, do func(*state, []byte) reply) {
	most := int64(maxCall)
	if name == "upload" {
		most = maxUpload
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, most))
	if err != nil {
		s.write(rw, textReply(http.StatusRequestEntityTooLarge, "request body can't be read"))
		return
	}
	if !s.pause(r, s.ws.Latency) {
		return
	}
	st := s.ws.lock()
	st.calls[name]++
	fault := st.takeFault(name)
	var out reply
	if fault != nil && fault.before() {
		out = fault.reply()
	} else {
		out = do(st, body)
	}
	st.notify()
	s.ws.unlock()
	switch {
	case fault != nil && fault.Kind == FaultEOFAfterEffect:
		panic(http.ErrAbortHandler) // The documented way to cut the connection without an answer.
	case fault != nil && fault.Kind == FaultSlow && !s.pause(r, fault.Delay):
		return
	}
	s.write(rw, out)
}

// before reports whether the fault happens instead of what was asked.
func (f *Fault) before() bool { return f.Kind != FaultEOFAfterEffect && f.Kind != FaultSlow }

func (f *Fault) reply() reply {
	page := reply{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: []byte("<html><body>Something went wrong</body></html>")}
	switch f.Kind {
	case FaultEmpty:
		return jsonReply(answer{})
	case FaultHTML:
		return page
	case FaultStatus:
		page.status = orDefault(f.Status, http.StatusServiceUnavailable)
		return page
	case FaultRateLimited:
		if f.RetryAfter < 0 {
			out := jsonReply(fail("ratelimited"))
			out.status = http.StatusTooManyRequests
			return out
		}
		return limitedReply(f.RetryAfter)
	default:
		return jsonReply(fail(orDefault(f.Error, "internal_error")))
	}
}

func limitedReply(wait time.Duration) reply {
	out := jsonReply(fail("ratelimited"))
	out.status, out.retryAfter = http.StatusTooManyRequests, retryAfter(wait)
	return out
}

// pause waits d, and reports false when the caller or the server went away meanwhile.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-s.base.Done():
	}
	return false
}

func (s *Server) write(rw http.ResponseWriter, out reply) {
	rw.Header().Set("Content-Type", out.contentType)
	if out.retryAfter != "" {
		rw.Header().Set("Retry-After", out.retryAfter)
	}
	if out.scopes != "" {
		rw.Header().Set("X-OAuth-Scopes", out.scopes)
	}
	rw.WriteHeader(out.status)
	_, _ = rw.Write(out.body)
}

func (s *Server) callMethod(st *state, r *http.Request, name string, m method, body []byte) reply {
	if m.run == nil {
		return jsonReply(fail("unknown_method"))
	}
	a, err := parseArgs(r, body)
	if err != nil {
		return jsonReply(fail("invalid_arguments", err.Error()))
	}
	a = credentials(r, a)
	if refused := s.ws.authorize(st, a["token"], m); refused != nil {
		return jsonReply(refused)
	}
	if wait := s.ws.limited(st, name, m, a); wait > 0 {
		return limitedReply(wait)
	}
	out := jsonReply(m.run(s.ws, st, a))
	out.scopes = joined(s.ws.provided(m))
	return out
}

func bearer(r *http.Request, a args) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return a["token"]
}

// authorize returns Slack's refusal, or nil when the token may call the method.
func (w *Workspace) authorize(st *state, token string, m method) answer {
	provided := w.provided(m)
	switch code := w.refuses(st, token, m); {
	case code != "":
		return fail(code)
	case m.scope != "" && !slices.Contains(provided, m.scope):
		refusal := fail("missing_scope")
		refusal["needed"], refusal["provided"] = m.scope, joined(provided)
		return refusal
	}
	return nil
}

// refuses returns Slack's code for a token that the method does not take, "" for one that it takes.
func (w *Workspace) refuses(st *state, token string, m method) string {
	own := w.Tokens()
	want, other := own.App, own.Bot
	switch {
	case m.noToken:
		return ""
	case token == "":
		return "not_authed"
	case m.configToken:
		want = ConfigToken
	case !m.appToken:
		if token == own.App {
			return "not_allowed_token_type"
		}
		return st.installed.refuses(token, own.Bot, w.now())
	}
	switch token {
	case want:
		return ""
	case other:
		return "not_allowed_token_type"
	}
	return "invalid_auth"
}

func joined(scopes []string) string { return strings.Join(scopes, ",") }

// provided are the scopes of the token that a method takes.
func (w *Workspace) provided(m method) []string {
	switch {
	case m.appToken:
		return w.appScopes()
	case m.configToken, m.noToken:
		return nil
	}
	return w.botScopes()
}

func (w *Workspace) botScopes() []string {
	if w.BotScopes != nil {
		return w.BotScopes
	}
	return []string{"commands", "chat:write", "im:write", "files:write", "channels:read", "users:read", "users:read.email", "usergroups:read"}
}

func (w *Workspace) appScopes() []string {
	if w.AppScopes != nil {
		return w.AppScopes
	}
	return []string{"connections:write"}
}

// limited reports how long the caller must wait, 0 when the call is within Slack's limits or they are switched off.
func (w *Workspace) limited(st *state, name string, m method, a args) time.Duration {
	if !w.RateLimits {
		return 0
	}
	if wait := st.rates.allow(name, w.now(), m.perMin, time.Minute); wait > 0 {
		return wait
	}
	if name != "chat.postMessage" {
		return 0
	}
	return st.rates.allow("channel "+a["channel"], w.now(), 1, time.Second)
}

// parseArgs reads a form or a JSON object, and the query string.
func parseArgs(r *http.Request, body []byte) (args, error) {
	out := args{}
	addForm(out, r.URL.Query())
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" {
		return out, addJSON(out, body)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the body is not a form")
	}
	addForm(out, form)
	return out, nil
}

func addForm(out args, form url.Values) {
	for key, values := range form {
		out[key] = values[0]
	}
}

func addJSON(out args, body []byte) error {
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return fmt.Errorf("the body is not a JSON object: %w", err)
	}
	for key, raw := range fields {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		out[key] = s
	}
	return nil
}
