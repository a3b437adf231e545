package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/operations"
	"github.com/mde-ops/mde-ops/tools"
)

// credential asks for a token to read with.
func (d *Doctor) credential(ctx context.Context) []Finding {
	signIn, err := d.cfg.Credential(d.cfg.Read)
	if err != nil {
		return []Finding{failure("look at the settings of the credential", "%v", err)}
	}
	d.signIn = signIn
	token, graph, found := d.tokens(ctx, signIn, asksGraph(d.o.Tools, tools.Asks.Reading))
	d.token, d.graph = token, graph
	return found
}

// writing asks for a token to write with.
func (d *Doctor) writing(ctx context.Context) []Finding {
	signIn, err := d.cfg.Credential(d.cfg.Writing())
	if err != nil {
		return []Finding{failure("look at the settings MDE_WRITE_*", "%v", err)}
	}
	token, graph, found := d.tokens(ctx, signIn, asksGraph(d.o.Tools, tools.Asks.Working))
	d.writer, d.writerGraph = token, graph
	return found
}

// tokens asks for a token of the API, and for one of Microsoft Graph where that is needed.
func (d *Doctor) tokens(ctx context.Context, signIn *azpipe.Renewable, needGraph bool) (token, graph *azpipe.TokenInfo, found []Finding) {
	info, err := azpipe.Roles(ctx, signIn, d.cloud.Scope)
	if err != nil {
		return nil, nil, []Finding{failure(signInFix(err), "no token for the API: %v", err)}
	}
	found = []Finding{d.describe(info)}
	if !needGraph {
		return &info, nil, found
	}
	if d.cloud.Graph == "" {
		return &info, nil, append(found, warning("set MDE_GRAPH_URL, or MDE_CLOUD to a cloud by its name",
			"no Microsoft Graph is configured, so incidents and hunting can't be asked"))
	}
	scope := d.cloud.GraphScope
	if scope == "" {
		scope = d.cloud.Graph + "/.default"
	}
	of, err := azpipe.Roles(ctx, signIn, scope)
	if err != nil {
		return &info, nil, append(found, failure(signInFix(err), "no token for Microsoft Graph: %v", err))
	}
	return &info, &of, found
}

// describe says whose token it is.
func (d *Doctor) describe(info azpipe.TokenInfo) Finding {
	who := "application " + info.AppID
	if info.Delegated() {
		who = "the person " + info.UPN + ", through the application " + info.AppID
	}
	held := slices.Concat(info.Roles, info.Scopes)
	left := info.ExpiresOn.Sub(d.o.Clock()).Round(time.Minute)
	switch {
	case !strings.EqualFold(info.TenantID, d.cfg.Tenant.ID) && strings.Count(d.cfg.Tenant.ID, "-") == 4:
		return failure("look at MDE_TENANT_ID and at the credential", "the token is for the tenant %s, not for MDE_TENANT_ID %s", info.TenantID, d.cfg.Tenant.ID)
	case len(held) == 0:
		return failure("give the application the permissions of docs/configuration.md, with an administrator's consent",
			"a token for %s of tenant %s has no permissions at all", who, info.TenantID)
	case left <= 0:
		return failure("set this machine's clock by NTP", "a token for %s ended at %s, as this machine's clock goes", who, info.ExpiresOn.UTC().Format(time.RFC3339))
	}
	return good("a token for %s of tenant %s, for %s, with %s", who, info.TenantID, left, strings.Join(held, ", "))
}

// signInFix says what to do about a sign-in that was refused, by the sign-in service's own code.
func signInFix(err error) string {
	text := err.Error()
	for code, fix := range map[string]string{
		"AADSTS7000215": "the client secret is wrong: copy its value, not its id, or make a new one",
		"AADSTS7000222": "the client secret has expired: make a new one",
		"AADSTS700016":  "the tenant has no application with that client id: look at MDE_CLIENT_ID and MDE_TENANT_ID",
		"AADSTS90002":   "there is no such tenant: look at MDE_TENANT_ID",
		"AADSTS700027":  "the certificate is not registered with the application: upload it there",
		"AADSTS70021":   "no federated credential of the application fits the platform's token",
		"az login":      "run `az login`",
	} {
		if strings.Contains(text, code) {
			return fix
		}
	}
	return "look at the settings of the credential"
}

// asksGraph reports whether any of the tools asks Microsoft Graph.
func asksGraph(list []tools.Tool, which func(tools.Asks) []string) bool {
	for _, t := range list {
		asks, _ := tools.AsksOf(t.Name)
		for _, method := range which(asks) {
			if o, ok := operations.ByClient(method); ok && o.Graph {
				return true
			}
		}
	}
	return false
}

// roles says of each toolset which tools can't work with what the reading token may do.
func (d *Doctor) roles(context.Context) []Finding {
	return d.perToolset(d.o.Tools, "roles of ", "give the reading application", func(t tools.Tool) lack {
		asks, _ := tools.AsksOf(t.Name)
		return lack{needs: missing(asks.Reads, d.token, d.graph), parts: missing(asks.Parts, d.token, d.graph)}
	})
}

// writingRoles says the same of the writing token, for the tools that act.
func (d *Doctor) writingRoles(context.Context) []Finding {
	var acting []tools.Tool
	for _, t := range d.o.Tools {
		if t.Acts() {
			acting = append(acting, t)
		}
	}
	return d.perToolset(acting, "writing roles of ", "give the writing application", func(t tools.Tool) lack {
		asks, _ := tools.AsksOf(t.Name)
		return lack{needs: missing(asks.Works, d.writer, d.writerGraph)}
	})
}

