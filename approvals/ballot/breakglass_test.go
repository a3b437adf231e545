package ballot_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// withGlass is the laboratory's policy with a break-glass section for some people and isolating.
type withGlass struct {
	approvals.Policy
	people []string
}

func (p withGlass) Decide(c approvals.Call) approvals.Decision {
	if !c.BreakGlass {
		return p.Policy.Decide(c)
	}
	if c.Tool != "isolate_devices" && c.Tool != "run_script" || !slices.Contains(p.people, c.Requester.ID) {
		return approvals.Decision{Outcome: approvals.Deny, Rule: "break-glass", Why: "you are not named there"}
	}
	return approvals.Decision{
		Outcome: approvals.Confirm, Rule: "break-glass", Expires: 30 * time.Minute, StartBefore: 15 * time.Minute, MaxTargets: 3,
		Terms: approvals.Terms{BreakGlass: true},
	}
}

// glass is a lab whose policy lets ann break the glass, and a box that can ask what is stopped.
type glass struct {
	*lab.Lab
	box *ballot.Box
}

func newGlass(l *lab.Lab, p approvals.Policy) *glass {
	l.Use(p)
	board, err := control.New(control.Options{Store: l.DB, Tools: lab.Tools(), Clock: l.Clock.Now, Logger: lab.Quiet()})
	require.NoError(l.T, err)
	g := &glass{Lab: l}
	g.box, err = ballot.New(ballot.Options{
		Store: l.DB, Policy: p, Signer: l.Signer, Verifier: l.Verifier, Directory: l.Directory, Switches: board,
		Clock: l.Clock.Now, Logger: lab.Quiet(),
	})
	require.NoError(l.T, err)
	return g
}

func eachGlass(t *testing.T, fn func(t *testing.T, g *glass)) {
	t.Helper()
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		fn(t, newGlass(l, withGlass{lab.DefaultPolicy(t), []string{"ann@example.com"}}))
	})
}

// emergency is ann's, on so many devices, all typed right.
func emergency(devices int) ballot.Emergency {
	e := ballot.Emergency{
		Plan: lab.Plan("isolate_devices", devices), Requester: lab.Ann(), Origin: approvals.Origin{Channel: "C1"}, Delivery: "view-1",
	}
	for _, t := range e.Plan.Targets {
		e.Typed = append(e.Typed, t.Name)
	}
	return e
}

func (g *glass) events(kind string) (found []approvals.Event) {
	events, err := g.DB.Events(g.T.Context(), store.Query{})
	require.NoError(g.T, err)
	for _, e := range events {
		if e.Type == kind {
			found = append(found, e)
		}
	}
	return found
}

func TestTheGlassIsBrokenByOnePersonAndInTheAudit(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		e := emergency(2)
		e.Typed[0], e.Typed[1] = " "+strings.ToUpper(e.Typed[1])+" ", e.Typed[0]
		r, err := g.box.BreakGlass(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, approvals.Approved, r.State)
		require.True(t, r.Terms.BreakGlass)
		require.Equal(t, "C1", r.Origin.Channel)
		require.Equal(t, approvals.Succeeded, g.Settle(r.ID).State)
		require.Len(t, g.Tenant.Sends(), 2)
		said := g.events(approvals.EventBreakGlass)
		require.Len(t, said, 1)
		require.Equal(t, "ann@example.com", said[0].Actor)
		require.Equal(t, "isolate_devices on hostdevice-0, hostdevice-1: beaconing to a known C2", said[0].Detail)
		require.NoError(t, g.tally().Stood(t.Context(), g.Get(r.ID)))
		g.Verified()
	})
}

func (g *glass) tally() *approvals.Tally {
	t, err := approvals.NewTally(approvals.TallyOptions{
		Policy: g.Policy, Verifier: g.Verifier, Directory: g.Directory, Activity: g.DB, Clock: g.Clock.Now,
	})
	require.NoError(g.T, err)
	return t
}

func TestARedeliveredDialogActsOnce(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		e := emergency(1)
		e.Plan.Args = []byte(`{"devices": ["<host>"]}`)
		var group sync.WaitGroup
		ids := make([]string, 4)
		for i := range ids {
			group.Go(func() {
				r, err := g.box.BreakGlass(t.Context(), e)
				if err == nil {
					ids[i] = r.ID
				}
			})
		}
		group.Wait()
		require.NotEmpty(t, ids[0])
		require.Equal(t, []string{ids[0]}, slices.Compact(ids))
		g.Settle(ids[0])
		g.stop(approvals.ScopeAll)
		for range 2 { // what it had to do was done, whatever is stopped since
			r, err := g.box.BreakGlass(t.Context(), e)
			require.NoError(t, err)
			require.Equal(t, ids[0], r.ID)
		}
		require.Len(t, g.Tenant.Sends(), 1)
		require.Len(t, g.events(approvals.EventBreakGlass), 1)
		g.Verified()
	})
}

