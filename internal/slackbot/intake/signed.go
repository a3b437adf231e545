package intake

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
)

const (
	headerSignature = "X-Slack-Signature"
	headerTimestamp = "X-Slack-Request-Timestamp"
	// window is how far a request's time may be from ours, before or after. A signature that is a whole window ahead is
	// believed for two of them, which is less than the hour that the store remembers it for.
	window = 5 * time.Minute
	// typeForm is the content type of everything but events.
	typeForm, typeJSON = "application/x-www-form-urlencoded", "application/json"
)

// signatureText is a signature in the one way to write it: another spelling would be another name for the same request.
var signatureText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v0=[0-9a-f]{64}$`) })

// timestampText is a time in seconds.
var timestampText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,12}$`) })

func wantedType(path string) string {
	if path == PathEvents {
		return typeJSON
	}
	return typeForm
}

func contentType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// verify returns the signature of a request that Slack signed just now, and refuses every other.
func (h *HTTP) verify(header http.Header, body []byte) (string, error) {
	refused := func(cause error) (string, error) {
		return "", refuse(http.StatusUnauthorized, "not signed by Slack", cause)
	}
	signatures, times := header.Values(headerSignature), header.Values(headerTimestamp)
	if len(signatures) != 1 || len(times) != 1 || !signatureText().MatchString(signatures[0]) || !timestampText().MatchString(times[0]) {
		return refused(errors.New("a signature and a time are not there, or not as Slack writes them"))
	}
	seconds, err := strconv.ParseInt(times[0], 10, 64)
	if err != nil {
		return refused(err)
	}
	if apart := h.Clock().Sub(time.Unix(seconds, 0)).Abs(); apart > window {
		return refused(errors.New("its time is " + apart.Round(time.Second).String() + " from ours; where that is always so, set this machine's clock"))
	}
	v, err := slack.NewSecretsVerifier(header, h.SigningSecret)
	if err != nil {
		return refused(err)
	}
	if _, err := v.Write(body); err != nil {
		return refused(err)
	}
	if err := v.Ensure(); err != nil {
		return refused(errors.New("the signature does not match: compare the signing secret with the app's"))
	}
	return signatures[0], nil
}

// content is what a signed body says.
type content struct {
	kind Kind
	data any
	// answer is the whole answer, where nobody has to be asked for it; nothing says that it is empty.
	answer  []byte
	nothing bool
}

// parse reads a signed body as what its path is for.
func parse(path string, body []byte) (content, error) {
	if path == PathEvents {
		return parseEvent(body)
	}
	form, err := parseForm(body)
	if err != nil {
		return content{}, refuse(http.StatusBadRequest, "the body is not a form of Slack", err)
	}
	if path == PathCommands {
		return parseCommand(form)
	}
	return parseInteraction(path, form)
}

// parseForm reads a form in which every name stands once: readers that disagree about which of two counts can be played
// off against each other.
func parseForm(body []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("it can't be decoded")
	}
	for _, values := range form {
		if len(values) != 1 {
			return nil, errors.New("a name stands in it more than once")
		}
	}
	return form, nil
}

func parseCommand(form url.Values) (content, error) {
	if form.Get("ssl_check") == "1" {
		return content{nothing: true}, nil // Slack looks at the certificate and wants nothing
	}
	cmd, err := slack.SlashCommandParse(&http.Request{Form: form, PostForm: form})
	if err != nil {
		return content{}, refuse(http.StatusBadRequest, "the command can't be read", err)
	}
	if !strings.HasPrefix(cmd.Command, "/") || cmd.TeamID == "" || cmd.UserID == "" {
		return content{}, refuse(http.StatusBadRequest, "there is no command here: look at the addresses in the app's settings", nil)
	}
	return content{kind: Command, data: cmd}, nil
}

func parseInteraction(path string, form url.Values) (content, error) {
	var ic slack.InteractionCallback
	if err := json.Unmarshal([]byte(form.Get("payload")), &ic); err != nil {
		return content{}, refuse(http.StatusBadRequest, "there is no interaction here: look at the addresses in the app's settings", err)
	}
	kind := kindOf(Interaction, ic)
	if ic.Type == "" || (kind == Options) != (path == PathOptions) {
		return content{}, refuse(http.StatusBadRequest, "this is not the address for it: look at the addresses in the app's settings", nil)
	}
	return content{kind: kind, data: ic}, nil
}

func parseEvent(body []byte) (content, error) {
	var outer struct{ Type, Challenge string }
	if err := json.Unmarshal(body, &outer); err != nil {
		return content{}, refuse(http.StatusBadRequest, "the body is not an event", err)
	}
	if outer.Type == slackevents.URLVerification {
		answer, err := json.Marshal(map[string]string{"challenge": outer.Challenge})
		return content{answer: answer}, err
	}
	if outer.Type != slackevents.CallbackEvent {
		return content{nothing: true}, nil // such as app_rate_limited, about which nothing can be done here
	}
	ev, err := slackevents.ParseEvent(body, slackevents.OptionNoVerifyToken())
	if err != nil {
		return content{}, refuse(http.StatusBadRequest, "the event is of a kind that is not known here: look at the events in the app's settings", err)
	}
	return content{kind: Event, data: ev}, nil
}
