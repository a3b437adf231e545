package slackbot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

// defaultAPIURL is where Slack's Web API is. The trailing slash is needed: the library appends the method to it.
const defaultAPIURL = "https://slack.com/api/"

// callTimeout bounds one Web API call; the library's own client has no limit at all.
const callTimeout = 10 * time.Second

// errNoTS says that Slack answered a post without saying where the message is, which happens with HTTP 200 and no error.
var errNoTS = errors.New("slack did not say where the message was posted")

// client is the Web API with a time limit on every call. Nothing is repeated but what Slack refused with 429, because a
// call that was cut off may have been performed: repeating it would post a card twice.
type client struct {
	api  *slack.Client
	http *http.Client
	url  string
}

type clientOptions struct {
	APIURL, BotToken, AppToken string
	HTTPClient                 *http.Client
	// Patient waits out a 429; otherwise it is returned at once, so that a job can be put off instead.
	Patient bool
}

func newClient(o clientOptions) (*client, error) {
	if o.APIURL == "" {
		o.APIURL = defaultAPIURL
	}
	if err := checkAPIURL(o.APIURL); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(o.APIURL, "/") {
		o.APIURL += "/"
	}
	if err := tokenKind("the bot token", o.BotToken, "xoxb-"); err != nil {
		return nil, err
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: callTimeout}
	}
	opts := []slack.Option{slack.OptionAPIURL(o.APIURL), slack.OptionHTTPClient(o.HTTPClient)}
	if o.AppToken != "" {
		opts = append(opts, slack.OptionAppLevelToken(o.AppToken))
	}
	if o.Patient {
		retry := slack.DefaultRetryConfig()
		retry.MaxRetries, retry.RetryAfterDuration = 2, time.Second
		retry.Handlers = slack.DefaultRetryHandlers(retry) // 429 only
		opts = append(opts, slack.OptionRetryConfig(retry))
	}
	return &client{api: slack.New(o.BotToken, opts...), http: o.HTTPClient, url: o.APIURL}, nil
}

// checkAPIURL refuses addresses to which the tokens would travel in clear. Only this machine itself may be asked over http.
func checkAPIURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return errors.New("the Slack API address is not an https URL; it looks like " + defaultAPIURL)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("the Slack API address is http on host %s, and everybody on the way there could read the tokens: use https", u.Hostname())
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// tokenKind checks that a token is of the kind that its place wants. It names kinds and never a value.
func tokenKind(what, token, prefix string) error {
	kinds := map[string]string{
		"xoxb-": "a bot token", "xapp-": "an app-level token", "xoxp-": "a user token", "xoxe": "a refresh or rotating token",
	}
	switch {
	case token == "":
		return fmt.Errorf("%s is missing; it begins with %s", what, prefix)
	case strings.HasPrefix(token, prefix):
		return nil
	}
	for p, kind := range kinds {
		if strings.HasPrefix(token, p) {
			return fmt.Errorf("%s is %s (%s…); it must begin with %s", what, kind, p, prefix)
		}
	}
	return fmt.Errorf("%s is not a Slack token; it must begin with %s", what, prefix)
}

// post posts m, in a thread when thread is set, and returns where it is.
func (c *client) post(ctx context.Context, channel, thread string, m blockkit.Message) (cards.Place, error) {
	opts := m.Options()
	if thread != "" {
		opts = append(opts, slack.MsgOptionTS(thread))
	}
	ch, ts, err := c.api.PostMessageContext(ctx, channel, opts...)
	switch {
	case err != nil:
		return cards.Place{}, fmt.Errorf("chat.postMessage to %s: %w", channel, err)
	case ts == "":
		return cards.Place{}, fmt.Errorf("chat.postMessage to %s: %w", channel, errNoTS)
	case ch == "":
		ch = channel
	}
	return cards.Place{Channel: ch, TS: ts}, nil
}

// update replaces the message at p.
func (c *client) update(ctx context.Context, p cards.Place, m blockkit.Message) error {
	_, ts, _, err := c.api.UpdateMessageContext(ctx, p.Channel, p.TS, m.Options()...)
	if err == nil && ts == "" {
		err = errNoTS
	}
	if err != nil {
		return fmt.Errorf("chat.update in %s: %w", p.Channel, err)
	}
	return nil
}

