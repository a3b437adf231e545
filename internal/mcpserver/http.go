package mcpserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// HTTPOptions are what serving over HTTP needs besides. The zero value asks nobody who they are, so that it is for
// loopback only.
type HTTPOptions struct {
	// Authenticate says who sent a request, or answers it with a refusal itself.
	Authenticate func(http.ResponseWriter, *http.Request) (Principal, bool)
	// Metadata answers, to everybody, what a client must know to sign in; MetadataPath is where.
	Metadata     http.HandlerFunc
	MetadataPath string
	// PerMinute and AtOnce bound the requests of one principal; no bound when zero.
	PerMinute, AtOnce int
	// Origins are further origins, such as https://app.example.com, that pages in a browser may call from.
	Origins []string
	// Proxies are the networks whose X-Forwarded-* headers are believed. Remote says that requests may come from other
	// machines: then one that came neither over TLS, from this machine, nor from a proxy that says the same, is refused.
	Proxies []netip.Prefix
	Remote  bool
	// Ready says whether calls can be answered.
	Ready func() bool
	// More adds handlers beside the server's own, such as for metrics.
	More func(*http.ServeMux)
	// Clock is the current time; time.Now when nil.
	Clock func() time.Time
}

const (
	// sessionIdle is how long a legacy session is kept without a request.
	sessionIdle = 30 * time.Minute
	// bodyLimit is how long a message may take to arrive; answerLimit how long its answer may take to be made and read.
	bodyLimit   = 30 * time.Second
	answerLimit = 5 * time.Minute
	// Path is where MCP is spoken.
	Path = "/mcp"
)

// Web serves a Server over HTTP.
type Web struct {
	s      *Server
	o      HTTPOptions
	lib    *server.StreamableHTTPServer
	owners *owners
	limits *limits
	ended  chan struct{} // closed when streams must end
}

// HTTP makes what serves s over HTTP.
func (s *Server) HTTP(o HTTPOptions) *Web {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	web := &Web{s: s, o: o, owners: newOwners(), limits: newLimits(o.PerMinute, o.AtOnce, o.Clock), ended: make(chan struct{})}
	// The library's own check of hosts is off, because it knows neither Origin nor the hosts that were configured; ours is
	// stricter.
	web.lib = server.NewStreamableHTTPServer(s.mcp, server.WithSessionIdManagerResolver(web.owners), server.WithSessionIdleTTL(sessionIdle),
		server.WithStreamableHTTPLogger(s.log), server.WithDisableLocalhostProtection(true))
	web.owners.end = web.endSession
	return web
}

// Handler speaks MCP over Streamable HTTP at any path, to whoever can reach it: serve it on loopback only. Requests with
// a foreign Host or Origin are refused, because a web page in a browser on the same machine could send them.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.HTTP(HTTPOptions{}).speak) }

// Handler serves MCP at Path, and beside it what clients, probes and collectors ask for. Those are told nothing that needs
// a sign-in.
func (w *Web) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(Path, w.speak)
	mux.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(out, "ok\n") })
	mux.HandleFunc("GET /readyz", func(out http.ResponseWriter, _ *http.Request) {
		if w.o.Ready != nil && !w.o.Ready() {
			http.Error(out, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(out, "ok\n")
	})
	if w.o.Metadata != nil {
		about := w.guard(w.o.Metadata)
		mux.Handle(w.o.MetadataPath, about)
		mux.Handle(w.o.MetadataPath+Path, about)
	}
	if w.o.More != nil {
		w.o.More(mux)
	}
	return mux
}

// speak takes one request of the protocol: from a place that may send it, by somebody known, who has not sent too many.
func (w *Web) speak(out http.ResponseWriter, r *http.Request) {
	w.guard(func(out http.ResponseWriter, r *http.Request) {
		var who Principal
		if w.o.Authenticate != nil {
			var ok bool
			if who, ok = w.o.Authenticate(out, r); !ok {
				return
			}
			r = r.WithContext(WithPrincipal(r.Context(), who))
		}
		end, wait := w.limits.begin(who.Key)
		if end == nil {
			out.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
			http.Error(out, "too many requests: wait as long as Retry-After says, then send this one again; it was not looked at", http.StatusTooManyRequests)
			return
		}
		defer end()
		w.hand(out, r, who)
	}).ServeHTTP(out, r)
}

// hand gives a request to the library.
func (w *Web) hand(out http.ResponseWriter, r *http.Request, who Principal) {
	ctx, cancel := w.life(r.Context(), who)
	defer cancel()
	switch r.Method {
	case http.MethodPost:
		body, ok := w.body(out, r)
		if !ok {
			return
		}
		r = r.WithContext(ctx)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var until time.Time // a stream has none, and must not have that of an answer before it on the same connection
		if bytes.Contains(body, []byte(mcp.MethodSubscriptionsListen)) {
			defer w.untilEnded(cancel)()
		} else {
			until = time.Now().Add(answerLimit)
		}
		_ = http.NewResponseController(out).SetWriteDeadline(until)
	case http.MethodGet, http.MethodDelete:
		if !w.knows(r, who) {
			http.Error(out, "there is no such session: begin one with initialize", http.StatusNotFound)
			return
		}
		r = r.WithContext(ctx)
		_ = http.NewResponseController(out).SetWriteDeadline(time.Time{})
		defer w.untilEnded(cancel)()
	default:
		out.Header().Set("Allow", "GET, POST, DELETE")
		http.Error(out, "only GET, POST and DELETE", http.StatusMethodNotAllowed)
		return
	}
	w.lib.ServeHTTP(out, r)
}

// life is how long a request may go on: a stream must not outlive the token that opened it.
func (w *Web) life(ctx context.Context, who Principal) (context.Context, context.CancelFunc) {
	if who.Expires.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, who.Expires.Sub(w.o.Clock())+time.Minute)
}

