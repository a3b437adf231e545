package approvals_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mutant is one guard taken out of the real code, and the tests that must notice.
type mutant struct {
	name string
	file string // below this folder
	old  string // exactly once in the file
	new  string
	pkg  string // the package whose tests must fail
	run  string // and which of them
}

// mutants lists a break of every guard. The code has no switches for this: the compiler is given the altered file.
func mutants() []mutant {
	const here, workers, gates = ".", "./worker", "./gate"
	return []mutant{
		{
			"votes need no signature", "counting.go",
			"if err := t.verifier.Verify(v); err != nil {", "if err := t.verifier.Verify(v); err != nil && v.KeyID == \"never\" {",
			here, "TestOneBadVoteSpoilsARequest",
		},
		{
			"the requester's other name is somebody else", "counting.go",
			"r.Requester.Aliases = append(slices.Clone(r.Requester.Aliases), known.names()...)", "_ = known", here, "TestTheRequesterUnderAnotherName",
		},
		{
			"whom nobody knows is verified", "counting.go",
			"r.Requester.Verified = false", "_ = ok", here, "TestARequesterWhomNobodyKnows",
		},
		{
			"a vote for another digest counts", "counting.go",
			"case v.Digest != r.Digest:", "case false:", here, "TestOneBadVoteSpoilsARequest",
		},
		{
			"a vote at the instant of expiry counts", "counting.go",
			"!v.At.Before(r.ExpiresAt)", "v.At.After(r.ExpiresAt)", here, "TestOneBadVoteSpoilsARequest",
		},
		{
			"two names are two people", "counting.go",
			"if slices.ContainsFunc(p, func(o Vote) bool { return o.Voter.Same(v.Voter) }) {", "if false {",
			here, "TestTwoNamesOfOneHumanAreOneVote",
		},
		{
			"eligible once is eligible for ever", "counting.go",
			"return t.Eligible(ctx, g, v.Voter)", "return true, nil",
			here, "TestApproversMustStillBeApprovers",
		},
		{
			"a denial is one vote among others", "counting.go",
			"if v.Verdict == VerdictDeny {", "if v.Verdict == VerdictDeny && len(votes) == 1 {", here, "TestOneBadVoteSpoilsARequest",
		},
		{
			"one approver is always enough", "quorum.go",
			"d.Quorum.Count >= 1 && d.Have >= d.Quorum.Count", "d.Have >= 1", here, "TestAQuorum|TestDemands",
		},
		{
			"a changed policy is not asked", "quorum.go",
			"all := withCurrent(ownDemands(r), now)", "all := ownDemands(r)",
			here, "TestAChangedPolicy",
		},
		{
			"only the policy of today counts", "quorum.go",
			"all := withCurrent(ownDemands(r), now)", "all := withCurrent(nil, now)",
			here, "TestALoosenedPolicy",
		},
		{
			"an unknown outcome is a yes", "quorum.go",
			"	return Refuse(KindDenied, nil, \"policy's answer %q to request", "	return nil\n	return Refuse(KindDenied, nil, \"policy's answer %q to request",
			here, "TestAnUnknownOutcomeIsRefused",
		},
		{
			"an altered plan is as good", "tally.go",
			"if r.Digest == \"\" || digest != r.Digest {", "if r.Digest == \"\" {", here, "TestTheTallyFailsClosed|TestAnAlteredPlan",
		},
		{
			"the plan of a row is not checked", "tally.go",
			"if err := r.Plan.Check(); err != nil {", "if err := r.Plan.Check(); err != nil && r.Digest == \"\" {", here, "TestARowThatTheGate",
		},
		{
			"a row's own time to vote is taken", "counting.go",
			"|| v.At.Before(r.CreatedAt.Add(now.Expires)) {", "|| v.At.Before(r.ExpiresAt) {", here, "TestARowsOwnWindows",
		},
		{
			"a row's own time to start is taken", "tally.go",
			"StartWithin: min(r.StartWithin, now.StartBefore)}", "StartWithin: r.StartWithin}", here, "TestARowsOwnWindows",
		},
		{
			"the first quorum is the only one", "request.go",
			"return append([]Quorum{d.Quorum}, d.Also...)", "return []Quorum{d.Quorum}", here, "TestAMixedFleet",
		},
		{
			"the first target answers for all", "policy/policy.go",
			"return strictest(c.Targets, answers)", "return answers[0]", here, "TestAMixedFleet",
		},
		{
			"a withdrawal is forgotten", "history.go",
			"if e.Type == EventWithdrawn {", "if e.Type == EventWithdrawn && e.Detail == \"\" {", workers, "TestAWithdrawalWhile",
		},
		{
			"a fleet goes on for ever", "worker/advance.go",
			"if !now.Before(since.Add(within)) {", "if false {",
			workers, "TestAFleetEnds",
		},
		{
			"what cannot be sent holds up the rest", "worker/run.go",
			"return p.hold(again), w.moveStep(", "return move{again: again}, w.moveStep(", workers, "TestWhatWasSentIsSeenThrough",
		},
		{
			"Retry-After is for this job only", "worker/run.go",
			"s.NotBefore = by.At.Add(again)", "_ = by.At.Add(again)", workers, "TestRetryAfter",
		},
		{
			"an unproved name withdraws", "gate/withdraw.go",
			"if !by.Verified && same {", "if false {", gates, "TestAnUnproved",
		},
		{
			"an alias is a name", "person.go",
			"case strings.Contains(id, \":\"), slices", "case slices", gates, "TestAnUnproved|TestSubmitRefuses",
		},
		{
			"no answer is a yes", "counting.go",
			"ok, err := t.directory.Eligible(ctx, g, p)\n	if err != nil {", "ok, err := t.directory.Eligible(ctx, g, p)\n	if err != nil {\n		return true, nil\n	}\n	if err != nil {",
			here, "TestNoAnswer|TestTheTallyFailsClosed",
		},
		{
			"who the requester is need not be known", "counting.go",
			"\tknown, ok, err := t.known(ctx, r.Requester.Person)\n\tif err != nil {\n\t\treturn r, err", "\tknown, ok, err := t.known(ctx, r.Requester.Person)\n\tif err != nil {\n\t\treturn r, nil",
			here, "TestTheTallyFailsClosed",
		},
		{
			"people are compared with case", "person.go",
			"return strings.EqualFold(a, b)", "return a == b", here, "TestTheRequesterNeverApproves",
		},
		{
			"the requester may approve", "ballot/ballot.go",
			"own := in.Voter.Same(r.Requester.Person)", "own := in.Voter.ID == \"never\"", here, "TestTheRequesterNeverApproves",
		},
		{
			"a redelivery counts again", "ballot/ballot.go",
			"			if !first {\n				return errReplayed", "			if !first && vote.KeyID == \"\" {\n				return errReplayed", here, "TestAReplayedDelivery",
		},
		{
			"expiry is looked at before the look-ups only", "ballot/ballot.go",
			"if !at.Before(r.ExpiresAt) {", "if at.Before(r.CreatedAt) {", here, "TestASlowLookup",
		},
		{
			"the audit is not asked", "internal/change/change.go",
			"if fault == nil {", "if fault == nil || r.ID != \"\" {", here, "TestATerminalRequestWrittenBack|TestAStepWrittenBack",
		},
		{
			"the plan's own word for its risk is taken", "worker/advance.go",
			"!ok || !tool.States(r.Plan.Risk) || ", "!ok || tool.Risk == \"\" || ",
			here, "TestAMilderRisk",
		},
		{
			"a late start is a start", "worker/advance.go",
			"if !now.Before(limit) {", "if false {", here, "TestAMovedDecisionTime|TestAThrottledStart",
		},
		{
			"the stored time of the decision is trusted", "worker/advance.go",
			"limit := standing.Since.Add(standing.StartWithin)", "limit := r.StartBefore()", here, "TestAMovedDecisionTime",
		},
		{
			"verified once is verified for every step", "worker/run.go",
			"\tl, err := w.verify(ctx, r)\n\tif err != nil {", "\tl, err := w.verify(ctx, r)\n\tif err != nil && s.Index == 0 {",
			here, "TestApproversMustStillBeApproversAtEveryStep",
		},
		{
			"a lost answer is sent again", "worker/run.go",
			"	w.o.Logger.WarnContext(ctx, \"whether a step", "	if answer != nil {\n		return look(), w.moveStep(ctx, r, change.Step(r.ID, s, approvals.StepWaiting, by))\n	}\n	w.o.Logger.WarnContext(ctx, \"whether a step",
			workers, "TestALostAnswer|TestNoTrace",
		},
		{
			"no trace is sent again", "worker/run.go",
			"change.Step(r.ID, s, approvals.StepUnknown, by)", "change.Step(r.ID, s, approvals.StepWaiting, by)", workers, "TestNoTrace|TestACrash",
		},
		{
			"a failed look finds nothing", "worker/run.go",
			"case err != nil || (found && receipt.ActionID == \"\"):", "case found && receipt.ActionID == \"\":", workers, "TestATraceThatCannotBeLookedFor",
		},
		{
			"a stalled process sends", "worker/run.go",
			"stalled > w.timing.SendLimit {", "stalled > 1000*w.timing.SendLimit {", workers, "TestAStalledProcess",
		},
		{
			"a step is marked after its send", "worker/run.go",
			"\treturn marked, w.o.Store.InTx(ctx, func(tx *store.Tx) error {", "\t_, _ = w.apply(ctx, r, marked)\n\treturn marked, w.o.Store.InTx(ctx, func(tx *store.Tx) error {",
			workers, "TestACrash|TestManyWorkers|TestALostAnswer",
		},
		{
			"a withdrawal does not take the request's version", "worker/run.go",
			"\t\tif err := tx.Move(ctx, change.Touch(r, at)); err != nil {\n\t\t\treturn err\n\t\t}\n\t\tif err := clear.Still(ctx, tx); err != nil {\n\t\t\treturn err\n\t\t}\n\t\treturn tx.MoveStep", "\t\tif err := clear.Still(ctx, tx); err != nil {\n\t\t\treturn err\n\t\t}\n\t\tfresh, err := tx.Request(ctx, r.ID)\n\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n\t\ts.State, s.Version = fresh.Steps[s.Index].State, fresh.Steps[s.Index].Version\n\t\treturn tx.MoveStep",
			workers, "TestManyWorkers|TestAWithdrawal",
		},
		{
			"anybody withdraws", "gate/withdraw.go",
			"same := r.Requester.Same(by.Person)", "same := by.ID != \"\"", gates, "TestOnlyTheRequester",
		},
		{
			"withdrawing leaves the rest waiting", "gate/withdraw.go",
			"if s.State != approvals.StepWaiting {\n				continue", "if s.Index < len(r.Steps)-1 || s.State != approvals.StepWaiting {\n				continue", workers, "TestAWithdrawalBetween",
		},
		{
			"reading does not expire", "history.go",
			"case r.State == Pending && !now.Before(r.ExpiresAt):", "case r.State == Pending && now.After(r.ExpiresAt):", gates, "TestReadingExpires",
		},
	}
}