// there asks whether Slack answers.
func (c *client) there(ctx context.Context) error {
	if _, err := c.api.AuthTestContext(ctx); err != nil {
		return fmt.Errorf("auth.test: %w", err)
	}
	return nil
}

// errorCode is Slack's word for a refusal, or "" when err is no refusal by Slack.
func errorCode(err error) string {
	var refused slack.SlackErrorResponse
	if errors.As(err, &refused) {
		return refused.Err
	}
	return ""
}

// retryAfter is how long Slack asks to wait, and false when it does not.
func retryAfter(err error) (time.Duration, bool) {
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		return max(limited.RetryAfter, time.Second), true
	}
	var status slack.StatusCodeError
	if errors.As(err, &status) && status.Code == http.StatusTooManyRequests {
		return 5 * time.Second, true // a 429 without Retry-After
	}
	return 0, false
}

// notPosted reports whether err says for certain that nothing was posted: Slack refused, or no connection was made.
func notPosted(err error) bool {
	if _, limited := retryAfter(err); limited {
		return true
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	switch errorCode(err) {
	case "", "internal_error", "fatal_error", "request_timeout", "service_unavailable":
		return false // Slack documents that these may come after the deed
	}
	return true
}

// doubtful reports that nobody can tell whether err came before the deed or after it: the answer was lost on its way, or
// Slack itself says so. A complete answer that is not the method's, such as a status of 5xx, is taken for one in its place.
func doubtful(err error) bool {
	var status slack.StatusCodeError
	var page *json.SyntaxError
	if notPosted(err) || errors.As(err, &status) || errors.As(err, &page) || errors.Is(err, errNoTS) {
		return false
	}
	return true
}

// unshowable reports that Slack refused the content, so that other content may succeed.
func unshowable(err error) bool {
	switch errorCode(err) {
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long":
		return true
	}
	return false
}

// outOfReach reports that a channel takes no message of ours until a person does something about it.
func outOfReach(err error) bool {
	switch errorCode(err) {
	case "channel_not_found", "not_in_channel", "is_archived", "is_inactive", "restricted_action":
		return true
	}
	return false
}

// respond answers through a response_url. The URL came in a payload, so only Slack's own host, or the configured one, is
// trusted with the answer.
func (c *client) respond(ctx context.Context, responseURL string, m blockkit.Message) error {
	if !c.trusted(responseURL) {
		return errors.New("the response_url is not Slack's; the answer was not sent there")
	}
	no := false
	return slack.PostWebhookCustomHTTPContext(ctx, responseURL, c.http, &slack.WebhookMessage{
		Text: m.Text, Blocks: &slack.Blocks{BlockSet: m.Blocks}, ResponseType: slack.ResponseTypeEphemeral,
		UnfurlLinks: &no, UnfurlMedia: &no,
	})
}

func (c *client) trusted(responseURL string) bool {
	u, err := url.Parse(responseURL)
	if err != nil || u.User != nil {
		return false
	}
	own, err := url.Parse(c.url)
	if err != nil {
		return false
	}
	if u.Scheme == "https" && u.Host == "hooks.slack.com" {
		return true
	}
	return u.Scheme == own.Scheme && u.Host == own.Host
}

// whisper shows m to one person only: through the response_url, or where that fails through chat.postEphemeral, or where
// there is no channel as a direct message.
func (c *client) whisper(ctx context.Context, responseURL, channel, user string, m blockkit.Message) error {
	if responseURL != "" {
		if err := c.respond(ctx, responseURL, m); err == nil {
			return nil
		}
	}
	if channel == "" {
		_, err := c.post(ctx, user, "", m) // a person's id stands for the direct messages with them
		return err
	}
	ts, err := c.api.PostEphemeralContext(ctx, channel, user, m.Options()...)
	if err == nil && ts == "" {
		err = errNoTS
	}
	if err != nil {
		return fmt.Errorf("chat.postEphemeral in %s: %w", channel, err)
	}
	return nil
}
