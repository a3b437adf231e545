package cards

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// wall is a simulated workspace that refuses what Slack would refuse.
type wall struct {
	*slacksim.Workspace
	slack *slack.Client
}

func newWall(t *testing.T) wall {
	t.Helper()
	ws := &slacksim.Workspace{TriggerLife: time.Minute} // a busy machine may take long to draw
	ws.Cast()
	srv, err := ws.Start()
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return wall{ws, slack.New(ws.Tokens().Bot, slack.OptionAPIURL(srv.APIURL()), slack.OptionHTTPClient(&http.Client{Timeout: time.Minute}))}
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	require.TestingT
	Helper()
}

// show posts m and returns it as Slack stored it.
func (w wall) show(t tester, m blockkit.Message) slacksim.Message {
	t.Helper()
	channel, ts, err := w.slack.PostMessageContext(context.Background(), slacksim.Security, m.Options()...)
	require.NoError(t, err)
	stored, ok := w.Message(channel, ts)
	require.True(t, ok)
	return stored
}

func (w wall) open(t tester, v slack.ModalViewRequest) {
	t.Helper()
	alice, err := w.User(slacksim.Alice)
	require.NoError(t, err)
	p := w.CommandPayload(alice, slacksim.Channel{ID: slacksim.Security}, "/mde", "x")
	_, err = w.slack.OpenViewContext(context.Background(), p["trigger_id"].(string), v)
	require.NoError(t, err)
}

// seal gives a request the digest of what it now says, as when it was made so.
func seal(t tester, r approvals.Request) approvals.Request {
	t.Helper()
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(t, err)
	return r
}

func sample() approvals.Request {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	target := approvals.Target{
		ID: strings.Repeat("a1", 20), Kind: "device", Name: "host01.contoso.com", OS: "Windows11", Value: "High", Group: "HQ",
		Health: "Active", Tags: []string{"tier-0"}, LastSeen: at,
	}
	alice := approvals.Person{ID: "alice@example.com", Name: "Alice", Aliases: []string{"slack:T1/UALICE"}}
	return approvals.Request{
		ID: "ABCD1234", State: approvals.Pending, Version: 1,
		Plan: approvals.Plan{
			Tenant: "5a1f6c1e", Tool: "isolate_devices", Risk: approvals.RiskContain, Args: json.RawMessage(`{"devices":["host01"]}`),
			Reason: "beaconing", Targets: []approvals.Target{target}, Preview: "Isolate host01.contoso.com",
			Steps: []approvals.Step{{Action: "isolate", Target: target.ID, Summary: "isolate host01.contoso.com", Args: json.RawMessage(`{"t":"Full"}`)}},
		},
		Requester: approvals.Requester{Person: alice, Verified: true, Via: approvals.ViaSlack},
		Outcome:   approvals.Approve, Rule: "default-contain", Quorum: []approvals.Quorum{{Count: 2, From: approvals.Group{Name: "on-call", Slack: "S1"}}},
		CreatedAt: at, ExpiresAt: at.Add(30 * time.Minute), Steps: []approvals.StepStatus{{State: approvals.StepWaiting}},
	}
}

func labels(m slacksim.Message) []string {
	var out []string
	for _, b := range m.Buttons() {
		out = append(out, b.Label)
	}
	return out
}

func text(m slacksim.Message) string {
	return slacksim.RenderText(m, slacksim.RenderOptions{Width: 400})
}