func (g *glass) stop(scope string) {
	require.NoError(g.T, g.DB.InTx(g.T.Context(), func(tx *store.Tx) error {
		return tx.Note(g.T.Context(), approvals.Event{Type: approvals.EventStopped, Actor: "eve@example.com", Step: -1, Detail: scope + ": drill"})
	}))
}

func TestTheGlassHolds(t *testing.T) {
	attacks := map[string]struct {
		spoil func(*ballot.Emergency)
		kind  approvals.Kind
		says  string
	}{
		"not listed":          {func(e *ballot.Emergency) { e.Requester.Person = lab.Person("bob") }, approvals.KindDenied, "you are not named there"},
		"over MCP":            {func(e *ballot.Emergency) { e.Requester.Via = approvals.ViaMCP }, approvals.KindDenied, "Slack's dialog only"},
		"in the shell":        {func(e *ballot.Emergency) { e.Requester.Via = approvals.ViaShell }, approvals.KindDenied, "Slack's dialog only"},
		"by an assistant":     {func(e *ballot.Emergency) { e.Requester.Agent = "copilot" }, approvals.KindDenied, "Slack's dialog only"},
		"unverified":          {func(e *ballot.Emergency) { e.Requester.Verified = false }, approvals.KindDenied, "Slack's dialog only"},
		"without a Slack id":  {func(e *ballot.Emergency) { e.Requester.Aliases = nil }, approvals.KindDenied, "Slack's dialog only"},
		"nobody":              {func(e *ballot.Emergency) { e.Requester.ID = "" }, approvals.KindInvalid, "no requester"},
		"a wrong name":        {func(e *ballot.Emergency) { e.Typed[0] = "hostdevice-1" }, approvals.KindInvalid, "is not the name of the target"},
		"half a name":         {func(e *ballot.Emergency) { e.Typed[0] = "hostdevice" }, approvals.KindInvalid, "is not the name of the target"},
		"an id":               {func(e *ballot.Emergency) { e.Typed[0] = e.Plan.Targets[0].ID }, approvals.KindInvalid, "is not the name of the target"},
		"nothing typed":       {func(e *ballot.Emergency) { e.Typed = nil }, approvals.KindInvalid, "type the name of each"},
		"a look-alike typed":  {func(e *ballot.Emergency) { e.Typed[0] = "h\u043estdevice-0" }, approvals.KindInvalid, "is not the name of the target"},
		"a hidden character":  {func(e *ballot.Emergency) { e.Typed[0] = "host\u200bdevice-0" }, approvals.KindInvalid, "is not the name of the target"},
		"a folding character": {func(e *ballot.Emergency) { e.Typed[0] = "ho\u017ftdevice-0" }, approvals.KindInvalid, "is not the name of the target"},
		"a look-alike device": {func(e *ballot.Emergency) {
			e.Plan.Targets[0].Name = "h\u043estdevice-0"
			e.Typed[0] = e.Plan.Targets[0].Name
		}, approvals.KindInvalid, "can be mistaken"},
		"a nameless device": {func(e *ballot.Emergency) { e.Plan.Targets[0].Name, e.Typed[0] = "", "" }, approvals.KindInvalid, "can be mistaken"},
		"another risk":      {func(e *ballot.Emergency) { e.Plan.Tool, e.Plan.Risk = "run_script", approvals.RiskExecute }, approvals.KindDenied, "only contains"},
		"another tool":      {func(e *ballot.Emergency) { e.Plan.Tool = "restrict_apps" }, approvals.KindDenied, "you are not named there"},
		"a time-box": {func(e *ballot.Emergency) {
			e.Plan.TimeBox = &approvals.TimeBox{For: time.Hour, Tool: "release_devices", Risk: approvals.RiskExpose}
		}, approvals.KindDenied, "you are not named there"},
		"no reason":        {func(e *ballot.Emergency) { e.Plan.Reason = " " }, approvals.KindInvalid, "a reason is needed"},
		"no delivery":      {func(e *ballot.Emergency) { e.Delivery = "" }, approvals.KindInvalid, "act twice"},
		"no steps":         {func(e *ballot.Emergency) { e.Plan.Steps = nil }, approvals.KindInvalid, "no steps"},
		"not JSON":         {func(e *ballot.Emergency) { e.Plan.Args = []byte("{") }, approvals.KindInvalid, "not JSON"},
		"too many targets": {func(e *ballot.Emergency) { *e = emergency(4) }, approvals.KindDenied, "policy now allows 3"},
	}
	eachGlass(t, func(t *testing.T, g *glass) {
		for name, a := range attacks {
			before := len(g.events(approvals.EventRefused))
			e := emergency(1)
			a.spoil(&e)
			r, err := g.box.BreakGlass(t.Context(), e)
			require.Equal(t, a.kind, approvals.KindOf(err), "%s: %v", name, err)
			require.ErrorContains(t, err, a.says, name)
			require.Empty(t, r.ID, name)
			require.Len(t, g.events(approvals.EventRefused), before+1, "%s: the attempt is in the audit", name)
		}
		all, err := g.DB.Requests(t.Context(), store.Filter{})
		require.NoError(t, err)
		require.Empty(t, all)
		g.Verified()
	})
}

