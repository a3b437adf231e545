package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	// singly is up to how many indicators each are a target and a step of their own, so that each has its own outcome. More go
	// in batches: one target and one step for each.
	singly = 25
	// indicatorBatch is how many indicators one call of Defender takes.
	indicatorBatch = 500
	// maxInTenant is how many indicators a tenant has room for.
	maxInTenant = 15000
)

// indicatorStep is what a frozen import holds. Descriptions are written with our tag before them.
type indicatorStep struct {
	Indicators []mdecore.IndicatorRequest `json:"indicators"`
}

func (s *session) planIndicators(ctx context.Context, in indicatorsIn, action, reason string) (approvals.Plan, error) {
	d, err := s.draft(in, action, reason)
	if err != nil {
		return approvals.Plan{}, err
	}
	warnings, err := s.holdDomains(ctx, d)
	if err != nil {
		return approvals.Plan{}, err
	}
	if err := d.refusal(); err != nil {
		return approvals.Plan{}, err
	}
	now, err := s.indicatorsNow(ctx)
	if err != nil {
		return approvals.Plan{}, err
	}
	fresh, changed, same := sift(d.out, now)
	todo := slices.Concat(fresh, requestsOf(changed))
	switch {
	case len(todo) == 0:
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s so already", isAre(same, "indicator"))
	case len(now)+len(fresh) > maxInTenant:
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: the tenant has %d indicators and room for %d; %d more do not fit",
			len(now), maxInTenant, len(fresh))
	}
	if same > 0 {
		warnings = append(warnings, isAre(same, "indicator")+" so already and left out")
	}
	if d.repeated > 0 {
		warnings = append(warnings, fmt.Sprintf("%d repeated rows count once", d.repeated))
	}
	if sight := s.indicatorSight(ctx); sight != "" {
		warnings = append(warnings, "what exists already is not known for sure: "+sight)
	}
	plan := approvals.Plan{Preview: previewOf(todo), Warnings: slices.Concat(warnings, changesOf(changed), lasting(todo))}
	err = freeze(&plan, todo)
	return plan, err
}

// replaced is an indicator that is to be another than it is.
type replaced struct {
	was *mdecore.Indicator
	now mdecore.IndicatorRequest
}

func requestsOf(all []replaced) []mdecore.IndicatorRequest {
	out := make([]mdecore.IndicatorRequest, len(all))
	for i, c := range all {
		out[i] = c.now
	}
	return out
}

// sift tells new indicators from those that change one, and from those that are in force just so.
func sift(wanted []mdecore.IndicatorRequest, now map[string]*mdecore.Indicator) (fresh []mdecore.IndicatorRequest, changed []replaced, same int) {
	for _, r := range wanted {
		was, there := now[indicatorKey(r.IndicatorType, r.IndicatorValue)]
		switch {
		case !there:
			fresh = append(fresh, r)
		case was.Action == r.Action && was.GenerateAlert == r.GenerateAlert && was.Severity == r.Severity &&
			was.ExpirationTime.Equal(r.ExpirationTime.Time) && slices.Equal(was.RbacGroupNames, mdecore.Strings(r.RbacGroupNames)):
			same++
		default:
			changed = append(changed, replaced{was, r})
		}
	}
	return fresh, changed, same
}

// changesOf tells which indicators that are in force are changed, the opposite ones first.
func changesOf(changed []replaced) []string {
	slices.SortStableFunc(changed, func(a, b replaced) int { return b.weight() - a.weight() })
	var out []string
	for i, c := range changed {
		if i == 10 {
			out = append(out, fmt.Sprintf("and %d more that are in force are changed", len(changed)-i))
			break
		}
		out = append(out, fmt.Sprintf("%s is in force (id %s, by %s) and changes: %s -> %s", quoted(c.was.IndicatorValue, 80), clean(string(c.was.ID), 40),
			quoted(c.was.Creator(), 60), inForceWords(c.was.Action, c.was.Severity, c.was.ExpirationTime, c.was.GenerateAlert), wordsOf(c.now)))
	}
	return out
}

