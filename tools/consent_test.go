package tools

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

type labelIn struct {
	Devices []string `json:"devices" jsonschema:"devices" form:"device"`
	Label   string   `json:"label" jsonschema:"label"`
	Times   int      `json:"times,omitempty" jsonschema:"how many labels" range:"1,100" default:"1"`
	asking
}

// labelDevices is a tool that annotates.
func labelDevices(name string, risk approvals.Risk) declaration {
	return spec[labelIn, requestView]{
		name: name, title: "Label", toolset: Devices, surface: InToolset, risk: risk, summary: "Label devices.",
		plan: func(ctx context.Context, s *session, in labelIn) (approvals.Plan, error) {
			found, err := s.resolve(ctx, in.Devices)
			if err != nil {
				return approvals.Plan{}, err
			}
			p := approvals.Plan{Preview: fmt.Sprintf("Label %d devices %s", len(found), quoted(in.Label, 60))}
			for _, d := range found {
				p.Targets = append(p.Targets, approvals.Target{ID: d.ID, Kind: "device", Name: d.ComputerDNSName})
				for i := range in.Times {
					args := remarshal(fmt.Sprintf("%s %d", in.Label, i))
					p.Steps = append(p.Steps, approvals.Step{Action: "label", Target: d.ID, Args: args, Summary: "label " + d.ComputerDNSName})
				}
			}
			return p, nil
		},
		performs: performs{
			apply: func(context.Context, hands, worker.Task) (worker.Receipt, error) {
				return worker.Receipt{}, errors.New("not here")
			},
			find: func(context.Context, hands, worker.Task, time.Time) (worker.Receipt, bool, error) {
				return worker.Receipt{}, false, nil
			},
			follow: func(context.Context, hands, worker.Task, string) (worker.Progress, error) {
				return worker.Progress{}, nil
			},
		},
	}
}

// client is what asks through MCP and can put questions to its person.
type asker struct {
	*world
	n   atomic.Int64
	who approvals.Requester
}

func newAsker(t *testing.T) *asker {
	w := &world{House: toolstest.Open(t, toolstest.Options{}), t: t}
	var err error
	w.d, err = newDispatcher(w.options(), append(declarations(), labelDevices("label_devices", approvals.RiskAnnotate), labelDevices("mark_devices", approvals.RiskAnnotate), labelDevices("cut_devices", approvals.RiskContain)))
	require.NoError(t, err)
	return &asker{world: w, who: toolstest.Alice()}
}

// label is the call, each one of another label so that none joins an earlier request.
func (a *asker) label() Call {
	return Call{
		Tool: "label_devices", Requester: a.who, MayAsk: true,
		Args: json.RawMessage(fmt.Sprintf(`{"devices":["host01"],"label":"label-%d","reason":"triage"}`, a.n.Add(1))),
	}
}

func (a *asker) asked(c Call) *Question {
	a.t.Helper()
	res, err := a.d.Call(a.t.Context(), c)
	require.NoError(a.t, err)
	require.NotNil(a.t, res.Question)
	require.Nil(a.t, res.Request)
	require.Nil(a.t, res.Output)
	return res.Question
}

// vain is a call that must be refused and make nothing.
func (a *asker) vain(c Call, text string) {
	a.t.Helper()
	before := len(a.requests())
	res, err := a.d.Call(a.t.Context(), c)
	require.ErrorContains(a.t, err, text)
	require.Nil(a.t, res.Request)
	require.Len(a.t, a.requests(), before)
	require.Zero(a.t, a.Tenant.Writes())
}

func TestConsentIsAskedForAndCounts(t *testing.T) {
	a := newAsker(t)
	c := a.label()
	c.Requester.Agent = "Claude\u202e <!here>"
	q := a.asked(c)
	for _, text := range []string{"Label 1 devices", `"label-1"`, "host01.contoso.com", `"triage"`, "alice@contoso.com", "Claude"} {
		require.Contains(t, q.Text, text)
	}
	require.NotContains(t, q.Text, "\u202e")
	require.Empty(t, a.requests(), "nothing is made before the yes")
	c.Answer = &Answer{State: q.State, Yes: true}
	res, err := a.d.Call(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, approvals.Approved, res.Request.State)
	require.True(t, res.Request.Terms.ClientConsent)
	require.Contains(t, res.Output.(requestView).Policy, "only its word")
	require.Len(t, a.requests(), 1)
	a.vain(c, "was used before")
}