func TestTwoDevicesOfOneNameAreNotToldApart(t *testing.T) {
	g := newGlass(lab.New(t, storetest.SQLite(t)), withGlass{lab.DefaultPolicy(t), []string{"ann@example.com"}})
	e := emergency(2)
	e.Plan.Targets[1].Name = "HOSTdevice-0"
	e.Typed = []string{"hostdevice-0", "hostdevice-0"}
	_, err := g.box.BreakGlass(t.Context(), e)
	lab.Kind(t, approvals.KindInvalid, err)
	require.ErrorContains(t, err, "does not say which")
}

func TestWhomTheDirectoryDoesNotKnowBreaksNothing(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		g.Directory.Forget(lab.Person("ann"))
		_, err := g.box.BreakGlass(t.Context(), emergency(1))
		lab.Kind(t, approvals.KindDenied, err)
		g.Directory.Lose(errors.New("timeout"))
		_, err = g.box.BreakGlass(t.Context(), emergency(1))
		lab.Kind(t, approvals.KindNoAnswer, err)
		require.Empty(t, g.Tenant.Sends())
	})
}

func TestTheGlassIsOffByDefault(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		g := newGlass(l, lab.DefaultPolicy(t))
		_, err := g.box.BreakGlass(t.Context(), emergency(1))
		lab.Kind(t, approvals.KindDenied, err)
		// A policy that allows the tool outright has no break-glass either.
		g = newGlass(l, lab.ParsePolicy(t, "rules:\n- {name: free, tools: [isolate_devices], outcome: confirm}\n"))
		_, err = g.box.BreakGlass(t.Context(), emergency(1))
		lab.Kind(t, approvals.KindDenied, err)
		require.ErrorContains(t, err, "policy has no break-glass")
		// Without switches nobody could tell what is stopped.
		l.Use(withGlass{lab.DefaultPolicy(t), []string{"ann@example.com"}})
		_, err = l.Box.BreakGlass(t.Context(), emergency(1))
		lab.Kind(t, approvals.KindDenied, err)
		require.Empty(t, l.Tenant.Sends())
	})
}

func TestTheGlassIsNotBrokenWhileStopped(t *testing.T) {
	for _, scope := range []string{approvals.ScopeAll, "response"} {
		t.Run(scope, func(t *testing.T) {
			eachGlass(t, func(t *testing.T, g *glass) {
				g.stop(scope)
				_, err := g.box.BreakGlass(t.Context(), emergency(1))
				lab.Kind(t, approvals.KindHeld, err)
				require.ErrorContains(t, err, "eve@example.com")
				require.Empty(t, g.Tenant.Sends())
			})
		})
	}
}

func TestTheGlassIsSwitchedOffBeforeTheClaim(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		r, err := g.box.BreakGlass(t.Context(), emergency(1))
		require.NoError(t, err)
		g.Use(withGlass{lab.DefaultPolicy(t), nil})
		g.Work(r.ID)
		require.Equal(t, approvals.Cancelled, g.Get(r.ID).State)
		require.Empty(t, g.Tenant.Sends())
		require.Error(t, g.tally().Stood(t.Context(), g.Get(r.ID)))
	})
}

// A row that says it is break-glass gets no yes but the dialog's.
func TestTheDialogAloneMakesTheYesOfBreakGlass(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		now := g.Clock.Now()
		forged := approvals.Request{
			ID: "FORGED00", Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann(), Outcome: approvals.Confirm, Rule: "break-glass",
			PolicyDigest: g.Policy.Digest(), CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute), StartWithin: 15 * time.Minute,
			State: approvals.Pending, Terms: approvals.Terms{BreakGlass: true},
		}
		var err error
		forged.Digest, err = approvals.Digest(forged)
		require.NoError(t, err)
		require.NoError(t, g.DB.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.Insert(t.Context(), forged, approvals.Event{Type: approvals.EventSubmitted, Actor: forged.Requester.ID})
		}))
		err = g.Cast(forged.ID, lab.Person("ann"), approvals.VerdictConfirm)
		lab.Kind(t, approvals.KindNotVoter, err)
		require.ErrorContains(t, err, "only the dialog")
		g.Work(forged.ID)
		require.Empty(t, g.Tenant.Sends())
	})
}

