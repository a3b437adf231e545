package mdesim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// entraPath is where Microsoft Graph's directory begins. Its security operations,
// which lie below it, are served before it is looked at.
const entraPath = "/v1.0/"

// entraPage is the page size of the directory's lists: Graph's default.
const entraPage = 100

// The application permissions of Graph's directory. Graph does not name a missing
// one in its refusals, and neither does the simulator.
const (
	RoleReadApplications = "Application.Read.All"
	RoleReadGroups       = "GroupMember.Read.All"
	RoleReadUsers        = "User.Read.All"
)

// entraState is the part of the Entra ID tenant that the zero value does not have:
// app roles, groups, and accounts besides [Tenant.Users].
type entraState struct {
	mu        sync.Mutex
	accounts  []Account
	groups    map[string][]string // object ids of members by group id
	apps      map[string]*entraApp
	webAPIs   []WebAPI
	resources []string // further ones that tokens are for
}

type entraApp struct {
	roles    []AppRole
	assigned []roleAssignment
}

type roleAssignment struct{ role, principal, kind string }

// Account is a user of the directory as Graph shows them. The tenant's [User]s are
// enabled members of it already.
type Account struct {
	OID      string // Entra object id, a GUID
	UPN      string // user principal name
	Mail     string // e-mail address; null when empty
	Disabled bool   // the account can't sign in
	Guest    bool   // userType is Guest
}

// AppRole is a role that an application assigns.
type AppRole struct {
	ID       string // a GUID
	Value    string // what tokens and programs call it
	Disabled bool   // no longer assignable
	// AppsOnly says that only applications may be assigned it.
	AppsOnly bool
}

// SetAccount adds a user to the directory, or changes the one of the same object id.
func (t *Tenant) SetAccount(a Account) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	t.entra.accounts = append(slices.DeleteFunc(slices.Clone(t.entra.accounts), func(o Account) bool { return strings.EqualFold(o.OID, a.OID) }), a)
}

// SetGroup makes a security group of these object ids, of users or of groups.
func (t *Tenant) SetGroup(id string, members ...string) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	if t.entra.groups == nil {
		t.entra.groups = map[string][]string{}
	}
	t.entra.groups[strings.ToLower(id)] = slices.Clone(members)
}

// RemoveGroup deletes a group; what was assigned to it stays, as it does in reality
// for a while.
func (t *Tenant) RemoveGroup(id string) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	delete(t.entra.groups, strings.ToLower(id))
}

// SetAppRoles gives an application its roles.
func (t *Tenant) SetAppRoles(appID string, roles ...AppRole) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	t.entraApp(appID).roles = slices.Clone(roles)
}

// AssignAppRole assigns a role of an application, by its id, to a user or a group.
func (t *Tenant) AssignAppRole(appID, roleID, principal string) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	kind := "ServicePrincipal"
	if _, ok := t.entra.groups[strings.ToLower(principal)]; ok {
		kind = "Group"
	} else if _, ok := t.accountByID(principal); ok {
		kind = "User"
	}
	app := t.entraApp(appID)
	app.assigned = append(app.assigned, roleAssignment{roleID, principal, kind})
}

// RevokeAppRole takes a role away again.
func (t *Tenant) RevokeAppRole(appID, roleID, principal string) {
	t.ready()
	t.entra.mu.Lock()
	defer t.entra.mu.Unlock()
	app := t.entraApp(appID)
	app.assigned = slices.DeleteFunc(app.assigned, func(a roleAssignment) bool {
		return strings.EqualFold(a.role, roleID) && strings.EqualFold(a.principal, principal)
	})
}

// entraApp is the state of an application; the caller holds t.entra.mu.
func (t *Tenant) entraApp(id string) *entraApp {
	if t.entra.apps == nil {
		t.entra.apps = map[string]*entraApp{}
	}
	id = strings.ToLower(id)
	if t.entra.apps[id] == nil {
		t.entra.apps[id] = &entraApp{}
	}
	return t.entra.apps[id]
}

