package worker_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

func raised(risk approvals.Risk) approvals.Plan {
	plan := lab.Plan("set_level", 1)
	plan.Risk = risk
	return plan
}

func TestAPlanWithTheHigherRiskOfItsToolNeedsWhatThatRiskNeeds(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		mild, grave := l.Submit(raised(approvals.RiskContain)), l.Submit(raised(approvals.RiskExecute))
		for _, r := range []approvals.Request{mild, grave} {
			l.Approve(r.ID, "bob")
			l.Work(r.ID)
		}
		require.Len(t, l.Tenant.Sends(), 1, "one yes is enough for the milder one only")
		l.Approve(grave.ID, "dan")
		l.Work(grave.ID)
		require.Len(t, l.Tenant.Sends(), 2)
	})
}

func TestAPlanWithARiskThatItsToolNeverHasIsRefused(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for _, risk := range []approvals.Risk{approvals.RiskAnnotate, approvals.RiskDestroy} {
			_, err := l.Gate.Submit(ctx(), gate.Submission{Plan: raised(risk), Requester: lab.Ann()})
			require.ErrorContains(t, err, "and the tool says", risk)
		}
	})
}

// Whoever can write to the database must not get a plan through with the tool's milder risk.
func TestAStoredPlanThatIsMadeMilderIsNotSent(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(raised(approvals.RiskExecute))
		l.Approve(r.ID, "bob", "dan")
		r.Plan.Risk = approvals.RiskContain
		milder, err := json.Marshal(r.Plan)
		require.NoError(t, err)
		l.Write("UPDATE requests SET plan = $1 WHERE id = $2", string(milder), r.ID)
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends())
	})
}

// A face that lies about its tools gets its plan stored, and the worker goes by what its own tools say.
func TestAPlanFromAFaceThatLiesAboutRisksIsNotSent(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		lies := lab.Tools()
		info := lies["set_level"]
		info.Risk = approvals.RiskCollect
		lies["set_level"] = info
		face, err := gate.New(gate.Options{Store: l.DB, Policy: l.Policy, Tools: lies, Clock: l.Clock.Now, Logger: lab.Quiet()})
		require.NoError(t, err)
		defer face.Close()
		r, err := face.Submit(ctx(), gate.Submission{Plan: raised(approvals.RiskCollect), Requester: lab.Ann()})
		require.NoError(t, err)
		l.Approve(r.ID, "bob")
		l.Work(r.ID)
		require.Empty(t, l.Tenant.Sends())
		require.Contains(t, l.Get(r.ID).Message, "which is not what the tool states")
	})
}
