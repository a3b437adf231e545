package mdecore

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// check refuses what the service would refuse, and values that would hit far more than what is meant.
func (r IndicatorRequest) check() error {
	if err := r.checkValue(); err != nil {
		return err
	}
	if err := r.checkAction(); err != nil {
		return err
	}
	if err := checkLine("title", r.Title); err != nil {
		return err
	}
	if err := checkText("description", r.Description); err != nil {
		return err
	}
	for _, optional := range []struct{ field, text string }{{"application", r.Application}, {"recommended actions", r.RecommendedActions}} {
		if optional.text == "" {
			continue
		}
		if err := checkText(optional.field, optional.text); err != nil {
			return err
		}
	}
	if !r.ExpirationTime.IsZero() && !r.ExpirationTime.After(time.Now()) {
		return invalid("expiration time", r.ExpirationTime.Format(time.RFC3339), "it has passed: give a later one, or none for an indicator that stays")
	}
	for _, group := range r.RbacGroupNames {
		if err := checkLine("device group", group); err != nil {
			return err
		}
	}
	return nil
}

// checkAction refuses actions and severities that do not exist, or not together with the rest.
func (r IndicatorRequest) checkAction() error {
	switch {
	case !slices.Contains(IndicatorActions(), r.Action):
		return invalid("action", string(r.Action), "it must be one of "+listed(IndicatorActions()))
	case r.Action == IndicatorAudit && !r.GenerateAlert:
		return invalid("action", string(r.Action), "an indicator with this action must generate alerts")
	case !slices.Contains([]AlertSeverity{"", SeverityInformational, SeverityLow, SeverityMedium, SeverityHigh}, r.Severity):
		return invalid("severity", string(r.Severity), "it must be Informational, Low, Medium or High")
	case r.EducateURL == "":
		return nil
	case r.IndicatorType != IndicatorURL || (r.Action != IndicatorBlock && r.Action != IndicatorWarn):
		return invalid("support URL", r.EducateURL, "only an indicator of type Url with the action Block or Warn has one")
	case !strings.HasPrefix(r.EducateURL, "https://"):
		return invalid("support URL", r.EducateURL, "it must begin with https://")
	}
	return checkIndicatorURL("support URL", r.EducateURL)
}

// checkValue refuses a value that is not of its type's form.
func (r IndicatorRequest) checkValue() error {
	const md5Digits = 32
	switch r.IndicatorType {
	case IndicatorFileSHA1:
		return checkDigits("file SHA-1", r.IndicatorValue, sha1Digits)
	case IndicatorFileSHA256:
		return checkDigits("file SHA-256", r.IndicatorValue, sha256Digits)
	case IndicatorFileMD5:
		return checkDigits("file MD5", r.IndicatorValue, md5Digits)
	case IndicatorCertificateThumbprint:
		return checkDigits("certificate thumbprint", r.IndicatorValue, sha1Digits)
	case IndicatorIPAddress:
		return checkIndicatorIP(r.IndicatorValue)
	case IndicatorDomainName:
		return checkIndicatorDomain("domain", r.IndicatorValue)
	case IndicatorURL:
		return checkIndicatorURL("URL", r.IndicatorValue)
	}
	return invalid("indicator type", string(r.IndicatorType), "it must be one of "+listed(IndicatorTypes()))
}

// checkIndicatorIP refuses ranges, and addresses that mean every machine or none: to block 127.0.0.1 would be a mistake.
func checkIndicatorIP(value string) error {
	ip, err := netip.ParseAddr(value)
	switch {
	case strings.Contains(value, "/"):
		return invalid("IP address", value, "the service takes single addresses, no ranges")
	case err != nil:
		return invalid("IP address", value, "it must be an IPv4 or IPv6 address")
	case ip.Is4In6() || ip.Zone() != "":
		return invalid("IP address", value, "it must be a plain IPv4 or IPv6 address: no zone, and no IPv4 address inside of an IPv6 one")
	case !ip.IsGlobalUnicast() || ip.IsPrivate():
		return invalid("IP address", value, "it is not an address of the internet: machines of many networks have it")
	}
	return nil
}

// checkIndicatorDomain refuses what is no host name, and a name of one part: to block "com" would block the internet.
func checkIndicatorDomain(field, value string) error {
	if err := checkDomain(value); err != nil {
		return err
	}
	if !strings.Contains(value, ".") {
		return invalid(field, value, "it must have at least two parts, like example.com")
	}
	return nil
}

// checkIndicatorURL refuses what is no address of the web, with or without its scheme.
func checkIndicatorURL(field, value string) error {
	shown := azpipe.Redact(value) // a signed link must not be repeated
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) || len(value) > maxComment {
		return invalid(field, shown, "it must have no spaces or control characters, and at most 4000 characters")
	}
	full := value
	if !strings.Contains(value, "://") {
		full = "http://" + value
	}
	u, err := url.Parse(full)
	switch {
	case err != nil || u.Hostname() == "":
		return invalid(field, shown, "it must be an address of the web like https://example.com/path")
	case u.Scheme != "http" && u.Scheme != "https":
		return invalid(field, shown, "it must begin with http:// or https://")
	case u.User != nil:
		return invalid(field, u.Redacted(), "it must not name an account")
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return checkIndicatorIP(u.Hostname())
	}
	return checkIndicatorDomain(field, u.Hostname())
}
