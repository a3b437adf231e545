package slackbot

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// acquaintance is what Slack answered about a name.
type acquaintance struct {
	person approvals.Person
	known  bool
	asked  time.Time
}

// Known finds the active member of this workspace who has one of p's names: their Slack name, or else p's canonical id as
// e-mail address. An answer is remembered as long as group members are, because a fleet asks before every step.
func (p *People) Known(ctx context.Context, person approvals.Person) (approvals.Person, bool, error) {
	if team, user, ok := person.Slack(); ok {
		return known(p.Identify(ctx, team, user))
	}
	email := strings.ToLower(strings.TrimSpace(person.ID))
	if !strings.Contains(email, "@") {
		return approvals.Person{}, false, nil
	}
	p.mu.Lock()
	a, found := p.met[email]
	p.mu.Unlock()
	if age := p.clock().Sub(a.asked); found && age >= 0 && age < p.ttl {
		return a.person, a.known, nil
	}
	asked := p.clock()
	who, ok, err := p.byName(ctx, email)
	if err != nil {
		return approvals.Person{}, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.met[email] = acquaintance{person: who, known: ok, asked: asked}
	return who, ok, nil
}

// byName finds the member whose name is mapped to a canonical id, or else whose address it is.
func (p *People) byName(ctx context.Context, id string) (approvals.Person, bool, error) {
	for _, user := range slices.Sorted(maps.Keys(p.mapped)) {
		if p.mapped[user] != id {
			continue
		}
		own, err := p.ownTeam(ctx)
		if err != nil {
			return approvals.Person{}, false, err
		}
		who, ok, err := known(p.Identify(ctx, own, user))
		if ok || err != nil {
			return who, ok, err
		}
	}
	return p.byEmail(ctx, id)
}

func (p *People) byEmail(ctx context.Context, email string) (approvals.Person, bool, error) {
	u, err := p.slack.api.GetUserByEmailContext(ctx, email)
	if errorCode(err) == "users_not_found" {
		return approvals.Person{}, false, nil
	}
	if err != nil {
		return approvals.Person{}, false, noAnswer(err, "Slack could not be asked who %s is; nothing was done, try again", email)
	}
	own, err := p.ownTeam(ctx)
	if err != nil {
		return approvals.Person{}, false, err
	}
	return known(p.Identify(ctx, own, u.ID))
}

// known makes a refusal of the person "nobody", and keeps the lack of an answer an error.
func known(person approvals.Person, err error) (approvals.Person, bool, error) {
	if approvals.KindOf(err) == approvals.KindNotVoter {
		return approvals.Person{}, false, nil
	}
	return person, err == nil, err
}
