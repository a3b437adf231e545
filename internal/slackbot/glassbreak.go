package slackbot

import (
	"context"
	"errors"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/tools"
)

// offerGlass opens the dialog at once, because Slack gives three seconds for that, and fills it in when the device was
// looked up. Who may break the glass is policy's to say when they submit.
func (b *Bot) offerGlass(ctx context.Context, cmd slack.SlashCommand, c command, person approvals.Person) (blockkit.Message, error) {
	opened, err := b.slack.api.OpenViewContext(ctx, cmd.TriggerID, glassNote("The device is being looked up."))
	if err != nil {
		return blockkit.Message{}, noAnswer(err, "Slack did not open the window; nothing was done, type the command again")
	}
	v, refusal := b.fillGlass(ctx, cmd, c, person)
	if refusal != nil {
		v = glassNote(sayRefused(refusal), "Nothing was done.")
	}
	if _, err := b.slack.api.UpdateViewContext(ctx, v, "", "", opened.ID); err != nil && refusal == nil {
		refusal = noAnswer(err, "Slack did not show the window; nothing was done, type the command again")
	}
	return blockkit.Text("The break-glass window is open. Nothing is done before you submit it."), refusal
}

func (b *Bot) fillGlass(ctx context.Context, cmd slack.SlashCommand, c command, person approvals.Person) (slack.ModalViewRequest, error) {
	p, err := b.glassPlan(ctx, person, c.Words[0], "")
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	device, err := theOnlyTarget(p)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	t := glassTicket{ID: device.ID, Name: device.Name, Key: p.Key(), User: cmd.UserID, Channel: cmd.ChannelID}
	v, whole := glassDialog(t, p, c.Reason)
	if !whole {
		return v, approvals.Refuse(approvals.KindDenied, nil, "this device can't be shown whole in a window; ask for it in the ordinary way")
	}
	return v, nil
}

// glassPlan plans the isolation of one device, with the tool's own checks.
func (b *Bot) glassPlan(ctx context.Context, person approvals.Person, device, reason string) (approvals.Plan, error) {
	v, ok := b.grammar.tool(glassTool)
	if !ok {
		return approvals.Plan{}, approvals.Refuse(approvals.KindDenied, nil, "this version has no tool %s; nothing was done", glassTool)
	}
	words := []string{}
	if reason != "" {
		words = append(words, "--"+reasonArgument+"="+reason)
	}
	args, err := v.tool.ParseWords(append(words, "--", device))
	if err != nil {
		return approvals.Plan{}, err
	}
	return b.dispatcher.Plan(ctx, tools.Call{Tool: glassTool, Args: args, Requester: inSlack(person)})
}

func inSlack(p approvals.Person) approvals.Requester {
	return approvals.Requester{Person: p, Verified: true, Via: approvals.ViaSlack}
}

// submission is one sending of the dialog.
type submission struct {
	ticket     glassTicket
	team, user string
	// view names the dialog: it acts once, however often and under whatever envelope it is delivered.
	view          string
	typed, reason string
}

// glassAnswer is what became of it.
type glassAnswer struct {
	r   approvals.Request
	err error
}

