package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/nexus"
)

// PerformerOptions are what a performer is made of.
type PerformerOptions struct {
	// Reader finds and follows; Writer is the only client that writes to the tenant, and only a worker has it.
	Reader, Writer *mdecore.Client
	// Tenant is the Entra tenant id of both; a plan for another one is refused.
	Tenant string
	// Clock is time.Now unless set.
	Clock func() time.Time
	// Evidence is the store that approved requests open content of; without one they are refused.
	Evidence *evidence.Store
	// NexusReader looks at Nexus clusters and fetches their reports, NexusWriter changes them; without them steps on clusters and
	// nodes are refused.
	NexusReader, NexusWriter *nexus.Client
	// Origins tells which machine actions are ours; without it none is cancelled.
	Origins Origins
	// Board takes the effects of approved requests on our own switches: lifts, resumptions, extensions.
	Board *control.Board
}

// Performer performs the steps of approved plans. It is the worker's side of the tools: faces have none, so that no face
// can write to the tenant.
type Performer struct {
	hands  hands
	tenant string
	clock  func() time.Time
	tools  map[string]*compiled
}

// hands are what a step may touch. To find and to follow, a step has no writer.
type hands struct {
	reader, writer *mdecore.Client
	// lent are reads that Defender gives only to who may write.
	lent     lender
	board    *control.Board
	evidence *evidence.Store
	origins  Origins
	nexus    nexusHands
}

// lender is what a look may borrow of the writer: it changes nothing, but a reading credential is refused it.
type lender interface {
	DownloadInvestigationPackage(ctx context.Context, actionID string, w io.Writer, opts mdecore.DownloadOptions) (mdecore.DownloadResult, error)
	LiveResponseResult(ctx context.Context, actionID string, index int, w io.Writer, opts mdecore.DownloadOptions) (mdecore.DownloadResult, error)
	ListLibraryFiles(ctx context.Context) iter.Seq2[*mdecore.LibraryFile, error]
}

// looking is h without what writes to the tenant.
func (h hands) looking() hands {
	h.writer, h.nexus.writer = nil, nil
	return h
}

var _ worker.Collector = (*Performer)(nil)

// NewPerformer checks the options and every declaration.
func NewPerformer(o PerformerOptions) (*Performer, error) {
	switch {
	case o.Reader == nil || o.Writer == nil:
		return nil, errors.New("tools: a performer needs a reading and a writing client (PerformerOptions)")
	case strings.TrimSpace(o.Tenant) == "":
		return nil, errors.New("tools: a performer needs the tenant id that it acts on (PerformerOptions.Tenant)")
	}
	all, err := compileAll(declarations())
	if err != nil {
		return nil, err
	}
	p := &Performer{
		hands:  hands{reader: o.Reader, writer: o.Writer, lent: o.Writer, board: o.Board, evidence: o.Evidence, origins: o.Origins, nexus: nexusHands{o.NexusReader, o.NexusWriter, newDecodes(), newAddressBook()}},
		tenant: o.Tenant, clock: o.Clock, tools: map[string]*compiled{},
	}
	if p.clock == nil {
		p.clock = time.Now
	}
	for _, c := range all {
		if c.tool.Acts() && c.performs.complete() {
			p.tools[c.tool.Name] = c
		}
	}
	return p, nil
}

// acting makes a call one that is part of an approved step: it never waits here, because the worker plans for that, and
// goes before what only looks.
func acting(ctx context.Context) context.Context {
	return mdecore.WithPriority(mdecore.WithoutWaiting(ctx), mdecore.Containment)
}

// Apply sends one step: one write, never repeated here. A worker.NotSent error says that it certainly was not accepted, a
// worker.Refused that Defender said no; after any other the write may have happened.
func (p *Performer) Apply(ctx context.Context, t worker.Task) (worker.Receipt, error) {
	c, err := p.tool(t)
	if err != nil {
		return worker.Receipt{}, &worker.Refused{Text: err.Error(), Err: err}
	}
	return c.performs.apply(acting(ctx), p.hands, t)
}

// Find looks for a step's write in the tenant, by its tag, among what was created since.
func (p *Performer) Find(ctx context.Context, t worker.Task, since time.Time) (worker.Receipt, bool, error) {
	c, err := p.tool(t)
	if err != nil {
		return worker.Receipt{}, false, err
	}
	return c.performs.find(acting(ctx), p.hands.looking(), t, since)
}

