package slackbot_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// town is a workspace and the directory of its people, with a clock that the test moves.
type town struct {
	*slacksim.Workspace
	people *slackbot.People
	apiURL string
	mu     sync.Mutex
	now    time.Time
}

func (w *town) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *town) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{Workspace: new(slacksim.Workspace), now: time.Now()}
	w.Cast()
	srv, err := w.Start()
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	w.apiURL = srv.APIURL()
	w.people, err = slackbot.NewPeople(slackbot.PeopleOptions{APIURL: srv.APIURL(), BotToken: w.Tokens().Bot, Clock: w.clock})
	require.NoError(t, err)
	return w
}

func oncall() approvals.Group { return approvals.Group{Name: "on-call", Slack: slacksim.OnCall} }

func (w *town) identify(t *testing.T, user string) approvals.Person {
	t.Helper()
	p, err := w.people.Identify(t.Context(), slacksim.DefaultTeamID, user)
	require.NoError(t, err)
	return p
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	bob, err := w.User(slacksim.Bob)
	require.NoError(t, err)
	bob.Email = " Bob@Example.COM "
	w.AddUser(bob)
	p := w.identify(t, slacksim.Bob)
	require.Equal(t, "bob@example.com", p.ID)
	require.Equal(t, []string{"slack:" + slacksim.DefaultTeamID + "/" + slacksim.Bob}, p.Aliases)
	require.Equal(t, "Bob Birch", p.Name)
}

func TestIdentifyRefuses(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for name, user := range map[string]string{
		"guest": slacksim.Dave, "stranger": slacksim.Eve, "deleted": slacksim.Mallory, "bot": slacksim.Robot, "ourselves": slacksim.DefaultBotUserID, "nobody": "U0NOBODY",
	} {
		_, err := w.people.Identify(t.Context(), slacksim.DefaultTeamID, user)
		require.Equal(t, approvals.KindNotVoter, approvals.KindOf(err), name)
	}
	for _, team := range []string{"", "T0OTHER"} {
		_, err := w.people.Identify(t.Context(), team, slacksim.Bob)
		require.Equal(t, approvals.KindNotVoter, approvals.KindOf(err))
	}
	for _, f := range []slacksim.Fault{
		{Kind: slacksim.FaultStatus}, {Kind: slacksim.FaultEmpty}, {Kind: slacksim.FaultHTML}, {Kind: slacksim.FaultRateLimited}, {Kind: slacksim.FaultError, Error: "missing_scope"},
	} {
		f.Method = "users.info"
		w.Fail(f)
		_, err := w.people.Identify(t.Context(), slacksim.DefaultTeamID, slacksim.Bob)
		require.Error(t, err, f.Kind)
		require.NotEmpty(t, approvals.KindOf(err), f.Kind)
	}
	w.identify(t, slacksim.Bob)
}

func TestUnansweredTeamIsNobodysTeam(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, kind := range []slacksim.FaultKind{slacksim.FaultStatus, slacksim.FaultEmpty} {
		w.Fail(slacksim.Fault{Method: "auth.test", Kind: kind})
		for _, team := range []string{slacksim.DefaultTeamID, ""} {
			if team == "" {
				w.Fail(slacksim.Fault{Method: "auth.test", Kind: kind})
			}
			_, err := w.people.Identify(t.Context(), team, slacksim.Bob)
			require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err))
		}
	}
	w.identify(t, slacksim.Bob)
}

func TestEligible(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	alice, bob := w.identify(t, slacksim.Alice), w.identify(t, slacksim.Bob)
	mailOnly := approvals.Person{ID: "bob@example.com"}
	moved := bob
	moved.ID = "someone@example.com"
	for _, c := range []struct {
		name   string
		group  approvals.Group
		person approvals.Person
		want   bool
	}{
		{"member", oncall(), bob, true},
		{"not a member", oncall(), alice, false},
		{"listed", approvals.Group{People: []string{"ALICE@example.com"}}, alice, true},
		{"not listed", approvals.Group{People: []string{"alice@example.com"}}, bob, false},
		{"empty group", approvals.Group{Name: "x"}, bob, false},
		{"no Slack name", oncall(), mailOnly, false},
		{"listed without a Slack name", approvals.Group{People: []string{"bob@example.com"}}, mailOnly, false},
		{"another address than then", oncall(), moved, false},
	} {
		ok, err := w.people.Eligible(t.Context(), c.group, c.person)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, ok, c.name)
	}
	gone, err := w.User(slacksim.Bob)
	require.NoError(t, err)
	gone.Deleted = true
	w.AddUser(gone)
	for _, g := range []approvals.Group{oncall(), {People: []string{"bob@example.com"}}} {
		ok, err := w.people.Eligible(t.Context(), g, bob)
		require.NoError(t, err)
		require.False(t, ok, "deactivated since")
	}
}

