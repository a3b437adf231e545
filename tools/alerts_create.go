package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type createAlertIn struct {
	Device            string `json:"device" jsonschema:"Its device" form:"device"`
	ReportID          string `json:"report_id" jsonschema:"Its ReportId" form:"word"`
	EventTime         string `json:"event_time" jsonschema:"Its Timestamp"`
	Title             string `json:"title" jsonschema:"Title"`
	Description       string `json:"description" jsonschema:"What happened"`
	RecommendedAction string `json:"recommended_action" jsonschema:"What to do"`
	Category          string `json:"category,omitempty" jsonschema:"E.g. Malware" form:"word"`
	Severity          string `json:"severity,omitempty" jsonschema:"Severity" enum:"Low,Medium,High"`
	asking
}

// newAlertStep is what a frozen alert holds. The description is written with our tag before it.
type newAlertStep struct {
	ReportID          string                `json:"report_id"`
	EventTime         mdecore.Time          `json:"event_time"`
	Title             string                `json:"title"`
	Description       string                `json:"description"`
	RecommendedAction string                `json:"recommended_action"`
	Category          string                `json:"category"`
	Severity          mdecore.AlertSeverity `json:"severity"`
}

func createAlert() declaration {
	return spec[createAlertIn, requestView]{
		name: "create_alert", title: "Raise an alert about an event", toolset: Alerts, surface: InToolset, risk: approvals.RiskAnnotate,
		summary:    "Ask to raise an alert about an event that hunting found.",
		positional: []string{"device", "report_id", "event_time"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planCreateAlert,
		performs: atOnce(applyNewAlert, newAlertWritten),
	}
}

func planCreateAlert(ctx context.Context, s *session, in createAlertIn) (approvals.Plan, error) {
	at, err := time.Parse(time.RFC3339Nano, in.EventTime)
	if err != nil {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, err,
			"Nothing was sent: event_time %s is not a time such as 2026-11-22T08:00:00.1234567Z; take the event's Timestamp as hunting gave it", quoted(in.EventTime, 60))
	}
	in.Category, in.Severity = cmp.Or(in.Category, "SuspiciousActivity"), cmp.Or(in.Severity, string(mdecore.SeverityMedium))
	category, ok := foldedIn(mdecore.AlertCategories(), in.Category)
	if !ok {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: there is no category %s%s There are %s",
			quoted(in.Category, 60), didYouMean(in.Category, mdecore.AlertCategories()), strings.Join(mdecore.AlertCategories(), ", "))
	}
	found, err := s.resolve(ctx, []string{in.Device})
	if err != nil {
		return approvals.Plan{}, err
	}
	step := newAlertStep{
		ReportID: in.ReportID, EventTime: mdecore.Time{Time: at.UTC()}, Title: in.Title, Description: in.Description,
		RecommendedAction: in.RecommendedAction, Category: category, Severity: mdecore.AlertSeverity(in.Severity),
	}
	args, err := canonical(step)
	if err != nil {
		return approvals.Plan{}, err
	}
	m := found[0]
	plan := approvals.Plan{
		Preview: fmt.Sprintf("Raise a %s alert %s on %s about its event %s of %s", in.Severity, quoted(in.Title, 80), label(m), in.ReportID, at.UTC().Format(time.RFC3339)),
		Targets: []approvals.Target{targetOf(m)},
		Steps:   []approvals.Step{{Action: "raise alert", Target: m.ID, Args: args, Summary: fmt.Sprintf("raise alert %s on %s", quoted(in.Title, 80), label(m))}},
	}
	plan.Warnings, err = s.joins(ctx, m, in.Title)
	return plan, err
}

// joins warns of open alerts of the same title on the device: Defender adds the event to those.
func (s *session) joins(ctx context.Context, m *mdecore.Machine, title string) ([]string, error) {
	var warnings []string
	for a, err := range s.reader.ListMachineAlerts(ctx, m.ID) {
		if mdecore.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		if a.Title == title && a.Status != mdecore.AlertStatusResolved {
			warnings = append(warnings, fmt.Sprintf("alert %s on %s has that title and is open: Defender adds the event to it and raises no new one", a.ID, label(m)))
		}
	}
	return warnings, nil
}

// foldedIn is the word of a list that s is, in any case.
func foldedIn[T ~string](all []T, s string) (T, bool) {
	for _, w := range all {
		if strings.EqualFold(string(w), s) {
			return w, true
		}
	}
	return "", false
}

func applyNewAlert(ctx context.Context, with hands, t worker.Task) error {
	var step newAlertStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return damaged(t, err)
	}
	_, err := with.writer.CreateAlertByReference(ctx, mdecore.CreateAlertRequest{
		MachineID: t.Step.Target, EventTime: step.EventTime, ReportID: step.ReportID, Severity: step.Severity, Title: step.Title,
		Description: t.Tag + " " + step.Description, RecommendedAction: step.RecommendedAction, Category: step.Category,
	})
	return err
}

// newAlertWritten looks for our tag in the descriptions of the device's alerts. An event that joined an open alert leaves no
// tag, so that such a step ends as unknown.
func newAlertWritten(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	for a, err := range with.reader.ListMachineAlerts(ctx, t.Step.Target) {
		if mdecore.IsNotFound(err) {
			break
		}
		if err != nil {
			return false, err
		}
		if strings.HasPrefix(a.Description, t.Tag) {
			return true, nil
		}
	}
	return false, nil
}
