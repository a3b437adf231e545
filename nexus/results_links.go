package nexus

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// resultAt reads the address of a result and reports why it must not be followed. With a signature it is fetched without a
// token. Without one it must be in the cluster's own container: a token goes nowhere else. Errors never hold the query.
func (cloud Cloud) resultAt(address, container string) (*url.URL, error) {
	link, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return nil, errors.New("its address can't be read")
	}
	link.Fragment, link.RawFragment = "", ""
	if err := cloud.resultAllowed(link); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(link.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the query of its address on %q can't be read, so that a signature could not be told", link.Host)
	}
	if container != "" {
		if err := within(link, container); err != nil {
			return nil, err
		}
	}
	if signed(link) {
		return link, nil
	}
	if container == "" {
		return nil, fmt.Errorf("its address on %q has no signature, and the cluster names no container of its own for which a token could be used", link.Host)
	}
	for name := range query {
		// Others belong to a signature, and a token never travels beside one.
		if name != "versionid" && name != "snapshot" {
			return nil, fmt.Errorf("its address on %q has the parameter %q and no signature", link.Host, word(name))
		}
	}
	return link, nil
}

// signed reports whether an address holds a shared access signature.
func signed(link *url.URL) bool {
	for name := range link.Query() {
		if strings.EqualFold(name, "sig") {
			return true
		}
	}
	return false
}

// resultAllowed reports why a result must not be fetched from an address; nil means that it may. It must be https on port
// 443, on a host below Storage. With a loopback Endpoint it must be on a loopback address, with any port, and may be http.
func (cloud Cloud) resultAllowed(link *url.URL) error {
	host := strings.ToLower(link.Hostname())
	if host == "" || link.Opaque != "" {
		return errors.New("its address has no host")
	}
	refuse := func(why string) error { return fmt.Errorf("its address on %q is not followed: %s", host, why) }
	endpoint, err := azpipe.ParseEndpoint(cloud.Endpoint)
	switch {
	case err != nil:
		return refuse("the configured address of Azure Resource Manager can't be read")
	case link.User != nil:
		return refuse("it holds a user name or password")
	case azpipe.IsLoopback(endpoint.Hostname()):
		if !azpipe.IsLoopback(host) || link.Scheme != "https" && link.Scheme != "http" {
			return refuse("with Azure Resource Manager on a loopback address, results lie on loopback addresses only")
		}
	case link.Scheme != "https":
		return refuse(fmt.Sprintf("its scheme is %q, and results travel over https only", word(link.Scheme)))
	case link.Port() != "" && link.Port() != "443":
		return refuse("its port is " + link.Port() + ", and only 443 is expected")
	case !below(host, cloud.Storage):
		return refuse(fmt.Sprintf("the cloud %q keeps results below %s", cloud.Name, cloud.Storage))
	}
	return nil
}

// below reports whether a host is a name below a domain.
func below(host, domain string) bool {
	name, ok := strings.CutSuffix(host, "."+strings.ToLower(domain))
	return ok && domain != "" && name != "" && !strings.HasPrefix(name, ".") && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// within reports why a result is not in the container that the cluster writes to.
func within(link *url.URL, container string) error {
	home, err := url.Parse(container)
	if err != nil || home.Hostname() == "" || home.User != nil || strings.Trim(home.Path, "/") == "" {
		return errors.New("the address of the container that the cluster names for its results can't be read, so that the result can't be told to be in it")
	}
	if origin(link) != origin(home) {
		return fmt.Errorf("its address on %q is not followed: the cluster writes its results to %q", link.Host, home.Host)
	}
	inside, ok := strings.CutPrefix(link.Path, strings.TrimRight(home.Path, "/")+"/")
	if !ok || inside == "" {
		return fmt.Errorf("its address on %q is not followed: it is outside the container %q that the cluster writes its results to", link.Host, word(home.Path))
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(inside, `\`, "/"), "/") {
		if part == ".." || part == "." {
			return fmt.Errorf("its address on %q is not followed: its path leads out of the container", link.Host)
		}
	}
	return nil
}
