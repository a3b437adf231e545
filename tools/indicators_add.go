package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// indicatorsIn is what the tools that set indicators have in common.
type indicatorsIn struct {
	Values  []string `json:"values,omitempty" jsonschema:"Hashes, IPs, domains, URLs" range:"1,2000"`
	CSV     string   `json:"csv,omitempty" jsonschema:"Or a table: value,type,action,title,severity,expires,rbac_groups" form:"csv" range:"1,524288"`
	Type    string   `json:"type,omitempty" jsonschema:"Only for CertificateThumbprint" form:"word"`
	Title   string   `json:"title,omitempty" jsonschema:"Title"`
	Expires string   `json:"expires,omitempty" jsonschema:"30d, or a time" form:"word"`
}

// whole is in with every value in Values, whichever way it was given. That is what policy and its never_block see.
func (in indicatorsIn) whole() indicatorsIn {
	rows, err := in.rows()
	if err != nil {
		return in // planning refuses it
	}
	var values []string
	for _, r := range rows {
		_, value, err := parseIndicator(r.Value, r.Type)
		if err != nil {
			return in // planning refuses it
		}
		values = append(values, value)
	}
	in.Values, in.CSV = values, ""
	return in
}

// rows are the values of both arguments.
func (in indicatorsIn) rows() ([]indicatorRow, error) {
	var rows []indicatorRow
	for i, v := range in.Values {
		rows = append(rows, indicatorRow{at: fmt.Sprintf("value %d", i+1), Value: v})
	}
	if in.CSV != "" {
		table, err := readIndicatorCSV(in.CSV)
		if err != nil {
			return nil, err
		}
		rows = append(rows, table...)
	}
	switch {
	case len(rows) == 0:
		return nil, fmt.Errorf("no indicator is named: give values or csv")
	case len(rows) > maxIndicators:
		return nil, fmt.Errorf("%d indicators are more than the %d that one call takes; split it", len(rows), maxIndicators)
	}
	return rows, nil
}

type addIndicatorsIn struct {
	Action string `json:"action,omitempty" jsonschema:"What devices do" enum:"Block,BlockAndRemediate,Warn,Audit"`
	indicatorsIn
	asking
}

// MarshalJSON implements json.Marshaler, for the plan: see indicatorsIn.whole.
func (in addIndicatorsIn) MarshalJSON() ([]byte, error) {
	type plain addIndicatorsIn
	in.indicatorsIn = in.whole()
	return json.Marshal(plain(in))
}

