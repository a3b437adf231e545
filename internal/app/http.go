package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mde-ops/mde-ops/tools"
)

// HTTP is how mde-mcp is served over HTTP, and whose tokens it takes.
type HTTP struct {
	Listen    string   `env:"MDE_HTTP"`          // an address such as 127.0.0.1:8080; over standard input and output when empty
	URL       string   `env:"MDE_HTTP_URL"`      // as clients know it, such as https://mde.example.com/mcp
	Hosts     []string `env:"MDE_HTTP_HOSTS"`    // further Host names
	Origins   []string `env:"MDE_HTTP_ORIGINS"`  // further origins of pages in browsers
	Audience  string   `env:"MDE_HTTP_AUDIENCE"` // whose tokens are taken; nobody is asked for one when empty
	Issuer    string   `env:"MDE_HTTP_ISSUER"`   // default version 2.0 of the tenant's
	Scope     string   `env:"MDE_HTTP_SCOPE, default=access_as_user"`
	Roles     string   `env:"MDE_HTTP_ROLES"` // Role=toolset,toolset;Role2=all
	Apps      []string `env:"MDE_HTTP_APPS"`  // <client id>=<who answers for it>
	TLSCert   string   `env:"MDE_HTTP_TLS_CERT"`
	TLSKey    string   `env:"MDE_HTTP_TLS_KEY"`
	Proxies   []string `env:"MDE_HTTP_PROXIES"`
	PerMinute int      `env:"MDE_HTTP_PER_MINUTE, default=600"`
	AtOnce    int      `env:"MDE_HTTP_AT_ONCE, default=64"`
}

// Signed reports whether callers must sign in.
func (h HTTP) Signed() bool { return h.Audience != "" }

