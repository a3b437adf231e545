package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/oauth"
)

// expiring is how long before its end a certificate is reported.
const expiring = 14 * 24 * time.Hour

// listening says whether the server could listen, and whether its certificate is good.
func (d *Doctor) listening(ctx context.Context) []Finding {
	h := d.cfg.HTTP
	var found []Finding
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", h.Listen)
	if err != nil {
		found = append(found, warning("choose another address, unless a server of yours listens there already", "%s can't be listened on: %v", h.Listen, err))
	} else {
		_ = l.Close()
		found = append(found, good("%s is free", h.Listen))
	}
	if h.TLSCert == "" || h.TLSKey == "" {
		return found
	}
	return append(found, d.certificate(h.TLSCert, h.TLSKey).about("HTTP certificate"))
}

func (d *Doctor) certificate(certFile, keyFile string) Finding {
	const fix = "renew it, and start the server again"
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return failure("look at MDE_HTTP_TLS_CERT and MDE_HTTP_TLS_KEY", "%v", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return failure("look at MDE_HTTP_TLS_CERT", "%v", err)
	}
	left := leaf.NotAfter.Sub(d.o.Clock())
	switch {
	case left <= 0:
		return failure(fix, "it ended at %s", stamp(leaf.NotAfter))
	case d.o.Clock().Before(leaf.NotBefore):
		return failure("look at this machine's clock", "it begins at %s", stamp(leaf.NotBefore))
	case left < expiring:
		return warning(fix, "it ends in %s, at %s", days(left.Hours()), stamp(leaf.NotAfter))
	}
	return good("it is good for %s", days(left.Hours()))
}

// issuer fetches the keys by which callers' tokens are checked.
func (d *Doctor) issuer(ctx context.Context) []Finding {
	const fix = "look at MDE_HTTP_ISSUER, MDE_TENANT_ID and the network: without keys every caller is refused"
	client, err := azpipe.NewHTTPClient(azpipe.TransportOptions{CAFile: d.cfg.Tenant.CAFile})
	if err != nil {
		return []Finding{failure("look at MDE_CA_FILE", "%v", err)}
	}
	defer client.CloseIdleConnections()
	people, err := d.cfg.HTTP.AppPeople()
	if err != nil {
		return []Finding{failure("look at MDE_HTTP_APPS", "%v", err)}
	}
	v, err := oauth.New(oauth.Options{
		Issuer: d.cfg.HTTPIssuer(), Audience: d.cfg.HTTP.Audience, Tenant: d.cfg.Tenant.ID, Scope: d.cfg.HTTP.Scope, Apps: people, Client: client,
	})
	if err != nil {
		return []Finding{failure(fix, "%v", err)}
	}
	n, err := v.FetchKeys(ctx)
	if err != nil {
		return []Finding{failure(fix, "%v", err)}
	}
	return []Finding{good("%s publishes %d keys; tokens must be for %s", d.cfg.HTTPIssuer(), n, d.cfg.HTTP.Audience)}
}
