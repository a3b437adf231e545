// Package rotation keeps a bot token fresh that Slack lets expire, and puts the present one into every call.
//
// Slack answers a refresh token with a new pair of tokens, once: whoever asks a second time with the same one is refused.
// So the pair is kept in the store that all processes share, sealed with a key that is made of the app's client secret, and
// before one of them asks it puts its claim there. The others wait for the pair, or use the present token as long as it
// lasts.
package rotation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/sync/singleflight"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Placeholder stands where the present token belongs: clients are made with it, and Client replaces it.
const Placeholder = "xoxb-the-present-token"

const (
	keptName = "slack-token"
	// claimLife is after what time a claim is taken over, because its process has died. It is longer than a renewal may take.
	claimLife    = 30 * time.Second
	renewalLimit = 15 * time.Second
	// lookPause is how often a process looks whether another one has the pair that it waits for.
	lookPause = 100 * time.Millisecond
	// share is the part of a token's life that is left when it is renewed.
	share = 8
	// calmDown is how long nobody asks again after a renewal failed, while the present token lasts.
	calmDown = time.Minute
)

// Vault is where the pair is kept; *store.DB is one.
type Vault interface {
	Kept(ctx context.Context, name string) (store.Kept, error)
	Keep(ctx context.Context, saw store.Kept, value string) error
}

// Options are what Tokens are made of.
type Options struct {
	// APIURL is Slack's Web API unless set, with or without the trailing slash.
	APIURL string
	// ClientID and ClientSecret are the app's. RefreshToken (xoxe-…) is what the first pair is asked for with; another one
	// than before begins anew.
	ClientID, ClientSecret, RefreshToken string
	Vault                                Vault
	HTTPClient                           *http.Client
	// Look takes what is kept and never renews it: for those who must change nothing.
	Look bool
	// Clock is time.Now and Logger slog.Default unless set.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Tokens is the bot token that is valid now. It is safe for concurrent use.
type Tokens struct {
	Options
	seal   *seal
	flight singleflight.Group

	mu      sync.Mutex
	present pair
	calm    time.Time // no renewal before this
	unsaved *pair     // what could not be kept yet
}

// pair is what Slack gives for a refresh token.
type pair struct {
	Access  string    `json:"access"`
	Refresh string    `json:"refresh"`
	Renew   time.Time `json:"renew"`
	Expires time.Time `json:"expires"`
}

// usable reports whether the token can still be tried: it was not refused and has not expired.
func (p pair) usable(now time.Time, refused string) bool {
	return p.Access != "" && p.Access != refused && now.Before(p.Expires)
}

func (p pair) fresh(now time.Time, refused string) bool {
	return p.usable(now, refused) && now.Before(p.Renew)
}

// New checks the options and makes Tokens. Nobody is asked yet.
func New(o Options) (*Tokens, error) {
	switch {
	case o.ClientID == "" || o.ClientSecret == "" || o.RefreshToken == "":
		return nil, errors.New("to renew the bot token the app's client id, its client secret and a refresh token are needed")
	case !strings.HasPrefix(o.RefreshToken, "xoxe-"):
		return nil, errors.New("the refresh token is not one of Slack's, which begin with xoxe-")
	case o.Vault == nil:
		return nil, errors.New("there is no store to keep renewed tokens in")
	}
	if o.APIURL == "" {
		o.APIURL = slack.APIURL
	}
	o.APIURL = strings.TrimSuffix(o.APIURL, "/") + "/"
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: renewalLimit}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s, err := newSeal(o.ClientSecret, o.RefreshToken)
	if err != nil {
		return nil, err
	}
	return &Tokens{Options: o, seal: s}, nil
}

// Token returns the present token, and renews it when its end is near.
func (t *Tokens) Token(ctx context.Context) (string, error) { return t.other(ctx, "") }

// Renew returns another token than the one that Slack refused.
func (t *Tokens) Renew(ctx context.Context, refused string) (string, error) {
	return t.other(ctx, refused)
}

