package slackbot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

// How often, and how far apart, the place of a card is looked up that is just being posted.
const (
	cardLooks     = 20
	cardLookPause = 50 * time.Millisecond
)

// press is what a person did to a card or a modal of ours, as Slack told it.
type press struct {
	team, user string
	to         listener
	trigger    string
	// delivery names the press itself, the same in every delivery of it.
	delivery string
	stamp    cards.Stamp
	card     cards.Place
	// typed is what was typed to confirm a yes.
	typed string
}

// pressCard takes the press of a button on a card.
func (b *Bot) pressCard(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback, action *slack.BlockAction) {
	p := pressOf(e, ic)
	p.card = cards.Place{Channel: ic.Container.ChannelID, TS: ic.Container.MessageTs}
	var err error
	if p.stamp, err = cards.ParseStamp(action.Value); err != nil {
		b.ack(ctx, e, nil)
		b.log.WarnContext(ctx, "a button with a strange value was pressed", "user", p.user)
		return
	}
	switch action.ActionID {
	case cards.ActionApprove:
		b.pressVote(ctx, e, p, approvals.VerdictApprove)
	case cards.ActionConfirm:
		b.pressVote(ctx, e, p, approvals.VerdictConfirm)
	case cards.ActionDeny:
		b.ack(ctx, e, nil)
		b.open(ctx, p, func(context.Context, approvals.Person, approvals.Request) (slack.ModalViewRequest, error) {
			return cards.DenyView(cards.Ticket{Stamp: p.stamp.String(), Card: p.card}, p.stamp.ID), nil
		})
	case cards.ActionDetails, cards.ActionRead:
		b.ack(ctx, e, nil)
		b.open(ctx, p, func(ctx context.Context, who approvals.Person, r approvals.Request) (slack.ModalViewRequest, error) {
			now, err := b.mayRead(ctx, who, p.user, r)
			offered := cards.Yes{}
			if action.ActionID == cards.ActionRead {
				offered = b.offer(r, now, who)
			}
			return cards.DetailsView(r, p.card, 0, offered), err
		})
	case cards.ActionWithdraw:
		b.pressWithdraw(ctx, e, p)
	default:
		b.ack(ctx, e, nil)
	}
}

func pressOf(e intake.Delivery, ic slack.InteractionCallback) press {
	delivery := ic.TriggerID
	if delivery == "" {
		delivery = e.ID
	}
	return press{
		team: teamOf(ic), user: ic.User.ID, trigger: ic.TriggerID, delivery: ic.Team.ID + "/" + delivery,
		to: listener{responseURL: ic.ResponseURL, channel: ic.Container.ChannelID, user: ic.User.ID},
	}
}

// teamOf is the workspace of the person and of the installation; when they differ it is nobody's, and so refused.
func teamOf(ic slack.InteractionCallback) string {
	if ic.User.TeamID != "" && ic.User.TeamID != ic.Team.ID {
		return ""
	}
	return ic.Team.ID
}

// pressVote saves the vote, then acknowledges, then tells the person what became of it, or asks for what must be typed.
func (b *Bot) pressVote(ctx context.Context, e intake.Delivery, p press, verdict approvals.Verdict) {
	answer, err := b.vote(e.Due, p, verdict, "")
	b.ack(ctx, e, nil)
	if errors.Is(err, errUntyped) {
		b.askTyping(ctx, p, verdict)
		return
	}
	b.tell(ctx, p.to, blockkit.Text(answer))
}

// submitCard takes the submission of a modal that a card opened: a denial with its reason, the yes at the end of the details,
// or a yes that was typed.
func (b *Bot) submitCard(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	t, s, err := cards.ParseTicket(ic.View.PrivateMetadata)
	if err != nil {
		b.ack(ctx, e, nil)
		return
	}
	p := pressOf(e, ic)
	p.stamp, p.card = s, t.Card
	p.to = listener{channel: t.Card.Channel, user: ic.User.ID}
	switch ic.View.CallbackID {
	case cards.ViewDeny:
		b.submitDeny(ctx, e, p, reasonIn(ic.View))
	case cards.ViewDetails, cards.ViewTyped:
		unread := ic.View.CallbackID == cards.ViewDetails && t.Page != t.Pages-1
		if unread || (t.Verdict != approvals.VerdictApprove && t.Verdict != approvals.VerdictConfirm) {
			b.ack(ctx, e, nil)
			return
		}
		b.submitYes(ctx, e, ic, p, t.Verdict)
	default:
		b.ack(ctx, e, nil)
	}
}

func reasonIn(v slack.View) string { return filledIn(v, cards.BlockReason, cards.InputReason) }

// filledIn is what a person typed into a field of a modal.
func filledIn(v slack.View, block, input string) string {
	if v.State == nil {
		return ""
	}
	return strings.TrimSpace(v.State.Values[block][input].Value)
}