func TestCardSaysWhatAnApproverMustKnow(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	r.Requester.Verified, r.Requester.Via, r.Requester.Agent = false, approvals.ViaMCP, "Claude <!here>"
	r.Plan.Warnings = []string{"this device is tier-0"}
	r.Votes = []approvals.Vote{{Voter: approvals.Person{ID: "bob@example.com"}, Verdict: approvals.VerdictApprove, At: r.CreatedAt}}
	r = seal(t, r)
	m := w.show(t, Card(r, Around{}))
	for _, want := range []string{
		"Isolate host01.contoso.com", r.Plan.Targets[0].ID, `OS "Windows11"`, `tag "tier-0"`, `value "High"`, `group "HQ"`, `health "Active"`, "last seen 2026-03-01",
		`"beaconing"`, "alice@example.com", `calls itself "Claude <!here>"`, "UNVERIFIED", "this device is tier-0", `Needs 2 of group "on-call"`, "1 so far",
		"bob@example.com: approved", "Open until 2026-03-01 09:30 UTC", "default-contain", "ABCD1234", approvals.ShortDigest(r.Digest), `isolate with {"t":"Full"}`,
	} {
		require.Contains(t, text(m), want)
	}
	require.Equal(t, []string{"Approve", "Deny", "Details", "Withdraw"}, labels(m))
	require.Equal(t, "primary", m.Buttons()[0].Style)
	require.Equal(t, r.ID+"."+r.Digest, m.Buttons()[0].Value)
	require.Contains(t, string(m.RawBlocks), `"confirm"`)
	firesOnlyDates(t, m)
}

func TestButtonsFollowStateAndOutcome(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for _, c := range []struct {
		state   approvals.State
		outcome approvals.Outcome
		want    []string
	}{
		{approvals.Pending, approvals.Approve, []string{"Approve", "Deny", "Details", "Withdraw"}},
		{approvals.Pending, approvals.Confirm, []string{"Confirm", "Details", "Withdraw"}},
		{approvals.Pending, approvals.Deny, []string{"Details", "Withdraw"}},
		{approvals.Pending, "perhaps", []string{"Details", "Withdraw"}},
	} {
		r := sample()
		r.State, r.Outcome = c.state, c.outcome
		require.Equal(t, c.want, labels(w.show(t, Card(seal(t, r), Around{}))), "%s %s", c.state, c.outcome)
	}
	for _, state := range append(approvals.States(), "elsewhere") {
		if state == approvals.Pending {
			continue
		}
		for _, o := range []approvals.Outcome{approvals.Allow, approvals.Confirm, approvals.Approve} {
			r := sample()
			r.State, r.Outcome = state, o
			m := w.show(t, Card(seal(t, r), Around{}))
			want := []string{"Details"}
			if state == approvals.Approved || state == approvals.Running {
				want = append(want, "Withdraw")
			}
			require.Equal(t, want, labels(m), "%s %s", state, o)
			require.NotContains(t, text(m), "Open until")
		}
	}
}

func TestCutCardHasNoApprove(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for name, grow := range map[string]func(*approvals.Request){
		"long reason":  func(r *approvals.Request) { r.Plan.Reason = strings.Repeat("x", 3000) },
		"long preview": func(r *approvals.Request) { r.Plan.Preview = strings.Repeat("<", 3000) },
		"long tags":    func(r *approvals.Request) { r.Plan.Targets[0].Tags = []string{strings.Repeat("x", 5000)} },
		"many devices": func(r *approvals.Request) {
			for i := range 200 {
				d := r.Plan.Targets[0]
				d.ID = fmt.Sprintf("%040d", i)
				r.Plan.Targets = append(r.Plan.Targets, d)
			}
		},
		"long warnings": func(r *approvals.Request) { r.Plan.Warnings = []string{strings.Repeat("x", 4000)} },
	} {
		for _, o := range []approvals.Outcome{approvals.Approve, approvals.Confirm} {
			r := sample()
			r.Outcome = o
			grow(&r)
			r = seal(t, r)
			m := w.show(t, Card(r, Around{}))
			require.NotContains(t, labels(m), "Approve", name)
			require.NotContains(t, labels(m), "Confirm", name)
			require.Contains(t, labels(m), "Details", name)
			require.Contains(t, text(m), "does not hold everything", name)
			onlyLastPageSaysYes(t, w, r)
		}
	}
}

