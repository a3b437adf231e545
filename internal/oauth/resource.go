package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MetadataPath is where clients look for what they must know to sign in. What follows it is the resource's own path.
const MetadataPath = "/.well-known/oauth-protected-resource"

// Resource takes tokens on behalf of an HTTP resource.
type Resource struct {
	// Verifier judges them.
	Verifier *Verifier
	// URL is the resource's address as clients know it, such as https://mde.example.com/mcp, for a request of theirs.
	URL func(*http.Request) string
	// Name is shown to people.
	Name string
}

// Metadata answers with the protected resource metadata of RFC 9728.
func (p *Resource) Metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*") // it is public, and clients in browsers must read it
	writeJSON(w, http.StatusOK, map[string]any{
		"resource": p.URL(r), "authorization_servers": []string{p.Verifier.o.Issuer}, "scopes_supported": []string{p.Verifier.full},
		"bearer_methods_supported": []string{"header"}, "resource_name": p.Name,
	})
}

// Authenticate says who sent a request. Every error is a *Refusal; Refuse answers with it.
func (p *Resource) Authenticate(r *http.Request) (Identity, error) {
	token, err := bearer(r)
	if err != nil {
		return Identity{}, err
	}
	return p.Verifier.Verify(r.Context(), token)
}

// bearer finds the token. One in the address is refused even beside a good one, because addresses are written to logs.
func bearer(r *http.Request) (string, error) {
	for name := range r.URL.Query() {
		if strings.EqualFold(name, "access_token") {
			return "", refuse(badRequest, "a token in the address is not taken, because addresses are logged: use the Authorization header, and consider that token known to others")
		}
	}
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return "", refuse(noToken, "sign in: this server takes bearer tokens")
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t") {
		return "", refuse(badRequest, "one Authorization header is taken, of the form: Bearer <token>")
	}
	return token, nil
}

// Refuse answers a request that can't be taken, and tells the client how to sign in.
func (p *Resource) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	why := asRefusal(err)
	if why.kind == unavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(max(why.retry, time.Second).Seconds())))
		writeJSON(w, why.Status(), map[string]string{"error": string(why.kind), "error_description": why.text})
		return
	}
	w.Header().Set("WWW-Authenticate", p.challenge(r, why))
	body := map[string]string{"error_description": why.text}
	if why.kind != noToken {
		body["error"] = string(why.kind)
	}
	writeJSON(w, why.Status(), body)
}

// challenge is the WWW-Authenticate header. Its texts are this package's own, so nothing in them needs quoting.
func (p *Resource) challenge(r *http.Request, why *Refusal) string {
	parts := []string{fmt.Sprintf(`resource_metadata="%s"`, metadataURL(p.URL(r)))}
	if why.kind != noToken {
		parts = append(parts, fmt.Sprintf(`error="%s"`, why.kind), fmt.Sprintf(`error_description="%s"`, why.text))
	}
	return "Bearer " + strings.Join(append(parts, fmt.Sprintf(`scope="%s"`, p.Verifier.full)), ", ")
}

// metadataURL is where the metadata of a resource is: its well-known path comes before the resource's own.
func metadataURL(resource string) string {
	scheme, rest, _ := strings.Cut(resource, "://")
	host, path, _ := strings.Cut(rest, "/")
	if path != "" {
		path = "/" + path
	}
	return scheme + "://" + host + MetadataPath + path
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is no error of ours
}
