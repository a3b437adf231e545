package gate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

func TestWhoMayReadWhatARequestAskedFor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	alice := approvals.Requester{Person: approvals.Person{ID: "alice@contoso.com", Aliases: []string{"slack:T1/U1"}}, Verified: true, Via: approvals.ViaMCP}
	done := approvals.Request{ID: "ABCDEFGH", Requester: alice, State: approvals.Succeeded, FinishedAt: now.Add(-time.Hour)}
	require.NoError(t, mayFetch(done, alice, now))
	slack := approvals.Requester{Person: approvals.Person{ID: "a.smith@contoso.com", Aliases: []string{"slack:T1/U1"}}, Verified: true, Via: approvals.ViaSlack}
	require.NoError(t, mayFetch(done, slack, now), "the same person by another name")
	for name, change := range map[string]func(r *approvals.Request, by *approvals.Requester){
		"another person":               func(_ *approvals.Request, by *approvals.Requester) { by.ID, by.Aliases = "bob@contoso.com", nil },
		"unproved now":                 func(_ *approvals.Request, by *approvals.Requester) { by.Verified = false },
		"unproved then":                func(r *approvals.Request, _ *approvals.Requester) { r.Requester.Verified = false },
		"no person":                    func(_ *approvals.Request, by *approvals.Requester) { by.ID = "worker" },
		"running":                      func(r *approvals.Request, _ *approvals.Requester) { r.State = approvals.Running },
		"partial":                      func(r *approvals.Request, _ *approvals.Requester) { r.State = approvals.Partial },
		"unfinished":                   func(r *approvals.Request, _ *approvals.Requester) { r.FinishedAt = time.Time{} },
		"a day after":                  func(r *approvals.Request, _ *approvals.Requester) { r.FinishedAt = now.Add(-FetchFor) },
		"finished in the time to come": func(r *approvals.Request, _ *approvals.Requester) { r.FinishedAt = now.Add(time.Minute) },
	} {
		r, by := done, alice
		change(&r, &by)
		require.Error(t, mayFetch(r, by, now), name)
	}
}