// weight is more for a change that turns allowing into blocking, or the other way.
func (c replaced) weight() int {
	if c.was.Action.Blocks() != c.now.Action.Blocks() {
		return 1
	}
	return 0
}

// previewOf is the plan in a sentence: how many of which action and type, and the first of them.
func previewOf(all []mdecore.IndicatorRequest) string {
	kinds := tally{}
	var values []string
	for _, r := range all {
		kinds.add(fmt.Sprintf("%s %s", r.Action, r.IndicatorType))
		values = append(values, clean(r.IndicatorValue, 80))
	}
	where := "on all devices"
	if groups := groupsOf(all); groups != "" {
		where = "on device groups " + groups
	}
	return fmt.Sprintf("Set %s %s: %s: %s", counted(len(all), "indicator", false), where, kinds.words(), fewOf(values))
}

// groupsOf names the device groups when every indicator is for some.
func groupsOf(all []mdecore.IndicatorRequest) string {
	names := map[string]bool{}
	for _, r := range all {
		if len(r.RbacGroupNames) == 0 {
			return ""
		}
		for _, g := range r.RbacGroupNames {
			names[g] = true
		}
	}
	return quoted(strings.Join(slices.Sorted(maps.Keys(names)), ", "), 120)
}

// lasting warns of indicators that nothing ends.
func lasting(all []mdecore.IndicatorRequest) []string {
	n := 0
	for _, r := range all {
		if r.ExpirationTime.IsZero() {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{isAre(n, "indicator") + " without expiration and stay until somebody removes them"}
}

// freeze makes the steps and targets: one of each for every indicator, or for every batch when there are many.
func freeze(plan *approvals.Plan, all []mdecore.IndicatorRequest) error {
	if len(all) <= singly {
		for _, r := range all {
			t := approvals.Target{ID: indicatorKey(r.IndicatorType, r.IndicatorValue), Kind: "indicator", Name: r.IndicatorValue}
			if err := freezeStep(plan, t, []mdecore.IndicatorRequest{r}, fmt.Sprintf("%s %s %s", r.Action, r.IndicatorType, clean(r.IndicatorValue, 120))); err != nil {
				return err
			}
		}
		return nil
	}
	for batch := range slices.Chunk(all, indicatorBatch) {
		id := "batch " + strconv.Itoa(len(plan.Steps)+1)
		name := fmt.Sprintf("%d indicators from %s to %s", len(batch), clean(batch[0].IndicatorValue, 70), clean(batch[len(batch)-1].IndicatorValue, 70))
		if err := freezeStep(plan, approvals.Target{ID: id, Kind: "indicators", Name: name}, batch, "set "+name); err != nil {
			return err
		}
	}
	return nil
}

func freezeStep(plan *approvals.Plan, t approvals.Target, batch []mdecore.IndicatorRequest, summary string) error {
	args, err := json.Marshal(indicatorStep{batch})
	if err != nil {
		return err
	}
	plan.Targets = append(plan.Targets, t)
	plan.Steps = append(plan.Steps, approvals.Step{Action: "set", Target: t.ID, Args: args, Summary: summary})
	return nil
}

// wordsOf is what an indicator is to do, in a few words.
func wordsOf(r mdecore.IndicatorRequest) string {
	return inForceWords(r.Action, r.Severity, r.ExpirationTime, r.GenerateAlert)
}

func inForceWords(action mdecore.IndicatorAction, severity mdecore.AlertSeverity, until mdecore.Time, alert bool) string {
	text := fmt.Sprintf("%s, %s", clean(string(action), 40), clean(string(severity), 40))
	if !alert {
		text += ", no alert"
	}
	if until.IsZero() {
		return text + ", for ever"
	}
	return text + ", until " + clockTime(until.Time)
}
