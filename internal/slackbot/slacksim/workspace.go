package slacksim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Values a Workspace uses where its field is empty.
const (
	DefaultTeamID     = "T0MDEOPS"
	DefaultTeamDomain = "mde-ops-sim"
	DefaultAppID      = "A0MDEOPS"
	DefaultBotID      = "B0MDEOPS"
	DefaultBotUserID  = "U0MDEOPS"
	DefaultBotToken   = "xoxb-simulated"
	DefaultAppToken   = "xapp-simulated"
)

const (
	defaultPing            = 5 * time.Second
	defaultAckDeadline     = 3 * time.Second
	defaultRedeliverAfter  = time.Second
	defaultRedeliveries    = 3
	defaultMaxConnections  = 10
	defaultTriggerLife     = 3 * time.Second
	defaultResponseURLLife = 30 * time.Minute
	defaultResponseURLUses = 5
	defaultConnectionTime  = time.Hour
	defaultMinQuery        = 3
)

// ErrClosed is returned to whoever waits when the simulated workspace's server ends.
var ErrClosed = errors.New("the simulated workspace is closed")

// Workspace is one simulated Slack workspace with one installed app. The zero value is ready to use.
// Set fields before Start; everything that changes later goes through methods, which are safe for concurrent use.
type Workspace struct {
	// Clock tells the time for timestamps, trigger and response_url expiry and rate limits. Nil means time.Now.
	// AckDeadline, RedeliverAfter, PingInterval, Latency and slow faults run on real timers, because sockets do.
	Clock func() time.Time

	// TeamID, TeamDomain, AppID, BotID and BotUserID name the workspace and the installed app. Empty means the Default… constant.
	TeamID, TeamDomain, AppID, BotID, BotUserID string

	// BotToken (xoxb-…) is the only token Web API methods accept, AppToken (xapp-…) the only one apps.connections.open accepts.
	// Empty means DefaultBotToken and DefaultAppToken.
	BotToken, AppToken string

	// RefreshToken (xoxe-1-…), where set, is what an app with token rotation gets at its installation: BotToken ends after
	// TokenLife, 0 for Slack's 12 h, and oauth.v2.access gives the next pair to who knows ClientID and ClientSecret, for which
	// empty means DefaultClientID and DefaultClientSecret.
	RefreshToken, ClientID, ClientSecret string
	TokenLife                            time.Duration

	// SigningSecret signs what is posted over HTTP. Empty means DefaultSigningSecret.
	SigningSecret string

	// BotScopes and AppScopes are what the tokens may do. Nil means every scope the simulator's methods ask for; an empty,
	// non-nil slice means none.
	BotScopes, AppScopes []string

	// Latency is waited before each Web API answer.
	Latency time.Duration

	// PingInterval is the time between WebSocket pings on each connection. 0 means 5 s; negative means no pings.
	PingInterval time.Duration

	// AckDeadline is how long an envelope may stay unacknowledged. 0 means Slack's 3 s.
	AckDeadline time.Duration

	// RedeliverAfter is the pause before an unacknowledged envelope is sent again. 0 means 1 s. Over HTTP it stands for Slack's minute.
	RedeliverAfter time.Duration

	// Redeliveries is how often an unacknowledged envelope is sent again, to another connection if there is one.
	// 0 means 3; negative means never.
	Redeliveries int

	// FreshEnvelopeIDs gives each redelivery a new envelope_id, so that only its content tells it is the same.
	FreshEnvelopeIDs bool

	// ConnectionTime is announced in hello as debug_info.approximate_connection_time. 0 means an hour.
	ConnectionTime time.Duration

	// MaxConnections is how many sockets the app may have; the next one is answered with disconnect too_many_websockets.
	// 0 means Slack's 10.
	MaxConnections int

	// TriggerLife is how long a trigger_id works (once). 0 means Slack's 3 s.
	TriggerLife time.Duration

	// ResponseURLLife and ResponseURLUses limit each response_url. 0 means Slack's 30 min and 5 uses.
	ResponseURLLife time.Duration
	ResponseURLUses int

	// RateLimits enforces Slack's tiers (per method and minute) and one chat.postMessage a second per channel: 429 with Retry-After.
	RateLimits bool

	// Seed makes the choice among connections repeatable. 0 means unseeded.
	Seed uint64

	mu    sync.Mutex
	state *state
}

// state is everything that changes, guarded by Workspace.mu.
type state struct {
	baseURL   string
	closed    bool
	changed   chan struct{}
	rnd       *rand.Rand
	serial    int
	lastTS    int64
	users     map[string]User
	userIDs   []string
	groups    map[string]Group
	groupIDs  []string
	channels  map[string]*Channel
	chanIDs   []string
	messages  map[string][]Message
	ephemeral map[string][]Message
	views     map[string]*View
	homes     map[string]*View
	uploads   map[string]*upload
	files     []File
	posts     *RequestURLs // where to post, in place of sockets
	sent      []SignedRequest
	// offered are the options that menus got from the app, by view and block.
	offered   map[string]map[string][]Option
	stacks    map[string][]string
	triggers  map[string]*trigger
	responses map[string]*responseURL
	calls     map[string]int
	faults    []*Fault
	rates     rates
	tickets   map[string]bool
	conns     []*connection
	cutNext   int
	loseAcks  int
	pending   map[string]*delivery
	envelopes []Envelope
	// envelopeAt is the index in envelopes by envelope_id, those of redeliveries included.
	envelopeAt map[string]int
	late       int
	oversized  int
	manifest   []byte
	installed  installation
}

