package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type tagDevicesIn struct {
	Devices []string `json:"devices" jsonschema:"One or many: device id, DNS name, IP or Entra device id" form:"device"`
	Add     []string `json:"add,omitempty" jsonschema:"Tags to add" range:"1,200"`
	Remove  []string `json:"remove,omitempty" jsonschema:"Tags to remove, exactly as they are written" range:"1,200"`
	asking
}

// tagStep is what a frozen tagging step holds.
type tagStep struct {
	Tag    string            `json:"tag"`
	Action mdecore.TagAction `json:"action"`
}

func tagDevices() declaration {
	return spec[tagDevicesIn, requestView]{
		name: "tag_devices", title: "Tag devices", toolset: Devices, surface: Default, risk: approvals.RiskAnnotate,
		summary:    "Ask to add tags to devices or remove them; their other tags stay. Makes a request that a person confirms.",
		positional: []string{"devices"}, untrusted: true,
		hints: Annotations{Destructive: true, Idempotent: true, OpenWorld: true},
		plan:  planTags, performs: atOnce(writeTag, tagDone),
	}
}

// planTags freezes one step for each device and tag: the call for many devices doesn't say what became of each.
func planTags(ctx context.Context, s *session, in tagDevicesIn) (approvals.Plan, error) {
	changes, err := tagChanges(in)
	if err != nil {
		return approvals.Plan{}, err
	}
	devices, err := s.resolve(ctx, in.Devices)
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{Warnings: append(lookalikes(devices), guardTags(changes)...)}
	due := map[string][]tagStep{}
	for _, c := range changes {
		var already []*mdecore.Machine
		for _, m := range devices {
			if c.done(m) {
				already = append(already, m)
				continue
			}
			due[m.ID] = append(due[m.ID], c)
			plan.Warnings = append(plan.Warnings, c.spelling(m)...)
		}
		if len(already) > 0 {
			plan.Warnings = append(plan.Warnings, c.skipped(already))
		}
	}
	var changed []*mdecore.Machine
	for _, m := range devices {
		if len(due[m.ID]) == 0 {
			continue
		}
		changed = append(changed, m)
		plan.Targets = append(plan.Targets, targetOf(m))
		for _, c := range due[m.ID] {
			args, err := canonical(c)
			if err != nil {
				return approvals.Plan{}, err
			}
			plan.Steps = append(plan.Steps, approvals.Step{Action: c.word(), Target: m.ID, Args: args, Summary: c.sentence() + " " + label(m)})
		}
	}
	if len(plan.Steps) == 0 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent, because there is nothing to do: %s", strings.Join(plan.Warnings, "; "))
	}
	plan.Preview = tagPreview(changes) + " on " + naming(changed)
	return plan, nil
}

// tagChanges reads what is to be done, each once.
func tagChanges(in tagDevicesIn) ([]tagStep, error) {
	var changes []tagStep
	var problems Problems
	read := func(arg string, tags []string, action mdecore.TagAction) {
		for _, t := range tags {
			if text := tagFault(t); text != "" {
				problems = append(problems, problem(arg, "%s", text))
			}
			if c := (tagStep{t, action}); !slices.Contains(changes, c) {
				changes = append(changes, c)
			}
		}
	}
	read("add", in.Add, mdecore.TagAdd)
	read("remove", in.Remove, mdecore.TagRemove)
	for _, t := range in.Add {
		if slices.ContainsFunc(in.Remove, func(r string) bool { return strings.EqualFold(r, t) }) {
			problems = append(problems, problem("remove", "the tag %s is to be added as well", quoted(t, 60)))
		}
	}
	switch {
	case len(problems) > 0:
		return nil, approvals.Refuse(approvals.KindInvalid, problems, "Nothing was sent: %s", problems.Error())
	case len(changes) == 0:
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: name tags to add or to remove")
	}
	return changes, nil
}

// tagFault says why a text can't be a tag; "" when it can.
func tagFault(t string) string {
	switch {
	case t == "" || t != strings.TrimSpace(t):
		return fmt.Sprintf("a tag is not empty and doesn't begin or end with a space: %s", quoted(t, 60))
	case strings.ContainsFunc(t, func(r rune) bool { return hidden(r) || unicode.IsControl(r) }):
		return fmt.Sprintf("the tag %s holds a control or invisible character", quoted(t, 60))
	case utf8.RuneCountInString(t) > 200:
		return fmt.Sprintf("the tag %s is longer than 200 characters", quoted(t, 60))
	}
	return ""
}

// done reports whether a device is as the change wants it.
func (c tagStep) done(m *mdecore.Machine) bool {
	return slices.Contains(m.MachineTags, c.Tag) == (c.Action == mdecore.TagAdd)
}

