package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type updateAlertsIn struct {
	Alerts         []string `json:"alerts" jsonschema:"Ids" form:"alert"`
	Status         string   `json:"status,omitempty" jsonschema:"Status" enum:"New,InProgress,Resolved"`
	Classification string   `json:"classification,omitempty" jsonschema:"Verdict" enum:"TruePositive,InformationalExpectedActivity,FalsePositive"`
	Determination  string   `json:"determination,omitempty" jsonschema:"Refines it, e.g. Malware, Phishing, Clean" form:"word"`
	AssignedTo     string   `json:"assigned_to,omitempty" jsonschema:"Owner's address"`
	Comment        string   `json:"comment,omitempty" jsonschema:"Added to each" range:"0,400"`
	asking
}

// alertStep is what a frozen update holds. The comment is written with our tag before it.
type alertStep struct {
	Status         mdecore.AlertStatus         `json:"status,omitempty"`
	Classification mdecore.AlertClassification `json:"classification,omitempty"`
	Determination  mdecore.AlertDetermination  `json:"determination,omitempty"`
	AssignedTo     string                      `json:"assigned_to,omitempty"`
	Comment        string                      `json:"comment,omitempty"`
}

func updateAlerts() declaration {
	return spec[updateAlertsIn, requestView]{
		name: "update_alerts", title: "Update alerts", toolset: Alerts, surface: Default, risk: approvals.RiskAnnotate,
		summary:    "Ask to set status, verdict or owner of alerts, or to comment them.",
		positional: []string{"alerts"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planUpdateAlerts,
		performs: atOnce(applyAlert, alertWritten),
	}
}

// alertVerdicts are the determinations of each classification (alerts.md).
func alertVerdicts() map[mdecore.AlertClassification][]mdecore.AlertDetermination {
	return map[mdecore.AlertClassification][]mdecore.AlertDetermination{
		mdecore.ClassificationTruePositive: {
			mdecore.DeterminationMultiStagedAttack, mdecore.DeterminationMaliciousUserActivity, mdecore.DeterminationCompromisedUser,
			mdecore.DeterminationMalware, mdecore.DeterminationPhishing, mdecore.DeterminationUnwantedSoftware, mdecore.DeterminationOther,
		},
		mdecore.ClassificationInformationalExpectedActivity: {
			mdecore.DeterminationSecurityTesting, mdecore.DeterminationLineOfBusinessApplication,
			mdecore.DeterminationConfirmedUserActivity, mdecore.DeterminationOther,
		},
		mdecore.ClassificationFalsePositive: {mdecore.DeterminationClean, mdecore.DeterminationInsufficientData, mdecore.DeterminationOther},
	}
}

// goesWith says why a determination can't be set beside a classification, or returns "".
func goesWith(c mdecore.AlertClassification, d mdecore.AlertDetermination) string {
	known := alertVerdicts()
	allowed, ok := known[c]
	if d == "" || ok && slices.ContainsFunc(allowed, d.Same) {
		return ""
	}
	if ok {
		return fmt.Sprintf("determination %s does not go with classification %s, which takes %s", quoted(string(d), 60), c, joinWords(allowed))
	}
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(known))...))))
	if slices.ContainsFunc(all, d.Same) {
		return fmt.Sprintf("determination %s needs a classification beside it", d)
	}
	return fmt.Sprintf("there is no determination %s; there are %s", quoted(string(d), 60), joinWords(all))
}

