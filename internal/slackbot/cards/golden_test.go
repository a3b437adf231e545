package cards

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

var update = flag.Bool("update", false, "draw the pictures in testdata anew")

// picture is one screen and how it comes about.
type picture struct {
	change func(*approvals.Request)
	around Around
	// draw is Card unless set; window draws a window instead.
	draw   func(approvals.Request, Around) blockkit.Message
	window func(approvals.Request) slack.ModalViewRequest
}

// TestPictures draws every screen as on a desktop and compares it with testdata. After a change that is meant, draw them anew
// with -update, and look at each.
func TestPictures(t *testing.T) {
	t.Parallel()
	w := still(t)
	pictures := map[string]picture{}
	for _, more := range []map[string]picture{waiting(), decided(), around(), windows(), threads(), tellings()} {
		for name, p := range more {
			pictures[name] = p
		}
	}
	drawn := map[string]bool{}
	for name, p := range pictures {
		file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".txt")
		drawn[file] = true
		got := w.picture(t, p)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err, "draw it with -update")
		require.Equal(t, string(want), got, name)
	}
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, f := range files {
		require.True(t, drawn[f], "%s is a picture of nothing", f)
	}
}

// still is a wall whose clock stands, so that its messages have the same times in every run.
func still(t *testing.T) wall {
	t.Helper()
	ws := &slacksim.Workspace{TriggerLife: time.Minute, Clock: noon}
	ws.Cast()
	srv, err := ws.Start()
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return wall{ws, slack.New(ws.Tokens().Bot, slack.OptionAPIURL(srv.APIURL()), slack.OptionHTTPClient(&http.Client{Timeout: time.Minute}))}
}

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func (w wall) picture(t *testing.T, p picture) string {
	t.Helper()
	r := attacked()
	if p.change != nil {
		p.change(&r)
	}
	r = seal(t, r)
	options := slacksim.RenderOptions{Width: 100, Names: w.DisplayName}
	if p.window != nil {
		w.open(t, p.window(r))
		views := w.Views(slacksim.Alice)
		return slacksim.RenderView(views[len(views)-1], options)
	}
	if p.draw == nil {
		p.draw = Card
	}
	return slacksim.RenderText(w.show(t, p.draw(r, p.around)), options)
}

// attacked is a request to isolate one device, as an analyst makes it.
func attacked() approvals.Request {
	r := sample()
	three := 3
	r.CreatedAt, r.ExpiresAt = noon(), noon().Add(30*time.Minute)
	r.Plan.Tenant = "5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c00"
	r.Plan.Reason, r.Plan.Preview = "beaconing to a known C2, see incident 4711", "Isolate host01.contoso.com (Full)"
	r.Plan.Args = json.RawMessage(`{"devices":["host01"],"isolation_type":"Full"}`)
	r.Plan.Steps[0].Args = json.RawMessage(`{"isolation_type":"Full"}`)
	d := &r.Plan.Targets[0]
	d.ID, d.OS, d.Risk, d.Exposure, d.Onboarding = "1a4442b210e8b47043d94252f17d9c0951b48726", "Windows11 24H2", "High", "Medium", "Onboarded"
	d.LastSeen, d.Users, d.OpenAlerts = noon().Add(-20*time.Minute), []string{`contoso\jdoe`, `contoso\svc-backup`}, &three
	r.Plan.Steps[0].Target = d.ID
	r.Requester.Person = approvals.Person{ID: "alice@example.com", Name: "Alice Archer", Aliases: []string{"slack:T1/" + slacksim.Alice}}
	r.Quorum[0].From.Slack = slacksim.OnCall
	r.Message = "waits for 2 of on-call"
	return r
}

