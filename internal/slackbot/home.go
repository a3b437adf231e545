package slackbot

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/forms"
	"github.com/mde-ops/mde-ops/internal/slackbot/home"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

const (
	// homePending is how many open requests are looked through for those that wait for somebody.
	homePending = 200
	// homeAhead is how far ahead time-boxes are shown.
	homeAhead = 24 * time.Hour
	// homeFor is how long a Home tab is kept up to date after it was opened, homeEvery how often what happened is looked for,
	// and homesKept for how many people.
	homeFor   = 10 * time.Minute
	homeEvery = 2 * time.Second
	homesKept = 50
)

// homes are the Home tabs that people have opened lately.
type homes struct {
	mu     sync.Mutex
	opened map[string]opening // by user
}

type opening struct {
	team string
	at   time.Time
}

func (h *homes) note(team, user string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opened == nil || len(h.opened) >= homesKept {
		h.opened = map[string]opening{}
	}
	h.opened[user] = opening{team, now}
}

// lately are those who opened theirs not long ago; the others are forgotten.
func (h *homes) lately(now time.Time) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	teams := map[string]string{}
	for user, o := range h.opened {
		if age := now.Sub(o.at); age < 0 || age > homeFor {
			delete(h.opened, user)
			continue
		}
		teams[user] = o.team
	}
	return teams
}

// openedHome shows somebody their Home tab and keeps it up to date for a while.
func (b *Bot) openedHome(ctx context.Context, team, user string) {
	b.homes.note(team, user, b.clock())
	b.publishHome(ctx, team, user)
}

func (b *Bot) publishHome(ctx context.Context, team, user string) {
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	page := b.homeOf(ctx, team, user)
	if _, err := b.slack.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: home.View(page)}); err != nil {
		b.log.WarnContext(ctx, "a Home tab was not shown", "user", user, "error", explain("views.publish", err))
	}
}

// keepHomes publishes open Home tabs again when something happened, until ctx ends.
func (b *Bot) keepHomes(ctx context.Context) {
	tick := time.NewTicker(homeEvery)
	defer tick.Stop()
	var seen int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		open := b.homes.lately(b.clock())
		if len(open) == 0 {
			continue
		}
		head, err := b.memory.Head(ctx)
		if err != nil || head == seen {
			continue
		}
		seen = head
		for user, team := range open {
			b.publishHome(ctx, team, user)
		}
	}
}

// homeOf gathers what somebody may see now. What can't be found out is not shown, and the page says so.
func (b *Bot) homeOf(ctx context.Context, team, user string) home.Page {
	p := home.Page{At: b.clock()}
	person, err := b.people.Identify(ctx, team, user)
	if err != nil {
		return sorry(p, err)
	}
	if p.Responder, err = b.people.member(ctx, b.responders, person, user); err != nil {
		return sorry(p, err)
	}
	if p.Waiting, err = b.waitsFor(ctx, person, user); err != nil {
		return sorry(p, err)
	}
	if !p.Responder && len(p.Waiting.Rows) == 0 {
		p.Sorry = "Nothing here is for you: MDE is used by responders and approvers. Ask your administrator to add you to their groups."
		return p
	}
	if p.Responder {
		if err := b.fillHome(ctx, &p, person); err != nil {
			return sorry(p, err)
		}
	}
	return p
}

// sorry is a page that shows nothing but why.
func sorry(p home.Page, err error) home.Page {
	return home.Page{At: p.At, Sorry: sayRefused(err)}
}

// fillHome adds what every responder may see.
func (b *Bot) fillHome(ctx context.Context, p *home.Page, person approvals.Person) (err error) {
	if b.board != nil {
		if p.Stops, err = b.board.InForce(ctx); err != nil {
			return err
		}
	}
	for list, f := range map[*home.List]store.Filter{
		&p.Mine:    {RequesterID: person.ID, Limit: home.Shown},
		&p.Running: {States: []approvals.State{approvals.Approved, approvals.Running}, Limit: 2 * home.Shown},
		&p.Ended:   {States: ended(), Limit: home.Shown},
	} {
		found, err := b.memory.Requests(ctx, f)
		if err != nil {
			return err
		}
		*list = b.listed(ctx, found)
	}
	p.Boxes, err = b.boxesAhead(ctx)
	return err
}

// ended are the states from which nothing goes on.
func ended() []approvals.State {
	var list []approvals.State
	for _, s := range approvals.States() {
		if s.Terminal() {
			list = append(list, s)
		}
	}
	return list
}

// waitsFor are the open requests that somebody may decide: as approver, or their own that ask for a confirmation. Whether
// their yes will count the ballot says when they press.
func (b *Bot) waitsFor(ctx context.Context, person approvals.Person, user string) (home.List, error) {
	open, err := b.memory.Requests(ctx, store.Filter{States: []approvals.State{approvals.Pending}, Limit: homePending})
	if err != nil {
		return home.List{}, err
	}
	var found []approvals.Request
	for _, r := range open {
		mayDecide, err := b.isFor(ctx, r, person, user)
		if err != nil {
			return home.List{}, err
		}
		if mayDecide {
			found = append(found, r)
		}
	}
	return b.listed(ctx, found), nil
}

