package tools

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// indicatorTools lists the toolset indicators.
func indicatorTools() []declaration {
	return []declaration{listIndicators(), addIndicators(), allowIndicators(), removeIndicators()}
}

// indicatorView is an indicator as callers see it.
type indicatorView struct {
	ID        string    `json:"id" jsonschema:"indicator id"`
	Type      string    `json:"type" schema:"omit" jsonschema:"indicatorType"`
	Value     string    `json:"value" jsonschema:"untrusted text: hash, address, domain or URL"`
	Action    string    `json:"action" schema:"omit" jsonschema:"what devices do"`
	Severity  string    `json:"severity,omitempty" schema:"omit" jsonschema:"severity of its alerts"`
	Title     string    `json:"title" schema:"omit" jsonschema:"untrusted text: title"`
	Text      string    `json:"description,omitempty" schema:"omit" jsonschema:"untrusted text: description"`
	Alert     bool      `json:"generate_alert" schema:"omit" jsonschema:"whether a match raises an alert"`
	Groups    []string  `json:"device_groups,omitempty" schema:"omit" jsonschema:"device groups it is for; none means all devices"`
	By        string    `json:"created_by,omitempty" schema:"omit" jsonschema:"untrusted text: who made it"`
	CreatedAt time.Time `json:"created_at,omitzero" schema:"omit" jsonschema:"when it was made"`
	ExpiresAt time.Time `json:"expires_at,omitzero" schema:"omit" jsonschema:"when it ends; absent for never"`
}

func viewOfIndicator(i *mdecore.Indicator) indicatorView {
	return indicatorView{
		ID: clean(string(i.ID), 40), Type: clean(string(i.IndicatorType), 40), Value: clean(i.IndicatorValue, 300),
		Action: clean(string(i.Action), 40), Severity: clean(string(i.Severity), 40), Title: clean(i.Title, 120), Text: clean(i.Description, 300),
		Alert: i.GenerateAlert, Groups: cleanAll(i.RbacGroupNames), By: clean(i.Creator(), 120),
		CreatedAt: i.CreationTimeDateTimeUTC.Time, ExpiresAt: i.ExpirationTime.Time,
	}
}

func (v indicatorView) line() string {
	until := "for ever"
	if !v.ExpiresAt.IsZero() {
		until = "until " + clockTime(v.ExpiresAt)
	}
	return fmt.Sprintf("%s %s %s (id %s), %s, by %s: %s", v.Action, v.Type, quoted(v.Value, 100), v.ID, until, quoted(v.By, 60), quoted(v.Title, 60))
}

type listIndicatorsIn struct {
	Type   string `json:"type,omitempty" jsonschema:"Type" enum:"FileSha1,FileSha256,FileMd5,CertificateThumbprint,IpAddress,DomainName,Url"`
	Value  string `json:"value,omitempty" jsonschema:"Exact value"`
	Action string `json:"action,omitempty" jsonschema:"Action" enum:"Allowed,Audit,Warn,Block,BlockAndRemediate"`
	listing
}

type listIndicatorsOut struct {
	Indicators []indicatorView `json:"indicators" jsonschema:"indicators in force"`
	Sight      string          `json:"sight,omitempty" jsonschema:"why there may be more than this sees"`
	paged
}

func listIndicators() declaration {
	return spec[listIndicatorsIn, listIndicatorsOut]{
		name: "list_indicators", title: "List indicators", toolset: Indicators, surface: Default, risk: approvals.RiskRead,
		summary:    "List the custom indicators, which block, watch or allow files, IPs, domains and URLs.",
		positional: []string{"value"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "indicators", read: readIndicators,
	}
}

func readIndicators(ctx context.Context, s *session, in listIndicatorsIn) (listIndicatorsOut, string, error) {
	page, err := s.upstream(in.listing)
	if err != nil {
		return listIndicatorsOut{}, "", err
	}
	var f filter
	f.eq("indicatorType", in.Type)
	f.eq("action", in.Action)
	f.eq("indicatorValue", refang(in.Value))
	out := listIndicatorsOut{Sight: s.indicatorSight(ctx)}
	out.Indicators, out.paged, err = rows(s, in.listing, s.reader.ListIndicators(ctx, mdecore.Query{Filter: mdecore.Filter(f.String()), Page: page}), viewOfIndicator)
	text := "No indicator matches."
	if out.Count > 0 {
		text = counted(out.Count, "indicator", out.Cursor != "") + ":" + shortList(out.Indicators, indicatorView.line)
	}
	return out, joined(text, out.Sight), err
}

// indicatorSight says why this application does not see every indicator; empty when it does. One that has no more than
// Ti.ReadWrite sees its own only (get-ti-indicators-collection.md).
func (s *session) indicatorSight(ctx context.Context) string {
	const blind = "indicators of others may not be seen: "
	if s.tokenInfo == nil {
		return blind + "this face can't look at the roles in its token"
	}
	info, err := s.tokenInfo(ctx)
	switch {
	case err != nil:
		return blind + clean(err.Error(), 200)
	case slices.Contains(info.Roles, "Ti.ReadWrite.All"), slices.Contains(info.Scopes, "Ti.ReadWrite"):
		return ""
	}
	return blind + "the reading application has no role Ti.ReadWrite.All"
}

// indicatorsNow reads every indicator in force, by its key. A tenant has at most 15,000.
func (s *session) indicatorsNow(ctx context.Context) (map[string]*mdecore.Indicator, error) {
	all := map[string]*mdecore.Indicator{}
	for i, err := range s.reader.ListIndicators(ctx, mdecore.Query{}) {
		if mdecore.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		all[indicatorKey(i.IndicatorType, i.IndicatorValue)] = i
	}
	return all, nil
}
