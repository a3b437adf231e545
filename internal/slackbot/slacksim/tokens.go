package slacksim

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// What the app is known by to oauth.v2.access where the Workspace's fields are empty.
const (
	DefaultClientID     = "1000000000001.1000000000002"
	DefaultClientSecret = "simulated-client-secret"
)

// activeTokens is how many bot tokens are valid beside one another when they are renewed: the oldest ends early.
const activeTokens = 2

const defaultTokenLife = 12 * time.Hour

// installation is which bot tokens are valid.
type installation struct {
	rotating bool
	ends     map[string]time.Time // ends is when each bot token of a rotating app ends.
	active   []string             // active are the bot tokens that were not withdrawn, oldest first.
	refresh  string               // refresh is the one refresh token that is valid.
	revoked  map[string]bool
	removed  bool // removed means that the app was uninstalled.
}

// newInstallation is the app as it was installed. The lock must be held.
func (w *Workspace) newInstallation() installation {
	in := installation{rotating: w.RefreshToken != "", ends: map[string]time.Time{}, refresh: w.RefreshToken, revoked: map[string]bool{}}
	if in.rotating {
		in.add(w.Tokens().Bot, w.now().Add(orDefault(w.TokenLife, defaultTokenLife)))
	}
	return in
}

func (in *installation) add(token string, end time.Time) {
	in.ends[token] = end
	in.active = append(in.active, token)
	if len(in.active) > activeTokens {
		in.revoked[in.active[0]] = true
		in.active = in.active[1:]
	}
}

// refuses returns Slack's code for a bot token that is not valid, "" for one that is.
func (in *installation) refuses(token, fixed string, now time.Time) string {
	end, issued := in.ends[token]
	switch {
	case in.removed && (issued || token == fixed):
		return "account_inactive"
	case in.revoked[token]:
		return "token_revoked"
	case in.rotating && issued && !now.Before(end):
		return "token_expired"
	case in.rotating && issued, !in.rotating && token == fixed:
		return ""
	}
	return "invalid_auth"
}

// oauthAccess follows oauth.v2.access for a refresh token, which serves once. Installing an app is not simulated.
func oauthAccess(w *Workspace, st *state, a args) answer {
	in := &st.installed
	switch {
	case a["client_id"] != orDefault(w.ClientID, DefaultClientID):
		return fail("invalid_client_id")
	case a["client_secret"] != orDefault(w.ClientSecret, DefaultClientSecret):
		return fail("bad_client_secret")
	case a["grant_type"] != "refresh_token":
		return fail("invalid_grant_type")
	case in.removed, !in.rotating, a["refresh_token"] == "", a["refresh_token"] != in.refresh:
		return fail("invalid_refresh_token")
	}
	life := orDefault(w.TokenLife, defaultTokenLife)
	access := st.nextID("xoxe.xoxb-simulated-")
	in.refresh = st.nextID("xoxe-1-simulated-")
	in.add(access, w.now().Add(life))
	return answer{
		"ok": true, "access_token": access, "refresh_token": in.refresh, "expires_in": int(life.Seconds()), "token_type": "bot",
		"scope": joined(w.botScopes()), "bot_user_id": w.botUserID(), "app_id": w.appID(), "is_enterprise_install": false,
		"team": map[string]any{"id": w.teamID(), "name": w.teamDomain()}, "enterprise": nil,
	}
}

// authRevoke withdraws the token that it is called with.
func authRevoke(_ *Workspace, st *state, a args) answer {
	if a.bool("test") {
		return answer{"ok": true, "revoked": false}
	}
	st.installed.revoked[a["token"]] = true
	st.installed.active = slices.DeleteFunc(st.installed.active, func(t string) bool { return t == a["token"] })
	return answer{"ok": true, "revoked": true}
}

// Uninstall removes the app: none of its bot tokens is valid any more, and the app gets the events tokens_revoked and
// app_uninstalled, of which the outcome of the second is returned. Slack promises no order; here it is this one.
func (w *Workspace) Uninstall(ctx context.Context) (Outcome, error) {
	st := w.lock()
	st.installed.removed = true
	w.unlock()
	revoked := Payload{"type": "tokens_revoked", "tokens": Payload{"oauth": []any{}, "bot": []any{w.botUserID()}}}
	if out, err := w.Event(ctx, revoked); err != nil {
		return out, err
	}
	return w.Event(ctx, Payload{"type": "app_uninstalled"})
}

// credentials are the arguments of a call with those that came in its headers: the token, or the app's id and secret.
func credentials(r *http.Request, a args) args {
	a["token"] = bearer(r, a)
	if id, secret, ok := r.BasicAuth(); ok {
		a["client_id"], a["client_secret"] = id, secret
	}
	return a
}
