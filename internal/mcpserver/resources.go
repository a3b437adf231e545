package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools"
)

// resource is a kind of thing that a client can read by an address, as scheme://id. Reading one is a call of its tool and
// nothing else, so that whoever may not call the tool may not read it.
type resource struct {
	scheme, tool, arg  string
	title, description string
}

// requestScheme is the scheme of what changes by our own doing.
const requestScheme = "request"

func resources() []resource {
	return []resource{
		{requestScheme, "get_request", "id", "Request", "How far a request at the approval gate is, as get_request gives it. Holds untrusted text: names and reasons."},
		{"device", "get_device", "device", "Device", "A device by id or name, as get_device gives it. Holds untrusted text: names and tags."},
		{"alert", "get_alert", "alert_id", "Alert", "An alert, as get_alert gives it. Holds untrusted text: title, description, comments, command lines."},
		{
			"evidence", "list_evidence", "evidence_id", "Evidence",
			"Where evidence came from, by its id or by that of the request that collected it, as list_evidence gives it; never content. Holds untrusted text: file names.",
		},
	}
}

// requestID is how long the id of a request is. No evidence has one so short.
const requestID = 8

// argument is the argument that takes an id.
func (r resource) argument(id string) string {
	if r.arg == "evidence_id" && len(id) == requestID {
		return "request_id"
	}
	return r.arg
}

// address is one resource, as a client names it.
type address struct {
	resource
	uri, id string
}

// offers reports whether whoever sent a request is offered a tool.
func (s *Server) offers(ctx context.Context, tool string) bool {
	return s.offered[tool] && mayUse(ctx, tool)
}

// addressed takes a URI apart. What the caller is not offered is not there.
func (s *Server) addressed(ctx context.Context, uri string) (address, error) {
	scheme, id, _ := strings.Cut(uri, "://")
	var known []string
	for _, r := range resources() {
		if !s.offers(ctx, r.tool) {
			continue
		}
		known = append(known, r.scheme+"://ID")
		if r.scheme != scheme {
			continue
		}
		id, err := url.PathUnescape(id)
		if err != nil || id == "" {
			return address{}, approvals.Refuse(approvals.KindInvalid, err, "%.100q names nothing: write %s://ID", uri, scheme)
		}
		return address{resource: r, uri: uri, id: id}, nil
	}
	return address{}, approvals.Refuse(approvals.KindNotFound, nil, "there is no resource %.100q here for this caller; there are: %s", uri, strings.Join(known, ", "))
}

// offerResources adds the templates of what can be read. It does nothing when the tools for that are not offered.
func (s *Server) offerResources(scope mcp.CacheScope) {
	some := false
	for _, r := range resources() {
		if s.offered[r.tool] {
			if !some { // before the first template, because the library would say that the list changes
				server.WithResourceCapabilities(true, false)(s.mcp)
			}
			some = true
			s.mcp.AddResourceTemplate(r.template(), s.readResource)
		}
	}
	if !some {
		return
	}
	for _, option := range []server.ServerOption{
		server.WithMethodCacheHints(mcp.MethodResourcesTemplatesList, catalogueLife, scope),
		server.WithMethodCacheHints(mcp.MethodResourcesList, 0, mcp.CacheScopePrivate),
		server.WithMethodCacheHints(mcp.MethodResourcesRead, 0, mcp.CacheScopePrivate),
	} {
		option(s.mcp)
	}
	hooks := s.hooks()
	hooks.AddAfterListResourceTemplates(func(ctx context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, res *mcp.ListResourceTemplatesResult) {
		res.ResourceTemplates = slices.DeleteFunc(slices.Clone(res.ResourceTemplates), func(t mcp.ResourceTemplate) bool {
			at := slices.IndexFunc(resources(), func(r resource) bool { return r.scheme == t.Name })
			return at >= 0 && !s.offers(ctx, resources()[at].tool)
		})
	})
	hooks.AddAfterListResources(func(ctx context.Context, _ any, _ *mcp.ListResourcesRequest, res *mcp.ListResourcesResult) {
		res.Resources = append(slices.Clone(res.Resources), s.openRequests(ctx)...)
	})
	s.watches = newWatches(s)
	s.watches.hook(hooks)
}