// allMutants are the mutants that tests of single rules must kill; modelMutants are those of the random lives.
func allMutants() []mutant { return slices.Concat(mutants(), furtherMutants(), mutantsOfFaces()) }

// TestMutantsAreUpToDate holds the list to the code: each old text is there, once.
func TestMutantsAreUpToDate(t *testing.T) {
	for _, m := range append(allMutants(), modelMutants()...) {
		b, err := os.ReadFile(m.file)
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(string(b), m.old), "%s: the text in %s is not there exactly once; mend the list", m.name, m.file)
	}
}

// TestMutantsDie builds and tests every mutant, which takes some minutes; it runs when MDE_TEST_MUTANTS is set.
func TestMutantsDie(t *testing.T) {
	if os.Getenv("MDE_TEST_MUTANTS") == "" {
		t.Skip("set MDE_TEST_MUTANTS=1 to build and test every mutant (some minutes)")
	}
	all, killed := allMutants(), 0
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			out, err := m.test(t)
			require.Error(t, err, "the mutant lives: no test of %s noticed", m.run)
			require.Contains(t, out, "--- FAIL", "the tests have to fail, not the build")
			killed++
		})
	}
	t.Logf("the tests killed %d of %d mutants", killed, len(all))
}

// test runs the mutant's tests with the altered file laid over the real one.
func (m mutant) test(t *testing.T, env ...string) (string, error) {
	path, err := filepath.Abs(m.file)
	require.NoError(t, err)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	altered := filepath.Join(t.TempDir(), "altered.go")
	require.NoError(t, os.WriteFile(altered, []byte(strings.Replace(string(b), m.old, m.new, 1)), 0o600))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: altered}})
	require.NoError(t, err)
	list := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(list, overlay, 0o600))
	args := []string{"test", "-count=1", "-vet=off", "-timeout=360s", "-overlay", list, "-run", m.run, m.pkg}
	if m.pkg == "." {
		args = append(args, "-failfast", "-rapid.nofailfile", "-rapid.shrinktime=0s") // a mutant's failures are no cases to replay
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(append(os.Environ(), "MDE_TEST_MUTANTS=", livesEnv+"="), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
