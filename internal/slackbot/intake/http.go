package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The paths, one for each purpose. What is delivered to another path than its own is refused, so that a wrong address in the
// app's settings is noticed.
const (
	PathCommands     = "/slack/commands"
	PathInteractions = "/slack/interactions"
	PathOptions      = "/slack/options"
	PathEvents       = "/slack/events"
)

const (
	maxBody   = 1 << 20
	maxHeader = 16 << 10
	// atOnce bounds what strangers can make this process hold at the same time.
	atOnce = 256
	// giveUp is when an answer is of no use any more: Slack has told the person by then that nothing came.
	giveUp = 2900 * time.Millisecond
	// stopLimit is how long Close waits for answers that are being written.
	stopLimit = 5 * time.Second
)

// Memory remembers signatures, in a place that every replica shares.
type Memory interface {
	// FirstTime reports whether key was not seen before under scope, and remembers it. An error means that nobody knows.
	FirstTime(ctx context.Context, scope, key string) (bool, error)
}

// HTTPOptions are what an HTTP is made of.
type HTTPOptions struct {
	// Addr is where to listen; Listener, where it is set, is listened to instead. TLS is left to a proxy before it.
	Addr     string
	Listener net.Listener
	// SigningSecret is the app's; nothing that it did not sign is looked at.
	SigningSecret string
	// Seen remembers signatures for longer than they are believed.
	Seen Memory
	// Again answers a command whose request came again; nothing else of it is done.
	Again any
	// Deadline is how long an acknowledgement may take, Deadline unless set.
	Deadline time.Duration
	// Clock is time.Now and Logger slog.Default unless set.
	Clock  func() time.Time
	Logger *slog.Logger
}

// HTTP takes deliveries over signed HTTP. It is an http.Handler that serves while it is listened to.
type HTTP struct {
	HTTPOptions
	mux    *http.ServeMux
	server *http.Server
	room   chan struct{}

	mu   sync.RWMutex
	take Taker // nil while nobody listens
}

// NewHTTP checks the options and makes an HTTP.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	switch {
	case o.SigningSecret == "":
		return nil, errors.New("there is no signing secret, so nothing that comes over HTTP could be believed")
	case o.Seen == nil:
		return nil, errors.New("there is no memory of signatures, so what comes over HTTP could be sent again by anybody")
	case o.Addr == "" && o.Listener == nil:
		return nil, errors.New("there is no address to listen to for Slack")
	}
	if o.Deadline == 0 {
		o.Deadline = Deadline
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &HTTP{HTTPOptions: o, mux: http.NewServeMux(), room: make(chan struct{}, atOnce)}
	for _, path := range []string{PathCommands, PathInteractions, PathOptions, PathEvents} {
		h.mux.HandleFunc(path, func(rw http.ResponseWriter, r *http.Request) { h.serve(rw, r, path) })
	}
	h.server = &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	return h, nil
}

// Listen implements Intake.
func (h *HTTP) Listen(ctx context.Context, take Taker) error {
	ln := h.Listener
	if ln == nil {
		var err error
		if ln, err = new(net.ListenConfig).Listen(ctx, "tcp", h.Addr); err != nil {
			return fmt.Errorf("nobody can listen to %s for Slack: %w", h.Addr, err)
		}
	}
	h.attend(take)
	defer h.attend(nil)
	h.Logger.InfoContext(ctx, "requests of Slack are waited for", "address", ln.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- h.server.Serve(ln) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("listening for Slack ended: %w", err)
	}
}

// attend changes who takes. After it, nobody else is handed anything.
func (h *HTTP) attend(take Taker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.take = take
}

// Close implements Intake.
func (h *HTTP) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if h.server.Shutdown(ctx) != nil {
		_ = h.server.Close()
	}
}

// Connected implements Intake: requests are taken. Whether Slack's network reaches the address is not known here.
func (h *HTTP) Connected() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.take != nil
}

// ServeHTTP implements http.Handler.
func (h *HTTP) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
		h.mux.ServeHTTP(rw, r)
	default:
		http.Error(rw, "too much at once", http.StatusServiceUnavailable)
	}
}

// refusal is why a request is not taken: a status and a word for whoever sent it, and the cause for the log.
type refusal struct {
	status int
	text   string
	cause  error
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return r.text + ": " + r.cause.Error()
	}
	return r.text
}

func refuse(status int, text string, cause error) error { return &refusal{status, text, cause} }

