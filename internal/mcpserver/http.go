package mcpserver

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// sessionIdle is how long a legacy session is kept without a request.
const sessionIdle = 30 * time.Minute

// Handler speaks MCP over Streamable HTTP at any path. It has no authentication of its own: serve it on loopback only.
// Requests with a foreign Host or Origin are refused, because a web page in a browser on the same machine could send them.
func (s *Server) Handler() http.Handler {
	// Without a memory of sessions that ended, the library would go on answering in them. Its own check of hosts is off,
	// because it knows neither Origin nor the hosts that were configured; guard is stricter.
	h := server.NewStreamableHTTPServer(s.mcp, server.WithStateful(true), server.WithSessionIdleTTL(sessionIdle),
		server.WithStreamableHTTPLogger(s.log), server.WithDisableLocalhostProtection(true))
	return s.guard(http.MaxBytesHandler(h, s.o.MaxBody))
}

func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.host(r.Host) {
			http.Error(w, "this Host is not served here", http.StatusForbidden)
			return
		}
		for _, origin := range r.Header.Values("Origin") {
			u, err := url.Parse(origin)
			if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !s.host(u.Host) {
				http.Error(w, "this Origin may not call here", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
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