// Follow asks how far an accepted step has come.
func (p *Performer) Follow(ctx context.Context, t worker.Task, actionID string) (worker.Progress, error) {
	c, err := p.tool(t)
	if err != nil {
		return worker.Progress{}, err
	}
	return c.performs.follow(acting(ctx), p.hands.looking(), t, actionID)
}

// Collects reports whether a task's action gives something to keep.
func (p *Performer) Collects(t worker.Task) bool {
	c, err := p.tool(t)
	return err == nil && c.performs.collect != nil
}

// Collect brings what an action gave into the evidence store. It waits for no budget: the worker plans for that.
func (p *Performer) Collect(ctx context.Context, t worker.Task, actionID string) (worker.Progress, error) {
	c, err := p.tool(t)
	if err != nil || c.performs.collect == nil {
		return worker.Progress{}, &worker.Refused{Text: "this version can't fetch what the action gave", Err: err}
	}
	return c.performs.collect(mdecore.WithoutWaiting(ctx), p.hands.looking(), t, actionID)
}

// tool finds the acting tool of a task and refuses what was not planned for this tenant or by this catalogue.
func (p *Performer) tool(t worker.Task) (*compiled, error) {
	c, ok := p.tools[t.Plan.Tool]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is not an acting tool of this version", quoted(t.Plan.Tool, 60))
	case !c.tool.info().States(t.Plan.Risk):
		return nil, fmt.Errorf("%s was planned with risk %s and has risk %s", t.Plan.Tool, quoted(string(t.Plan.Risk), 40), c.tool.info().InWords())
	case t.Plan.Tenant != p.tenant:
		return nil, fmt.Errorf("the plan is for tenant %s, this worker acts on %s", quoted(t.Plan.Tenant, 60), p.tenant)
	case t.Tag == "" || t.Step.Target == "":
		return nil, fmt.Errorf("the step has no tag or no target")
	}
	return c, nil
}

// receipt sorts the answer to a write.
func receipt(a *mdecore.MachineAction, err error) (worker.Receipt, error) {
	switch {
	case err != nil:
		return worker.Receipt{}, sorted(err)
	case a.ID == "":
		return worker.Receipt{}, errors.New("the answer names no action id, so it is not known what happened")
	}
	return worker.Receipt{ActionID: a.ID, RemoteStatus: string(a.Status)}, nil
}

// permanent reports whether the client itself refused the arguments: nothing was sent, and sending again can't help.
func permanent(err error) bool {
	var invalid *mdecore.InvalidError
	return errors.As(err, &invalid)
}

// damaged says that a step's own arguments can't be read. Nothing was sent.
func damaged(t worker.Task, err error) error {
	return &worker.Refused{Text: fmt.Sprintf("step %d of request %s can't be read; nothing was sent", t.Index+1, t.RequestID), Err: err}
}

// maxComment bounds what we write into a comment, in characters.
const maxComment = 500

// comment marks a write as ours. The tag comes first, because that is where Find looks, and survives any truncation.
func comment(t worker.Task) string {
	by := " (requested by " + clean(t.Requester.ID, 120) + ")"
	room := maxComment - utf8.RuneCountInString(t.Tag) - utf8.RuneCountInString(by) - 2
	reason := clean(t.Plan.Reason, max(room, 0))
	if reason == "" {
		reason = t.Plan.Tool
	}
	return t.Tag + " " + reason + by
}

// refusal makes any error one for the caller: a kind, a text without secrets, and the cause for the log.
func refusal(err error) error {
	var ours *approvals.Error
	var remote *mdecore.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, context.Canceled):
		return approvals.Refuse(approvals.KindNoAnswer, err, "the call was cancelled before it was answered; nothing was sent to Defender")
	case errors.As(err, &remote):
		return approvals.Refuse(kindOfRemote(remote), err, "Defender could not be asked, so nothing was done: %s", clean(remote.Error(), 600))
	case errors.Is(err, context.DeadlineExceeded):
		return approvals.Refuse(approvals.KindNoAnswer, err, "the call took too long and was given up; nothing was sent to Defender")
	}
	return approvals.Refuse(approvals.KindNoAnswer, err, "the call failed inside this program, so nothing was done; its log has the cause")
}

func kindOfRemote(e *mdecore.Error) approvals.Kind {
	switch {
	case permanent(e):
		return approvals.KindInvalid
	case mdecore.IsNotFound(e):
		return approvals.KindNotFound
	}
	return approvals.KindNoAnswer
}