func (t *Tokens) other(ctx context.Context, refused string) (string, error) {
	if p := t.known(); p.fresh(t.Clock(), refused) || p.usable(t.Clock(), refused) && t.calmed() {
		return p.Access, nil
	}
	ch := t.flight.DoChan(refused, func() (any, error) { // for everybody who waits, so no one's impatience may end it
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalLimit+claimLife)
		defer cancel()
		return t.obtain(ctx, refused)
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case res := <-ch:
		if res.Err != nil {
			return "", res.Err
		}
		return res.Val.(pair).Access, nil
	}
}

func (t *Tokens) known() pair {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.present
}

func (t *Tokens) calmed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Clock().Before(t.calm)
}

func (t *Tokens) use(p pair) pair {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.present = p
	return p
}

// record is what is kept. A claim leaves the pair as it is, so that a renewal that fails costs nothing.
type record struct {
	// Seed names the configured refresh token that the pair descends from, and Sealed is the pair.
	Seed   string `json:"seed,omitempty"`
	Sealed []byte `json:"sealed,omitempty"`
	// Claimed is when a process began to renew; zero while none does.
	Claimed time.Time `json:"claimed,omitzero"`
}

// look returns what is kept, and the pair in it where it is one of ours.
func (t *Tokens) look(ctx context.Context) (saw store.Kept, r record, p pair, err error) {
	saw, err = t.Vault.Kept(ctx, keptName)
	if err != nil || saw.Version == 0 {
		return saw, r, p, err
	}
	unreadable := json.Unmarshal([]byte(saw.Value), &r)
	if unreadable != nil { // nobody can use it: it is replaced
		r = record{}
	}
	if r.Seed != t.seal.seed {
		return saw, r, p, nil
	}
	if newer := t.unkept(); newer != nil {
		return saw, r, *newer, nil
	}
	err = t.seal.open(r.Sealed, &p)
	return saw, r, p, err
}

// unkept is a pair that the store does not have yet, nil when there is none.
func (t *Tokens) unkept() *pair {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsaved
}

// obtain returns a token other than the refused one: from the store, from the process that is just renewing it, or from Slack.
func (t *Tokens) obtain(ctx context.Context, refused string) (pair, error) {
	if t.Look {
		return t.found(ctx, refused)
	}
	t.settle(ctx)
	for {
		saw, r, p, err := t.look(ctx)
		if err != nil {
			return t.make(ctx, refused, err)
		}
		now := t.Clock()
		claimed := !r.Claimed.IsZero() && now.Sub(r.Claimed).Abs() < claimLife
		switch {
		case p.fresh(now, refused), claimed && p.usable(now, refused):
			return t.use(p), nil
		case claimed:
			if err := pause(ctx); err != nil {
				return pair{}, errors.New("another process renews the Slack bot token and did not finish in time")
			}
			continue
		}
		claim := r
		claim.Claimed = now
		err = t.keep(ctx, saw, claim)
		if approvals.KindOf(err) == approvals.KindConflict {
			continue // somebody else was faster
		}
		if err != nil {
			return t.make(ctx, refused, err)
		}
		saw.Version++
		return t.renew(ctx, refused, saw, r, p)
	}
}

// found returns the token that is kept.
func (t *Tokens) found(ctx context.Context, refused string) (pair, error) {
	_, _, p, err := t.look(ctx)
	if err == nil && !p.usable(t.Clock(), refused) {
		err = errors.New("the store has no Slack bot token that is valid: the bot renews it when it starts")
	}
	return p, err
}

