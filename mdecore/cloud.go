package mdecore

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/nearest"
)

// Cloud says where a tenant's API, its sign-in service, Microsoft Graph and the stored results are. Clouds compare
// with ==.
type Cloud struct {
	// Name is for people and for CloudByName, e.g. "public".
	Name string
	// Endpoint is the API's base address without "/api", e.g. https://api.security.microsoft.com.
	Endpoint string
	// Scope is what tokens are asked for. In the public cloud it names another host than Endpoint: tokens for the API's
	// own host are refused by some operations.
	Scope string
	// Authority is the sign-in service, e.g. https://login.microsoftonline.com.
	Authority string
	// Graph is Microsoft Graph's base address without a version, e.g. https://graph.microsoft.com. Without one no operation
	// of Graph is sent.
	Graph string
	// GraphScope is what tokens for Graph are asked for, e.g. https://graph.microsoft.com/.default; empty for Graph's own
	// address.
	GraphScope string
	// Storage holds the domains, separated by spaces, below which signed links to results may lead.
	Storage string
}

const (
	publicEndpoint  = "https://api.security.microsoft.com"
	publicScope     = "https://api.securitycenter.microsoft.com/.default"
	publicAuthority = "https://login.microsoftonline.com"
	publicGraph     = "https://graph.microsoft.com"
	publicStorage   = "blob.core.windows.net"

	usGovAuthority = "https://login.microsoftonline.us"
	usGovStorage   = "blob.core.usgovcloudapi.net"

	anyResource = "/.default"
)

// Public is the worldwide cloud (exposed-apis-list.md).
func Public() Cloud { return commercial("public", publicEndpoint) }

// commercial is a cloud that shares everything but the API's host with the public one.
func commercial(name, endpoint string) Cloud {
	return Cloud{
		Name: name, Endpoint: endpoint, Scope: publicScope, Authority: publicAuthority,
		Graph: publicGraph, GraphScope: publicGraph + anyResource, Storage: publicStorage,
	}
}

// government is a cloud of the United States government. No page names the audience of its tokens, so the API's own
// host is asked for.
func government(name, endpoint, authority, graph, storage string) Cloud {
	return Cloud{
		Name: name, Endpoint: endpoint, Scope: endpoint + anyResource, Authority: authority,
		Graph: graph, GraphScope: graph + anyResource, Storage: storage,
	}
}

// Clouds returns every cloud that has a name: the public one, its regional hosts (exposed-apis-list.md), and those of
// the United States government (gov.md). GCC High and DoD share the API's host and differ in Graph's.
func Clouds() []Cloud {
	all := []Cloud{Public()}
	for _, region := range []string{"us", "eu", "uk", "au", "swa", "ina", "aea"} {
		all = append(all, commercial(region, "https://"+region+".api.security.microsoft.com"))
	}
	return append(all,
		// GCC signs in and stores with the commercial cloud, but its API is a government host: results may be in either.
		government("gcc", "https://api-gcc.securitycenter.microsoft.us", publicAuthority, publicGraph, publicStorage+" "+usGovStorage),
		government("gcc-high", "https://api-gov.securitycenter.microsoft.us", usGovAuthority, "https://graph.microsoft.us", usGovStorage),
		government("dod", "https://api-gov.securitycenter.microsoft.us", usGovAuthority, "https://dod-graph.microsoft.us", usGovStorage),
	)
}

// CloudByName returns the cloud of that name. For another name the error lists all of them, the nearest first.
func CloudByName(name string) (Cloud, error) {
	var names []string
	for _, cloud := range Clouds() {
		if cloud.Name == name {
			return cloud, nil
		}
		names = append(names, cloud.Name)
	}
	hint := ""
	if near, ok := nearest.Word(name, names); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return Cloud{}, fmt.Errorf("the cloud %q is unknown%s (known: %s)", name, hint, strings.Join(names, ", "))
}

// Custom is a cloud at another address, e.g. a simulator. An empty authority or scope means the public one. On a
// loopback address the same server stands for Graph as well, with tokens for the public Graph. Elsewhere Graph is the
// public one when the authority is; another authority's tokens are not for it, so that Graph and GraphScope stay empty and
// are the caller's to set.
func Custom(endpoint, authority, scope string) Cloud {
	cloud := commercial("custom", endpoint)
	if scope != "" {
		cloud.Scope = scope
	}
	if authority != "" {
		cloud.Authority = authority
	}
	if !strings.EqualFold(strings.TrimRight(cloud.Authority, "/"), publicAuthority) {
		cloud.Graph, cloud.GraphScope = "", ""
	}
	if u, err := url.Parse(endpoint); err == nil && azpipe.IsLoopback(u.Hostname()) {
		// Links of a simulator lead to this machine only, which LinkAllowed sees by the endpoint.
		cloud.Graph, cloud.GraphScope, cloud.Storage = strings.TrimRight(endpoint, "/"), publicGraph+anyResource, ""
	}
	return cloud
}

// LinkAllowed reports why a link to a result (a file, a package, an export) must not be followed; nil means that it
// may. It must be https on port 443, to a host below one of the Storage domains or to the API's own host, which serves
// investigation packages itself (get-package-sas-uri.md). Of a loopback endpoint it must be a loopback address, with
// any port, and may be http. The error names the host and never the path or the query, which may hold a signature.
func (c Cloud) LinkAllowed(u *url.URL) error {
	if u == nil || u.Opaque != "" || u.Hostname() == "" {
		return errors.New("the link to the result is not followed: it has no host")
	}
	host := strings.ToLower(u.Hostname())
	refuse := func(reason string) error {
		return fmt.Errorf("the link to the result on %q is not followed: %s", host, reason)
	}
	if u.User != nil {
		return refuse("it carries a user name or password")
	}
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil {
		return refuse("the configured API address cannot be read")
	}
	if azpipe.IsLoopback(endpoint.Hostname()) {
		if !azpipe.IsLoopback(host) || u.Scheme != "https" && u.Scheme != "http" {
			return refuse("an API on a loopback address may lead to http or https on a loopback address only")
		}
		return nil
	}
	switch {
	case u.Scheme != "https":
		return refuse(fmt.Sprintf("its scheme is %q, and results travel over https only", u.Scheme))
	case u.Port() != "" && u.Port() != "443":
		return refuse("its port is " + u.Port() + ", and only 443 is expected")
	case !strings.EqualFold(host, endpoint.Hostname()) && !below(host, c.Storage):
		return refuse(fmt.Sprintf("the cloud %q keeps results on its API's host or below %s; if the tenant lives in another cloud, configure that one",
			c.Name, strings.ReplaceAll(c.Storage, " ", " and ")))
	}
	return nil
}

// below reports whether a host is a name below one of the domains, which are separated by spaces.
func below(host, domains string) bool {
	if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return false
	}
	for domain := range strings.FieldsSeq(domains) {
		if name, ok := strings.CutSuffix(host, "."+domain); ok && name != "" && !strings.HasPrefix(name, ".") {
			return true
		}
	}
	return false
}