// onlyLastPageSaysYes leafs through the details of a pending request.
func onlyLastPageSaysYes(t *testing.T, w wall, r approvals.Request) {
	t.Helper()
	offered := openYeses(r, "")[0]
	pages := detailPages(r)
	for page := range pages {
		v := DetailsView(r, Place{}, page, offered)
		w.open(t, v)
		carried, _, err := ParseTicket(v.PrivateMetadata)
		require.NoError(t, err)
		require.Equal(t, offered.Verdict, carried.Verdict)
		require.Nil(t, DetailsView(r, Place{}, page, Yes{}).Submit, "the card offers it")
		if page < pages-1 {
			require.Nil(t, v.Submit)
			continue
		}
		require.Equal(t, offered.Label, v.Submit.Text)
	}
}

func TestPlainCardLeadsToAYes(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for outcome, want := range map[approvals.Outcome][]string{approvals.Approve: {"Deny", "Details", "Withdraw"}, approvals.Confirm: {"Details", "Withdraw"}} {
		r := sample()
		r.Outcome = outcome
		r = seal(t, r)
		label := openYeses(r, "")[0].Label
		m := w.show(t, PlainCard(r, Around{}))
		require.Equal(t, want, labels(m))
		require.Contains(t, text(m), "The last page there has the "+label+" button")
		onlyLastPageSaysYes(t, w, r)
	}
}

func detailPages(r approvals.Request) int {
	t, _, _ := ParseTicket(DetailsView(r, Place{}, 0, YesFor(r, "", approvals.Person{})).PrivateMetadata)
	return t.Pages
}

func TestHundredDevicesFitOrAreCutHonestly(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	base := r.Plan.Targets[0]
	r.Plan.Targets, r.Plan.Steps = nil, nil
	for i := range 40 {
		d := base
		d.ID, d.Name = fmt.Sprintf("%040d", i), fmt.Sprintf("host%02d.contoso.com", i)
		r.Plan.Targets = append(r.Plan.Targets, d)
		r.Plan.Steps = append(r.Plan.Steps, approvals.Step{Action: "isolate", Target: d.ID, Summary: "isolate " + d.Name})
	}
	m := w.show(t, Card(seal(t, r), Around{}))
	require.Contains(t, labels(m), "Approve")
	require.Contains(t, text(m), "isolate, once on each of the above")
	for _, d := range r.Plan.Targets {
		require.Contains(t, text(m), d.ID)
		require.Contains(t, text(m), d.Name)
	}
}

func TestDetailsHoldEverything(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Plan.Reason = strings.Repeat("why & <how> ", 800)
	r = seal(t, r)
	all := strings.Join(blockkit.Chunks(details(r), blockkit.MaxSection), "")
	require.Contains(t, all, blockkit.Escape(blockkit.Quote(r.Plan.Reason)))
	for _, want := range []string{r.Digest, r.Plan.Targets[0].ID, `{"t":"Full"}`, `{"devices":["host01"]}`} {
		require.Contains(t, all, want)
	}
}

func TestFollowUpOfUnknownSaysWhereToLook(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := sample()
	r.State = approvals.Unknown
	r.Steps[0].State = approvals.StepUnknown
	r.Votes = []approvals.Vote{{Voter: approvals.Person{ID: "x", Aliases: []string{"slack:T1/U0BAD> <!channel"}}}}
	m := w.show(t, FollowUp(seal(t, r), Around{}))
	require.Contains(t, text(m), approvals.Tag(r.ID, 0))
	require.Contains(t, text(m), "Action center")
	fired := m.Fires()
	require.Len(t, fired, 1, "the requester is called, and nobody else")
	require.Equal(t, "UALICE", fired[0].Target)
}

// anyText draws text that breaks naive rendering.
func anyText() *rapid.Generator[string] {
	nasty := []string{
		"<!channel>", "<@U0BOB>", "<https://evil.example|ok>", "https://evil.example", "&lt;!here&gt;", "`", "```", "*_~", "\n> quote", "\u202e", "\u200b", "\x00", "\xff",
		"日本", "&", "<", ">", strings.Repeat("&", 400), strings.Repeat("\u0301", 9), `"`, "\u2028", strings.Repeat("long ", 200), "",
	}
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(nasty), rapid.StringN(0, 30, -1)), 0, 6).Draw(t, "parts")
		return strings.Join(parts, "")
	})
}