// submitDeny keeps the modal open, with the text beside the field, when the denial was not saved.
func (b *Bot) submitDeny(ctx context.Context, e intake.Delivery, p press, reason string) {
	if reason == "" {
		b.ack(ctx, e, fieldError(cards.BlockReason, "Say in a few words why not."))
		return
	}
	answer, err := b.vote(e.Due, p, approvals.VerdictDeny, reason)
	if err != nil {
		b.ack(ctx, e, fieldError(cards.BlockReason, answer))
		return
	}
	b.ack(ctx, e, nil)
	b.tell(ctx, p.to, blockkit.Text(answer))
}

func fieldError(block, text string) *slack.ViewSubmissionResponse {
	short, _ := blockkit.Cut(blockkit.Clean(text), 300)
	return slack.NewErrorsViewSubmissionResponse(map[string]string{block: short})
}

// errVoteBroke is a defect on a vote's way: whether it was saved before is not known.
var errVoteBroke = errors.New("something went wrong while the vote was taken")

// vote casts a ballot before ctx ends and returns what to tell the person. The error is nil only when it was counted.
func (b *Bot) vote(ctx context.Context, p press, verdict approvals.Verdict, reason string) (string, error) {
	type outcome struct {
		r   approvals.Request
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		got := outcome{err: errVoteBroke}
		defer func() {
			if fault := recover(); fault != nil { // it would end the whole process, with everybody's votes under way
				b.log.ErrorContext(ctx, "taking a vote failed", "request", p.stamp.ID, "user", p.user, "panic", fault)
			}
			done <- got
		}()
		got.r, got.err = b.cast(ctx, p, verdict, reason)
	}()
	var got outcome
	select {
	case got = <-done:
	case <-ctx.Done(): // the database may be stuck beyond its own limits
		got.err = ctx.Err()
	}
	if got.err == nil {
		return counted(got.r, verdict), nil
	}
	if errors.Is(got.err, errUntyped) && p.typed == "" {
		return notCounted(got.err), got.err // the window is yet to be opened
	}
	b.log.InfoContext(ctx, "a vote was not counted", "request", p.stamp.ID, "user", p.user, "verdict", string(verdict),
		"error", got.err, "cause", errors.Unwrap(got.err))
	return notCounted(got.err), got.err
}

// cast checks who pressed and what, and hands the ballot in.
func (b *Bot) cast(ctx context.Context, p press, verdict approvals.Verdict, reason string) (approvals.Request, error) {
	in := ballot.Ballot{RequestID: p.stamp.ID, Digest: p.stamp.Digest, Verdict: verdict, Reason: reason, Delivery: p.delivery}
	var err error
	if in.Voter, err = b.people.Identify(ctx, p.team, p.user); err != nil {
		in.Voter = approvals.Person{ID: approvals.SlackAlias(p.team, p.user)} // all that is known of them
		return approvals.Request{}, b.box.TurnedAway(ctx, in, err)
	}
	r, err := b.pressed(ctx, p)
	if err != nil {
		return r, b.box.TurnedAway(ctx, in, err)
	}
	if err := b.typed(p, r, verdict); err != nil {
		return r, err
	}
	in.RequestID = r.ID
	return b.box.Cast(ctx, in)
}

// pressed returns the request whose own card was pressed. A press on a copy, a forwarded message or a card of another
// request is refused: what was shown there is not known.
func (b *Bot) pressed(ctx context.Context, p press) (approvals.Request, error) {
	r, err := b.requests.Get(ctx, p.stamp.ID)
	if err != nil {
		return r, err
	}
	m, posted, err := b.postedCard(ctx, r.ID)
	switch {
	case err != nil:
		return r, err
	case !posted || m.TS == "":
		return r, approvals.Refuse(approvals.KindNoAnswer, nil, "the card of request %s is just being posted; press again", r.ID)
	case p.card != cards.Place{Channel: m.Channel, TS: m.TS}:
		return r, approvals.Refuse(approvals.KindConflict, nil, "this is not the card of request %s; press the button on the card itself", r.ID)
	case p.stamp.Digest != r.Digest:
		return r, approvals.Refuse(approvals.KindConflict, nil, "this button belongs to another version of request %s; nothing was counted", r.ID)
	}
	return r, nil
}

// postedCard waits a moment for the card's place to be stored: a person, or a script, may press between Slack showing the
// card and the notifier hearing of it.
func (b *Bot) postedCard(ctx context.Context, id string) (store.Message, bool, error) {
	for range cardLooks {
		m, reserved, err := b.memory.Message(ctx, id, keyCard)
		if err != nil || !reserved || m.TS != "" {
			return m, reserved, err
		}
		select {
		case <-ctx.Done():
			return m, reserved, ctx.Err()
		case <-time.After(cardLookPause):
		}
	}
	return store.Message{}, false, nil
}

// counted says what a vote did.
func counted(r approvals.Request, verdict approvals.Verdict) string {
	switch {
	case verdict == approvals.VerdictDeny:
		return fmt.Sprintf("You denied request %s; it will not run.", r.ID)
	case r.State == approvals.Pending:
		return fmt.Sprintf("Your yes to request %s is counted. Now: %s.", r.ID, progress(r))
	}
	return fmt.Sprintf("Your yes to request %s is counted: it is %s.", r.ID, r.State)
}