// submitGlass does what the dialog asks for. What is wrong is shown beside the field while the dialog stays open; when it
// takes longer than Slack waits, the dialog says so first and shows the end afterwards.
func (b *Bot) submitGlass(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	t, err := parseGlassTicket(ic.View.PrivateMetadata)
	if err != nil {
		b.ack(ctx, e, nil)
		return
	}
	s := submission{
		ticket: t, team: teamOf(ic), user: ic.User.ID, view: ic.Team.ID + "/" + ic.View.ID,
		typed: filledIn(ic.View, blockDevice, inputDevice), reason: reasonIn(ic.View),
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	done := make(chan glassAnswer, 1)
	go func() { done <- b.breakGlass(ctx, s) }()
	to := listener{channel: t.Channel, user: ic.User.ID}
	select {
	case a := <-done:
		if a.err != nil {
			b.ack(ctx, e, fieldError(glassField(a.err), glassRefused(a.err)))
			return
		}
		b.ack(ctx, e, nil)
		b.tell(ctx, to, glassBroken(a.r, b.approvalChannel))
	case <-e.Due.Done():
		wait := glassNote("This takes longer than usual. Don't submit it again: the outcome appears here.")
		b.ack(ctx, e, slack.NewUpdateViewSubmissionResponse(&wait))
		b.finishGlass(ctx, ic.View.ID, to, <-done)
	}
}

// finishGlass shows the outcome of what took long, in the window and where the command was typed.
func (b *Bot) finishGlass(ctx context.Context, view string, to listener, a glassAnswer) {
	m, v := glassBroken(a.r, b.approvalChannel), glassNote("Request "+a.r.ID+" is "+string(a.r.State)+": "+a.r.Plan.Preview)
	if a.err != nil {
		m, v = blockkit.Text(glassRefused(a.err)), glassNote(glassRefused(a.err))
	}
	b.tell(ctx, to, m)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterLimit)
	defer cancel()
	if _, err := b.slack.api.UpdateViewContext(ctx, v, "", "", view); err != nil {
		b.log.WarnContext(ctx, "a window could not show its outcome", "user", to.user, "error", err)
	}
}

// breakGlass does it, or says why not. A panic in it is an answer too: it would end the process.
func (b *Bot) breakGlass(ctx context.Context, s submission) (a glassAnswer) {
	a.err = errVoteBroke
	defer func() {
		if fault := recover(); fault != nil {
			b.log.ErrorContext(ctx, "breaking the glass failed", "user", s.user, "panic", fault)
		}
		if a.err != nil {
			b.log.WarnContext(ctx, "the glass was not broken", "user", s.user, "error", a.err, "cause", errors.Unwrap(a.err))
		}
	}()
	a.r, a.err = b.emergency(ctx, s)
	return a
}

// emergency lets the ballot box decide, or record that it was turned away here.
func (b *Bot) emergency(ctx context.Context, s submission) (approvals.Request, error) {
	in := ballot.Emergency{
		Plan: approvals.Plan{Tool: glassTool}, Typed: []string{s.typed}, Origin: approvals.Origin{Channel: s.ticket.Channel}, Delivery: "glass/" + s.view,
		Requester: inSlack(approvals.Person{ID: approvals.SlackAlias(s.team, s.user)}), // all that is known of them yet
	}
	if err := b.examined(ctx, s, &in); err != nil {
		return approvals.Request{}, b.box.GlassTurnedAway(ctx, in, err)
	}
	return b.box.BreakGlass(ctx, in)
}

// examined checks everything anew and fills in what it learns: who submits, what they typed, and that the device and what is
// done to it are still what the dialog showed.
func (b *Bot) examined(ctx context.Context, s submission, in *ballot.Emergency) error {
	if s.user != s.ticket.User {
		return notVoter("this window was opened by somebody else; type the command yourself")
	}
	person, err := b.responder(ctx, s.team, s.user)
	if err != nil {
		return err
	}
	in.Requester = inSlack(person)
	if err := typedName(s.typed, s.ticket.Name); err != nil {
		return err
	}
	if strings.TrimSpace(s.reason) == "" {
		return approvals.Refuse(approvals.KindDenied, nil, "say in a few words why this can't wait")
	}
	p, err := b.glassPlan(ctx, person, s.ticket.ID, s.reason)
	if err != nil {
		return err
	}
	device, err := theOnlyTarget(p)
	if err != nil {
		return err
	}
	if device.ID != s.ticket.ID || device.Name != s.ticket.Name || p.Key() != s.ticket.Key {
		return approvals.Refuse(approvals.KindConflict, nil, "the device changed since this window was opened; close it and type the command again")
	}
	in.Plan = p
	return nil
}

// glassField is the field beside which a refusal stands.
func glassField(err error) string {
	if approvals.KindOf(err) == approvals.KindInvalid {
		return blockDevice
	}
	return cards.BlockReason
}

// glassRefused says that nothing was done, except where nobody knows that.
func glassRefused(err error) string {
	if kind := approvals.KindOf(err); kind == "" || kind == approvals.KindStore {
		return "Something went wrong inside mde-ops. Look at /mde requests before you submit this again."
	}
	return sentence(err.Error())
}
