package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// partly marks, in a receipt, an import whose answer was lost and of which only a part was found.
const partly = ":partly"

// importing performs a step by one call of the import. An import that was taken in part is a failed step whose message says
// what is in force and what is not.
func importing() performs {
	p := atOnce(applyIndicators, nil)
	p.find = findIndicators
	p.follow = followIndicators
	return p
}

func applyIndicators(ctx context.Context, with hands, t worker.Task) error {
	var step indicatorStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return damaged(t, err)
	}
	if len(step.Indicators) == 0 || len(step.Indicators) > indicatorBatch {
		return damaged(t, fmt.Errorf("it holds %d indicators", len(step.Indicators)))
	}
	if err := step.asAsked(t.Plan); err != nil {
		return &worker.Refused{Text: err.Error(), Err: err}
	}
	for i := range step.Indicators {
		step.Indicators[i].Description = remark(t, step.Indicators[i].Description)
	}
	results, err := with.writer.ImportIndicators(ctx, step.Indicators)
	var some *mdecore.BulkError
	if errors.As(err, &some) && some.Refused > 0 && some.Unknown == 0 && some.NotSent == 0 {
		return &worker.Refused{Text: importText(results), Err: err}
	}
	return err
}

// asAsked refuses what policy was not asked about: the arguments name every value that the steps set, and only one tool allows.
func (u indicatorStep) asAsked(p approvals.Plan) error {
	var args struct {
		Values []string `json:"values"`
	}
	if err := json.Unmarshal(p.Args, &args); err != nil {
		return fmt.Errorf("the plan's arguments can't be read; nothing was sent: %w", err)
	}
	asked := make(map[string]bool, len(args.Values))
	for _, v := range args.Values {
		asked[strings.ToLower(v)] = true
	}
	for _, r := range u.Indicators {
		if !asked[strings.ToLower(r.IndicatorValue)] {
			return fmt.Errorf("%s is not among the plan's arguments; nothing was sent", quoted(r.IndicatorValue, 80))
		}
		if (r.Action == mdecore.IndicatorAllowed) != (p.Tool == allowTool) {
			return fmt.Errorf("%s does not set indicators to %s; nothing was sent", p.Tool, quoted(string(r.Action), 40))
		}
	}
	return nil
}

// importText says how many of a batch are in force, and which are not and why.
func importText(results []mdecore.IndicatorResult) string {
	var failed []string
	for _, r := range results {
		if r.Err == nil {
			continue
		}
		why := r.Err.Error()
		if _, after, ok := strings.Cut(why, "was not imported: "); ok {
			why = after
		}
		failed = append(failed, clean(r.ID, 70)+" ("+clean(why, 80)+")")
	}
	return fmt.Sprintf("%d of %d are in force; Defender refused %s", len(results)-len(failed), len(results), fewOf(failed))
}

// findIndicators looks for the step's indicators with our tag in their descriptions.
func findIndicators(ctx context.Context, with hands, t worker.Task, _ time.Time) (worker.Receipt, bool, error) {
	there, missing, err := imported(ctx, with, t)
	if err != nil || there == 0 {
		return worker.Receipt{}, false, err
	}
	id := fmt.Sprintf("%s:%s.%d", t.Plan.Tool, t.RequestID, t.Index)
	if len(missing) > 0 {
		id += partly
	}
	return worker.Receipt{ActionID: id, RemoteStatus: writtenStatus}, true, nil
}

// followIndicators ends a step. Of one that was found in part it says what is missing now.
func followIndicators(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	done := worker.Progress{RemoteStatus: writtenStatus, State: approvals.StepSucceeded}
	if !strings.HasSuffix(actionID, partly) {
		return done, nil
	}
	there, missing, err := imported(ctx, with, t)
	if err != nil || len(missing) == 0 {
		return done, err
	}
	return worker.Progress{
		RemoteStatus: writtenStatus, State: approvals.StepFailed,
		Message: fmt.Sprintf("the answer was lost; %d of %d are in force, and these are not: %s", there, there+len(missing), fewOf(missing)),
	}, nil
}

// imported counts the step's indicators that are in force with our tag, and names the others.
func imported(ctx context.Context, with hands, t worker.Task) (there int, missing []string, err error) {
	var step indicatorStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return 0, nil, err
	}
	ours := map[string]bool{}
	for i, err := range with.reader.ListIndicators(ctx, mdecore.Query{}) {
		if mdecore.IsNotFound(err) {
			break
		}
		if err != nil {
			return 0, nil, err
		}
		if strings.HasPrefix(i.Description, t.Tag) {
			ours[indicatorKey(i.IndicatorType, i.IndicatorValue)+" "+string(i.Action)] = true
		}
	}
	for _, r := range step.Indicators {
		if ours[indicatorKey(r.IndicatorType, r.IndicatorValue)+" "+string(r.Action)] {
			there++
			continue
		}
		missing = append(missing, clean(r.IndicatorValue, 70))
	}
	return there, missing, nil
}
