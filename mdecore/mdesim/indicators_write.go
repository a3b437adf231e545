package mdesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxIndicatorBatch is how many indicators one import or deletion takes, as
// documented.
const maxIndicatorBatch = 500

func indicatorTypes() []string {
	return []string{"FileSha1", "FileSha256", "FileMd5", "CertificateThumbprint", "IpAddress", "DomainName", "Url"}
}

func indicatorActions() []string {
	return []string{"Warn", "Block", "Audit", "Alert", "AlertAndBlock", "BlockAndRemediate", "Allowed"}
}

func indicatorSeverities() []string { return []string{"Informational", "Low", "Medium", "High"} }

// indicatorOrder is an indicator as a caller sends it.
type indicatorOrder struct {
	values  map[string]string
	groups  []string
	alert   bool
	expires *time.Time
}

// indicatorTexts are the properties of a request that are strings.
func indicatorTexts() []string {
	return []string{
		"indicatorValue", "indicatorType", "action", "application", "title", "description", "expirationTime", "severity", "recommendedActions", "educateUrl",
	}
}

// readIndicator reads the properties of an indicator. A null is a property that
// was left out.
func readIndicator(raw map[string]json.RawMessage) (indicatorOrder, *fault400) {
	o := indicatorOrder{values: map[string]string{}}
	for _, name := range indicatorTexts() {
		var s string
		if bad := property400(raw, name, &s, "a string"); bad != nil {
			return o, bad
		}
		o.values[name] = s
	}
	if bad := property400(raw, "rbacGroupNames", &o.groups, "a list of strings"); bad != nil {
		return o, bad
	}
	return o, property400(raw, "generateAlert", &o.alert, "true or false")
}

// check finds what is wrong with the values of an indicator.
func (o *indicatorOrder) check(now time.Time) *fault400 {
	if bad := required(o.values, "indicatorValue", "indicatorType", "action", "title", "description"); bad != nil {
		return bad
	}
	o.values["severity"] = orDefault(o.values["severity"], "Informational")
	for _, known := range []struct {
		name   string
		values []string
	}{{"indicatorType", indicatorTypes()}, {"action", indicatorActions()}, {"severity", indicatorSeverities()}} {
		if v := o.values[known.name]; !slices.Contains(known.values, v) {
			return &fault400{"InvalidInput", "'" + v + "' is not a value of " + known.name + ": use one of " + strings.Join(known.values, ", ")}
		}
	}
	if o.values["action"] == "Audit" && !o.alert {
		return &fault400{"InvalidInput", "An indicator with the action Audit must have generateAlert set to true"}
	}
	if text := o.values["expirationTime"]; text != "" {
		at, err := parseTime(text)
		if err != nil || !at.After(now) {
			return &fault400{"InvalidInput", "The expirationTime '" + text + "' is not a time in the future"}
		}
		o.expires = &at
	}
	return indicatorValue400(o.values["indicatorType"], o.values["indicatorValue"])
}

// indicatorValue400 refuses a value that is not of its type's form.
func indicatorValue400(kind, value string) *fault400 {
	switch kind {
	case "IpAddress":
		if ip, err := netip.ParseAddr(value); err != nil || ip.Zone() != "" {
			return &fault400{"InvalidIpAddress", "'" + value + "' is not a valid IP address; ranges in CIDR notation are not supported"}
		}
	case "DomainName":
		if !hostName(value) {
			return &fault400{"InvalidDomainName", "'" + value + "' is not a valid domain name"}
		}
	case "Url":
		u, err := url.Parse(value)
		if err == nil && u.Scheme == "" {
			u, err = url.Parse("http://" + value)
		}
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
			return &fault400{"InvalidUrl", "'" + value + "' is not a valid URL"}
		}
	default:
		digits := map[string]int{"FileSha1": 40, "FileSha256": 64, "FileMd5": 32, "CertificateThumbprint": 40}[kind]
		if !isHash(value, digits) {
			return &fault400{"InvalidHashValue", fmt.Sprintf("'%s' is not a valid %s: %d hexadecimal digits are needed", value, kind, digits)}
		}
	}
	return nil
}

// hostName reports whether a text is a DNS name of at least two labels.
func hostName(s string) bool {
	labels := strings.Split(s, ".")
	return len(labels) > 1 && len(s) <= 253 && !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || strings.ContainsFunc(l, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
	})
}