func TestConsentIsNotTakenFromElsewhere(t *testing.T) {
	a := newAsker(t)
	for name, c := range map[string]struct {
		spoil func(c *Call)
		text  string
	}{
		"no question":      {func(c *Call) { c.Answer.State = "" }, "never asked"},
		"made up":          {func(c *Call) { c.Answer.State = "approved" }, "not one that this process gave out"},
		"altered":          {func(c *Call) { c.Answer.State = flipped(t, c.Answer.State) }, "was altered"},
		"cut":              {func(c *Call) { c.Answer.State = c.Answer.State[:20] }, "not one that this process gave out"},
		"another person":   {func(c *Call) { c.Requester.ID = "bob@contoso.com" }, "given to somebody else"},
		"another face":     {func(c *Call) { c.Requester.Via = approvals.ViaSlack }, "given to somebody else"},
		"another tool":     {func(c *Call) { c.Tool = "mark_devices" }, "belongs to a call of label_devices"},
		"above annotation": {func(c *Call) { c.Tool = "cut_devices" }, "belongs to a call of label_devices"},
		"another device":   {func(c *Call) { c.Args = json.RawMessage(strings.Replace(string(c.Args), "host01", "host02", 1)) }, "no longer what"},
		"another label":    {func(c *Call) { c.Args = json.RawMessage(strings.Replace(string(c.Args), "label-", "lebal-", 1)) }, "no longer what"},
		"another reason":   {func(c *Call) { c.Args = json.RawMessage(strings.Replace(string(c.Args), "triage", "trial", 1)) }, "no longer what"},
		"another agent":    {func(c *Call) { c.Requester.Agent = "Mallory" }, "no longer what"},
		"a no":             {func(c *Call) { c.Answer.Yes = false }, "did not say yes"},
		"too late":         {func(*Call) { a.Clock.Add(askFor) }, "expired at"},
	} {
		t.Run(name, func(*testing.T) {
			call := a.label()
			call.Answer = &Answer{State: a.asked(call).State, Yes: true}
			c.spoil(&call)
			a.vain(call, c.text)
		})
	}
	// A no is final: the same question can't be answered again.
	call := a.label()
	call.Answer = &Answer{State: a.asked(call).State}
	a.vain(call, "did not say yes")
	call.Answer.Yes = true
	a.vain(call, "was used before")
	// Another process, or this one after a restart, has another key.
	other := newAsker(t)
	call = a.label()
	call.Answer = &Answer{State: other.asked(call).State, Yes: true}
	a.vain(call, "not one that this process gave out")
}

// flipped is a state of which one bit is another.
func flipped(t *testing.T, state string) string {
	b, err := base64.RawURLEncoding.DecodeString(state)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	return base64.RawURLEncoding.EncodeToString(b)
}

func TestConsentIsOnlyAskedForWhereItCounts(t *testing.T) {
	a := newAsker(t)
	for name, change := range map[string]func(c *Call){
		"a client that can't ask": func(c *Call) { c.MayAsk = false },
		"not annotation":          func(c *Call) { c.Tool = "cut_devices" },
		"unverified":              func(c *Call) { c.Requester.Verified = false },
		"in Slack":                func(c *Call) { c.Requester.Via = approvals.ViaSlack },
	} {
		c := a.label()
		change(&c)
		res, err := a.d.Call(t.Context(), c)
		require.NoError(t, err, name)
		require.Nil(t, res.Question, name)
		require.Equal(t, approvals.Pending, res.Request.State, name)
		require.False(t, res.Request.Terms.ClientConsent, name)
	}
	dry := a.label()
	dry.Args = json.RawMessage(strings.Replace(string(dry.Args), "{", `{"dry_run":true,`, 1))
	res, err := a.d.Call(t.Context(), dry)
	require.NoError(t, err)
	require.Nil(t, res.Question, "a dry run asks nobody")
	refused := a.label()
	refused.Args = json.RawMessage(`{"devices":["host01"],"label":"x"}`)
	a.vain(refused, "a reason is needed")

	for n, asks := range map[int]bool{askSteps: true, askSteps + 1: false} {
		args := json.RawMessage(fmt.Sprintf(`{"devices":["host01"],"label":"many","reason":"triage","times":%d}`, n))
		res, err := a.d.Call(t.Context(), Call{Tool: "label_devices", Requester: a.who, MayAsk: true, Args: args})
		require.NoError(t, err)
		require.Equal(t, asks, res.Question != nil, "what is too long to be read in a client is confirmed in Slack")
	}
}

// However many answers come at once, one counts.
func TestConsentCountsOnce(t *testing.T) {
	a := newAsker(t)
	c := a.label()
	c.Answer = &Answer{State: a.asked(c).State, Yes: true}
	var made atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := a.d.Call(t.Context(), c); err == nil {
				made.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, made.Load())
	require.Len(t, a.requests(), 1)
}

func TestConsentRemembersSoManyAnswersAndNoMore(t *testing.T) {
	now := time.Now()
	c, err := newConsents(func() time.Time { return now })
	require.NoError(t, err)
	for i := range maxAnswered {
		require.NoError(t, c.once(asked{Nonce: fmt.Sprint(i), Until: now.Add(askFor)}, now))
	}
	require.ErrorContains(t, c.once(asked{Nonce: "one more", Until: now.Add(askFor)}, now), "too many questions")
	require.ErrorContains(t, c.once(asked{Nonce: "7", Until: now.Add(askFor)}, now), "used before")
	now = now.Add(askFor)
	require.NoError(t, c.once(asked{Nonce: "one more", Until: now.Add(askFor)}, now))
	require.Len(t, c.used, 1)
}

func FuzzConsentState(f *testing.F) {
	c, err := newConsents(time.Now)
	require.NoError(f, err)
	good, err := c.state("label_devices", toolstest.Alice(), "digest")
	require.NoError(f, err)
	for _, seed := range []string{"", "approved", good + "A", good[:len(good)-1], strings.ToUpper(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, state string) {
		if state == good {
			t.Skip()
		}
		_, err := c.open(state, "label_devices", toolstest.Alice())
		require.Error(t, err)
	})
}