func (b *Bot) isFor(ctx context.Context, r approvals.Request, person approvals.Person, user string) (bool, error) {
	voted := slices.ContainsFunc(r.Votes, func(v approvals.Vote) bool { return v.Voter.Same(person) })
	if voted || !cards.Waits(r, b.clock()) {
		return false, nil
	}
	if person.Same(r.Requester.Person) {
		return r.Outcome == approvals.Confirm, nil
	}
	for _, g := range r.VotersAt(b.clock()) {
		in, err := b.people.member(ctx, g, person, user)
		if in || err != nil {
			return in, err
		}
	}
	return false, nil
}

// listed are the first of some requests, with links to their cards.
func (b *Bot) listed(ctx context.Context, found []approvals.Request) home.List {
	l := home.List{More: max(len(found)-home.Shown, 0)}
	for _, r := range found[:min(len(found), home.Shown)] {
		l.Rows = append(l.Rows, home.Row{Request: r, Card: b.cardLink(ctx, r.ID)})
	}
	return l
}

// cardLink is where a request's card is, for a browser; empty when that is not known.
func (b *Bot) cardLink(ctx context.Context, id string) string {
	m, posted, err := b.memory.Message(ctx, id, keyCard)
	if err != nil || !posted || m.TS == "" || !blockkit.IsChannel(m.Channel) {
		return ""
	}
	site, err := b.people.site(ctx)
	if err != nil || site == "" {
		return ""
	}
	return strings.TrimSuffix(site, "/") + "/archives/" + m.Channel + "/p" + strings.ReplaceAll(m.TS, ".", "")
}

// boxesAhead are the time-boxes that end within a day, the next first.
func (b *Bot) boxesAhead(ctx context.Context) ([]string, error) {
	ids, err := b.memory.DueTimeboxes(ctx, b.clock().Add(homeAhead))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, id := range ids[:min(len(ids), home.Shown)] {
		r, err := b.requests.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		rows, err := b.memory.Timeboxes(ctx, id)
		if err != nil {
			return nil, err
		}
		if line, open := cards.BoxRow(r, cards.BoxesOf(rows)); open {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// pressHome takes the press of a button on a Home tab.
func (b *Bot) pressHome(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, action *slack.BlockAction) {
	b.ack(ctx, e, nil)
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	switch action.ActionID {
	case home.ActionRefresh:
		b.openedHome(ctx, teamOf(ic), ic.User.ID)
	case home.ActionDetails:
		b.detailsFromHome(ctx, e, ic, action.Value)
	case home.ActionAsk:
		b.openFor(ctx, ic, forms.Menu(b.grammar.tools(), forms.Origin{}))
	case home.ActionStop:
		b.openFor(ctx, ic, home.StopView())
	case home.ActionLift:
		if v, ok := b.grammar.tool(approvals.ToolLift); ok {
			args, err := json.Marshal(map[string]string{"scope": action.Value})
			if err == nil {
				b.openFor(ctx, ic, forms.Form{Tool: v.tool, Args: args}.View())
			}
		}
	}
}

// detailsFromHome shows all that is known of a request, as its card does, and nothing to vote with.
func (b *Bot) detailsFromHome(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, value string) {
	p := pressOf(e, ic)
	var err error
	if p.stamp, err = cards.ParseStamp(value); err != nil {
		return
	}
	m, _, err := b.memory.Message(ctx, p.stamp.ID, keyCard)
	if err == nil {
		p.card = cards.Place{Channel: m.Channel, TS: m.TS}
	}
	b.open(ctx, p, func(ctx context.Context, who approvals.Person, r approvals.Request) (slack.ModalViewRequest, error) {
		_, err := b.mayRead(ctx, who, p.user, r)
		return cards.DetailsView(r, p.card, 0, cards.Yes{}), err
	})
}

// openFor opens a window for a responder, or one that says why not.
func (b *Bot) openFor(ctx context.Context, ic slack.InteractionCallback, v slack.ModalViewRequest) {
	if _, err := b.responder(ctx, teamOf(ic), ic.User.ID); err != nil {
		v = b.refusalNote(ctx, ic, err)
	}
	if _, err := b.slack.api.OpenViewContext(ctx, ic.TriggerID, v); err != nil {
		b.log.WarnContext(ctx, "a window was not opened", "user", ic.User.ID, "error", explain("views.open", err))
	}
}

// submitStop stops everything, as /mde stop does.
func (b *Bot) submitStop(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	m, err := func() (blockkit.Message, error) {
		person, err := b.responder(ctx, teamOf(ic), ic.User.ID)
		if err != nil {
			return blockkit.Message{}, err
		}
		return b.stop(ctx, command{Control: wordStop, Reason: filledIn(ic.View, home.BlockWhy, home.InputWhy)}, person)
	}()
	if err != nil {
		note := b.refusalNote(ctx, ic, err)
		b.log.ErrorContext(ctx, "a stop from a Home tab failed", "user", ic.User.ID, "error", err, "cause", errors.Unwrap(err))
		b.ack(ctx, e, slack.NewUpdateViewSubmissionResponse(&note))
		return
	}
	b.ack(ctx, e, nil)
	b.tell(ctx, listener{user: ic.User.ID}, m)
	b.publishHome(ctx, teamOf(ic), ic.User.ID)
}