func joinWords[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, w := range all {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// step is the update without the tag, or what is wrong with it.
func (in updateAlertsIn) step() (alertStep, error) {
	step := alertStep{
		Status: mdecore.AlertStatus(in.Status), Classification: mdecore.AlertClassification(in.Classification),
		Determination: mdecore.AlertDetermination(in.Determination), AssignedTo: in.AssignedTo, Comment: in.Comment,
	}
	if step == (alertStep{}) {
		return step, approvals.Refuse(approvals.KindInvalid, nil,
			"Nothing was sent: the update changes nothing; set status, classification, determination, assigned_to or comment")
	}
	if text := goesWith(step.Classification, step.Determination); text != "" && step.Classification != "" {
		return step, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s", text)
	}
	return step, nil
}

func planUpdateAlerts(ctx context.Context, s *session, in updateAlertsIn) (approvals.Plan, error) {
	step, err := in.step()
	if err != nil {
		return approvals.Plan{}, err
	}
	alerts, err := s.alertsOf(ctx, in.Alerts)
	if err != nil {
		return approvals.Plan{}, err
	}
	args, err := canonical(step)
	if err != nil {
		return approvals.Plan{}, err
	}
	var plan approvals.Plan
	var refused, same []string
	changes := tally{}
	for _, a := range alerts {
		kept := a.Classification
		if step.Classification != "" {
			kept = step.Classification
		}
		if text := goesWith(kept, step.Determination); text != "" {
			refused = append(refused, "alert "+a.ID+": "+text)
			continue
		}
		change := step.changes(a)
		if len(change) == 0 && step.Comment == "" {
			same = append(same, a.ID)
			continue
		}
		changes.add(change...)
		plan.Targets = append(plan.Targets, targetOfAlert(a))
		plan.Steps = append(plan.Steps, approvals.Step{Action: "update", Target: a.ID, Args: args, Summary: step.summary(a, change)})
		plan.Warnings = append(plan.Warnings, step.odd(a)...)
	}
	switch {
	case len(refused) > 0:
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s", fewOf(refused))
	case len(plan.Steps) == 0:
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s so already; give a comment to add one", isAre(len(same), "alert"))
	case len(same) > 0:
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("%s so already and left out: %s", isAre(len(same), "alert"), fewOf(same)))
	}
	plan.Preview = fmt.Sprintf("Update %s: %s", counted(len(plan.Steps), "alert", false), changes.words())
	if step.Comment != "" {
		plan.Preview = strings.TrimSuffix(plan.Preview, ": ") + "; comment " + quoted(step.Comment, 120)
	}
	return plan, nil
}

// alertsOf reads the alerts, each once, in the order of their ids, and refuses all when one is not there.
func (s *session) alertsOf(ctx context.Context, ids []string) ([]*mdecore.Alert, error) {
	var wanted []string
	for _, id := range ids {
		if !slices.Contains(wanted, id) {
			wanted = append(wanted, id)
		}
	}
	if len(wanted) > s.maxDevices {
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %d alerts are named and one call may act on at most %d; ask for fewer",
			len(wanted), s.maxDevices)
	}
	found := make([]*mdecore.Alert, len(wanted))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, id := range wanted {
		g.Go(func() (err error) {
			if found[i], err = s.reader.GetAlert(gctx, id); mdecore.IsNotFound(err) {
				err = nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var missing []string
	for i, a := range found {
		if a == nil {
			missing = append(missing, wanted[i])
		}
	}
	if len(missing) > 0 {
		return nil, approvals.Refuse(approvals.KindNotFound, nil, "Nothing was sent: there is no alert %s in this tenant; list_alerts gives the ids", fewOf(missing))
	}
	return found, nil
}

// changes are what the update changes on an alert, each as "old -> new".
func (u alertStep) changes(a *mdecore.Alert) []string {
	var out []string
	for _, c := range []struct{ name, old, now string }{
		{"status", string(a.Status), string(u.Status)},
		{"classification", string(a.Classification), string(u.Classification)},
		{"determination", string(a.Determination), string(u.Determination)},
		{"owner", a.AssignedTo, u.AssignedTo},
	} {
		if c.now == "" || c.now == c.old || c.name == "determination" && a.Determination.Same(u.Determination) {
			continue
		}
		if c.old == "" {
			c.old = "none"
		}
		out = append(out, fmt.Sprintf("%s %s -> %s", c.name, clean(c.old, 60), clean(c.now, 60)))
	}
	return out
}

func (u alertStep) summary(a *mdecore.Alert, change []string) string {
	if u.Comment != "" {
		change = append(change, "comment")
	}
	return fmt.Sprintf("alert %s: %s: %s", clean(a.ID, 60), strings.Join(change, ", "), quoted(a.Title, 60))
}

// odd is what a person should know before a verdict is changed.
func (u alertStep) odd(a *mdecore.Alert) []string {
	var out []string
	if a.Severity == mdecore.SeverityHigh && (u.Status == mdecore.AlertStatusResolved || u.Classification == mdecore.ClassificationFalsePositive) {
		out = append(out, fmt.Sprintf("alert %s is of severity High: %s on %s", a.ID, quoted(a.Title, 80), quoted(a.ComputerDNSName, 80)))
	}
	if a.Classification == mdecore.ClassificationTruePositive && u.Classification != "" && u.Classification != a.Classification {
		out = append(out, fmt.Sprintf("alert %s was judged a true positive: %s", a.ID, quoted(a.Title, 80)))
	}
	if a.AssignedTo != "" && u.AssignedTo != "" && !strings.EqualFold(a.AssignedTo, u.AssignedTo) {
		out = append(out, fmt.Sprintf("alert %s belongs to %s", a.ID, quoted(a.AssignedTo, 80)))
	}
	return out
}

func targetOfAlert(a *mdecore.Alert) approvals.Target {
	return approvals.Target{ID: a.ID, Kind: "alert", Name: clean(a.Title, 200), Group: a.RbacGroupName}
}

func applyAlert(ctx context.Context, with hands, t worker.Task) error {
	var step alertStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return damaged(t, err)
	}
	_, err := with.writer.UpdateAlert(ctx, t.Step.Target, mdecore.UpdateAlertRequest{
		Status: step.Status, Classification: step.Classification, Determination: step.Determination, AssignedTo: step.AssignedTo,
		Comment: remark(t, step.Comment),
	})
	return err
}

// alertWritten looks for our tag among the alert's comments.
func alertWritten(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	a, err := with.reader.GetAlert(ctx, t.Step.Target)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(a.Comments, func(c mdecore.AlertComment) bool { return strings.HasPrefix(c.Comment, t.Tag) }), nil
}

// remark is comment with the caller's own words in place of the reason.
func remark(t worker.Task, words string) string {
	if words == "" {
		return comment(t)
	}
	by := " (requested by " + clean(t.Requester.ID, 120) + ")"
	room := maxComment - utf8.RuneCountInString(t.Tag) - utf8.RuneCountInString(by) - 2
	return t.Tag + " " + clean(words, max(room, 1)) + by
}

// tally counts equal texts in the order in which they came.
type tally map[string]int

func (c tally) add(texts ...string) {
	for _, t := range texts {
		c[t]++
	}
}

// words is the texts with their counts, the most frequent first, and how many others there are.
func (c tally) words() string {
	all := slices.SortedFunc(maps.Keys(c), func(a, b string) int {
		if c[a] != c[b] {
			return c[b] - c[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for i, t := range all {
		if i == 6 {
			parts = append(parts, fmt.Sprintf("and %d other changes", len(all)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%d)", t, c[t]))
	}
	return strings.Join(parts, ", ")
}

// isAre is "1 alert is" or "3 alerts are".
func isAre(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return fmt.Sprintf("%d %ss are", n, noun)
}

// fewOf names the first of many.
func fewOf(all []string) string {
	if len(all) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:5], ", "), len(all)-5)
	}
	return strings.Join(all, ", ")
}