// spelling warns of a tag of the device that differs in upper and lower case only.
func (c tagStep) spelling(m *mdecore.Machine) []string {
	for _, t := range m.MachineTags {
		if t != c.Tag && strings.EqualFold(t, c.Tag) {
			return []string{fmt.Sprintf("%s has the tag %s, which differs from %s in upper and lower case only", label(m), quoted(t, 60), quoted(c.Tag, 60))}
		}
	}
	return nil
}

func (c tagStep) skipped(devices []*mdecore.Machine) string {
	have := "has"
	if c.Action == mdecore.TagRemove {
		have = "does not have"
	}
	text := fmt.Sprintf("left as it is, because it %s the tag %s: %s", have, quoted(c.Tag, 60), naming(devices))
	if c.Action == mdecore.TagRemove {
		for _, m := range devices {
			text += strings.Join(append([]string{""}, c.spelling(m)...), "; ")
		}
	}
	return text
}

func (c tagStep) word() string {
	if c.Action == mdecore.TagAdd {
		return "add_tag"
	}
	return "remove_tag"
}

// sentence is the change for the middle of a line; a device's name follows.
func (c tagStep) sentence() string {
	if c.Action == mdecore.TagAdd {
		return "add tag " + quoted(c.Tag, 200) + " to"
	}
	return "remove tag " + quoted(c.Tag, 200) + " from"
}

// guardTags warns of tags by which this program tells the devices that others depend on.
func guardTags(changes []tagStep) []string {
	var warnings []string
	for _, c := range changes {
		if !guards(c.Tag) {
			continue
		}
		if c.Action == mdecore.TagRemove {
			warnings = append(warnings, fmt.Sprintf("the tag %s marks devices that others depend on: without it plans no longer warn of them, and rules of the policy for it no longer hold", quoted(c.Tag, 60)))
			continue
		}
		warnings = append(warnings, fmt.Sprintf("the tag %s marks devices that others depend on: rules of the policy for it hold from then on", quoted(c.Tag, 60)))
	}
	return warnings
}

// guards reports whether highValue goes by a tag.
func guards(tag string) bool { return highValue(&mdecore.Machine{MachineTags: []string{tag}}) }

// tagPreview is all changes in one phrase.
func tagPreview(changes []tagStep) string {
	var add, remove, parts []string
	for _, c := range changes {
		if c.Action == mdecore.TagAdd {
			add = append(add, quoted(c.Tag, 60))
			continue
		}
		remove = append(remove, quoted(c.Tag, 60))
	}
	if len(add) > 0 {
		parts = append(parts, "add "+tagList(add))
	}
	if len(remove) > 0 {
		parts = append(parts, "remove "+tagList(remove))
	}
	text := strings.Join(parts, " and ")
	return strings.ToUpper(text[:1]) + text[1:]
}

func tagList(tags []string) string {
	noun := "tag "
	if len(tags) > 1 {
		noun = "tags "
	}
	if len(tags) > 5 {
		return noun + strings.Join(tags[:5], ", ") + fmt.Sprintf(" and %d more", len(tags)-5)
	}
	return noun + strings.Join(tags, ", ")
}

// tagOf reads a step, and refuses one that is not a change of a tag.
func tagOf(t worker.Task) (tagStep, error) {
	var step tagStep
	err := json.Unmarshal(t.Step.Args, &step)
	if err == nil && (tagFault(step.Tag) != "" || step.Action != mdecore.TagAdd && step.Action != mdecore.TagRemove) {
		err = errors.New("it is no change of a tag")
	}
	return step, err
}

// writeTag changes one tag by the call that leaves the others alone; an update of the device could replace them all.
func writeTag(ctx context.Context, with hands, t worker.Task) error {
	step, err := tagOf(t)
	if err != nil {
		return damaged(t, err)
	}
	m, err := with.writer.AddOrRemoveMachineTag(ctx, t.Step.Target, mdecore.MachineTagRequest{Value: step.Tag, Action: step.Action})
	if err == nil && !step.done(m) {
		err = errors.New("the answer came, but the device's tags in it are not as they were to be")
	}
	return err
}

// tagDone reports whether the device is as the step wants it: it was not when the plan was made, and to add or remove a tag
// twice is the same as once, so that whoever did it, nothing is left to do.
func tagDone(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	step, err := tagOf(t)
	if err != nil {
		return false, err
	}
	m, err := with.reader.GetMachine(ctx, t.Step.Target)
	if err != nil {
		return false, err
	}
	return step.done(m), nil
}
