package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type updateIncidentIn struct {
	ID             string   `json:"id" jsonschema:"Incident id" form:"word"`
	Status         string   `json:"status,omitempty" jsonschema:"Status" enum:"active,inProgress,resolved"`
	Classification string   `json:"classification,omitempty" jsonschema:"Verdict" enum:"truePositive,informationalExpectedActivity,falsePositive"`
	Determination  string   `json:"determination,omitempty" jsonschema:"Refines it, e.g. phishing" form:"word"`
	AssignedTo     string   `json:"assigned_to,omitempty" jsonschema:"Owner's address"`
	Tags           []string `json:"tags,omitempty" jsonschema:"All its tags"`
	Comment        string   `json:"comment,omitempty" jsonschema:"Comment"`
	asking
}

// incidentStep is what a frozen update holds. Tags are the whole list that is to be, because the API replaces it; Had is the
// list that it was made from.
type incidentStep struct {
	Status         mdecore.IncidentStatus      `json:"status,omitempty"`
	Classification mdecore.GraphClassification `json:"classification,omitempty"`
	Determination  mdecore.GraphDetermination  `json:"determination,omitempty"`
	AssignedTo     string                      `json:"assigned_to,omitempty"`
	Retag          bool                        `json:"retag,omitempty"`
	Tags           []string                    `json:"tags,omitempty"`
	Had            []string                    `json:"had,omitempty"`
	Comment        string                      `json:"comment,omitempty"`
}

func updateIncident() declaration {
	return spec[updateIncidentIn, requestView]{
		name: "update_incident", title: "Update an incident", toolset: Alerts, surface: InToolset, risk: approvals.RiskAnnotate,
		summary:    "Ask to update an incident. Resolving it resolves its alerts.",
		positional: []string{"id"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planUpdateIncident,
		performs: atOnce(applyIncident, incidentWritten),
	}
}

func planUpdateIncident(ctx context.Context, s *session, in updateIncidentIn) (approvals.Plan, error) {
	i, err := s.incident(ctx, in.ID)
	if err != nil {
		return approvals.Plan{}, err
	}
	if i.Status == mdecore.IncidentRedirected || i.RedirectIncidentID != "" {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: incident %s was merged into incident %s; update that one",
			i.ID, quoted(i.RedirectIncidentID, 40))
	}
	step := in.step(i)
	if text := step.wrong(i); text != "" {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s", text)
	}
	changes := step.changes(i)
	if len(changes) == 0 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: incident %s is so already, or nothing to change is named", i.ID)
	}
	args, err := canonical(step)
	if err != nil {
		return approvals.Plan{}, err
	}
	what := fmt.Sprintf("Update incident %s %s: %s", i.ID, quoted(i.DisplayName, 100), strings.Join(changes, ", "))
	return approvals.Plan{
		Preview: what, Warnings: step.odd(i),
		Targets: []approvals.Target{{ID: i.ID, Kind: "incident", Name: clean(i.DisplayName, 200), Tags: i.CustomTags}},
		Steps:   []approvals.Step{{Action: "update", Target: i.ID, Args: args, Summary: lowerFirst(what)}},
	}, nil
}

func (in updateIncidentIn) step(i *mdecore.Incident) incidentStep {
	step := incidentStep{
		Status: mdecore.IncidentStatus(in.Status), Classification: mdecore.GraphClassification(in.Classification),
		Determination: mdecore.GraphDetermination(in.Determination), AssignedTo: in.AssignedTo, Comment: in.Comment,
	}
	if len(in.Tags) > 0 && !slices.Equal(in.Tags, i.CustomTags) {
		step.Retag, step.Tags, step.Had = true, in.Tags, i.CustomTags
	}
	return step
}

// wrong says why the verdict can't be set, or returns "". Graph and Defender use the same words, which differ in case and
// for four of them.
func (u incidentStep) wrong(i *mdecore.Incident) string {
	if u.Determination == "" {
		return ""
	}
	c := u.Classification
	if c == "" {
		c = i.Classification
	}
	allowed := incidentVerdicts()[c]
	switch {
	case allowed == nil:
		return "a determination needs a classification beside it"
	case !slices.Contains(allowed, u.Determination):
		return fmt.Sprintf("determination %s does not go with classification %s, which takes %s", quoted(string(u.Determination), 60), c, joinWords(allowed))
	}
	return ""
}