func TestGroupsAreRememberedBriefly(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	bob := w.identify(t, slacksim.Bob)
	ask := func() (bool, error) { return w.people.Eligible(t.Context(), oncall(), bob) }
	for range 3 {
		ok, err := ask()
		require.NoError(t, err)
		require.True(t, ok)
	}
	require.Equal(t, 1, w.Calls("usergroups.users.list"))
	w.SetGroup(slacksim.OnCall, slacksim.Carol)
	w.pass(30 * time.Second)
	ok, err := ask()
	require.NoError(t, err)
	require.False(t, ok, "30 s later the old members don't count any more")

	w.SetGroup(slacksim.OnCall, slacksim.Bob)
	w.pass(time.Minute)
	w.Fail(slacksim.Fault{Method: "usergroups.users.list", Kind: slacksim.FaultStatus})
	_, err = ask()
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), "an old answer is no answer")
	ok, err = ask()
	require.NoError(t, err)
	require.True(t, ok)
	w.pass(-time.Hour)
	_, err = ask()
	require.NoError(t, err)
	require.Equal(t, 5, w.Calls("usergroups.users.list"), "a clock that went back is no reason to remember longer")
}

func TestConcurrentLookUpsShareOneQuestion(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	bob := w.identify(t, slacksim.Bob)
	w.Fail(slacksim.Fault{Method: "usergroups.users.list", Kind: slacksim.FaultSlow, Delay: 500 * time.Millisecond, Times: -1})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			ok, err := w.people.Eligible(t.Context(), oncall(), bob)
			require.NoError(t, err)
			require.True(t, ok)
		})
	}
	wg.Wait()
	require.LessOrEqual(t, w.Calls("usergroups.users.list"), 2)
}

// roll is who holds which app role, by e-mail address.
type roll struct {
	holders map[string][]string
	down    error
}

func (r roll) Holds(_ context.Context, role string, person approvals.Person) (bool, error) {
	return slices.Contains(r.holders[role], person.ID), r.down
}

func (r roll) RoleSize(_ context.Context, role string) (int, error) {
	return len(r.holders[role]), r.down
}

func (w *town) withRoles(t *testing.T, r slackbot.Roles) *slackbot.People {
	t.Helper()
	people, err := slackbot.NewPeople(slackbot.PeopleOptions{APIURL: w.apiURL, BotToken: w.Tokens().Bot, Roles: r, Clock: w.clock})
	require.NoError(t, err)
	return people
}

func TestAnAppRoleIsForActiveMembersOfTheWorkspace(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	bob := w.identify(t, slacksim.Bob)
	guest, err := w.User(slacksim.Dave)
	require.NoError(t, err)
	r := roll{holders: map[string][]string{"Approver": {"bob@example.com", strings.ToLower(guest.Email)}}}
	people := w.withRoles(t, r)
	approver := approvals.Group{Name: "approvers", Role: "Approver"}
	ask := func(p approvals.Person) bool {
		ok, err := people.Eligible(t.Context(), approver, p)
		require.NoError(t, err)
		return ok
	}
	require.True(t, ask(bob))
	require.False(t, ask(w.identify(t, slacksim.Alice)), "holds nothing")
	require.False(t, ask(approvals.Person{ID: "bob@example.com"}), "nobody could have authenticated them in Slack")
	require.False(t, ask(approvals.Person{
		ID: strings.ToLower(guest.Email), Aliases: []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Dave)},
	}), "a guest of the workspace, whatever they hold")
	n, err := people.Size(t.Context(), approver)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	gone, err := w.User(slacksim.Bob)
	require.NoError(t, err)
	gone.Deleted = true
	w.AddUser(gone)
	require.False(t, ask(bob), "deactivated in Slack since")
}

