package tools

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools/kql"
)

// entityTools lists the toolset entities.
func entityTools() []declaration { return []declaration{lookUp()} }

type lookUpIn struct {
	Value string `json:"value" jsonschema:"SHA-1 or SHA-256, IP, domain or URL, or account" range:"1,2000"`
	Kind  string `json:"kind,omitempty" jsonschema:"Says what value is when it could be several" enum:"file,ip,domain,user"`
	Days  int    `json:"days,omitempty" jsonschema:"Days that prevalence looks back" range:"1,30" default:"30"`
}

func lookUp() declaration {
	return spec[lookUpIn, lookUpOut]{
		name: "look_up", title: "Look up a file, address or account", toolset: Entities, surface: Default, risk: approvals.RiskRead,
		summary:    "What Defender knows of one file hash, IP, domain or account: profile, prevalence, latest alerts and devices.",
		positional: []string{"value"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		read:  readEntity,
	}
}

// entity is a value that is understood: what it is, and its plain form.
type entity struct {
	kind string
	// value is a hash in small letters, an address, a host name or an account's name without its domain.
	value  string
	ip     netip.Addr
	domain string // of an account, where it was given
	note   string // what was left out of what the caller gave
}

func readEntity(ctx context.Context, s *session, in lookUpIn) (lookUpOut, string, error) {
	e, err := entityOf(in.Value, in.Kind)
	if err != nil {
		return lookUpOut{}, "", approvals.Refuse(approvals.KindInvalid, err, "value: %s", err.Error())
	}
	look := &look{session: s, entity: e, hours: in.Days * 24, out: lookUpOut{
		Kind: e.kind, Value: clean(e.value, 300), Alerts: []entityAlert{}, Devices: []entityDevice{}, Failed: []string{}, Notes: []string{},
	}}
	look.out.note(e.note)
	if err := look.all(ctx); err != nil {
		return lookUpOut{}, "", err
	}
	if e.kind == "file" && !look.out.Known && len(e.value) == 40 {
		look.out.note("A device id looks like a SHA-1; get_device reads a device.")
	}
	return look.out, look.out.text(in.Days), nil
}

// entityOf understands a value. What could be two things is refused unless kind says which one, because the answer about the
// wrong one would read as "nothing known".
func entityOf(text, kind string) (entity, error) {
	text = refang(strings.TrimSpace(text))
	if _, err := netip.ParsePrefix(text); err == nil {
		return entity{}, fmt.Errorf("%s is a network; look up one address of it", quoted(text, 80))
	}
	switch {
	case kind == "file":
		return fileEntity(text)
	case kind == "ip":
		return ipEntity(text)
	case kind == "domain":
		return domainEntity(text)
	case kind == "user":
		return userEntity(text)
	case hashText().MatchString(text):
		return fileEntity(text)
	case longHexText().MatchString(text):
		return entity{}, fmt.Errorf("%s has %d hexadecimal digits; a SHA-1 has 40 and a SHA-256 64", quoted(text, 80), len(text))
	case strings.Contains(text, "://"):
		return domainEntity(text)
	case strings.ContainsAny(text, `\@`):
		return userEntity(text)
	}
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return ipEntity(text)
	}
	return namedEntity(text)
}

// refang takes an address as reports write it, so that nobody clicks it, for what it means: hxxp://evil[.]example.
func refang(text string) string {
	text = strings.NewReplacer("[.]", ".", "(.)", ".", "[:]", ":", "[://]", "://").Replace(text)
	if len(text) > 4 && strings.EqualFold(text[:4], "hxxp") {
		text = "http" + text[4:]
	}
	return text
}

// namedEntity tells domains from accounts: both can have dots. A name without a dot is an account, one with a usual top level
// a domain.
func namedEntity(text string) (entity, error) {
	labels := strings.Split(strings.TrimSuffix(text, "."), ".")
	top := strings.ToLower(labels[len(labels)-1])
	switch {
	case strings.Contains(text, "/"):
		return domainEntity(text)
	case numbersText().MatchString(text):
		return entity{}, fmt.Errorf("%s is not an IP address; for an account of that name give kind user", quoted(text, 80))
	case len(labels) == 1:
		return userEntity(text)
	case len(labels) == 2 && !usualTop(top):
		return entity{}, fmt.Errorf("%s can be a domain or an account; give kind domain or user", quoted(text, 80))
	}
	return domainEntity(text)
}

// usualTop reports whether a name can hardly be an account's: every country has two letters, and these are the other top
// levels that are met every day.
func usualTop(top string) bool {
	return len(top) == 2 || strings.HasPrefix(top, "xn--") || slices.Contains([]string{
		"com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "arpa", "local", "onion", "example", "test",
		"app", "cloud", "club", "dev", "icu", "live", "online", "page", "pro", "shop", "site", "space", "store", "tech", "top", "website", "work", "xyz",
	}, top)
}

func fileEntity(text string) (entity, error) {
	switch {
	case !hashText().MatchString(text):
		return entity{}, fmt.Errorf("%s is not a hash: a SHA-1 has 40 hexadecimal digits and a SHA-256 64", quoted(text, 80))
	case len(text) == 32:
		return entity{}, fmt.Errorf("%s is an MD5, which Defender does not look files up by; give the SHA-1 or SHA-256, or find them with run_query file_origin", quoted(text, 80))
	}
	return entity{kind: "file", value: strings.ToLower(text)}, nil
}

func ipEntity(text string) (entity, error) {
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil || ip.Zone() != "" {
		return entity{}, fmt.Errorf("%s is not an IPv4 or IPv6 address", quoted(text, 80))
	}
	ip = ip.Unmap()
	return entity{kind: "ip", value: ip.String(), ip: ip}, nil
}

// domainEntity takes a host name, or a URL of which the host is looked up.
func domainEntity(text string) (entity, error) {
	host, note := text, ""
	if strings.ContainsAny(text, "/:?#") {
		raw := text
		if !strings.Contains(raw, "://") {
			raw = "//" + raw
		}
		u, err := url.Parse(raw)
		if err != nil || u.Hostname() == "" {
			return entity{}, fmt.Errorf("%s is not a URL", quoted(text, 80))
		}
		host, note = u.Hostname(), "Defender knows hosts, not URLs: only the host was looked up."
	}
	if _, err := netip.ParseAddr(host); err == nil {
		e, err := ipEntity(host)
		e.note = note
		return e, err
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := kql.Literal(kql.Domain, host); err != nil || !strings.Contains(host, ".") {
		return entity{}, fmt.Errorf("%s is not a domain in ASCII; write another alphabet as xn--", quoted(host, 80))
	}
	return entity{kind: "domain", value: host, note: note}, nil
}

// userEntity takes name, DOMAIN\name and name@domain; Defender's calls know the name alone.
func userEntity(text string) (entity, error) {
	if _, err := kql.Literal(kql.Account, text); err != nil {
		return entity{}, fmt.Errorf(`%s is not an account: name, DOMAIN\name or name@domain`, quoted(text, 80))
	}
	e := entity{kind: "user", value: text}
	if domain, name, ok := strings.Cut(text, `\`); ok {
		e.domain, e.value = domain, name
	} else if name, _, ok := strings.Cut(text, "@"); ok {
		e.value = name
	}
	if e.value != text {
		e.note = "Defender finds accounts by name alone, so accounts of that name in other domains are among these."
	}
	return e, nil
}