// onFleet makes it one of many devices.
func onFleet(n int) func(*approvals.Request) {
	return func(r *approvals.Request) {
		d, s := r.Plan.Targets[0], r.Plan.Steps[0]
		r.Plan.Targets, r.Plan.Steps, r.Steps = nil, nil, nil
		for i := range n {
			d.ID, d.Name = fmt.Sprintf("%040x", 0xa1b2c3*(i+1)), fmt.Sprintf("host%02d.contoso.com", i+1)
			if n > approvals.MaxWeighed {
				d.Users, d.OpenAlerts = nil, nil
			}
			s.Target, s.Summary = d.ID, "isolate "+d.Name
			r.Plan.Targets, r.Plan.Steps = append(r.Plan.Targets, d), append(r.Plan.Steps, s)
			r.Steps = append(r.Steps, approvals.StepStatus{Index: i, State: approvals.StepWaiting})
		}
		r.Plan.Preview = fmt.Sprintf("Isolate %d devices: host01.contoso.com, host02.contoso.com, host03.contoso.com and %d more (Full)", n, n-3)
		r.Terms.Wave = approvals.Wave{Width: 5, Wait: 10 * time.Minute, StopOver: 20}
	}
}

func destroys(r *approvals.Request) {
	r.Plan.Tool, r.Plan.Risk, r.Rule = "stop_and_quarantine", approvals.RiskDestroy, "default-destroy"
	r.Plan.Preview = "Stop and quarantine 3395856ce81f2b7382dee72602f798b642f14140 on host01.contoso.com"
	r.Plan.Steps[0].Action, r.Plan.Steps[0].Args = "quarantine", json.RawMessage(`{"sha1":"3395856ce81f2b7382dee72602f798b642f14140"}`)
}

func voted(r *approvals.Request, who string, v approvals.Verdict, reason string) {
	r.Votes = append(r.Votes, approvals.Vote{
		Voter: approvals.Person{ID: who, Aliases: []string{"slack:T1/" + slackOf(who)}}, Verdict: v, Reason: reason, At: noon().Add(time.Minute),
	})
}

func slackOf(who string) string {
	return map[string]string{"alice@example.com": slacksim.Alice, "bob@example.com": slacksim.Bob, "carol@example.com": slacksim.Carol}[who]
}

func waiting() map[string]picture {
	return map[string]picture{
		"pending one device": {},
		"pending fleet":      {change: onFleet(12)},
		"pending time-box": {change: func(r *approvals.Request) {
			r.Plan.TimeBox = &approvals.TimeBox{For: 4 * time.Hour, Tool: "release_devices", Risk: approvals.RiskExpose}
			r.Terms.RemindAfter = 10 * time.Minute
			r.Quorum[0].Then = []approvals.Escalation{{After: 20 * time.Minute, To: approvals.Group{Name: "security leads"}}}
		}},
		"pending by an assistant": {change: func(r *approvals.Request) {
			r.Requester.Via, r.Requester.Agent = approvals.ViaMCP, "Claude"
			r.Attached = []approvals.Person{{ID: "bob@example.com", Name: "Bob Baker"}}
		}},
		"pending unverified": {change: func(r *approvals.Request) {
			r.Requester.Verified, r.Requester.Via, r.Requester.Agent = false, approvals.ViaMCP, "assistant"
			r.Quorum[0].Count, r.Message = 3, "waits for 3 of on-call"
		}},
		"pending with warnings": {change: func(r *approvals.Request) {
			r.Plan.Targets[0].Users, r.Plan.Targets[0].OpenAlerts = nil, nil
			r.Plan.Warnings = []string{
				`host01.contoso.com is a high-value device (value "High", tags "tier-0"): isolating it may stop services that others need`,
				`"host01.contoso.com" has id 1a44 and "h<U+043E>st01.contoso.com" has id 5b55: their names look alike; go by the ids`,
			}
		}},
		"pending partly approved": {change: func(r *approvals.Request) {
			voted(r, "bob@example.com", approvals.VerdictApprove, "")
			r.Message = "waits for 1 more of on-call"
		}},
		"pending hostile": {change: func(r *approvals.Request) {
			r.Plan.Targets[0].Name = "<!channel> `host01` \u202egnp.exe"
			r.Plan.Targets[0].Users = []string{"<@U0BOB>\u200b"}
			r.Plan.Reason = "urgent\nApproved by bob@example.com\n:white_check_mark: <https://evil.example|Approve>"
			r.Requester.Name, r.Plan.Preview = `Bob Baker", bob@example.com`, "Isolate <!channel> `host01` <U+202E>gnp.exe (Full)"
		}},
		"pending cut": {change: func(r *approvals.Request) { r.Plan.Reason = strings.Repeat("very long ", 400) }},
		"pending destructive": {change: func(r *approvals.Request) {
			destroys(r)
		}},
		"pending confirmation": {change: func(r *approvals.Request) {
			r.Outcome, r.Quorum, r.Rule, r.Message = approvals.Confirm, nil, "default-annotate", "waits for alice@example.com to confirm"
			r.Plan.Tool, r.Plan.Risk, r.Plan.Preview = "tag_devices", approvals.RiskAnnotate, "Tag host01.contoso.com: add seen"
			r.Plan.Targets[0].Users, r.Plan.Targets[0].OpenAlerts = nil, nil
			r.Plan.Steps[0].Action, r.Plan.Steps[0].Args = "tag", json.RawMessage(`{"add":["seen"]}`)
		}},
	}
}