// applyIndicator makes an indicator, or changes the one of the same type and
// value, whose application stays as it was, as documented; the caller holds t.mu.
// One that the caller cannot see is not changed either.
func (c *call) applyIndicator(o indicatorOrder) (*Indicator, *fault400) {
	t, v := c.t, o.values
	now := t.now()
	all := t.activeIndicators()
	kind, id := "AadApp", c.caller.name
	if c.caller.delegated {
		kind = "User"
	} else if at := slices.IndexFunc(t.apps, func(a App) bool { return a.label() == c.caller.name }); at >= 0 {
		id = t.apps[at].ID
	}
	i := Indicator{
		IndicatorValue: v["indicatorValue"], IndicatorType: v["indicatorType"], Action: v["action"], Application: Nullable(v["application"]),
		Source: c.caller.name, SourceType: kind, CreatedBy: id, CreationTime: now, Title: v["title"], Description: v["description"],
		Severity: v["severity"], RecommendedActions: Nullable(v["recommendedActions"]), EducateURL: Nullable(v["educateUrl"]),
		ExpirationTime: o.expires, LastUpdateTime: now, LastUpdatedBy: Nullable(c.caller.name), GenerateAlert: o.alert, RBACGroupNames: o.groups,
		RBACGroupIDs: t.groupIDs(o.groups),
	}
	key := indicatorKey(i.IndicatorType, i.IndicatorValue)
	old, ok := t.indicators.byKey[key]
	switch {
	case !ok && len(all) >= maxIndicators:
		return nil, &fault400{"DisallowedOperation", fmt.Sprintf("The tenant has the maximum of %d indicators", maxIndicators)}
	case !ok:
		t.keepIndicator(&i)
		return &i, nil
	case !c.visible(old):
		return nil, &fault400{"DisallowedOperation", "Another application has an indicator with the value '" + i.IndicatorValue + "'"}
	}
	i.ID, i.Application, i.CreationTime = old.ID, old.Application, old.CreationTime
	i.Source, i.SourceType, i.CreatedBy, i.CreatedBySource = old.Source, old.SourceType, old.CreatedBy, old.CreatedBySource
	i.RBACGroupNames = append([]string{}, o.groups...)
	t.indicators.ending = t.indicators.ending || i.ExpirationTime != nil
	t.indicators.list = slices.Clone(all)
	t.indicators.list[slices.Index(all, old)], t.indicators.byKey[key] = &i, &i
	return &i, nil
}

// groupIDs are the ids of those device groups that have devices; the caller holds t.mu.
func (t *Tenant) groupIDs(names []string) []string {
	ids := []string{}
	for _, name := range names {
		i := slices.IndexFunc(t.devices.list, func(d *device) bool { return d.RBACGroupName == name })
		if i >= 0 {
			ids = append(ids, strconv.FormatInt(t.devices.list[i].RBACGroupID, 10))
		}
	}
	return ids
}

// noteIndicator keeps the effect of a change; the caller holds t.mu.
func (c *call) noteIndicator(kind string, i *Indicator) *Effect {
	e := c.t.note(c, Effect{Type: kind, ActionID: i.ID, Scope: i.IndicatorValue, Comment: i.Action})
	return &e
}

// submitIndicator makes or changes an indicator (documentation: post-ti-indicator.md).
func submitIndicator(c *call) response {
	raw, bad := c.object(append(indicatorTexts(), "rbacGroupNames", "generateAlert")...)
	if bad != nil {
		return c.bad(bad)
	}
	o, bad := readIndicator(raw)
	if bad == nil {
		bad = o.check(c.t.now())
	}
	if bad != nil {
		return c.bad(bad)
	}
	c.t.mu.Lock()
	i, bad := c.applyIndicator(o)
	var effect *Effect
	if bad == nil {
		effect = c.noteIndicator(TypeSubmitIndicator, i)
	}
	c.t.mu.Unlock()
	switch {
	case bad != nil && bad.code == "DisallowedOperation":
		return c.t.problem(http.StatusForbidden, bad.code, bad.message)
	case bad != nil:
		return c.bad(bad)
	}
	resp := c.t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		*Indicator
	}{c.metadata("Indicators/$entity"), i})
	resp.effect = effect
	return resp
}