// lack are the roles that a tool lacks: without needs it can't work, without parts not for every call.
type lack struct{ needs, parts []string }

// missing lists what is to be given so that all of the operations can be asked, each role once.
func missing(methods []string, token, graph *azpipe.TokenInfo) (roles []string) {
	for _, method := range methods {
		o, ok := operations.ByClient(method)
		if !ok {
			continue
		}
		holder := token
		if o.Graph {
			holder = graph
		}
		names := o.RoleNames()
		if holder != nil && (len(names) == 0 || holder.Has(slices.Concat(names, o.DelegatedNames())...)) {
			continue
		}
		if role := least(names); !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}

// least is the permission that allows least of those of which any one suffices.
func least(names []string) string {
	for _, n := range names {
		if !strings.Contains(n, "ReadWrite") {
			return n
		}
	}
	if len(names) == 0 {
		return "Microsoft Graph"
	}
	return names[0]
}

// perToolset makes one finding of each toolset. Where nobody chose the tools that are offered, as in Slack, those that are not
// among the usual ones may be meant to be without their roles.
func (d *Doctor) perToolset(list []tools.Tool, what, fix string, of func(tools.Tool) lack) (found []Finding) {
	var sets []tools.Toolset
	names := map[tools.Toolset][]string{}
	cannot, inPart := map[tools.Toolset][]string{}, map[tools.Toolset][]string{}
	give, grave := map[tools.Toolset][]string{}, map[tools.Toolset]bool{}
	for _, t := range list {
		if !slices.Contains(sets, t.Toolset) {
			sets = append(sets, t.Toolset)
		}
		names[t.Toolset] = append(names[t.Toolset], t.Name)
		l := of(t)
		switch {
		case len(l.needs) > 0:
			cannot[t.Toolset] = append(cannot[t.Toolset], fmt.Sprintf("%s (%s)", t.Name, strings.Join(l.needs, ", ")))
			grave[t.Toolset] = grave[t.Toolset] || !d.o.Writer || t.Surface == tools.Default
		case len(l.parts) > 0:
			inPart[t.Toolset] = append(inPart[t.Toolset], fmt.Sprintf("%s (%s)", t.Name, strings.Join(l.parts, ", ")))
		}
		give[t.Toolset] = append(give[t.Toolset], append(l.needs, l.parts...)...)
	}
	for _, s := range sets {
		slices.Sort(give[s])
		todo := fmt.Sprintf("%s %s", fix, strings.Join(slices.Compact(give[s]), ", "))
		var f Finding
		switch {
		case len(cannot[s]) > 0:
			if !d.o.Writer {
				todo += ", or leave these tools out with --exclude-tools"
			}
			f = failure(todo, "%s can't work without these roles%s", strings.Join(cannot[s], ", "), also(inPart[s]))
			if !grave[s] {
				f.Status = Warn
			}
		case len(inPart[s]) > 0:
			f = warning(todo, "not every call of %s works without these roles", strings.Join(inPart[s], ", "))
		default:
			f = good("enough for %s", strings.Join(names[s], ", "))
		}
		found = append(found, f.about(what+string(s)))
	}
	if len(found) == 0 {
		found = append(found, good("no tool needs any"))
	}
	return found
}

func also(inPart []string) string {
	if len(inPart) == 0 {
		return ""
	}
	return ", and not every call of " + strings.Join(inPart, ", ")
}

// reading makes one documented reading call, the smallest that there is.
func (d *Doctor) reading(ctx context.Context) []Finding {
	if o, ok := operations.ByClient("ListMachines"); !ok || len(missing([]string{o.Client}, d.token, d.graph)) > 0 {
		return []Finding{failure("give the reading application Machine.Read.All", "devices can't be read: the token may not, so nothing can be found or planned")}
	}
	client, _, err := d.o.Base.Client(d.cfg.Read)
	if err != nil {
		return []Finding{failure("look at the settings of the tenant", "%v", err)}
	}
	began := time.Now()
	for _, wrong := range client.ListMachines(ctx, mdecore.Query{Page: mdecore.Page{Top: 1}}) {
		err = wrong
		break
	}
	took := time.Since(began).Round(time.Millisecond)
	if err == nil {
		return []Finding{good("the API answers in %s", took), d.limits()}
	}
	if wait := mdecore.RetryAfter(err); wait > 0 {
		return []Finding{
			good("the API answers in %s", took),
			warning("find out which other program uses this application, or lower MDE_CALLS_PER_MINUTE", "the API turned a call back (429) and asks to wait %s", wait).about("limits"),
		}
	}
	return []Finding{failure(readFix(err), "the API refuses to be read: %v", err)}
}

func readFix(err error) string {
	var answer *mdecore.Error
	if errors.As(err, &answer) {
		switch answer.Status {
		case http.StatusForbidden:
			return "give the application the role, and look at the device groups that it may see"
		case http.StatusUnauthorized:
			return "look at MDE_CLOUD or MDE_SCOPE: the token is not for this API"
		}
	}
	return "look at the service's health, and try again"
}

// limits says how many calls may be made. What this process can know is its own use; the service counts all of them.
func (d *Doctor) limits() Finding {
	limit := azpipe.DefaultLimit()
	from := "the documented ones of most operations"
	if own, ok := d.cfg.Tenant.Limits(); ok {
		limit, from = own, "by MDE_CALLS_PER_MINUTE and MDE_CALLS_PER_HOUR, for every operation"
	}
	return good("%s, %s; the API turned nothing back just now", limit, from).about("limits")
}