// incidentVerdicts are the determinations of each classification, in Graph's words.
func incidentVerdicts() map[mdecore.GraphClassification][]mdecore.GraphDetermination {
	return map[mdecore.GraphClassification][]mdecore.GraphDetermination{
		mdecore.GraphTruePositive: {
			mdecore.GraphAPT, mdecore.GraphMultiStagedAttack, mdecore.GraphMaliciousUserActivity, mdecore.GraphCompromisedAccount,
			mdecore.GraphMalware, mdecore.GraphPhishing, mdecore.GraphUnwantedSoftware, mdecore.GraphOther,
		},
		mdecore.GraphInformationalExpectedActivity: {
			mdecore.GraphSecurityTesting, mdecore.GraphLineOfBusinessApplication, mdecore.GraphConfirmedActivity, mdecore.GraphOther,
		},
		mdecore.GraphFalsePositive: {mdecore.GraphNotMalicious, mdecore.GraphNotEnoughDataToValidate, mdecore.GraphOther},
	}
}

// changes are what the update changes, each as "old -> new".
func (u incidentStep) changes(i *mdecore.Incident) []string {
	var out []string
	for _, c := range []struct{ name, old, now string }{
		{"status", string(i.Status), string(u.Status)},
		{"classification", string(i.Classification), string(u.Classification)},
		{"determination", string(i.Determination), string(u.Determination)},
		{"owner", i.AssignedTo, u.AssignedTo},
	} {
		if c.now == "" || c.now == c.old {
			continue
		}
		if c.old == "" {
			c.old = "none"
		}
		out = append(out, fmt.Sprintf("%s %s -> %s", c.name, clean(c.old, 60), clean(c.now, 60)))
	}
	if u.Retag {
		out = append(out, fmt.Sprintf("tags %s -> %s", quoted(strings.Join(u.Had, " "), 120), quoted(strings.Join(u.Tags, " "), 120)))
	}
	if u.Comment != "" {
		out = append(out, "comment "+quoted(u.Comment, 120))
	}
	return out
}

// odd is what a person should know before.
func (u incidentStep) odd(i *mdecore.Incident) []string {
	var out []string
	open, high := 0, 0
	for _, a := range i.Alerts {
		if a.Status != mdecore.GraphAlertResolved {
			open++
			if a.Severity == mdecore.GraphSeverityHigh {
				high++
			}
		}
	}
	if u.Status == mdecore.IncidentResolved && open > 0 {
		out = append(out, fmt.Sprintf("resolving incident %s resolves its %s as well, %d of severity high", i.ID, counted(open, "open alert", false), high))
	}
	if i.Status == mdecore.IncidentResolved && u.Status != "" && u.Status != i.Status {
		out = append(out, fmt.Sprintf("opening incident %s again opens its alerts as well", i.ID))
	}
	if i.AssignedTo != "" && u.AssignedTo != "" && !strings.EqualFold(i.AssignedTo, u.AssignedTo) {
		out = append(out, fmt.Sprintf("incident %s belongs to %s", i.ID, quoted(i.AssignedTo, 80)))
	}
	if i.ResolvingComment != "" && (u.Comment != "" || u.Status == mdecore.IncidentResolved) {
		out = append(out, "its resolving comment is replaced: "+quoted(i.ResolvingComment, 120))
	}
	return out
}

// commented reports whether the update writes a resolving comment, and with it our tag.
func (u incidentStep) commented() bool {
	return u.Comment != "" || u.Status == mdecore.IncidentResolved
}

func applyIncident(ctx context.Context, with hands, t worker.Task) error {
	var step incidentStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return damaged(t, err)
	}
	update := mdecore.UpdateIncidentRequest{Status: step.Status, Classification: step.Classification, Determination: step.Determination}
	if step.AssignedTo != "" {
		update.AssignedTo = &step.AssignedTo
	}
	if step.commented() {
		update.ResolvingComment = remark(t, step.Comment)
	}
	if step.Retag {
		// The API replaces the list, so that a tag which somebody set since would be lost.
		i, err := with.reader.GetIncident(ctx, t.Step.Target)
		if err != nil {
			return &worker.NotSent{RetryAfter: mdecore.RetryAfter(err), Err: err}
		}
		if !slices.Equal(i.CustomTags, step.Had) {
			text := "the incident's tags were changed since this was asked for; nothing was sent, ask again"
			return &worker.Refused{Text: text, Err: errors.New(text)}
		}
		update.CustomTags = append([]string{}, step.Tags...)
	}
	_, err := with.writer.UpdateIncident(ctx, t.Step.Target, update)
	return err
}

// incidentWritten looks for our tag in the resolving comment. An update without one leaves no mark: that the incident is as
// it was to be does not tell whose doing that is, so that such a step ends as unknown, for a person to look at.
func incidentWritten(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	var step incidentStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return false, err
	}
	if !step.commented() {
		return false, nil
	}
	i, err := with.reader.GetIncident(ctx, t.Step.Target)
	if err != nil {
		return false, err
	}
	return strings.HasPrefix(i.ResolvingComment, t.Tag), nil
}
