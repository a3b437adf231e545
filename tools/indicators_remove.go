package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type removeIndicatorsIn struct {
	Indicators []string `json:"indicators" jsonschema:"Ids or values" range:"1,2000"`
	asking
}

// removeStep is what a frozen removal holds.
type removeStep struct {
	IDs []string `json:"ids"`
}

func removeIndicators() declaration {
	return spec[removeIndicatorsIn, requestView]{
		name: "remove_indicators", title: "Remove indicators", toolset: Indicators, surface: InToolset, risk: approvals.RiskExpose,
		summary:    "Ask to remove indicators: what they block is free again, what they allow is judged again. Other people approve in Slack first.",
		positional: []string{"indicators"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planRemoveIndicators,
		performs: atOnce(applyRemoval, removalDone),
	}
}

func planRemoveIndicators(ctx context.Context, s *session, in removeIndicatorsIn) (approvals.Plan, error) {
	now, err := s.indicatorsNow(ctx)
	if err != nil {
		return approvals.Plan{}, err
	}
	going, missing := indicatorsNamed(in.Indicators, now)
	if len(missing) > 0 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindNotFound, nil, "Nothing was sent: %s", joined("no indicator in force has the id or value "+fewOf(missing)+
			"; list_indicators gives them.", s.indicatorSight(ctx)))
	}
	if len(going) > maxIndicators {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %d indicators are more than the %d that one call takes", len(going), maxIndicators)
	}
	kinds := tally{}
	var values []string
	var plan approvals.Plan
	for _, i := range going {
		kinds.add(fmt.Sprintf("%s %s", clean(string(i.Action), 40), clean(string(i.IndicatorType), 40)))
		values = append(values, clean(i.IndicatorValue, 80))
	}
	plan.Preview = fmt.Sprintf("Remove %s: %s: %s", counted(len(going), "indicator", false), kinds.words(), fewOf(values))
	plan.Warnings = goingWarnings(going)
	err = freezeRemoval(&plan, going)
	return plan, err
}

// indicatorsNamed finds the indicators of ids and values, each once. One value can have indicators of two types: both go.
func indicatorsNamed(texts []string, now map[string]*mdecore.Indicator) (going []*mdecore.Indicator, missing []string) {
	byID := make(map[string]*mdecore.Indicator, len(now))
	for _, i := range now {
		byID[string(i.ID)] = i
	}
	taken := map[mdecore.ID]bool{}
	for _, text := range texts {
		found := []*mdecore.Indicator{byID[text]}
		if found[0] == nil {
			found = found[:0]
			value := refang(text)
			for _, kind := range mdecore.IndicatorTypes() {
				if i := now[indicatorKey(kind, value)]; i != nil {
					found = append(found, i)
				}
			}
		}
		if len(found) == 0 {
			missing = append(missing, quoted(text, 80))
		}
		for _, i := range found {
			if !taken[i.ID] {
				taken[i.ID] = true
				going = append(going, i)
			}
		}
	}
	return going, missing
}

// goingWarnings says of the first indicators what goes with them.
func goingWarnings(going []*mdecore.Indicator) []string {
	var out []string
	for i, ind := range going {
		if i == 20 {
			out = append(out, fmt.Sprintf("and %d more", len(going)-i))
			break
		}
		what := "is blocked no longer"
		if !ind.Action.Blocks() {
			what = "is watched no longer"
		}
		if ind.Action == mdecore.IndicatorAllowed {
			what = "is allowed no longer, and may be blocked"
		}
		out = append(out, fmt.Sprintf("%s %s; it was %s, id %s, by %s: %s", quoted(ind.IndicatorValue, 80), what,
			inForceWords(ind.Action, ind.Severity, ind.ExpirationTime, ind.GenerateAlert), clean(string(ind.ID), 40), quoted(ind.Creator(), 60), quoted(ind.Title, 60)))
	}
	return out
}

// freezeRemoval makes the steps and targets, as freeze does.
func freezeRemoval(plan *approvals.Plan, going []*mdecore.Indicator) error {
	size := indicatorBatch
	if len(going) <= singly {
		size = 1
	}
	for batch := range slices.Chunk(going, size) {
		t := approvals.Target{ID: string(batch[0].ID), Kind: "indicator", Name: batch[0].IndicatorValue}
		summary := fmt.Sprintf("remove indicator %s (id %s)", clean(t.Name, 100), t.ID)
		if size > 1 {
			t = approvals.Target{
				ID: "batch " + strconv.Itoa(len(plan.Steps)+1), Kind: "indicators",
				Name: fmt.Sprintf("%d indicators from %s to %s", len(batch), clean(t.Name, 70), clean(batch[len(batch)-1].IndicatorValue, 70)),
			}
			summary = "remove " + t.Name
		}
		var step removeStep
		for _, i := range batch {
			step.IDs = append(step.IDs, string(i.ID))
		}
		args, err := canonical(step)
		if err != nil {
			return err
		}
		plan.Targets = append(plan.Targets, t)
		plan.Steps = append(plan.Steps, approvals.Step{Action: "remove", Target: t.ID, Args: args, Summary: summary})
	}
	return nil
}

func applyRemoval(ctx context.Context, with hands, t worker.Task) error {
	var step removeStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return damaged(t, err)
	}
	if len(step.IDs) == 0 || len(step.IDs) > indicatorBatch {
		return damaged(t, fmt.Errorf("it holds %d ids", len(step.IDs)))
	}
	_, err := with.writer.BatchDeleteIndicators(ctx, step.IDs)
	return err
}

// removalDone never finds anything: a removal leaves no mark, and that an indicator is gone does not tell whose doing that is,
// or whether this reader sees it. A removal whose answer was lost ends as unknown, for a person to look at.
func removalDone(context.Context, hands, worker.Task, time.Time) (bool, error) { return false, nil }
