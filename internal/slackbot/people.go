package slackbot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/sync/singleflight"

	"github.com/mde-ops/mde-ops/approvals"
)

// defaultGroupTTL is how long a group's members are remembered: short, because a person taken out of the group must
// lose the right to approve at once, and not shorter, because Slack answers this question 20 times a minute.
const defaultGroupTTL = 30 * time.Second

// Roles answers for groups that are defined by an app role in Entra ID. An error means that nobody could be asked.
type Roles interface {
	// Holds reports whether the person, by their e-mail address, is now an active member of the tenant who holds the role.
	Holds(ctx context.Context, role string, person approvals.Person) (bool, error)
	// RoleSize is how many people hold the role; zero for one that is not known.
	RoleSize(ctx context.Context, role string) (int, error)
}

// PeopleOptions are what People is made of.
type PeopleOptions struct {
	// APIURL is Slack's unless set; BotToken (xoxb-…) needs users:read, users:read.email and usergroups:read.
	APIURL, BotToken string
	// HTTPClient has a time limit of 10 s unless set.
	HTTPClient *http.Client
	// Team is the id of the only workspace that is served; unset, the bot token's. Keeper keeps which workspace the store
	// belongs to, the first one that it ever served; without one nobody looks.
	Team   string
	Keeper Keeper
	// Mapped are the canonical ids of people whose e-mail address in Slack is not the name that the directory and MCP know
	// them by, by their Slack user ids. Everybody else's is their confirmed address.
	Mapped map[string]string
	// Roles are asked about groups with a Role. Without them nobody can be shown to be in such a group.
	Roles Roles
	// GroupTTL is how long group members are remembered: 30 s unless set, and never longer.
	GroupTTL time.Duration
	// Clock is time.Now unless set.
	Clock func() time.Time
}

// People tells who a Slack user is, now, and which groups they are in. It is the approvals.Directory of the bot and of
// every worker. It is safe for concurrent use.
type People struct {
	slack  *client
	only   string
	keeper Keeper
	roles  Roles
	mapped map[string]string
	ttl    time.Duration
	clock  func() time.Time
	flight singleflight.Group

	mu     sync.Mutex
	team   string
	url    string // the workspace's own site
	groups map[string]membership
	met    map[string]acquaintance // by e-mail address
}

type membership struct {
	users []string
	asked time.Time
}

// NewPeople makes a People.
func NewPeople(o PeopleOptions) (*People, error) {
	c, err := newClient(clientOptions{APIURL: o.APIURL, BotToken: o.BotToken, HTTPClient: o.HTTPClient})
	if err != nil {
		return nil, err
	}
	p := &People{slack: c, only: o.Team, keeper: o.Keeper, roles: o.Roles, mapped: o.Mapped, ttl: o.GroupTTL, clock: o.Clock, groups: map[string]membership{}, met: map[string]acquaintance{}}
	if p.ttl <= 0 || p.ttl > defaultGroupTTL {
		p.ttl = defaultGroupTTL
	}
	if p.clock == nil {
		p.clock = time.Now
	}
	return p, nil
}

// Identify looks a user up, now, and returns the person: canonical id is the confirmed e-mail address in lower case, the
// alias their Slack name. KindNotVoter says who is refused and why (deleted, bot, guest, stranger, another workspace, not
// confirmed); KindNoAnswer that Slack could not be asked, which is a refusal too.
func (p *People) Identify(ctx context.Context, team, user string) (approvals.Person, error) {
	own, err := p.ownTeam(ctx)
	if err != nil {
		return approvals.Person{}, err
	}
	if team != own {
		return approvals.Person{}, notVoter("you are from another workspace; only members of this one can use mde-ops")
	}
	u, err := p.slack.api.GetUserInfoContext(ctx, user, slack.GetUserInfoOptionIncludeLocale(false))
	if errorCode(err) == "user_not_found" || errorCode(err) == "user_not_visible" {
		return approvals.Person{}, notVoter("Slack does not know you in this workspace")
	}
	if err != nil {
		return approvals.Person{}, noAnswer(err, "Slack could not be asked who you are; nothing was done, try again")
	}
	if why := refusedUser(u, user, own); why != "" {
		return approvals.Person{}, notVoter("%s", why)
	}
	return p.named(u, own), nil
}

// named is the person behind a user who may ask and vote. Whose name is mapped keeps their address as another name, so that
// what they asked for under it is still theirs.
func (p *People) named(u *slack.User, team string) approvals.Person {
	who := approvals.Person{ID: strings.ToLower(strings.TrimSpace(u.Profile.Email)), Aliases: []string{approvals.SlackAlias(team, u.ID)}, Name: u.RealName}
	if who.Name == "" {
		who.Name = u.Profile.RealName
	}
	if id := p.mapped[u.ID]; id != "" && id != who.ID {
		who.ID, who.Aliases = id, append(who.Aliases, who.ID)
	}
	return who
}

// refusedUser says why a user may neither ask nor vote, or "". An answer about somebody else is no answer.
func refusedUser(u *slack.User, asked, team string) string {
	switch {
	case u == nil || u.ID != asked:
		return "Slack answered about somebody else; nothing was done"
	case u.TeamID != team:
		return "you are from another workspace; only members of this one can use mde-ops"
	case u.Deleted:
		return "your Slack account is deactivated"
	case u.IsBot, u.IsAppUser, u.IsConnectorBot, u.IsWorkflowBot, u.ID == "USLACKBOT":
		return "you are an app or a bot; only people can use mde-ops"
	case u.IsRestricted, u.IsUltraRestricted:
		return "you are a guest of this workspace; only members can use mde-ops"
	case u.IsStranger:
		return "you are from another organisation; only members of this workspace can use mde-ops"
	case u.IsInvitedUser:
		return "you have not joined this workspace yet"
	case strings.TrimSpace(u.Profile.Email) == "":
		return "Slack shows no e-mail address of yours (the app needs the scope users:read.email)"
	case !u.IsEmailConfirmed:
		return "your e-mail address is not confirmed in Slack"
	}
	return ""
}