// renew asks Slack for a new pair; the claim is ours.
func (t *Tokens) renew(ctx context.Context, refused string, saw store.Kept, before record, old pair) (pair, error) {
	p, err := t.ask(ctx, old.Refresh)
	if err != nil {
		if freed := t.keep(ctx, saw, before); freed != nil {
			t.Logger.WarnContext(ctx, "a claim to renew the Slack bot token could not be freed; it ends by itself", "error", freed)
		}
		t.use(old)
		return t.make(ctx, refused, err)
	}
	t.use(p)
	t.Logger.InfoContext(ctx, "the Slack bot token was renewed", "until", p.Expires)
	if err := t.save(ctx, saw, p); err != nil {
		t.mu.Lock()
		t.unsaved = &p
		t.mu.Unlock()
		t.Logger.ErrorContext(ctx, "the renewed Slack bot token could not be kept in the store; this process uses it and tries again", "error", err)
	}
	return p, nil
}

func (t *Tokens) save(ctx context.Context, saw store.Kept, p pair) error {
	sealed, err := t.seal.close(p)
	if err != nil {
		return err
	}
	return t.keep(ctx, saw, record{Seed: t.seal.seed, Sealed: sealed})
}

// settle keeps a pair that could not be kept before. Somebody may have begun anew meanwhile, with another refresh token:
// theirs stays.
func (t *Tokens) settle(ctx context.Context) {
	p := t.unkept()
	if p == nil {
		return
	}
	saw, r, _, err := t.look(ctx)
	if err != nil || (r.Seed != "" && r.Seed != t.seal.seed) || t.save(ctx, saw, *p) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsaved = nil
}

// make makes do with the present token after a renewal failed, and asks nobody for a while.
func (t *Tokens) make(ctx context.Context, refused string, cause error) (pair, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.present.usable(t.Clock(), refused) {
		return pair{}, fmt.Errorf("there is no Slack bot token that is valid: %w", cause)
	}
	t.calm = t.Clock().Add(calmDown)
	t.Logger.WarnContext(ctx, "the Slack bot token could not be renewed; the present one is used", "until", t.present.Expires, "error", cause)
	return t.present, nil
}

func (t *Tokens) keep(ctx context.Context, saw store.Kept, r record) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return t.Vault.Keep(ctx, saw, string(value))
}

// ask gets a new pair of Slack, with the configured refresh token where there is none of an earlier pair.
func (t *Tokens) ask(ctx context.Context, refresh string) (pair, error) {
	ctx, cancel := context.WithTimeout(ctx, renewalLimit)
	defer cancel()
	if refresh == "" {
		refresh = t.RefreshToken
	}
	asked := t.Clock()
	res, err := slack.RefreshOAuthV2TokenContext(ctx, t.HTTPClient, t.ClientID, t.ClientSecret, refresh, slack.OAuthOptionAPIURL(t.APIURL))
	if err != nil {
		return pair{}, explained(err)
	}
	if !strings.HasPrefix(strings.TrimPrefix(res.AccessToken, "xoxe."), "xoxb-") || res.RefreshToken == "" || res.ExpiresIn <= 0 {
		return pair{}, errors.New("slack answered a refresh token without a new bot token: switch token rotation on in the app's settings")
	}
	life := time.Duration(res.ExpiresIn) * time.Second
	return pair{Access: res.AccessToken, Refresh: res.RefreshToken, Expires: asked.Add(life), Renew: asked.Add(life - life/share)}, nil
}

// explained says what to do about a refusal.
func explained(err error) error {
	var refused slack.SlackErrorResponse
	if !errors.As(err, &refused) {
		return fmt.Errorf("slack could not be asked for a new bot token: %w", err)
	}
	what := "see the error's page in Slack's documentation"
	switch refused.Err {
	case "invalid_refresh_token", "token_expired", "token_revoked", "invalid_auth":
		what = "a refresh token serves once, and this one was used or withdrawn: install the app again and set MDE_SLACK_REFRESH_TOKEN to the new one"
	case "invalid_client_id", "bad_client_secret", "invalid_client":
		what = "compare MDE_SLACK_CLIENT_ID and MDE_SLACK_CLIENT_SECRET with the app's settings"
	}
	return fmt.Errorf("slack refuses to renew the bot token (%s): %s", refused.Err, what)
}

// pause waits before the store is looked at again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lookPause):
		return nil
	}
}