func TestTheGateNeverMakesABreakGlassRequest(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		r, err := g.Gate.Submit(t.Context(), gate.Submission{Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann()})
		require.NoError(t, err)
		require.False(t, r.Terms.BreakGlass)
		require.Equal(t, approvals.Approve, r.Outcome)
	})
}

func TestBreakingTheGlassEndsWhatStillWaitsForTheSame(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		in := emergency(1)
		waiting := g.Submit(in.Plan)
		r, err := g.box.BreakGlass(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, approvals.Cancelled, g.Get(waiting.ID).State)
		require.Equal(t, "break-glass request "+r.ID+" does the same", g.Get(waiting.ID).Message)
		lab.Kind(t, approvals.KindConflict, g.Cast(waiting.ID, lab.Person("bob"), approvals.VerdictApprove))
		g.Settle(r.ID)
		require.Len(t, g.Tenant.Sends(), 1)

		approved := g.Submit(in.Plan)
		g.Approve(approved.ID, "bob")
		again := in
		again.Delivery = "view-2"
		_, err = g.box.BreakGlass(t.Context(), again)
		lab.Kind(t, approvals.KindConflict, err)
		require.ErrorContains(t, err, approved.ID)
		g.Clock.Advance(15 * time.Minute) // … and nobody has started it
		_, err = g.box.BreakGlass(t.Context(), again)
		require.NoError(t, err)
		require.Equal(t, approvals.Expired, g.Get(approved.ID).State)
		g.Verified()
	})
}

func TestTheGlassOfAPolicyFile(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		g := newGlass(l, lab.ParsePolicy(t, "break_glass: {people: [UANN], tools: [isolate_devices]}\n"))
		r, err := g.box.BreakGlass(t.Context(), emergency(1))
		require.NoError(t, err)
		require.Equal(t, approvals.Succeeded, g.Settle(r.ID).State)
		other := emergency(1)
		other.Requester.Person, other.Delivery = lab.Person("bob"), "view-2"
		_, err = g.box.BreakGlass(t.Context(), other)
		lab.Kind(t, approvals.KindDenied, err)
		require.Len(t, g.Tenant.Sends(), 1)
		g.Verified()
	})
}

func TestNoStoreNoBreakGlass(t *testing.T) {
	g := newGlass(lab.New(t, storetest.SQLite(t)), withGlass{lab.DefaultPolicy(t), []string{"ann@example.com"}})
	require.NoError(t, g.DB.Close())
	_, err := g.box.BreakGlass(t.Context(), emergency(1))
	lab.Kind(t, approvals.KindStore, err)
}

// TestAPolicyFileGivesTheGlassItsTimes breaks the glass under policies as people write them, whatever their rules would have
// asked for.
func TestAPolicyFileGivesTheGlassItsTimes(t *testing.T) {
	const section = "break_glass: {people: [UANN], tools: [isolate_devices], tell: [leads]}\n"
	for name, rules := range map[string]string{
		"allow":   "rules:\n  - {name: free, outcome: allow}\n",
		"confirm": "rules:\n  - {name: own, outcome: confirm}\n",
		"approve": "rules:\n  - {name: two, outcome: approve, count: 2, expires: 5m, start_before: 2m, escalate: [{after: 1m, to: leads}]}\n",
		"protect": "rules:\n  - {name: free, outcome: allow}\nprotect:\n  - {name: dear, devices: [hostdevice-0], then: {count: 2, from: leads}}\n",
		"quiet":   "rules:\n  - {name: free, outcome: allow}\nquiet_hours: {zone: UTC, from: \"00:00\", to: \"24:00\", then: {count: 2, from: leads}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				g := newGlass(l, lab.ParsePolicy(t, rules+section))
				r, err := g.box.BreakGlass(t.Context(), emergency(1))
				require.NoError(t, err)
				require.True(t, r.ExpiresAt.After(r.CreatedAt))
				require.Positive(t, r.StartWithin)
				require.Equal(t, approvals.Succeeded, g.Settle(r.ID).State)
				require.Len(t, g.Tenant.Sends(), 1)
			})
		})
	}
}