func anyRequest(t *rapid.T) approvals.Request {
	s := anyText()
	r := sample()
	r.State = rapid.SampledFrom(approvals.States()).Draw(t, "state")
	r.Outcome = rapid.SampledFrom([]approvals.Outcome{approvals.Allow, approvals.Confirm, approvals.Approve, approvals.Deny, "?"}).Draw(t, "outcome")
	r.Plan.Reason, r.Plan.Preview, r.Message, r.Rule = s.Draw(t, "reason"), s.Draw(t, "preview"), s.Draw(t, "message"), s.Draw(t, "rule")
	r.Requester.Name, r.Requester.Agent, r.Requester.ID = s.Draw(t, "name"), s.Draw(t, "agent"), s.Draw(t, "id")
	r.Quorum[0].From.Name = s.Draw(t, "group")
	r.Plan.Warnings = rapid.SliceOfN(s, 0, 4).Draw(t, "warnings")
	r.Plan.Args, _ = json.Marshal(s.Draw(t, "args"))
	many := rapid.SampledFrom([]int{1, 1, 1, 2, 3, 12}).Draw(t, "targets")
	r.Plan.Targets, r.Plan.Steps, r.Steps = nil, nil, nil
	for i := range many {
		d := approvals.Target{ID: fmt.Sprintf("%040d", i), Kind: "device", Name: s.Draw(t, "device"), OS: s.Draw(t, "os"), Tags: []string{s.Draw(t, "tag")}}
		r.Plan.Targets = append(r.Plan.Targets, d)
		r.Plan.Steps = append(r.Plan.Steps, approvals.Step{Action: "isolate", Target: d.ID, Summary: s.Draw(t, "summary")})
		r.Steps = append(r.Steps, approvals.StepStatus{
			Index: i, State: rapid.SampledFrom(approvals.StepStates()).Draw(t, "step"), Message: s.Draw(t, "said"), ActionID: s.Draw(t, "action"),
		})
	}
	group := approvals.Group{Name: s.Draw(t, "group"), Slack: s.Draw(t, "slack"), Role: s.Draw(t, "role")}
	r.Quorum[0].Or, r.Quorum[0].Distinct = []approvals.Group{group}, rapid.Bool().Draw(t, "distinct")
	r.Quorum[0].Then = []approvals.Escalation{{After: time.Duration(rapid.Int64().Draw(t, "after")), To: group}}
	r.Terms.RemindAfter = time.Duration(rapid.Int64().Draw(t, "remind"))
	r.Terms.Wave = approvals.Wave{Width: rapid.IntRange(0, 5).Draw(t, "width"), Wait: time.Duration(rapid.Int64().Draw(t, "wait"))}
	r.Parent, r.Attached = s.Draw(t, "parent"), []approvals.Person{{ID: s.Draw(t, "twin"), Name: s.Draw(t, "twin name")}}
	if rapid.Bool().Draw(t, "boxed") {
		r.Plan.TimeBox = &approvals.TimeBox{For: time.Duration(rapid.Int64().Draw(t, "for")), Tool: s.Draw(t, "undo"), Risk: approvals.RiskExpose}
		r.Plan.Resumes = &approvals.Resumed{Tool: s.Draw(t, "resumed"), Risk: approvals.RiskContain, Targets: r.Plan.Targets[:1]}
	}
	r.Votes = []approvals.Vote{{Voter: approvals.Person{ID: s.Draw(t, "voter")}, Verdict: approvals.VerdictDeny, Reason: s.Draw(t, "no")}}
	return seal(t, r)
}

func anyAround(t *rapid.T) Around {
	s := anyText()
	a := Around{Asks: rapid.SampledFrom([]approvals.Outcome{"", approvals.Confirm, approvals.Approve}).Draw(t, "asks"), Pause: s.Draw(t, "pause"), Resume: s.Draw(t, "resume")}
	if rapid.Bool().Draw(t, "held") {
		a.Stops = []approvals.Stop{{Scope: s.Draw(t, "scope"), Why: s.Draw(t, "why"), Doubt: s.Draw(t, "doubt"), Event: approvals.Event{Actor: s.Draw(t, "actor")}}}
	}
	for range rapid.IntRange(0, 3).Draw(t, "boxes") {
		a.Boxes = append(a.Boxes, Box{
			Step: rapid.IntRange(-1, 3).Draw(t, "step"), Open: rapid.Bool().Draw(t, "open"), Due: time.Unix(1_800_000_000, 0),
			State: s.Draw(t, "box"), Child: s.Draw(t, "child"), Trouble: s.Draw(t, "trouble"), Note: s.Draw(t, "note"),
		})
	}
	return a
}