// lock locks the workspace and returns its state, made on first use so that the zero value works.
func (w *Workspace) lock() *state {
	w.mu.Lock()
	if w.state == nil {
		w.state = &state{
			changed: make(chan struct{}), rnd: newRand(w.Seed),
			users: map[string]User{}, groups: map[string]Group{}, channels: map[string]*Channel{},
			messages: map[string][]Message{}, ephemeral: map[string][]Message{},
			views: map[string]*View{}, homes: map[string]*View{}, uploads: map[string]*upload{}, offered: map[string]map[string][]Option{}, stacks: map[string][]string{},
			triggers: map[string]*trigger{}, responses: map[string]*responseURL{},
			calls: map[string]int{}, rates: rates{}, tickets: map[string]bool{}, pending: map[string]*delivery{},
			envelopeAt: map[string]int{},
		}
		w.state.installed = w.newInstallation()
		w.state.addUser(User{ID: w.botUserID(), Name: "mde", RealName: "mde-ops", Bot: true, TeamID: w.teamID()})
	}
	return w.state
}

func (w *Workspace) unlock() { w.mu.Unlock() }

func newRand(seed uint64) *rand.Rand {
	if seed == 0 {
		seed = rand.Uint64()
	}
	return rand.New(rand.NewPCG(seed, seed))
}

// notify wakes everyone in WaitFor and in a delivery. The lock must be held.
func (s *state) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// nextID returns a new identifier with prefix. The lock must be held.
func (s *state) nextID(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s%06d", prefix, s.serial)
}

// Tokens are the two credentials of the installed app.
type Tokens struct {
	Bot string // Bot is the bot token (xoxb-…) for the Web API.
	App string // App is the app-level token (xapp-…) for apps.connections.open.
}

// Tokens returns the credentials the workspace accepts.
func (w *Workspace) Tokens() Tokens {
	return Tokens{Bot: orDefault(w.BotToken, DefaultBotToken), App: orDefault(w.AppToken, DefaultAppToken)}
}

// Server is the running workspace.
type Server struct {
	// URL is the base address, for example http://127.0.0.1:43210, without a trailing slash. The Web API is under /api/, the
	// sockets and response_urls are on the same host.
	URL string

	ws   *Workspace
	http *http.Server
	wg   sync.WaitGroup
	base context.Context
	end  context.CancelFunc
}

// APIURL returns the Web API's address with the trailing slash that Slack clients want.
func (s *Server) APIURL() string { return s.URL + "/api/" }

// Start serves the workspace on a free loopback port until Close. A workspace is started once.
func (w *Workspace) Start() (*Server, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("simulated Slack workspace: listen on loopback: %w", err)
	}
	srv := &Server{URL: "http://" + ln.Addr().String(), ws: w}
	srv.base, srv.end = context.WithCancel(context.Background())
	st := w.lock()
	started := st.baseURL != ""
	if !started {
		st.baseURL = srv.URL
	}
	w.unlock()
	if started {
		srv.end()
		return nil, errors.Join(errors.New("simulated Slack workspace: it was started before; make a new Workspace"), ln.Close())
	}
	srv.http = &http.Server{Handler: srv.routes(), ReadHeaderTimeout: 10 * time.Second}
	srv.wg.Go(func() { _ = srv.http.Serve(ln) })
	return srv, nil
}

// Close ends the server and every socket and waits for them. Whoever waits on the workspace gets ErrClosed.
func (s *Server) Close() {
	st := s.ws.lock()
	st.closed = true
	st.notify()
	conns := append([]*connection(nil), st.conns...)
	s.ws.unlock()
	s.end()
	for _, c := range conns {
		c.cut()
	}
	_ = s.http.Close()
	s.wg.Wait()
}

func (w *Workspace) now() time.Time {
	if w.Clock != nil {
		return w.Clock()
	}
	return time.Now()
}

func (w *Workspace) teamID() string     { return orDefault(w.TeamID, DefaultTeamID) }
func (w *Workspace) teamDomain() string { return orDefault(w.TeamDomain, DefaultTeamDomain) }
func (w *Workspace) appID() string      { return orDefault(w.AppID, DefaultAppID) }
func (w *Workspace) botID() string      { return orDefault(w.BotID, DefaultBotID) }
func (w *Workspace) botUserID() string  { return orDefault(w.BotUserID, DefaultBotUserID) }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