// ended brings the request into a state, its steps with it.
func ended(state approvals.State, message string, steps ...approvals.StepStatus) func(*approvals.Request) {
	return func(r *approvals.Request) {
		if len(steps) > 1 {
			onFleet(len(steps))(r)
		}
		r.State, r.Message = state, message
		for i, s := range steps {
			s.Index = i
			r.Steps[i] = s
		}
		voted(r, "bob@example.com", approvals.VerdictApprove, "")
		voted(r, "carol@example.com", approvals.VerdictApprove, "")
	}
}

func step(s approvals.StepState, message string) approvals.StepStatus {
	return approvals.StepStatus{State: s, Message: message}
}

// mixed are twelve steps that ended differently.
func mixed(last approvals.StepStatus) []approvals.StepStatus {
	steps := make([]approvals.StepStatus, 12)
	for i := range steps {
		steps[i] = approvals.StepStatus{State: approvals.StepSucceeded, ActionID: fmt.Sprintf("5382f7ea-7557-4ab7-9782-d50480024a%02d", i)}
	}
	steps[8], steps[11] = step(approvals.StepTimedOut, "the device did not take the action in time; it may be offline"), last
	return steps
}

func decided() map[string]picture {
	const action = "5382f7ea-7557-4ab7-9782-d50480024a4e"
	return map[string]picture{
		"approved": {change: ended(approvals.Approved, "approved by bob@example.com and carol@example.com", step(approvals.StepWaiting, ""))},
		"running":  {change: ended(approvals.Running, "", approvals.StepStatus{State: approvals.StepAccepted, ActionID: action})},
		"running fleet": {change: ended(approvals.Running, "", append(mixed(step(approvals.StepWaiting, ""))[:10],
			step(approvals.StepAccepted, ""), step(approvals.StepWaiting, ""))...)},
		"done":         {change: ended(approvals.Succeeded, "succeeded", approvals.StepStatus{State: approvals.StepSucceeded, ActionID: action})},
		"partly done":  {change: ended(approvals.Partial, "", mixed(step(approvals.StepFailed, "Defender reports that the action failed on the device"))...)},
		"failed":       {change: ended(approvals.Failed, "", step(approvals.StepFailed, "Defender refused the action: 403 Forbidden"))},
		"unknown":      {change: ended(approvals.Unknown, "", step(approvals.StepUnknown, "no trace of it was found in Defender"))},
		"expired":      {change: ended(approvals.Expired, "nobody decided in 30 minutes")},
		"cancelled":    {change: ended(approvals.Cancelled, "withdrawn by alice@example.com", step(approvals.StepWaiting, ""))},
		"break-glass":  {change: glassBroken, around: Around{Tell: []approvals.Group{{Name: "on-call", Slack: slacksim.OnCall}}}},
		"denied":       {change: deniedByBob},
		"unverifiable": {draw: func(r approvals.Request, a Around) blockkit.Message { r.Plan.Reason = "changed"; return Card(r, a) }},
	}
}

func deniedByBob(r *approvals.Request) {
	r.State, r.Message = approvals.Denied, "denied by bob@example.com"
	voted(r, "bob@example.com", approvals.VerdictDeny, "wrong host: this is the mail server")
}