func TestNoAnswerAboutARoleIsNoYes(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	bob := w.identify(t, slacksim.Bob)
	approver := approvals.Group{Name: "approvers", Role: "Approver"}
	for name, r := range map[string]slackbot.Roles{
		"down":       roll{holders: map[string][]string{"Approver": {"bob@example.com"}}, down: approvals.Refuse(approvals.KindNoAnswer, nil, "down")},
		"not set up": nil,
	} {
		people := w.withRoles(t, r)
		_, err := people.Eligible(t.Context(), approver, bob)
		require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), name)
		_, err = people.Size(t.Context(), approver)
		require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), name)
	}
}

func TestTheSizeOfAGroup(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for name, c := range map[string]struct {
		group approvals.Group
		want  int
	}{
		"of Slack":        {oncall(), 2},
		"unknown":         {approvals.Group{Name: "x", Slack: "S0NOWHERE"}, 0},
		"emptied":         {approvals.Group{Name: "x", Slack: "S0EMPTY"}, 0},
		"listed":          {approvals.Group{People: []string{"a@example.com", "A@example.com ", "", "b@example.com"}}, 2},
		"nobody's":        {approvals.Group{Name: "x"}, 0},
		"listed and more": {approvals.Group{Slack: slacksim.OnCall, People: []string{"a@example.com"}}, 3},
	} {
		w.SetGroup("S0EMPTY")
		n, err := w.people.Size(t.Context(), c.group)
		require.NoError(t, err, name)
		require.Equal(t, c.want, n, name)
	}
	ok, err := w.people.Eligible(t.Context(), approvals.Group{Name: "x", Slack: "S0NOWHERE"}, w.identify(t, slacksim.Bob))
	require.NoError(t, err, "that there is no such group is an answer")
	require.False(t, ok)
	w.pass(time.Minute)
	for _, f := range []slacksim.Fault{{Kind: slacksim.FaultStatus}, {Kind: slacksim.FaultError, Error: "missing_scope"}} {
		f.Method = "usergroups.users.list"
		w.Fail(f)
		_, err := w.people.Size(t.Context(), oncall())
		require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err))
	}
}

func TestANameThatIsMappedIsThatOfTheIDWhateverTheAddress(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	address := w.identify(t, slacksim.Bob).ID
	people, err := slackbot.NewPeople(slackbot.PeopleOptions{
		APIURL: w.apiURL, BotToken: w.Tokens().Bot, Clock: w.clock, Mapped: map[string]string{slacksim.Bob: "bob.admin@contoso.com", slacksim.Dave: "dave@contoso.com", slacksim.Mallory: "bob.admin@contoso.com"},
	})
	require.NoError(t, err)
	bob, err := people.Identify(t.Context(), slacksim.DefaultTeamID, slacksim.Bob)
	require.NoError(t, err)
	require.Equal(t, "bob.admin@contoso.com", bob.ID)
	require.True(t, bob.Same(approvals.Person{ID: address}), "what he asks for under his address is still his own")

	in, err := people.Eligible(t.Context(), approvals.Group{Name: "listed", People: []string{"bob.admin@contoso.com"}}, bob)
	require.NoError(t, err)
	require.True(t, in)
	in, err = people.Eligible(t.Context(), approvals.Group{Name: "listed", People: []string{address}}, bob)
	require.NoError(t, err)
	require.False(t, in, "the address alone is not his name")
	for _, name := range []string{"Bob.Admin@contoso.com", address} {
		who, known, err := people.Known(t.Context(), approvals.Person{ID: name})
		require.NoError(t, err)
		require.True(t, known, name)
		require.Equal(t, "bob.admin@contoso.com", who.ID)
	}
	for _, user := range []string{slacksim.Dave, slacksim.Mallory} { // who may not, may not under another name either
		_, err = people.Identify(t.Context(), slacksim.DefaultTeamID, user)
		require.Equal(t, approvals.KindNotVoter, approvals.KindOf(err))
	}
}
