package mcpapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/mcpserver"
	"github.com/mde-ops/mde-ops/internal/oauth"
	"github.com/mde-ops/mde-ops/tools"
)

// WebOptions are what is not configuration.
type WebOptions struct {
	Version string
	Log     *slog.Logger
	// More adds handlers beside the server's own.
	More func(*http.ServeMux)
}

// Web makes the MCP server for HTTP, over an App that may still be opening. Where an audience is configured every call is
// for whom its token proves; else all are for the one person that this process is configured for, as on stdio.
func (p *Opening) Web(cfg app.Config, o WebOptions) (*mcpserver.Web, error) {
	networks, err := cfg.HTTP.Networks()
	if err != nil {
		return nil, err
	}
	door := &door{log: o.Log}
	list, err := door.surface(cfg.HTTP, p.surface)
	if err != nil {
		return nil, err
	}
	options := p.options(list, o.Version, o.Log)
	options.Hosts, options.Varies = slices.Clone(cfg.HTTP.Hosts), door.roles != nil
	if u, err := url.Parse(cfg.HTTP.URL); err == nil && u.Hostname() != "" {
		options.Hosts = append(options.Hosts, u.Hostname())
	}
	web := mcpserver.HTTPOptions{
		PerMinute: cfg.HTTP.PerMinute, AtOnce: cfg.HTTP.AtOnce, Origins: cfg.HTTP.Origins, Proxies: networks, Remote: cfg.HTTP.Remote(),
		Ready: p.isOpen, More: numbers(cfg, o.More), Clock: cfg.Clock,
	}
	if cfg.HTTP.Signed() {
		if err := door.lock(cfg); err != nil {
			return nil, err
		}
		web.Authenticate, web.Metadata, web.MetadataPath = door.authenticate, door.resource.Metadata, oauth.MetadataPath
		options.Dispatcher, options.Requester = p.signedIn, proved
	}
	s, err := mcpserver.New(options)
	if err != nil {
		return nil, err
	}
	return s.HTTP(web), nil
}

// isOpen reports whether calls can be answered. A try to open that failed is begun again, as by a call.
func (p *Opening) isOpen() bool {
	p.begin()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.app != nil && p.err == nil
}

// signedIn gives what runs tools for whom a token proves.
func (p *Opening) signedIn(ctx context.Context) (mcpserver.Caller, error) {
	a, err := p.Wait(ctx)
	if err != nil {
		return nil, asRefusal(err)
	}
	return a.Dispatcher, nil
}

// proved is whose call it is. Without a principal it is nobody's, and the dispatcher refuses that.
func proved(ctx context.Context, agent string) approvals.Requester {
	who, ok := mcpserver.PrincipalFrom(ctx)
	if !ok {
		return approvals.Requester{}
	}
	who.Requester.Agent = agent
	return who.Requester
}

// door lets people in who sign in.
type door struct {
	log      *slog.Logger
	resource *oauth.Resource
	roles    map[string]map[string]bool // the tools of each role; nil when roles make no difference
}

// lock makes the door ask for tokens.
func (d *door) lock(cfg app.Config) error {
	client, err := azpipe.NewHTTPClient(azpipe.TransportOptions{CAFile: cfg.Tenant.CAFile})
	if err != nil {
		return err
	}
	people, err := cfg.HTTP.AppPeople()
	if err != nil {
		return err
	}
	verifier, err := oauth.New(oauth.Options{
		Issuer: cfg.HTTPIssuer(), Audience: cfg.HTTP.Audience, Tenant: cfg.Tenant.ID, Scope: cfg.HTTP.Scope, Apps: people,
		Client: client, Clock: cfg.Clock,
	})
	if err != nil {
		return err
	}
	address := func(r *http.Request) string {
		switch {
		case cfg.HTTP.URL != "":
			return cfg.HTTP.URL
		case r.TLS != nil:
			return "https://" + r.Host + mcpserver.Path
		}
		return "http://" + r.Host + mcpserver.Path
	}
	d.resource = &oauth.Resource{Verifier: verifier, URL: address, Name: "mde-ops"}
	return nil
}

// surface is what anybody is offered. With roles it is what they are given together, each within what is offered at all.
func (d *door) surface(h app.HTTP, all app.Surface) ([]tools.Tool, error) {
	roles, err := h.RoleToolsets()
	if err != nil || len(roles) == 0 {
		list, wrong := all.Select()
		return list, errors.Join(err, wrong)
	}
	if len(all.Toolsets) > 0 {
		return nil, errors.New("MDE_HTTP_ROLES and MDE_TOOLSETS (--toolsets) are both set: keep one, since each says which toolsets are offered")
	}
	d.roles = map[string]map[string]bool{}
	anyone := map[string]bool{}
	for role, sets := range roles {
		one := all
		one.Toolsets = sets
		list, err := one.Select()
		if err != nil {
			return nil, fmt.Errorf("MDE_HTTP_ROLES: %s: %w", role, err)
		}
		d.roles[role] = map[string]bool{}
		for _, t := range list {
			d.roles[role][t.Name], anyone[t.Name] = true, true
		}
	}
	list, err := tools.Catalogue()
	return slices.DeleteFunc(list, func(t tools.Tool) bool { return !anyone[t.Name] }), err
}

// authenticate lets a request in, or answers it.
func (d *door) authenticate(w http.ResponseWriter, r *http.Request) (mcpserver.Principal, bool) {
	id, err := d.resource.Authenticate(r)
	if err == nil {
		var who mcpserver.Principal
		if who, err = d.principal(id); err == nil {
			return who, true
		}
	}
	d.log.InfoContext(r.Context(), "a request was not let in", "why", err.Error(), "from", r.RemoteAddr)
	d.resource.Refuse(w, r, err)
	return mcpserver.Principal{}, false
}

// principal is who a token proves, in the words of the server. An application's calls are for the person who answers for
// it, who has not signed in: unverified, as on stdio.
func (d *door) principal(id oauth.Identity) (mcpserver.Principal, error) {
	who := mcpserver.Principal{
		Key: "entra:" + id.ObjectID, Expires: id.Expires,
		Requester: approvals.Requester{Person: approvals.Person{ID: id.ID, Name: id.Name}, Verified: id.Person, Via: approvals.ViaMCP},
	}
	if id.Person {
		who.Requester.Aliases = []string{"entra:" + id.ObjectID}
	}
	if d.roles == nil {
		return who, nil
	}
	who.Tools = map[string]bool{}
	for _, role := range id.Roles {
		for name := range d.roles[role] {
			who.Tools[name] = true
		}
	}
	if len(who.Tools) == 0 {
		return mcpserver.Principal{}, oauth.Forbid("none of your app roles gives you tools here; ask for one of those that this server knows")
	}
	return who, nil
}