func glassBroken(r *approvals.Request) {
	r.State, r.Outcome, r.Quorum, r.Terms.BreakGlass, r.Rule, r.Message = approvals.Running, approvals.Confirm, nil, true, "break-glass", ""
	r.Steps[0] = step(approvals.StepSending, "")
	voted(r, "alice@example.com", approvals.VerdictConfirm, "")
}

func around() map[string]picture {
	stop := approvals.Stop{Scope: approvals.ScopeAll, Why: "ransomware drill", Event: approvals.Event{At: noon(), Actor: "bob@example.com"}}
	boxed := ended(approvals.Succeeded, "succeeded", approvals.StepStatus{State: approvals.StepSucceeded})
	return map[string]picture{
		"held": {change: ended(approvals.Approved, "", step(approvals.StepWaiting, "")), around: Around{Stops: []approvals.Stop{stop}}},
		"paused": {
			change: ended(approvals.Running, "", mixed(step(approvals.StepWaiting, ""))...),
			around: Around{Pause: "3 of 10 did not succeed, more than 20 %", Resume: "WXYZ7890"},
		},
		"time-box runs": {change: boxed, around: Around{Boxes: []Box{{Due: noon().Add(4 * time.Hour), Open: true, State: "its time runs"}}}},
		"time-box trouble": {change: boxed, around: Around{Boxes: []Box{
			{Due: noon().Add(4 * time.Hour), Open: true, State: "NOT undone yet", Trouble: "refused", Note: "Defender refused the release: 403 Forbidden", Child: "WXYZ7890"},
		}}},
		"plain card": {draw: PlainCard},
	}
}

func windows() map[string]picture {
	card := Place{Channel: slacksim.Security, TS: "1.2"}
	yes := func(r approvals.Request) Yes {
		y := YesOf(r, "", approvals.VerdictApprove)
		y.Typing = TypingFor(r.Plan, LargePlan)
		return y
	}
	typed := func(r approvals.Request) slack.ModalViewRequest {
		v, whole := TypedView(r, card, yes(r))
		if !whole {
			return slack.ModalViewRequest{}
		}
		return v
	}
	page := func(n int) func(r approvals.Request) slack.ModalViewRequest {
		return func(r approvals.Request) slack.ModalViewRequest { return DetailsView(r, card, n, yes(r)) }
	}
	long := func(r *approvals.Request) {
		onFleet(12)(r)
		r.Plan.Reason = strings.Repeat("very long ", 5600)
	}
	return map[string]picture{
		"window details":           {window: func(r approvals.Request) slack.ModalViewRequest { return DetailsView(r, card, 0, Yes{}) }},
		"window details last page": {change: long, window: page(1)},
		"window deny":              {window: func(r approvals.Request) slack.ModalViewRequest { return DenyView(Ticket{Card: card}, r.ID) }},
		"window typed name":        {change: destroys, window: typed},
		"window typed number":      {change: onFleet(6), window: typed},
	}
}

func threads() map[string]picture {
	call := func(n int) func(approvals.Request, Around) blockkit.Message {
		return func(r approvals.Request, _ Around) blockkit.Message { return Calling(r, Calls(r)[n]) }
	}
	calls := func(r *approvals.Request) {
		r.Terms.RemindAfter = 10 * time.Minute
		r.Quorum[0].Then = []approvals.Escalation{{After: 20 * time.Minute, To: approvals.Group{Name: "security leads"}}}
	}
	return map[string]picture{
		"thread reminder":   {change: calls, draw: call(0)},
		"thread escalation": {change: calls, draw: call(1)},
		"thread denied":     {change: deniedByBob, draw: FollowUp},
		"thread done":       {change: ended(approvals.Succeeded, "succeeded", step(approvals.StepSucceeded, "")), draw: FollowUp},
		"thread unknown":    {change: ended(approvals.Unknown, "", step(approvals.StepUnknown, "no trace of it was found in Defender")), draw: FollowUp},
		"thread pointer":    {draw: func(r approvals.Request, _ Around) blockkit.Message { return Pointer(r, slacksim.Security) }},
	}
}
