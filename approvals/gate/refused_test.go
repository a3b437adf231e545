package gate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// hangUp says no, after whoever asked has ended the call.
type hangUp struct {
	approvals.Policy
	end func()
}

func (p hangUp) Decide(approvals.Call) approvals.Decision {
	p.end()
	return approvals.Decision{Outcome: approvals.Deny, Rule: "never", Why: "not here"}
}

func TestAnAttemptIsNotHiddenByEndingTheCall(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		ctx, cancel := context.WithCancel(t.Context())
		g, err := gate.New(gate.Options{Store: l.DB, Policy: hangUp{l.Policy, cancel}, Tools: lab.Tools(), Clock: l.Clock.Now, Logger: lab.Quiet()})
		require.NoError(t, err)
		t.Cleanup(g.Close)
		_, err = g.Submit(ctx, gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "%v", err)
		rows, err := l.DB.Events(t.Context(), store.Query{})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, approvals.EventRefused, rows[0].Type)
		require.Equal(t, lab.Ann().ID, rows[0].Actor)
	})
}
