package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// never lists what no call may block, because work stops without it.
type never struct {
	// Domains are in lower case without a dot at either end; each stands for the names below it too.
	Domains  []string       `json:"domains,omitempty"`
	Networks []netip.Prefix `json:"ips,omitempty"`
	// Hashes are in lower case.
	Hashes []string `json:"hashes,omitempty"`
}

// indicatorKeys are the arguments that hold indicators, written without case, hyphens and underscores. Other arguments,
// such as the names of devices, may look like indicators and are none.
func indicatorKeys() []string {
	return []string{
		"indicator", "indicators", "value", "values", "indicatorvalue", "indicatorvalues", "domain", "domains", "url", "urls",
		"ip", "ips", "ipaddress", "ipaddresses", "hash", "hashes", "filehash", "sha1", "sha256", "md5",
	}
}

// refuses says what of the call may never be blocked, and "" when nothing. Giving something back is no blocking.
func (n *never) refuses(c *approvals.Call) string {
	if n == nil || c.Risk == approvals.RiskRead || c.Risk == approvals.RiskExpose {
		return ""
	}
	for _, t := range c.Targets {
		if !strings.EqualFold(t.Kind, "indicator") {
			continue
		}
		for _, v := range []string{t.ID, t.Name, t.Value} {
			if why := n.holds(v); why != "" {
				return why
			}
		}
	}
	if len(bytes.TrimSpace(c.Args)) == 0 {
		return ""
	}
	var args any
	if err := json.Unmarshal(c.Args, &args); err != nil {
		return "whether the call blocks what never_block lists can't be seen, because its arguments are not JSON"
	}
	return n.search(args, false)
}

// search looks through arguments; named says that a key above v names an indicator.
func (n *never) search(v any, named bool) string {
	switch x := v.(type) {
	case string:
		if named {
			return n.holds(x)
		}
	case []any:
		for _, e := range x {
			if why := n.search(e, named); why != "" {
				return why
			}
		}
	case map[string]any:
		for _, key := range keys(x) {
			plain := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(key))
			if why := n.search(x[key], named || slices.Contains(indicatorKeys(), plain)); why != "" {
				return why
			}
		}
	}
	return ""
}

// holds says why an indicator may not be blocked, and "" when it may.
func (n *never) holds(value string) string {
	v := strings.ToLower(strings.TrimSpace(value))
	if v == "" {
		return ""
	}
	if slices.Contains(n.Hashes, v) {
		return fmt.Sprintf("%s is listed: it may never be blocked", clipped(v, 80))
	}
	if p, ok := network(v); ok {
		return n.holdsNetwork(v, p)
	}
	host := hostOf(v)
	if p, ok := network(host); ok {
		return n.holdsNetwork(v, p)
	}
	return n.holdsDomain(v, host)
}

func (n *never) holdsNetwork(v string, p netip.Prefix) string {
	for _, listed := range n.Networks {
		if listed.Overlaps(p) {
			return fmt.Sprintf("%s is or touches %s, which may never be blocked", clipped(v, 80), listed)
		}
	}
	return ""
}

// holdsDomain also refuses the domains above a listed one, because who blocks these blocks it.
func (n *never) holdsDomain(v, host string) string {
	if strings.ContainsFunc(host, func(r rune) bool { return r > 127 }) && len(n.Domains) > 0 {
		return fmt.Sprintf("%s is not in the ASCII form of names (xn--…), so whether it may be blocked can't be seen", clipped(v, 80))
	}
	for _, listed := range n.Domains {
		if host == listed || strings.HasSuffix(host, "."+listed) || host != "" && strings.HasSuffix(listed, "."+host) {
			return fmt.Sprintf("%s is, holds or belongs to %s, which may never be blocked", clipped(v, 80), listed)
		}
	}
	return ""
}

// network reads an address or a network, in the form in which both can be compared.
func network(v string) (netip.Prefix, bool) {
	v = strings.Trim(v, "[]")
	if a, err := netip.ParseAddr(v); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(v)
	if err != nil {
		return netip.Prefix{}, false
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// hostOf is the host of a URL, with or without a scheme, or of a name with or without a wildcard.
func hostOf(v string) string {
	text := v
	if !strings.Contains(text, "://") {
		text = "//" + text
	}
	host := v
	if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return strings.Trim(strings.TrimPrefix(host, "*."), ".")
}
