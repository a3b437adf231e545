package azpipe

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// hostPin refuses every request that would leave for another scheme or host than the configured one. It stands before
// the bearer policy, so not even a token is asked for on behalf of a foreign link.
type hostPin struct{ want string }

// Do implements policy.Policy.
func (p hostPin) Do(req *policy.Request) (*http.Response, error) {
	if got := origin(req.Raw().URL); got != p.want {
		return nil, &HostError{Got: got, Want: p.want}
	}
	// A request's Host field overrides the address's host in the header and would lead past the pin at a proxy.
	if host := req.Raw().Host; host != "" && !strings.EqualFold(host, req.Raw().URL.Host) {
		return nil, &HostError{Got: req.Raw().URL.Scheme + "://" + host, Want: p.want}
	}
	return req.Next()
}

// origin returns scheme and host of an address in one spelling: lower case, without the scheme's default port.
func origin(u *url.URL) string {
	scheme, host := u.Scheme, u.Host
	if strings.ToLower(host) != host || strings.ToLower(scheme) != scheme {
		scheme, host = strings.ToLower(scheme), strings.ToLower(host)
	}
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}

// ParseEndpoint checks a configured base address: https, or http on a loopback address only, with a host and without
// user, query or fragment.
func ParseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(endpoint, "/"))
	if err != nil {
		return nil, fmt.Errorf("the address %q is not a URL: write it like https://api.security.microsoft.com", Redact(endpoint))
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("the address %q has no host: write it like https://api.security.microsoft.com", Redact(endpoint))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address of %s must have no user, query or fragment", u.Host)
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && IsLoopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("the address %q is refused: tokens travel over https only (http is accepted on a loopback address)", Redact(endpoint))
}

// IsLoopback reports whether a host name can only mean this machine.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
