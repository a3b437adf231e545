package tools

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mde-ops/mde-ops/mdecore"
)

// maxIndicatorURL bounds a URL, as Defender does.
const maxIndicatorURL = 2000

// indicatorKey is what a tenant has one indicator of: a type and a value, whose case counts in URLs only.
func indicatorKey(kind mdecore.IndicatorType, value string) string {
	if kind != mdecore.IndicatorURL {
		value = strings.ToLower(value)
	}
	return string(kind) + " " + value
}

// parseIndicator reads a value and detects its type, unless it is stated. The value comes back as it is sent.
func parseIndicator(text, stated string) (mdecore.IndicatorType, string, error) {
	value := refang(strings.TrimSpace(text))
	if value == "" {
		return "", "", errors.New("the value is empty")
	}
	for _, r := range value {
		if r <= ' ' || r > '~' {
			return "", "", fmt.Errorf("%s holds %q; write names in their ASCII form (xn--…) and paths percent-encoded", quoted(value, 80), r)
		}
	}
	if p, err := netip.ParsePrefix(value); err == nil {
		return "", "", fmt.Errorf("%s is a network: Defender takes single addresses only, because it compares each connection with them; list the addresses", p)
	}
	kind, known := mdecore.IndicatorType(""), false
	if stated != "" {
		if kind, known = foldedIn(mdecore.IndicatorTypes(), stated); !known {
			return "", "", fmt.Errorf("there is no type %s; there are %s", quoted(stated, 40), joinWords(mdecore.IndicatorTypes()))
		}
	} else {
		kind = detectIndicator(value)
	}
	value, err := indicatorForm(kind, value)
	return kind, value, err
}

// detectIndicator is the type that a value looks like. 40 digits are taken for a file: that they are a thumbprint is for a table to say.
func detectIndicator(value string) mdecore.IndicatorType {
	if longHexText().MatchString(value) {
		switch len(value) {
		case 32:
			return mdecore.IndicatorFileMD5
		case 64:
			return mdecore.IndicatorFileSHA256
		}
		return mdecore.IndicatorFileSHA1
	}
	if _, err := netip.ParseAddr(value); err == nil {
		return mdecore.IndicatorIPAddress
	}
	if strings.ContainsAny(value, "/?#@") {
		return mdecore.IndicatorURL
	}
	return mdecore.IndicatorDomainName
}

// indicatorForm refuses a value that is not of its type's form, and brings it into the form in which it is sent.
func indicatorForm(kind mdecore.IndicatorType, value string) (string, error) {
	digits := map[mdecore.IndicatorType]int{
		mdecore.IndicatorFileMD5: 32, mdecore.IndicatorFileSHA1: 40, mdecore.IndicatorCertificateThumbprint: 40, mdecore.IndicatorFileSHA256: 64,
	}
	switch kind {
	case mdecore.IndicatorIPAddress:
		return publicIP(value)
	case mdecore.IndicatorDomainName:
		return publicHost(value)
	case mdecore.IndicatorURL:
		return webAddress(value)
	default:
	}
	if n := digits[kind]; len(value) != n || !longHexText().MatchString(value) {
		return "", fmt.Errorf("%s has no %d hexadecimal digits, as a %s has", quoted(value, 80), n, kind)
	}
	return strings.ToLower(value), nil
}

// publicIP refuses addresses that are those of many networks: whoever blocks one blocks machines of his own.
func publicIP(value string) (string, error) {
	ip, err := netip.ParseAddr(value)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s is not an IP address", quoted(value, 80))
	case ip.Is4In6() || ip.Zone() != "":
		return "", fmt.Errorf("%s must be a plain IPv4 or IPv6 address", quoted(value, 80))
	case !ip.IsGlobalUnicast() || ip.IsPrivate() || reservedIP(ip):
		return "", fmt.Errorf("%s is a private or reserved address, which machines of many networks have", ip)
	}
	return ip.String(), nil
}

// reservedIP reports whether an address is of a network that netip does not call private and that is none of the internet
// either: shared by carriers, or "this network".
func reservedIP(ip netip.Addr) bool {
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4"} {
		if netip.MustParsePrefix(p).Contains(ip) {
			return true
		}
	}
	return false
}

// publicHost refuses what is no DNS name of at least two labels, and names that resolve nowhere but inside.
func publicHost(value string) (string, error) {
	host := strings.ToLower(strings.TrimSuffix(value, "."))
	labels := strings.Split(host, ".")
	switch {
	case strings.HasPrefix(host, "*."):
		return "", fmt.Errorf("%s: leave out the wildcard; a domain stands for the names below it too", quoted(value, 80))
	case len(host) > maxName || len(labels) < 2:
		return "", fmt.Errorf("%s is not a domain of at least two parts, like example.com", quoted(value, 80))
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", fmt.Errorf("%s is not a domain", quoted(value, 80))
		}
	}
	switch last := labels[len(labels)-1]; {
	case strings.Trim(last, "0123456789") == "":
		return "", fmt.Errorf("%s is neither an IP address nor a domain", quoted(value, 80))
	case last == "local" || last == "internal" || last == "localhost" || last == "lan" || strings.HasSuffix(host, ".home.arpa"):
		return "", fmt.Errorf("%s is a name of inside networks", quoted(value, 80))
	}
	return host, nil
}

// webAddress refuses what is no address of the web, with or without its scheme. The path keeps its case.
func webAddress(value string) (string, error) {
	full, bare := value, !strings.Contains(value, "://")
	if bare {
		full = "http://" + value
	}
	u, err := url.Parse(full)
	switch {
	case err != nil || u.Hostname() == "" || len(value) > maxIndicatorURL:
		return "", fmt.Errorf("%s is not an address of the web like https://example.com/path", quoted(value, 80))
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%s must begin with http:// or https://", quoted(value, 80))
	case u.User != nil:
		return "", fmt.Errorf("the URL of %s names an account; leave that out", quoted(u.Hostname(), 80))
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		_, err = publicIP(host)
		return value, err
	}
	if _, err := publicHost(host); err != nil {
		return "", err
	}
	u.Host = strings.ToLower(u.Host)
	out := u.String()
	if bare {
		out = strings.TrimPrefix(out, "http://")
	}
	return out, nil
}