// Loopback reports whether only programs of this machine can reach the address.
func (h HTTP) Loopback() bool {
	host, _, err := net.SplitHostPort(h.Listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Remote reports whether requests may come from other machines.
func (h HTTP) Remote() bool { return !h.Loopback() || len(h.Proxies) > 0 }

// HTTPIssuer is who issues the tokens that are taken.
func (c Config) HTTPIssuer() string {
	if c.HTTP.Issuer != "" {
		return c.HTTP.Issuer
	}
	return strings.TrimRight(c.Tenant.Cloud().Authority, "/") + "/" + strings.ToLower(c.Tenant.ID) + "/v2.0"
}

// Networks are the proxies' networks.
func (h HTTP) Networks() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range h.Proxies {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if ip, wrong := netip.ParseAddr(text); wrong == nil {
			p, err = ip.Prefix(ip.BitLen())
		}
		if err != nil || p.Bits() == 0 {
			return nil, fmt.Errorf("MDE_HTTP_PROXIES: %q is not valid here: want the addresses or networks of your proxies, such as 10.0.0.0/24, and never everybody's", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// AppPeople are the applications that may call without a person signed in, with who answers for each.
func (h HTTP) AppPeople() (map[string]string, error) {
	people := map[string]string{}
	for _, pair := range h.Apps {
		app, person, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !guidText().MatchString(app) || !isAddress(person) {
			return nil, fmt.Errorf("MDE_HTTP_APPS: %q is not valid here: want <client id>=<e-mail of the person who answers for its calls>, separated by commas", pair)
		}
		people[strings.ToLower(app)] = strings.ToLower(person)
	}
	return people, nil
}

// RoleToolsets are the toolsets of each app role; empty when roles make no difference.
func (h HTTP) RoleToolsets() (map[string][]string, error) {
	roles := map[string][]string{}
	for _, pair := range strings.Split(h.Roles, ";") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		role, list, ok := strings.Cut(pair, "=")
		if role = strings.TrimSpace(role); !ok || role == "" || strings.TrimSpace(list) == "" || roles[role] != nil {
			return nil, fmt.Errorf("MDE_HTTP_ROLES: %q is not valid here: want Role=toolset,toolset;Other=all, each role once", pair)
		}
		roles[role] = strings.Split(list, ",")
	}
	return roles, nil
}

// CheckServe reports what is wrong with the configuration of an mde-mcp that serves: over HTTP where an address is set.
func (c Config) CheckServe() error {
	if c.HTTP.Listen == "" {
		return c.CheckMCP()
	}
	var bad faults
	if !c.HTTP.Signed() {
		bad = append(bad, c.caller()...)
	}
	bad = append(bad, c.held()...)
	bad = append(bad, c.HTTP.address()...)
	bad = append(bad, c.signIn()...)
	return bad.err()
}

// address checks where the server listens, and how what is said to it gets there.
func (h HTTP) address() faults {
	var bad faults
	if _, port, err := net.SplitHostPort(h.Listen); err != nil || port == "" {
		bad.add("MDE_HTTP (--http): %q is not valid here: want an address and a port, such as 127.0.0.1:8080", h.Listen)
		return bad
	}
	if !h.Loopback() && !h.Signed() {
		bad.add("MDE_HTTP (--http): %s can be reached from other machines, and nobody would be asked who they are: set MDE_HTTP_AUDIENCE, or listen on 127.0.0.1", h.Listen)
	}
	if len(h.Proxies) > 0 && !h.Signed() {
		bad.add("MDE_HTTP_PROXIES is set and nobody would be asked who they are: set MDE_HTTP_AUDIENCE")
	}
	if !h.Loopback() && h.TLSCert == "" && len(h.Proxies) == 0 {
		bad.add("MDE_HTTP (--http): %s without TLS would show tokens to the network: set MDE_HTTP_TLS_CERT and MDE_HTTP_TLS_KEY, or MDE_HTTP_PROXIES to the proxies that speak TLS for it", h.Listen)
	}
	if (h.TLSCert == "") != (h.TLSKey == "") {
		bad.add("MDE_HTTP_TLS_CERT and MDE_HTTP_TLS_KEY belong together: one of them is not set")
	}
	if h.Remote() && h.URL == "" {
		bad.add("MDE_HTTP_URL is not set: the address that clients know, such as https://mde.example.com/mcp")
	}
	if u, err := url.Parse(h.URL); h.URL != "" && (err != nil || !h.goodURL(u)) {
		bad.add("MDE_HTTP_URL: %q is not valid here: want https, a host and the path /mcp, such as https://mde.example.com/mcp", h.URL)
	}
	for _, o := range h.Origins {
		if u, err := url.Parse(o); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Path != "" {
			bad.add("MDE_HTTP_ORIGINS: %q is not valid here: want an origin such as https://app.example.com", o)
		}
	}
	if _, err := h.Networks(); err != nil {
		bad.add("%v", err)
	}
	if h.PerMinute < 1 || h.AtOnce < 1 {
		bad.add("MDE_HTTP_PER_MINUTE and MDE_HTTP_AT_ONCE must be 1 or more")
	}
	return bad
}

func (h HTTP) goodURL(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http" && !h.Remote()) && u.Host != "" && u.Path == "/mcp" && u.RawQuery == "" && u.User == nil
}

// signIn checks whose tokens are taken.
func (c Config) signIn() faults {
	var bad faults
	h := c.HTTP
	if !h.Signed() {
		for _, name := range []string{"MDE_HTTP_ISSUER", "MDE_HTTP_SCOPE", "MDE_HTTP_ROLES", "MDE_HTTP_APPS"} {
			if c.Set[name] {
				bad.add("%s is set without MDE_HTTP_AUDIENCE: nobody is asked for a token", name)
			}
		}
		return bad
	}
	if id := strings.TrimPrefix(h.Audience, "api://"); id == "" || strings.ContainsAny(id, " \t") || (id == h.Audience && !guidText().MatchString(id)) {
		bad.add("MDE_HTTP_AUDIENCE: %q is not valid here: want the client id (a GUID) of the application that stands for this server, or its api:// name", h.Audience)
	}
	if u, err := url.Parse(h.Issuer); h.Issuer != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		bad.add("MDE_HTTP_ISSUER: %q is not valid here: want an https address, exactly as tokens name it", h.Issuer)
	}
	switch {
	case c.Sim:
		bad.add("MDE_HTTP_AUDIENCE is set with --tenant sim, whose sign-in service ends with this command: run `mde-mcp simulate`, and this with the variables that it prints")
	case !guidText().MatchString(c.Tenant.ID) && !c.missing("MDE_TENANT_ID", c.Tenant.ID):
		bad.add("MDE_TENANT_ID: %q must be the tenant's id (a GUID) where callers sign in, because tokens name that", c.Tenant.ID)
	}
	if strings.ContainsAny(h.Scope, " \t\"\\") || strings.HasSuffix(h.Scope, "/") {
		bad.add("MDE_HTTP_SCOPE: %q is not valid here: want one scope, such as access_as_user or api://mde-mcp/access_as_user", h.Scope)
	}
	if _, err := h.AppPeople(); err != nil {
		bad.add("%v", err)
	}
	return append(bad, h.knownRoles()...)
}

// knownRoles checks the toolsets that roles are given.
func (h HTTP) knownRoles() faults {
	var bad faults
	roles, err := h.RoleToolsets()
	if err != nil {
		bad.add("%v", err)
	}
	all, err := tools.Catalogue()
	if err != nil {
		bad.add("%v", err)
	}
	for role, sets := range roles {
		if _, err := tools.Select(all, tools.Selection{Toolsets: sets}); err != nil {
			bad.add("MDE_HTTP_ROLES: %s: %v", role, err)
		}
	}
	return bad
}

// probe reads the files of the certificate.
func (h HTTP) probe() faults {
	var bad faults
	if h.TLSCert != "" && h.TLSKey != "" {
		if _, err := tls.LoadX509KeyPair(h.TLSCert, h.TLSKey); err != nil {
			bad.add("MDE_HTTP_TLS_CERT, MDE_HTTP_TLS_KEY: %v", err)
		}
	}
	return bad
}