// serve takes one request: first whether it is Slack's, then what it says, then whether it was seen, then to its handler.
func (h *HTTP) serve(rw http.ResponseWriter, r *http.Request, path string) {
	// Neither a caller who hangs up nor a stop may end what was begun.
	due, release := context.WithTimeout(context.WithoutCancel(r.Context()), h.Deadline)
	defer release()
	out, err := h.answer(due, rw, r, path)
	if err != nil {
		var why *refusal
		if !errors.As(err, &why) {
			why = &refusal{status: http.StatusInternalServerError, text: "failed"}
		}
		h.Logger.WarnContext(due, "a request to the address for Slack was not taken", "path", path, "from", r.RemoteAddr, "status", why.status,
			"error", err, "retry", r.Header.Get("X-Slack-Retry-Num"))
		http.Error(rw, why.text, why.status)
		return
	}
	if out != nil {
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	rw.WriteHeader(http.StatusOK)
	_, _ = rw.Write(out)
}

// answer is what to say to a request, or a refusal.
func (h *HTTP) answer(due context.Context, rw http.ResponseWriter, r *http.Request, path string) ([]byte, error) {
	arrived := time.Now()
	body, err := readBody(rw, r, path)
	if err != nil {
		return nil, err
	}
	signature, err := h.verify(r.Header, body)
	if err != nil {
		return nil, err
	}
	got, err := parse(path, body)
	if err != nil {
		return nil, err
	}
	if got.answer != nil || got.nothing {
		return got.answer, nil
	}
	first, err := h.Seen.FirstTime(due, "slack-signature", signature)
	switch {
	case err != nil:
		return nil, refuse(http.StatusServiceUnavailable, "not taken, send it again", err)
	case !first && got.kind == Command:
		h.Logger.WarnContext(due, "a signed command came again and was not repeated", "from", r.RemoteAddr)
		return json.Marshal(h.Again)
	case !first:
		return nil, refuse(http.StatusConflict, "this very request was taken before", nil)
	}
	return h.hand(r, Delivery{Kind: got.kind, ID: signature, Data: got.data, Due: due}, arrived)
}

// hand hands a delivery over and waits for its acknowledgement.
func (h *HTTP) hand(r *http.Request, d Delivery, arrived time.Time) ([]byte, error) {
	x := &exchange{answered: make(chan struct{}), released: make(chan struct{})}
	d.Answer, d.Release = x.answer, sync.OnceFunc(func() { close(x.released) })
	if !h.handOver(d) {
		return nil, refuse(http.StatusServiceUnavailable, "too much at once, or stopping", nil)
	}
	late := time.NewTimer(time.Until(arrived.Add(giveUp)))
	defer late.Stop()
	select {
	case <-x.answered:
	case <-x.released:
	case <-late.C:
	case <-r.Context().Done():
	}
	body, answered := x.end()
	if !answered {
		return nil, refuse(http.StatusInternalServerError, "not handled", nil)
	}
	return body, nil
}

func (h *HTTP) handOver(d Delivery) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.take != nil && h.take(d)
}

// exchange is a request that waits for its acknowledgement.
type exchange struct {
	answered, released chan struct{}

	mu    sync.Mutex
	given bool // an answer was given
	over  bool // nobody waits for one
	body  []byte
}

var (
	errAnswered = errors.New("it was acknowledged before")
	errLate     = errors.New("nobody waits for the acknowledgement any more")
)

func (x *exchange) answer(_ context.Context, payload any) error {
	var body []byte
	if payload != nil {
		var err error
		if body, err = json.Marshal(payload); err != nil {
			return fmt.Errorf("the acknowledgement can't be written: %w", err)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.given:
		return errAnswered
	case x.over:
		return errLate
	}
	x.given, x.body = true, body
	close(x.answered)
	return nil
}

// end returns the answer, and false when there was none; later ones are refused.
func (x *exchange) end() ([]byte, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	return x.body, x.given
}

// readBody reads what was sent to a path, where it can be of Slack at all.
func readBody(rw http.ResponseWriter, r *http.Request, path string) ([]byte, error) {
	switch {
	case r.Method != http.MethodPost:
		rw.Header().Set("Allow", http.MethodPost)
		return nil, refuse(http.StatusMethodNotAllowed, "only POST is understood here", nil)
	case r.URL.RawQuery != "":
		return nil, refuse(http.StatusBadRequest, "nothing may be in the address: it is not signed", nil)
	case r.Header.Get("Content-Encoding") != "" || contentType(r.Header) != wantedType(path):
		return nil, refuse(http.StatusUnsupportedMediaType, "the content type must be "+wantedType(path), nil)
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is too long", nil)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body can't be read", err)
	case len(body) == 0:
		return nil, refuse(http.StatusBadRequest, "the body is empty", nil)
	}
	return body, nil
}