// Eligible reports whether person is, now, an active member of the workspace and in group. Somebody without a Slack name
// never is, because nobody could have authenticated them. An error means that Slack could not be asked.
func (p *People) Eligible(ctx context.Context, group approvals.Group, person approvals.Person) (bool, error) {
	team, user, ok := person.Slack()
	if !ok {
		return false, nil
	}
	now, err := p.Identify(ctx, team, user)
	if approvals.KindOf(err) == approvals.KindNotVoter {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !strings.EqualFold(now.ID, person.ID) {
		return false, nil // the account has another owner, or another address, than when it voted
	}
	return p.member(ctx, group, now, user)
}

// Size is how many people could count as members of group now: the members that Slack lists, without asking for each
// whether they are active; the listed names, each once; the holders of the role. Zero means that the group is empty, or
// unknown to who would know it. An error means that nobody could be asked.
func (p *People) Size(ctx context.Context, group approvals.Group) (int, error) {
	listed := make(map[string]bool, len(group.People))
	for _, id := range group.People {
		if id = strings.ToLower(strings.TrimSpace(id)); id != "" {
			listed[id] = true
		}
	}
	n := len(listed)
	if group.Slack != "" {
		members, err := p.members(ctx, group.Slack)
		if err != nil {
			return 0, err
		}
		n += len(members)
	}
	if group.Role != "" {
		holders, err := p.holders(ctx, group)
		if err != nil {
			return 0, err
		}
		n += holders
	}
	return n, nil
}

func (p *People) holders(ctx context.Context, group approvals.Group) (int, error) {
	if p.roles == nil {
		return 0, noRoles(group)
	}
	return p.roles.RoleSize(ctx, group.Role)
}

// noRoles says that a group can't be looked up here.
func noRoles(group approvals.Group) error {
	return noAnswer(nil, "group %q is an app role in Entra ID, and this process is not set up to look those up; nothing was done", group.Name)
}

// member reports whether somebody who was identified just now is in group.
func (p *People) member(ctx context.Context, group approvals.Group, now approvals.Person, user string) (bool, error) {
	if slices.ContainsFunc(group.People, func(id string) bool { return strings.EqualFold(strings.TrimSpace(id), now.ID) }) {
		return true, nil
	}
	if group.Slack != "" {
		members, err := p.members(ctx, group.Slack)
		if err != nil || slices.Contains(members, user) {
			return err == nil, err
		}
	}
	if group.Role == "" {
		return false, nil
	}
	if p.roles == nil {
		return false, noRoles(group)
	}
	return p.roles.Holds(ctx, group.Role, now)
}

// members returns the users of a group, remembered for a short time. What can't be refreshed is not used beyond it.
func (p *People) members(ctx context.Context, group string) ([]string, error) {
	if m, ok := p.remembered(group); ok {
		return m.users, nil
	}
	ch := p.flight.DoChan("group:"+group, func() (any, error) { return p.askMembers(group) })
	select {
	case <-ctx.Done():
		return nil, noAnswer(ctx.Err(), "Slack did not say in time who is in the group %s; nothing was done", group)
	case res := <-ch:
		if res.Err != nil {
			return nil, noAnswer(res.Err, "Slack could not be asked who is in the group %s; nothing was done, try again", group)
		}
		return res.Val.([]string), nil
	}
}

func (p *People) remembered(group string) (membership, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.groups[group]
	age := p.clock().Sub(m.asked)
	return m, ok && age >= 0 && age < p.ttl
}

// askMembers asks for everybody who waits for the same answer, so no one's impatience may end it.
func (p *People) askMembers(group string) (members []string, err error) {
	defer func() {
		if fault := recover(); fault != nil { // asked on behalf of many, and on nobody's goroutine: it would end the process
			members, err = nil, fmt.Errorf("asking for the members of %s failed: %v", group, fault)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	asked := p.clock() // before the question: the answer may be as old as that
	users, err := p.slack.api.GetUserGroupMembersContext(ctx, group)
	if errorCode(err) == "no_such_subteam" {
		users, err = nil, nil // an answer: nobody is in a group that there is not
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups[group] = membership{users: users, asked: asked}
	return users, nil
}

// ownTeam is the workspace that the bot token belongs to, where it may be served; it never changes, so it is asked once.
func (p *People) ownTeam(ctx context.Context) (string, error) {
	p.mu.Lock()
	team := p.team
	p.mu.Unlock()
	if team != "" {
		return team, nil
	}
	res, err := p.slack.api.AuthTestContext(ctx)
	if err == nil && res.TeamID == "" {
		err = errors.New("auth.test named no team")
	}
	if err != nil {
		return "", noAnswer(err, "Slack could not be asked which workspace this is; nothing was done, try again")
	}
	if err := p.accept(ctx, res.TeamID); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.team, p.url = res.TeamID, res.URL
	return p.team, nil
}

// site is the address of the workspace, for links into it.
func (p *People) site(ctx context.Context) (string, error) {
	if _, err := p.ownTeam(ctx); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url, nil
}

func notVoter(format string, args ...any) error {
	return approvals.Refuse(approvals.KindNotVoter, nil, format, args...)
}

func noAnswer(cause error, format string, args ...any) error {
	return approvals.Refuse(approvals.KindNoAnswer, cause, format, args...)
}