// directory lists all accounts; the caller holds t.entra.mu.
func (t *Tenant) directory() []Account {
	all := slices.Clone(t.entra.accounts)
	for _, u := range t.users {
		if !slices.ContainsFunc(all, func(a Account) bool { return strings.EqualFold(a.OID, u.OID) }) {
			all = append(all, Account{OID: u.OID, UPN: u.UPN, Mail: u.UPN})
		}
	}
	return all
}

// accountByID finds an account by its object id; the caller holds t.entra.mu.
func (t *Tenant) accountByID(id string) (Account, bool) {
	return firstAccount(t.directory(), func(a Account) bool { return strings.EqualFold(a.OID, id) })
}

func firstAccount(all []Account, is func(Account) bool) (Account, bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	return Account{}, false
}

// entraCall is a question to the directory.
type entraCall struct {
	call
	query url.Values
}

// serveEntra answers the directory's reading operations. Everything else of Graph is
// not simulated.
func (t *Tenant) serveEntra(r *http.Request) response {
	asGraph := r.Clone(r.Context())
	asGraph.URL.Path = graphPath // the audience of all of Graph is that of its security operations
	c := entraCall{call: call{t: t, r: r}, query: r.URL.Query()}
	who, refused, ok := t.authenticate(asGraph)
	if !ok {
		return c.graphProblem(refused.status, refused.code, refused.message)
	}
	need, answer := c.find(strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), entraPath), "/"))
	switch {
	case answer == nil:
		return c.graphProblem(http.StatusBadRequest, "BadRequest", "Resource not found for the segment.")
	case r.Method != http.MethodGet:
		return c.graphProblem(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	case !slices.Contains(who.permissions, need):
		return c.graphProblem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	return answer()
}

// find is the operation of a path and the permission that it needs.
func (c entraCall) find(segments []string) (need string, answer func() response) {
	for i, s := range segments {
		var err error
		if segments[i], err = url.PathUnescape(s); err != nil {
			return "", nil
		}
	}
	app, byApp := strings.CutPrefix(segments[0], "servicePrincipals(appId='")
	switch {
	case byApp && len(segments) == 1 && strings.HasSuffix(app, "')"):
		return RoleReadApplications, func() response { return c.servicePrincipal(strings.TrimSuffix(app, "')")) }
	case segments[0] == "servicePrincipals" && len(segments) == 3 && segments[2] == "appRoleAssignedTo":
		return RoleReadApplications, func() response { return c.assignedTo(segments[1]) }
	case segments[0] == "groups" && len(segments) == 3 && segments[2] == "members":
		return RoleReadGroups, func() response { return c.members(segments[1]) }
	case segments[0] == "users" && len(segments) == 2:
		return RoleReadUsers, func() response { return c.user(segments[1]) }
	case segments[0] == "users" && len(segments) == 1:
		return RoleReadUsers, c.users
	}
	return "", nil
}

// principalID is the object id of an application's service principal.
func principalID(appID string) string {
	return guidOf(hash64(strings.ToLower(appID)), hash64(strings.ToLower(appID)+"/principal"))
}

// servicePrincipal answers GET /servicePrincipals(appId='…').
func (c entraCall) servicePrincipal(appID string) response {
	c.t.entra.mu.Lock()
	app, ok := c.t.entra.apps[strings.ToLower(appID)]
	var roles []map[string]any
	if ok {
		for _, r := range app.roles {
			kind := "User"
			if r.AppsOnly {
				kind = "Application"
			}
			roles = append(roles, map[string]any{
				"id": r.ID, "value": r.Value, "displayName": r.Value, "isEnabled": !r.Disabled, "allowedMemberTypes": []string{kind},
			})
		}
	}
	c.t.entra.mu.Unlock()
	if _, registered := c.t.app(appID); !ok && !registered {
		return c.absent(appID)
	}
	if roles == nil {
		roles = []map[string]any{}
	}
	return c.graphOK(map[string]any{"id": principalID(appID), "appId": appID, "appRoles": roles})
}

// assignedTo answers GET /servicePrincipals/{id}/appRoleAssignedTo.
func (c entraCall) assignedTo(id string) response {
	c.t.entra.mu.Lock()
	defer c.t.entra.mu.Unlock()
	for appID, app := range c.t.entra.apps {
		if !strings.EqualFold(principalID(appID), id) {
			continue
		}
		items := make([]any, 0, len(app.assigned))
		for _, a := range app.assigned {
			items = append(items, map[string]any{
				"id": a.role + a.principal, "appRoleId": a.role, "principalId": a.principal, "principalType": a.kind,
				"resourceId": principalID(appID), "deletedDateTime": nil,
			})
		}
		return c.page("appRoleAssignments", items)
	}
	return c.absent(id)
}

// members answers GET /groups/{id}/members: the direct ones, of every kind.
func (c entraCall) members(id string) response {
	c.t.entra.mu.Lock()
	defer c.t.entra.mu.Unlock()
	ids, ok := c.t.entra.groups[strings.ToLower(id)]
	if !ok {
		return c.absent(id)
	}
	items := make([]any, 0, len(ids))
	for _, member := range ids {
		if _, group := c.t.entra.groups[strings.ToLower(member)]; group {
			items = append(items, map[string]any{"@odata.type": "#microsoft.graph.group", "id": member})
		} else if a, known := c.t.accountByID(member); known {
			view := a.view()
			view["@odata.type"] = "#microsoft.graph.user"
			items = append(items, view)
		}
	}
	return c.page("directoryObjects", items)
}

// user answers GET /users/{id or user principal name}.
func (c entraCall) user(id string) response {
	c.t.entra.mu.Lock()
	defer c.t.entra.mu.Unlock()
	a, ok := firstAccount(c.t.directory(), func(a Account) bool { return strings.EqualFold(a.OID, id) || strings.EqualFold(a.UPN, id) })
	if !ok {
		return c.absent(id)
	}
	return c.graphOK(a.view())
}

// users answers GET /users with the one filter that is simulated: mail eq '…'.
func (c entraCall) users() response {
	quoted, ok := strings.CutPrefix(c.query.Get("$filter"), "mail eq '")
	mail := strings.ReplaceAll(strings.TrimSuffix(quoted, "'"), "''", "'")
	if !ok || mail == quoted {
		return c.graphProblem(http.StatusBadRequest, "Request_UnsupportedQuery", "Only the filter mail eq '…' is simulated.")
	}
	c.t.entra.mu.Lock()
	defer c.t.entra.mu.Unlock()
	items := []any{}
	for _, a := range c.t.directory() {
		if a.Mail != "" && strings.EqualFold(a.Mail, mail) {
			items = append(items, a.view())
		}
	}
	return c.page("users", items)
}

func (a Account) view() map[string]any {
	kind := "Member"
	if a.Guest {
		kind = "Guest"
	}
	return map[string]any{
		"id": a.OID, "userPrincipalName": a.UPN, "mail": Nullable(a.Mail), "accountEnabled": !a.Disabled, "userType": kind,
	}
}

func (c entraCall) absent(id string) response {
	return c.graphProblem(http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
}

// isEntraRole reports whether an application permission is one of the directory's,
// which tokens for Graph carry. User.Read.All is one of the Defender API as well.
func isEntraRole(role string) bool {
	return role == RoleReadApplications || role == RoleReadGroups || role == RoleReadUsers
}

// page answers a list a page at a time, with an opaque token for the next one.
func (c entraCall) page(what string, items []any) response {
	from, err := strconv.Atoi(orDefault(c.query.Get("$skiptoken"), "0"))
	if err != nil || from < 0 || from > len(items) {
		from = len(items)
	}
	size := min(entraPage, c.t.PageSize)
	body := graphEnvelope{Context: c.base() + "/v1.0/$metadata#" + what, Value: items[from:min(from+size, len(items))]}
	if from+size < len(items) {
		c.query.Set("$skiptoken", strconv.Itoa(from+size))
		body.Next = c.base() + c.r.URL.EscapedPath() + "?" + c.query.Encode()
	}
	return c.graphOK(body)
}