func addIndicators() declaration {
	return spec[addIndicatorsIn, requestView]{
		name: "add_indicators", title: "Block by indicators", toolset: Indicators, surface: Default, risk: approvals.RiskContain,
		summary:    "Ask to block, warn of or watch files, IPs, domains or URLs. Others approve first.",
		positional: []string{"values"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan: func(ctx context.Context, s *session, in addIndicatorsIn) (approvals.Plan, error) {
			return s.planIndicators(ctx, in.indicatorsIn, in.Action, in.Reason)
		},
		performs: importing(),
	}
}

type allowIndicatorsIn struct {
	indicatorsIn
	asking
}

// MarshalJSON implements json.Marshaler, for the plan: see indicatorsIn.whole.
func (in allowIndicatorsIn) MarshalJSON() ([]byte, error) {
	type plain allowIndicatorsIn
	in.indicatorsIn = in.whole()
	return json.Marshal(plain(in))
}

func allowIndicators() declaration {
	return spec[allowIndicatorsIn, requestView]{
		name: allowTool, title: "Allow by indicators", toolset: Indicators, surface: InToolset, risk: approvals.RiskExpose,
		summary:    "Ask to have devices allow files, addresses, domains or URLs whatever Defender thinks of them.",
		positional: []string{"values"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan: func(ctx context.Context, s *session, in allowIndicatorsIn) (approvals.Plan, error) {
			return s.planIndicators(ctx, in.indicatorsIn, string(mdecore.IndicatorAllowed), in.Reason)
		},
		performs: importing(),
	}
}

// allowTool is the one tool whose indicators allow.
const allowTool = "allow_indicators"

// drafting makes the requests of a call's rows and collects what is wrong with them.
type drafting struct {
	in             indicatorsIn
	action, reason string
	allow          bool
	now            time.Time
	out            []mdecore.IndicatorRequest
	at             map[string]int // place in out by key
	where          []string       // of out
	repeated       int
	faults         []string
}

func (d *drafting) fault(at, format string, args ...any) {
	d.faults = append(d.faults, at+": "+fmt.Sprintf(format, args...))
}

// add checks one row. The same indicator twice counts once; two that differ are a mistake.
func (d *drafting) add(row indicatorRow) {
	kind, value, err := parseIndicator(row.Value, row.Type)
	if err != nil {
		d.fault(row.at, "%s", err.Error())
		return
	}
	r := mdecore.IndicatorRequest{
		IndicatorValue: value, IndicatorType: kind, Action: d.actionOf(row, kind), Severity: d.severityOf(row),
		Title: cmp.Or(row.Title, d.in.Title), Description: cmp.Or(row.Description, d.in.Title, d.reason, "no reason given"),
		RecommendedActions: row.Recommended, Application: row.Application, ExpirationTime: d.expiryOf(row),
	}
	if r.Title == "" {
		r.Title = fmt.Sprintf("Indicator: %s", r.Action)
	}
	if row.Groups != "" {
		for g := range strings.SplitSeq(row.Groups, ";") {
			r.RbacGroupNames = append(r.RbacGroupNames, strings.TrimSpace(g))
		}
	}
	if slices.Contains(r.RbacGroupNames, "") {
		d.fault(row.at, "a device group is empty")
	}
	r.GenerateAlert = d.alertOf(row, r.Action)
	key := indicatorKey(kind, value)
	before, again := d.at[key]
	switch {
	case !again:
		d.at[key] = len(d.out)
		d.out, d.where = append(d.out, r), append(d.where, row.at)
	case string(remarshal(d.out[before])) != string(remarshal(r)):
		d.fault(row.at, "%s stands at %s as well, with another action or text; keep one", quoted(value, 80), d.where[before])
	default:
		d.repeated++
	}
}

// actionOf is the row's action or the call's, which must be one that the tool sets and that the type can have.
func (d *drafting) actionOf(row indicatorRow, kind mdecore.IndicatorType) mdecore.IndicatorAction {
	text := cmp.Or(row.Action, d.action)
	if strings.EqualFold(text, "Allow") {
		text = string(mdecore.IndicatorAllowed)
	}
	action, known := foldedIn(mdecore.IndicatorActions(), text)
	file := kind == mdecore.IndicatorFileSHA1 || kind == mdecore.IndicatorFileSHA256 || kind == mdecore.IndicatorFileMD5
	switch {
	case text == "":
		d.fault(row.at, "no action is stated; give action")
	case !known:
		d.fault(row.at, "there is no action %s; there are Block, BlockAndRemediate, Warn and Audit", quoted(text, 40))
	case action == mdecore.IndicatorAlert, action == mdecore.IndicatorAlertAndBlock:
		d.fault(row.at, "action %s is of before 2022; use Audit or BlockAndRemediate", action)
	case d.allow != (action == mdecore.IndicatorAllowed):
		d.fault(row.at, "action %s is not one of this tool: allow_indicators allows, add_indicators does the others", action)
	case action == mdecore.IndicatorBlockAndRemediate && !file && kind != mdecore.IndicatorCertificateThumbprint:
		d.fault(row.at, "%s can't be remediated; use Block", kind)
	case action == mdecore.IndicatorWarn && kind == mdecore.IndicatorCertificateThumbprint:
		d.fault(row.at, "a certificate can't be warned of; use Block or Audit")
	}
	return action
}

func (d *drafting) severityOf(row indicatorRow) mdecore.AlertSeverity {
	text := cmp.Or(row.Severity, string(mdecore.SeverityMedium))
	known := []mdecore.AlertSeverity{mdecore.SeverityInformational, mdecore.SeverityLow, mdecore.SeverityMedium, mdecore.SeverityHigh}
	severity, ok := foldedIn(known, text)
	if !ok {
		d.fault(row.at, "there is no severity %s; there are %s", quoted(text, 40), joinWords(known))
	}
	return severity
}

// expiryOf is when the indicator ends: zero for never.
func (d *drafting) expiryOf(row indicatorRow) mdecore.Time {
	text := cmp.Or(row.Expires, d.in.Expires)
	if text == "" || strings.EqualFold(text, "never") {
		return mdecore.Time{}
	}
	at, err := parseAge(text, d.now) // an age lies as far back as the end lies ahead
	if err == nil && strings.Trim(text[:len(text)-1], "0123456789") == "" {
		at = d.now.Add(d.now.Sub(at))
	}
	switch {
	case err != nil:
		d.fault(row.at, "expiration %s is neither a time from now such as 30d nor one such as 2026-12-31T00:00:00Z", quoted(text, 40))
	case !at.After(d.now):
		d.fault(row.at, "expiration %s has passed", quoted(text, 40))
	}
	return mdecore.Time{Time: at.UTC().Truncate(time.Second)}
}

// alertOf says whether a match raises an alert: usually yes, except for what is allowed.
func (d *drafting) alertOf(row indicatorRow, action mdecore.IndicatorAction) bool {
	switch strings.ToLower(row.Alert) {
	case "":
		return !d.allow
	case "true", "yes", "1":
		return true
	case "false", "no", "0":
		if action == mdecore.IndicatorAudit {
			d.fault(row.at, "an indicator with action Audit must generate alerts")
		}
		return false
	}
	d.fault(row.at, "generate_alert %s is neither true nor false", quoted(row.Alert, 40))
	return false
}

// draft checks every row of a call and refuses all when one is wrong.
func (s *session) draft(in indicatorsIn, action, reason string) (*drafting, error) {
	rows, err := in.rows()
	if err != nil {
		return nil, approvals.Refuse(approvals.KindInvalid, err, "Nothing was sent: %s", err.Error())
	}
	d := &drafting{
		in: in, action: action, reason: reason, allow: action == string(mdecore.IndicatorAllowed), now: s.clock().UTC(), at: map[string]int{},
	}
	for _, row := range rows {
		d.add(row)
	}
	return d, nil
}

// refusal is everything that is wrong with the rows, each with its place; nil when nothing is.
func (d *drafting) refusal() error {
	if len(d.faults) == 0 {
		return nil
	}
	const most = 50
	shown, more := d.faults, ""
	if len(shown) > most {
		shown, more = shown[:most], fmt.Sprintf("\n- and %d more", len(d.faults)-most)
	}
	return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s to be mended:\n- %s%s",
		isAre(len(d.faults), "indicator"), strings.Join(shown, "\n- "), more)
}
