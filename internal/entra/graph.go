package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// Options describe a Roles. Graph, Credential and AppID are needed.
type Options struct {
	// Graph is Microsoft Graph's base address without a version, such as https://graph.microsoft.com, and Scope what its
	// tokens are asked for; Graph's own address when empty.
	Graph, Scope string
	Credential   azcore.TokenCredential
	// AppID is the application (client) id whose app roles are meant, a GUID.
	AppID string
	// CAFile names a PEM file with certificates to trust besides the system's. HTTPClient replaces the client made from it.
	CAFile     string
	HTTPClient *http.Client
	// TTL is how long an answer is remembered: 30 s unless set, and never longer.
	TTL time.Duration
	// Clock is time.Now unless set.
	Clock func() time.Time
}

// The application permissions of Microsoft Graph that the look-ups need.
const (
	needApplications = "Application.Read.All"
	needGroups       = "GroupMember.Read.All"
	needUsers        = "User.Read.All"
)

const (
	moduleName     = "mde-ops/entra"
	moduleVersion  = "v0.1.0"
	attemptTimeout = 10 * time.Second
	// maxPages bounds a list, so that a link that leads in a circle ends.
	maxPages = 500
)

// graph asks Microsoft Graph. It only reads.
type graph struct {
	pipeline runtime.Pipeline
	base     string
}

func newGraph(o Options) (*graph, error) {
	if o.Graph == "" {
		return nil, errors.New("no address of Microsoft Graph is set")
	}
	base := strings.TrimRight(o.Graph, "/")
	if o.Scope == "" {
		o.Scope = base + "/.default"
	}
	pipeline, err := azpipe.New(azpipe.Options{
		Module: moduleName, Version: moduleVersion, Endpoint: base, Scope: o.Scope, Credential: o.Credential,
		HTTPClient: o.HTTPClient, Transport: azpipe.TransportOptions{CAFile: o.CAFile}, MaxWait: lookupTimeout,
	})
	return &graph{pipeline: pipeline, base: base + "/v1.0/"}, err
}

// setupError says what an operator has to change; its text is safe for anybody to read.
type setupError struct{ text string }

// Error implements error.
func (e *setupError) Error() string { return e.text }

// errAbsent says that Graph knows no such thing.
var errAbsent = errors.New("no such object is known to Microsoft Graph")

// principal is the service principal of an application, with the roles that it assigns.
type principal struct {
	ID       string `json:"id"`
	AppID    string `json:"appId"`
	AppRoles []struct {
		ID          string   `json:"id"`
		Value       string   `json:"value"`
		Enabled     bool     `json:"isEnabled"`
		MemberTypes []string `json:"allowedMemberTypes"`
	} `json:"appRoles"`
}

// assignment gives a role to a user, a group or a service principal.
type assignment struct {
	RoleID        string `json:"appRoleId"`
	PrincipalID   string `json:"principalId"`
	PrincipalType string `json:"principalType"`
	ResourceID    string `json:"resourceId"`
}

// account is a user, or what else can be a member of a group.
type account struct {
	Type     string `json:"@odata.type"`
	ID       string `json:"id"`
	UPN      string `json:"userPrincipalName"`
	Mail     string `json:"mail"`
	Enabled  *bool  `json:"accountEnabled"`
	UserType string `json:"userType"`
}

// mayApprove reports whether the account is an active member of the tenant. What Graph does not say is a no.
func (a account) mayApprove() bool {
	return a.ID != "" && a.Enabled != nil && *a.Enabled && a.UserType == "Member"
}

// holders are the users who have a role of an application.
func (g *graph) holders(ctx context.Context, app, role string) (holders, error) {
	p, err := g.principal(ctx, app)
	if err != nil {
		return holders{}, err
	}
	wanted := map[string]bool{}
	for _, r := range p.AppRoles {
		if r.Value == role && r.Value != "" && r.Enabled && slices.Contains(r.MemberTypes, "User") {
			wanted[strings.ToLower(r.ID)] = true
		}
	}
	have := holders{ids: map[string]bool{}}
	if len(wanted) == 0 {
		return have, nil
	}
	assigned, err := list[assignment](ctx, g, "servicePrincipals/"+p.ID+"/appRoleAssignedTo", "GET /v1.0/servicePrincipals/{id}/appRoleAssignedTo", needApplications)
	if err != nil {
		return holders{}, err
	}
	for _, a := range assigned {
		if !wanted[strings.ToLower(a.RoleID)] || !strings.EqualFold(a.ResourceID, p.ID) {
			continue
		}
		if err := g.add(ctx, have.ids, a, &have.size); err != nil {
			return holders{}, err
		}
	}
	return have, nil
}