// progress is what the ballot found to be missing. The quorum of the request alone would be the wrong answer when policy
// demands more by now, or when the requester turned out to be unknown.
func progress(r approvals.Request) string {
	if r.Message == "" {
		return "it waits for more"
	}
	return r.Message
}

// notCounted says why a vote was not counted and what to do. Where the database was reached, whether it kept the vote may
// not be known; pressing again is safe then, because a person's vote counts once.
func notCounted(err error) string {
	switch approvals.KindOf(err) {
	case approvals.KindNoAnswer:
		return "Not saved, press again. (" + err.Error() + ")"
	case approvals.KindTampering:
		return "Not counted: what is stored about this request does not verify. Don't press again; tell your administrators."
	case approvals.KindNotFound, approvals.KindDenied, approvals.KindInvalid, approvals.KindConflict, approvals.KindNotVoter, approvals.KindHeld:
		return "Not counted: " + err.Error()
	case approvals.KindStore:
	}
	return "Perhaps not saved: look at the card, and press again if your vote does not show there. A second press never counts twice."
}

// mayRead refuses the details to everybody but responders, the people who may approve the request, and whoever asked for
// it: a channel may have more members than those. What policy asks for now comes with it.
func (b *Bot) mayRead(ctx context.Context, who approvals.Person, user string, r approvals.Request) (now approvals.Outcome, err error) {
	if err := approvals.Genuine(r); err != nil {
		return "", err
	}
	d, err := b.requests.Answer(ctx, r.Plan, r.Requester)
	if who.Same(r.Requester.Person) {
		return d.Outcome, nil // their own words, whether or not policy can answer now
	}
	if err != nil {
		return "", err
	}
	return d.Outcome, b.reader(ctx, who, user, r, d)
}

func (b *Bot) reader(ctx context.Context, who approvals.Person, user string, r approvals.Request, now approvals.Decision) error {
	groups := []approvals.Group{b.responders}
	for _, q := range append(slices.Clone(r.Quorum), now.Quorums()...) { // the policy of today may want others to vote
		groups = append(groups, q.Groups()...)
	}
	var unanswered error
	for _, g := range groups {
		in, err := b.people.member(ctx, g, who, user)
		if in && err == nil {
			return nil
		}
		unanswered = errors.Join(unanswered, err)
	}
	if unanswered != nil {
		return noAnswer(unanswered, "Slack could not be asked whether you may read request %s; nothing was done, press again", r.ID)
	}
	return approvals.Refuse(approvals.KindDenied, nil, "only responders and the approvers of request %s can read its details", r.ID)
}

// view makes what a person is shown of a request, or refuses it.
type view func(ctx context.Context, who approvals.Person, r approvals.Request) (slack.ModalViewRequest, error)

// open shows a modal to whoever pressed, after looking up who that is.
func (b *Bot) open(ctx context.Context, p press, draw view) {
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	err := func() error {
		who, err := b.people.Identify(ctx, p.team, p.user)
		if err != nil {
			return err
		}
		r, err := b.pressed(ctx, p)
		if err != nil {
			return err
		}
		v, err := draw(ctx, who, r)
		if err != nil {
			return err
		}
		if _, err = b.slack.api.OpenViewContext(ctx, p.trigger, v); err != nil {
			return noAnswer(err, "Slack did not open the window; press again")
		}
		return nil
	}()
	if err != nil {
		b.log.InfoContext(ctx, "a window was not opened", "request", p.stamp.ID, "user", p.user, "error", err, "cause", errors.Unwrap(err))
		b.tell(ctx, p.to, blockkit.Text(sayRefused(err)))
	}
}

// turnPage shows another page of the details.
func (b *Bot) turnPage(ctx context.Context, ic slack.InteractionCallback, value string) {
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	t, s, err := cards.ParseTicket(ic.View.PrivateMetadata)
	page, bad := strconv.Atoi(value)
	if err != nil || bad != nil {
		return
	}
	who, err := b.people.Identify(ctx, teamOf(ic), ic.User.ID)
	if err != nil {
		return
	}
	r, err := b.pressed(ctx, press{stamp: s, card: t.Card})
	if err == nil {
		err = b.showPage(ctx, ic, t, r, who, page)
	}
	if err != nil {
		b.log.InfoContext(ctx, "a page was not turned", "request", s.ID, "error", err)
	}
}

func (b *Bot) showPage(ctx context.Context, ic slack.InteractionCallback, t cards.Ticket, r approvals.Request, who approvals.Person, page int) error {
	now, err := b.mayRead(ctx, who, ic.User.ID, r)
	if err != nil {
		return err
	}
	offered := cards.Yes{}
	if t.Verdict != "" {
		offered = b.offer(r, now, who)
	}
	_, err = b.slack.api.UpdateViewContext(ctx, cards.DetailsView(r, t.Card, page, offered), "", ic.View.Hash, ic.View.ID)
	return err
}
