package approvals_test

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutantLives is how many lives a mutant has to survive to count as alive: those that CI takes of the real code.
const mutantLives = 20000

// modelMutants are guards that the model test must miss by itself when they are taken out, within as many lives as it
// takes in CI.
func modelMutants() []mutant {
	var all []mutant
	for _, m := range []struct{ name, file, old, new string }{
		{"one approver is always enough", "quorum.go", "d.Quorum.Count >= 1 && d.Have >= d.Quorum.Count", "d.Have >= 1"},
		{"a changed policy is not asked", "quorum.go", "all := withCurrent(ownDemands(r), now)", "all := ownDemands(r)"},
		{"only the policy of today counts", "quorum.go", "all := withCurrent(ownDemands(r), now)", "all := withCurrent(nil, now)"},
		{"eligible once is eligible for ever", "counting.go", "return t.Eligible(ctx, g, v.Voter)", "return true, nil"},
		{"two of one group are distinct", "counting.go", "return matching(may, len(seats)), nil", "return len(may), nil"},
		{"the next group votes at once", "counting.go", "case in && s.open(r, at):", "case in:"},
		{"people are compared with case", "person.go", "return strings.EqualFold(a, b)", "return a == b"},
		{"the requester may deny", "ballot/ballot.go", "own := in.Voter.Same(r.Requester.Person)", "own := in.Voter.ID == \"never\""},
		{"attached people vote", "ballot/ballot.go", "case r.Asked(in.Voter):", "case r.ID == \"\":"},
		{"a person votes twice", "ballot/ballot.go", "return v.Voter.Same(in.Voter) }); i >= 0 {", "return v.Voter.Same(in.Voter) }); i >= 99 {"},
		{"an unproved requester needs nobody more", "policy/policy.go", "	if verified {\n		return q, nil", "	if true {\n		return q, nil"},
		{"an unproved person joins", "gate/join.go", "if !who.Verified {", "if false {"},
		{"who has voted joins", "gate/join.go", "if slices.ContainsFunc(t.Votes,", "if false && slices.ContainsFunc(t.Votes,"},
		{"anybody withdraws", "gate/withdraw.go", "same := r.Requester.Same(by.Person)", "same := by.ID != \"\""},
		{"a late start is a start", "worker/advance.go", "if !now.Before(limit) {", "if false {"},
		{"the audit is not asked", "internal/change/change.go", "if fault == nil {", "if fault == nil || r.ID != \"\" {"},
		{"verified once is verified for every step", "worker/run.go", "	l, err := w.verify(ctx, r)\n	if err != nil {", "	l, err := w.verify(ctx, r)\n	if err != nil && s.Index == 0 {"},
		{
			"a lost answer is sent again", "worker/run.go", "	w.o.Logger.WarnContext(ctx, \"whether a step",
			"	if answer != nil {\n		return look(), w.moveStep(ctx, r, change.Step(r.ID, s, approvals.StepWaiting, by))\n	}\n	w.o.Logger.WarnContext(ctx, \"whether a step",
		},
		{"no trace is sent again", "worker/run.go", "change.Step(r.ID, s, approvals.StepUnknown, by)", "change.Step(r.ID, s, approvals.StepWaiting, by)"},
		{"a frozen toolset acts", "control/control.go", "return !known || s.Covers(info.Toolset)", "return !known || s.Covers(info.Toolset) && info.Toolset == \"\""},
		{"a written lift lifts", "control/lift.go", "	if known {\n		return nil", "	if known || s.Lift.RequestID != \"\" {\n		return nil"},
		{"failures stop nothing", "wave.go", "if bad*100 <= w.StopOver*ended {", "if bad >= 0 {"},
		{"waves don't wait", "wave.go", "running && (w.Wait <= 0 || now.Before(due))", "running && w.Width < 0 && (w.Wait <= 0 || now.Before(due))"},
		{"an extension extends nothing", "worker/timeboxcheck.go", "from.Add(box.For + extra)", "from.Add(box.For + 0*extra)"},
		{"a release needs no approval", "worker/timeboxcheck.go", "	if err := w.tally.Stood(ctx, r); err != nil {\n		return r, nil, err", "	if err := w.tally.Stood(ctx, r); err != nil && r.ID == \"\" {\n		return r, nil, err"},
	} {
		all = append(all, mutant{m.name, m.file, m.old, m.new, ".", "^TestRandomLives$"})
	}
	return all
}

// TestTheModelKillsItsMutants counts how many of the mutants the random lives notice: all. It runs when MDE_TEST_MUTANTS is
// set: to 1 for each of them, or to 1/N for every Nth.
func TestTheModelKillsItsMutants(t *testing.T) {
	which := os.Getenv("MDE_TEST_MUTANTS")
	if which == "" {
		t.Skip("set MDE_TEST_MUTANTS=1 to build and test every mutant (some minutes)")
	}
	lives := mutantLives
	if text := os.Getenv(livesEnv); text != "" {
		var err error
		lives, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	every := 1
	if n, ok := strings.CutPrefix(which, "1/"); ok {
		var err error
		every, err = strconv.Atoi(n)
		require.NoError(t, err, "MDE_TEST_MUTANTS is %q, want 1 or 1/N", which)
		require.Positive(t, every, "MDE_TEST_MUTANTS is %q, want 1 or 1/N", which)
	}
	all, tried := modelMutants(), 0
	var killed atomic.Int64
	t.Run("mutants", func(t *testing.T) {
		for i, m := range all {
			if i%every != 0 {
				continue
			}
			tried++
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				out, err := m.test(t, livesEnv+"="+strconv.Itoa(lives))
				require.Error(t, err, "the mutant lives: %d random lives did not notice", lives)
				require.Contains(t, out, "--- FAIL", "the lives have to fail, not the build")
				killed.Add(1)
			})
		}
	})
	t.Logf("the model killed %d of %d mutants; there are %d", killed.Load(), tried, len(all))
}