// hooks are the library's, which are made when nobody has made them.
func (s *Server) hooks() *server.Hooks {
	if s.mcp.GetHooks() == nil {
		server.WithHooks(&server.Hooks{})(s.mcp)
	}
	return s.mcp.GetHooks()
}

func (r resource) template() mcp.ResourceTemplate {
	return mcp.NewResourceTemplate(r.scheme+"://{id}", r.scheme, mcp.WithTemplateTitle(r.title), mcp.WithTemplateDescription(r.description),
		mcp.WithTemplateMIMEType(jsonType), mcp.WithTemplateAnnotations([]mcp.Role{mcp.RoleUser, mcp.RoleAssistant}, 0.5, ""))
}

const jsonType = "application/json"

// readResource answers resources/read. The library makes every error of it an internal one, whose text the client sees.
func (s *Server) readResource(ctx context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	a, err := s.addressed(ctx, req.Params.URI)
	var body json.RawMessage
	if err == nil {
		body, err = s.look(ctx, a, s.o.Requester(ctx, agent(ctx)))
	}
	if err != nil {
		return nil, errors.New(s.explain(ctx, req.Params.URI, err))
	}
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: jsonType, Text: string(body)}}, nil
}

// look is what a resource's tool gives.
func (s *Server) look(ctx context.Context, a address, who approvals.Requester) (json.RawMessage, error) {
	return s.run(ctx, tools.Call{Tool: a.tool, Requester: who}, map[string]any{a.argument(a.id): a.id})
}

// run calls a reading tool for somebody, on behalf of something else than a call of theirs. It never lets a panic out.
func (s *Server) run(ctx context.Context, c tools.Call, args map[string]any) (body json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			body, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	if !s.offers(ctx, c.Tool) {
		return nil, approvals.Refuse(approvals.KindDenied, nil, "your roles do not include %s", c.Tool)
	}
	if c.Args, err = json.Marshal(args); err != nil {
		return nil, err
	}
	d, err := s.dispatcher(ctx)
	if err != nil {
		return nil, err
	}
	out, err := d.Call(ctx, c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out.Output)
}

const (
	// listedRequests is how many requests of a state resources/list names; listWait how long it waits for a store that is not
	// open yet. A client that connects should not have to wait for it.
	listedRequests = 10
	listWait       = time.Second
)

// openRequests are the requests that people wait for, as resources; none when they can't be read now.
func (s *Server) openRequests(ctx context.Context) []mcp.Resource {
	if !s.offers(ctx, "get_request") || !s.offers(ctx, "list_requests") || !greeted(ctx) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	var found []mcp.Resource
	for _, state := range []approvals.State{approvals.Pending, approvals.Running} {
		body, err := s.run(ctx, tools.Call{Tool: "list_requests", Requester: s.o.Requester(ctx, agent(ctx))}, map[string]any{"state": state, "limit": listedRequests})
		if err != nil {
			s.log.DebugContext(ctx, "the open requests could not be listed as resources", "error", err)
			return nil
		}
		var list struct {
			Requests []struct {
				ID      string `json:"request_id"`
				Status  string `json:"status"`
				Preview string `json:"preview"`
			} `json:"requests"`
		}
		if json.Unmarshal(body, &list) != nil {
			return nil
		}
		for _, r := range list.Requests {
			found = append(found, mcp.NewResource(requestScheme+"://"+r.ID, r.ID, mcp.WithResourceTitle(r.ID+" "+r.Status),
				mcp.WithResourceDescription("untrusted text: "+r.Preview), mcp.WithMIMEType(jsonType)))
		}
	}
	return found
}

// greeted reports whether a client has made its handshake. Clients of the modern era make none.
func greeted(ctx context.Context) bool {
	session := server.ClientSessionFromContext(ctx)
	return server.IsModernRequest(ctx) || (session != nil && session.Initialized())
}
