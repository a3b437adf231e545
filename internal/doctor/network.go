package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// signInHost asks the sign-in service for its public description of the tenant.
func (d *Doctor) signInHost(ctx context.Context) []Finding {
	address := strings.TrimRight(d.cloud.Authority, "/") + "/" + url.PathEscape(d.cfg.Tenant.ID) + "/v2.0/.well-known/openid-configuration"
	resp, found := d.reach(ctx, d.cloud.Authority, address)
	if resp == nil {
		return found
	}
	if resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusNotFound {
		return []Finding{failure("look at MDE_TENANT_ID and at MDE_CLOUD or MDE_AUTHORITY", "%s answers, and knows no tenant %q", host(d.cloud.Authority), d.cfg.Tenant.ID)}
	}
	return found
}

// apiHost asks the API's host for anything. Without a token it gives nothing away, and its answer has the time.
func (d *Doctor) apiHost(ctx context.Context) []Finding {
	resp, found := d.reach(ctx, d.cloud.Endpoint, d.cloud.Endpoint)
	if resp == nil {
		return found
	}
	return append(found, d.clock(resp.Header.Get("Date")))
}

// reach asks a host, and says how that went. There is no answer when the host can't be reached.
func (d *Doctor) reach(ctx context.Context, base, address string) (*http.Response, []Finding) {
	client, err := azpipe.NewHTTPClient(azpipe.TransportOptions{CAFile: d.cfg.Tenant.CAFile})
	if err != nil {
		return nil, []Finding{failure("look at MDE_CA_FILE", "%v", err)}
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, []Finding{failure("look at MDE_CLOUD, MDE_BASE_URL and MDE_AUTHORITY", "%q is no address", base)}
	}
	through := ""
	if proxy, err := http.ProxyFromEnvironment(req); err == nil && proxy != nil {
		through = ", through the proxy " + proxy.Host
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return nil, []Finding{unreached(host(base)+through, err)}
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	took := time.Since(began).Round(time.Millisecond)
	if resp.StatusCode >= http.StatusInternalServerError {
		return resp, []Finding{warning("look at the service's health, and try again", "%s answers with status %d after %s%s", host(base), resp.StatusCode, took, through)}
	}
	return resp, []Finding{good("%s answers after %s%s", host(base), took, through)}
}

// unreached says at what point the way to a host ends.
func unreached(where string, err error) Finding {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var op *net.OpError
	cause := err
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		cause = wrapped.Err // without the address, which was named
	}
	switch {
	case errors.As(err, &dns):
		return failure("look at the name and at this machine's DNS, or set HTTPS_PROXY", "%s can't be found by name", where)
	case errors.As(err, &cert), errors.As(err, &header):
		return failure("set MDE_CA_FILE to the certificates of a proxy that opens TLS, or look at what answers there", "%s answers without a certificate that is trusted here: %v", where, cause)
	case errors.Is(err, context.DeadlineExceeded):
		return failure("look at the firewall, or set HTTPS_PROXY", "%s does not answer in time", where)
	case errors.As(err, &op) && op.Op == "dial":
		return failure("look at the firewall, or set HTTPS_PROXY", "%s takes no connection: %v", where, op.Err)
	}
	return failure("look at the network", "%s can't be reached: %v", where, azpipe.Redact(cause.Error()))
}

const (
	skewWarn = 2 * time.Minute
	skewFail = 5 * time.Minute
)

// clock compares this machine's clock with the one of an answer. Tokens, votes and time-boxes are reckoned by it.
func (d *Doctor) clock(date string) Finding {
	const fix = "set this machine's clock by NTP"
	there, err := http.ParseTime(date)
	if err != nil {
		return warning("", "the API's answer has no time to compare with").about("clock")
	}
	skew := d.o.Clock().Sub(there).Round(time.Second)
	apart, way := skew.Abs(), "ahead of"
	if skew < 0 {
		way = "behind"
	}
	switch {
	case apart > skewFail:
		return failure(fix, "it is %s %s the API's: tokens are refused, and no time-box is released", apart, way).about("clock")
	case apart > skewWarn:
		return warning(fix, "it is %s %s the API's", apart, way).about("clock")
	}
	return good("it is within %s of the API's", skewWarn).about("clock")
}

// host is the host of an address, without anything else of it.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Sprintf("%q", address)
	}
	return u.Host
}