// add puts the people of one assignment among the holders.
func (g *graph) add(ctx context.Context, ids map[string]bool, a assignment, size *int) error {
	put := func(id string) {
		if id = strings.ToLower(id); !ids[id] {
			ids[id] = true
			*size++
		}
	}
	switch a.PrincipalType {
	case "User":
		put(a.PrincipalID)
		return nil
	case "Group":
	default:
		return nil // an application approves nothing
	}
	if !guid().MatchString(a.PrincipalID) {
		return fmt.Errorf("an app role is assigned to the group %q, which is no object id", a.PrincipalID)
	}
	members, err := list[account](ctx, g, "groups/"+a.PrincipalID+"/members?$select=id,accountEnabled,userType", "GET /v1.0/groups/{id}/members", needGroups)
	if errors.Is(err, errAbsent) {
		return nil // the group was deleted, and nobody is in it
	}
	for _, m := range members {
		if m.Type == "#microsoft.graph.user" && m.mayApprove() {
			put(m.ID)
		}
	}
	return err
}

// principal finds the service principal of an application.
func (g *graph) principal(ctx context.Context, app string) (p principal, err error) {
	err = g.get(ctx, g.base+"servicePrincipals(appId='"+app+"')?$select=id,appId,appRoles", "GET /v1.0/servicePrincipals(appId='{appId}')", needApplications, &p)
	switch {
	case errors.Is(err, errAbsent):
		return p, &setupError{"the tenant has no enterprise application with the client id " + app + "; name the one whose app roles are assigned"}
	case err != nil:
		return p, err
	case !strings.EqualFold(p.AppID, app) || !guid().MatchString(p.ID):
		return p, fmt.Errorf("the answer of Microsoft Graph is about the application %q where %s was asked for", p.AppID, app)
	}
	return p, nil
}

// userFields are what a user is asked for.
const userFields = "$select=id,userPrincipalName,mail,accountEnabled,userType"

// user finds the user of that principal name, or else the only one with that e-mail address; an empty account when there
// is none, or more than one.
func (g *graph) user(ctx context.Context, email string) (account, error) {
	var a account
	err := g.get(ctx, g.base+"users/"+url.PathEscape(email)+"?"+userFields, "GET /v1.0/users/{id}", needUsers, &a)
	switch {
	case err == nil && strings.EqualFold(a.UPN, email):
		return a, nil
	case err == nil:
		return account{}, fmt.Errorf("the answer of Microsoft Graph is about the user %q where %s was asked for", a.UPN, email)
	case !errors.Is(err, errAbsent):
		return account{}, err
	}
	filter := url.QueryEscape("mail eq '" + strings.ReplaceAll(email, "'", "''") + "'")
	found, err := list[account](ctx, g, "users?$filter="+filter+"&"+userFields, "GET /v1.0/users", needUsers)
	if err != nil || len(found) != 1 || !strings.EqualFold(found[0].Mail, email) {
		return account{}, err
	}
	return found[0], nil
}

// page is one page of a list.
type page[T any] struct {
	Value []T    `json:"value"`
	Next  string `json:"@odata.nextLink"`
}

// list reads all pages. Half a list is an error.
func list[T any](ctx context.Context, g *graph, path, endpoint, need string) ([]T, error) {
	var all []T
	address := g.base + path
	for range maxPages {
		var p page[T]
		if err := g.get(ctx, address, endpoint, need, &p); err != nil {
			return nil, err
		}
		if p.Value == nil {
			return nil, fmt.Errorf("the answer of Microsoft Graph to %s is no list", endpoint)
		}
		all = append(all, p.Value...)
		if p.Next == "" {
			return all, nil
		}
		if !strings.HasPrefix(p.Next, g.base) {
			return nil, fmt.Errorf("the list of Microsoft Graph to %s goes on at another place, which is not asked", endpoint)
		}
		address = p.Next
	}
	return nil, fmt.Errorf("the list of Microsoft Graph to %s has more than %d pages", endpoint, maxPages)
}

// get asks one question. A permission that is missing is named.
func (g *graph) get(ctx context.Context, address, endpoint, need string, into any) error {
	req, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return fmt.Errorf("the question %s can't be put: %s", endpoint, azpipe.Redact(err.Error()))
	}
	req.Raw().Header.Set("Accept", "application/json")
	req.SetOperationValue(azpipe.Operation{Endpoint: endpoint, Reads: true, AttemptTimeout: attemptTimeout})
	resp, err := g.pipeline.Do(req)
	if err != nil {
		return err
	}
	body, err := azpipe.Bytes(resp)
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusNotFound:
		return errAbsent
	case resp.StatusCode == http.StatusForbidden:
		return &setupError{"Microsoft Graph refuses " + endpoint + ": give this program's application the permission " + need + " (an application permission, with an administrator's consent)"}
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the answer of Microsoft Graph to %s is %s", endpoint, resp.Status)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer of Microsoft Graph to %s can't be read: %w", endpoint, err)
	}
	return nil
}