// firesOnlyDates takes dates for nothing: they call nobody.
func firesOnlyDates(t tester, m slacksim.Message, but ...string) {
	for _, e := range m.Fires() {
		require.True(t, e.Kind == slacksim.EntityDate || slices.Contains(but, e.Target), "%v", e)
	}
}

func TestWhateverIsShownSlackTakesItAndNothingFires(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	rapid.Check(t, func(t *rapid.T) {
		r := anyRequest(t)
		require.NoError(t, approvals.Genuine(r), "or nothing of it would be shown")
		a := anyAround(t)
		card := Card(r, a)
		m := w.show(t, card)
		firesOnlyDates(t, m)
		if slices.Contains(labels(m), "Approve") {
			require.False(t, card.Cut)
			shown := text(m)
			for _, d := range r.Plan.Targets {
				require.Contains(t, shown, d.ID)
			}
		}
		firesOnlyDates(t, w.show(t, FollowUp(r, a)), "UALICE")
		require.Empty(t, w.show(t, PlainCard(r, a)).Fires())
		for _, c := range Calls(r) {
			firesOnlyDates(t, w.show(t, Calling(r, c)))
		}
		firesOnlyDates(t, w.show(t, TroubleCall(r, a.Boxes)), "UALICE")
		require.Empty(t, w.show(t, blockkit.Text(r.Plan.Reason)).Fires())
		w.open(t, DetailsView(r, Place{Channel: "C1", TS: "1.2"}, rapid.IntRange(-1, 3).Draw(t, "page"), YesFor(r, "", r.Requester.Person)))
		w.open(t, DenyView(Ticket{Stamp: Stamp{r.ID, r.Digest}.String()}, r.ID))
	})
}

func TestStamps(t *testing.T) {
	t.Parallel()
	good := Stamp{"ABCD1234", strings.Repeat("0f", 32)}
	back, err := ParseStamp(good.String())
	require.NoError(t, err)
	require.Equal(t, good, back)
	for _, bad := range []string{"", ".", "ABCD1234", "ABCD1234.", "AB/CD." + good.Digest, "ABCD1234." + strings.ToUpper(good.Digest), good.String() + "0", good.String() + "\n", "x." + good.String()} {
		_, err := ParseStamp(bad)
		require.Error(t, err, "%q", bad)
	}
	_, _, err = ParseTicket("{")
	require.Error(t, err)
	tk, s, err := ParseTicket(Ticket{Stamp: good.String(), Card: Place{"C1", "1.2"}, Page: 1, Pages: 2}.String())
	require.NoError(t, err)
	require.Equal(t, good, s)
	require.Equal(t, Place{"C1", "1.2"}, tk.Card)
}

// Pages are cut anew at every turn. If what changes while people vote stood before the steps, a vote between two pages
// could move a step onto a page that was read already, and the last page would offer a yes to what was never shown.
func TestVotesDoNotMoveStepsBetweenPages(t *testing.T) {
	t.Parallel()
	r := seal(t, sample())
	before := details(r)
	frozen, _, found := strings.Cut(before, "\nApproval:")
	require.True(t, found)
	require.Contains(t, frozen, "Steps, in this order")
	require.Contains(t, frozen, "Arguments as they were given:")
	r.Message = "waits for somebody else entirely, whose name is long"
	r.Votes = []approvals.Vote{{Voter: approvals.Person{ID: "bob@example.com"}, Verdict: approvals.VerdictApprove}}
	require.NotEqual(t, before, details(r))
	require.True(t, strings.HasPrefix(details(r), frozen), "what was frozen moved")
}
