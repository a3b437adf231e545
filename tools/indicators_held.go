package tools

import (
	"context"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// microsoftDomains are those without which devices, sign-in and Defender itself stop. Names below them count too.
func microsoftDomains() []string {
	return []string{
		"microsoft.com", "microsoftonline.com", "microsoftonline-p.com", "windows.com", "windowsupdate.com", "office.com", "office.net",
		"office365.com", "live.com", "outlook.com", "msauth.net", "msftauth.net", "msftconnecttest.com", "msftncsi.com", "azure.com",
		"windows.net", "skype.com", "bing.com", "msn.com", "microsoft.us", "microsoftonline.us", "azure.us", "cloud.microsoft", "aka.ms",
	}
}

// rentedDomains are Microsoft's too, and each name below them is somebody else's: those may be blocked, the domain not.
func rentedDomains() []string {
	return []string{
		"azurewebsites.net", "blob.core.windows.net", "web.core.windows.net", "file.core.windows.net", "core.windows.net", "cloudapp.azure.com",
		"cloudapp.net", "azureedge.net", "azurefd.net", "trafficmanager.net", "azurestaticapps.net", "azure-api.net", "sharepoint.com",
		"onmicrosoft.com", "servicebus.windows.net", "github.io", "githubusercontent.com", "github.com",
	}
}

// touches reports whether who blocks host blocks domain: host is it, above it or, when below is set, below it.
func touches(host, domain string, below bool) bool {
	return host == domain || strings.HasSuffix(domain, "."+host) || below && strings.HasSuffix(host, "."+domain)
}

// ofMicrosoft is the domain of Microsoft that blocking host would touch; empty for none.
func ofMicrosoft(host string) string {
	for _, d := range rentedDomains() {
		if touches(host, d, false) {
			return d
		}
		if touches(host, d, true) {
			return ""
		}
	}
	for _, d := range microsoftDomains() {
		if touches(host, d, true) {
			return d
		}
	}
	return ""
}

// indicatorHost is the host name that an indicator is about; empty for files and addresses.
func indicatorHost(r mdecore.IndicatorRequest) string {
	host := ""
	switch r.IndicatorType {
	case mdecore.IndicatorDomainName:
		host = r.IndicatorValue
	case mdecore.IndicatorURL:
		full := r.IndicatorValue
		if !strings.Contains(full, "://") {
			full = "http://" + full
		}
		if u, err := url.Parse(full); err == nil {
			host = u.Hostname()
		}
	default:
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// holdDomains refuses to block domains of Microsoft and the organisation's own. Own are the domains in which the tenant has
// several devices, and that of the requester's proven address. The names of devices are written on the devices: one alone
// could keep an attacker's domain from being blocked, so that it makes only a warning.
func (s *session) holdDomains(ctx context.Context, d *drafting) ([]string, error) {
	if d.allow || !slices.ContainsFunc(d.out, func(r mdecore.IndicatorRequest) bool { return indicatorHost(r) != "" }) {
		return nil, nil
	}
	own, err := s.ownDomains(ctx)
	if err != nil {
		return nil, err
	}
	var warnings []string
	for i, r := range d.out {
		host := indicatorHost(r)
		if host == "" {
			continue
		}
		if m := ofMicrosoft(host); m != "" {
			d.fault(d.where[i], "%s is, holds or belongs to %s of Microsoft, without which devices stop working", quoted(r.IndicatorValue, 80), m)
			continue
		}
		for _, domain := range slices.Sorted(maps.Keys(own)) {
			if !touches(host, domain, true) {
				continue
			}
			if own[domain] > 1 {
				d.fault(d.where[i], "%s is, holds or belongs to %s, which is the organisation's own", quoted(r.IndicatorValue, 80), domain)
			} else {
				warnings = append(warnings, quoted(r.IndicatorValue, 80)+" touches "+quoted(domain, 80)+", in which one device of the tenant is")
			}
			break
		}
	}
	return warnings, nil
}

// ownDomains counts the devices in each domain. The requester's own domain counts as many.
func (s *session) ownDomains(ctx context.Context) (map[string]int, error) {
	own := map[string]int{}
	for m, err := range s.reader.ListMachines(ctx, mdecore.Query{}) {
		if mdecore.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		_, domain, _ := strings.Cut(asciiLower(strings.TrimSuffix(m.ComputerDNSName, ".")), ".")
		if _, err := publicHost(domain); err == nil {
			own[domain]++
		}
	}
	if _, domain, ok := strings.Cut(asciiLower(s.who.ID), "@"); ok && s.who.Verified && s.who.Via != approvals.ViaShell {
		own[domain] += 2
	}
	return own, nil
}