// untilEnded lets a stream end with the server.
func (w *Web) untilEnded(cancel context.CancelFunc) func() {
	done := make(chan struct{})
	go func() {
		select {
		case <-w.ended:
			cancel()
		case <-done:
		}
	}()
	return func() { close(done) }
}

// knows reports whether a request is for a session of its principal. The library checks that for POST alone, and lets GET
// make sessions by any name. A client of the modern era has none, and the library tells it so.
func (w *Web) knows(r *http.Request, who Principal) bool {
	if mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)) {
		return true
	}
	return w.owners.has(who.Key, r.Header.Get(server.HeaderKeySessionID))
}

// body reads a message, within a time and a size. What follows may take longer: the deadline is taken back.
func (w *Web) body(out http.ResponseWriter, r *http.Request) ([]byte, bool) {
	control := http.NewResponseController(out)
	_ = control.SetReadDeadline(time.Now().Add(bodyLimit))
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, w.s.o.MaxBody))
	_ = control.SetReadDeadline(time.Time{})
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		http.Error(out, "the message is too long", http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(out, "the message did not arrive whole", http.StatusBadRequest)
	}
	return body, err == nil
}

// endSession ends a session in the library, as its client could.
func (w *Web) endSession(id string) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, Path, http.NoBody)
	if err != nil {
		return
	}
	r.Header.Set(server.HeaderKeySessionID, id)
	w.lib.Handle(discard{http.Header{}}, &server.HTTPRequest{Method: http.MethodDelete, URL: r.URL, Header: r.Header, Context: r.Context()})
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header            { return d.header }
func (discard) Write(p []byte) (int, error)      { return len(p), nil }
func (discard) WriteHeader(int)                  {}
func (discard) Flush()                           {}
func (discard) SetWriteDeadline(time.Time) error { return nil }
func (discard) CanStream() bool                  { return false }

// guard refuses requests from where they may not come, and headers that anybody could have written are taken away.
func (w *Web) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) {
		r, err := w.arrived(r)
		if err == nil {
			err = w.place(r)
		}
		if err != nil {
			w.s.log.InfoContext(r.Context(), "an HTTP request was refused", "why", err.Error(), "from", r.RemoteAddr)
			http.Error(out, err.Error(), http.StatusForbidden)
			return
		}
		next(out, r)
	}
}

// forwarded are the headers that a proxy tells about its client with.
func forwarded() []string {
	return []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-Ip"}
}

// arrived is a request as its client sent it, with what a listed proxy tells about it. What anybody else tells is taken away.
func (w *Web) arrived(r *http.Request) (*http.Request, error) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	addr := from.Addr().Unmap()
	proxy := err == nil && slices.ContainsFunc(w.o.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
	told := slices.ContainsFunc(forwarded(), func(h string) bool { return len(r.Header.Values(h)) > 0 })
	if told && !proxy && w.o.Authenticate == nil {
		return r, errProxied
	}
	closed := r.TLS != nil || err == nil && addr.IsLoopback()
	if proxy && told {
		closed = strings.EqualFold(lastOf(r.Header, "X-Forwarded-Proto"), "https")
	}
	if w.o.Remote && !closed {
		return r, errClear
	}
	if !told {
		return r, nil
	}
	host, client := lastOf(r.Header, "X-Forwarded-Host"), lastOf(r.Header, "X-Forwarded-For")
	r = r.Clone(r.Context())
	for _, h := range forwarded() {
		r.Header.Del(h)
	}
	if proxy && host != "" {
		r.Host = host
	}
	if ip, err := netip.ParseAddr(client); proxy && err == nil {
		r.RemoteAddr = netip.AddrPortFrom(ip, 0).String() // for the log
	}
	return r, nil
}

// lastOf is the last element of a header: what came before was written by others than the proxy that we know.
func lastOf(h http.Header, name string) string {
	all := strings.Split(strings.Join(h.Values(name), ","), ",")
	return strings.TrimSpace(all[len(all)-1])
}

var (
	errHost    = errors.New("this Host is not served here")
	errOrigin  = errors.New("this Origin may not call here")
	errProxied = errors.New("this came through a proxy, and here nobody is asked who they are")
	errClear   = errors.New("this came neither over TLS nor from a listed proxy that says its client used https: tokens must not travel in the clear")
)

// place checks the names that a request was sent to and from.
func (w *Web) place(r *http.Request) error {
	if !w.s.host(r.Host) {
		return errHost
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !w.s.host(u.Host) && !slices.Contains(w.o.Origins, strings.ToLower(origin)) {
			return errOrigin
		}
	}
	return nil
}

// host reports whether a host, with or without a port, is loopback or one that was configured.
func (s *Server) host(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	return host != "" && slices.ContainsFunc(s.o.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}
