package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/mdecore"
)

// collectable is one thing that an action gave and that is to be kept.
type collectable struct {
	// device is what the evidence store calls the target; the target's own id where it is empty.
	device string
	// actionType and actionID name the action; at is when the device gave the thing. An action that gives several things
	// numbers them at the end of actionID, so that each keeps its own manifest even when their contents are the same.
	actionType, actionID string
	at                   time.Time
	name, contentType    string
	// fetch writes it to w, from its beginning to its end.
	fetch func(ctx context.Context, w io.Writer) error
}

// ready refuses a step whose result could not be kept, before anything is sent.
func (h hands) ready(ctx context.Context) error {
	if h.evidence == nil {
		return &worker.Refused{Text: "this worker has no evidence store (MDE_EVIDENCE), so what the device gives could not be kept; nothing was sent"}
	}
	if err := h.evidence.Ready(ctx); err != nil {
		return &worker.NotSent{Err: fmt.Errorf("the evidence store can't be opened: %w", err)}
	}
	return nil
}

// keep brings an item of a step into the evidence store as it streams by. What was kept before, as before a crash, is found
// and not fetched again.
func (h hands) keep(ctx context.Context, t worker.Task, i collectable) (evidence.Manifest, error) {
	kept, err := h.kept(ctx, evidence.Query{RequestID: t.RequestID, DeviceID: i.from(t), Limit: 1000}, i.from(t))
	if err != nil {
		return evidence.Manifest{}, err
	}
	if m, found := kept[i.actionID]; found {
		return m, nil
	}
	return h.bring(ctx, t, i)
}

// bring is keep of what is known not to be there.
func (h hands) bring(ctx context.Context, t worker.Task, i collectable) (evidence.Manifest, error) {
	device, _ := t.Plan.Target(t.Step.Target)
	if i.at.IsZero() {
		i.at = time.Now() // Defender did not say
	}
	meta := evidence.Meta{
		DeviceID: i.from(t), DeviceName: device.Name, ActionType: i.actionType, ActionID: i.actionID, RequestID: t.RequestID,
		Requester: t.Requester.ID, Approvers: t.Approvers, CollectedAt: i.at, Name: i.name, ContentType: i.contentType,
	}
	from, to := io.Pipe()
	fetched := make(chan error, 1)
	go func() {
		err := i.fetch(ctx, to)
		_ = to.CloseWithError(err) // never fails
		fetched <- err
	}()
	m, err := h.evidence.Put(ctx, meta, from)
	_ = from.CloseWithError(errStoreGaveUp) // ends a fetch whose content nobody takes any more
	if fault := <-fetched; fault != nil && !errors.Is(fault, errStoreGaveUp) {
		return evidence.Manifest{}, fault // the store's own error only repeats it
	}
	return m, err
}

// errStoreGaveUp is what a fetch meets when the store failed first.
var errStoreGaveUp = errors.New("the evidence store takes no more")

// keptOf are the manifests of a step whose contents are there, by the ids of their actions.
func (h hands) keptOf(ctx context.Context, t worker.Task) (map[string]evidence.Manifest, error) {
	return h.kept(ctx, evidence.Query{RequestID: t.RequestID, Limit: 1000}, t.Step.Target)
}

// from is what the evidence store calls the target that the thing was collected from.
func (i collectable) from(t worker.Task) string { return cmp.Or(i.device, t.Step.Target) }

// kept are the manifests that q finds and that are of a device.
func (h hands) kept(ctx context.Context, q evidence.Query, device string) (map[string]evidence.Manifest, error) {
	if h.evidence == nil {
		return nil, &worker.Refused{Text: "this worker has no evidence store (MDE_EVIDENCE)"}
	}
	kept := map[string]evidence.Manifest{}
	for {
		l, err := h.evidence.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, m := range l.Manifests {
			if _, newer := kept[m.ActionID]; !newer && strings.EqualFold(m.DeviceID, device) && m.Removed == nil {
				kept[m.ActionID] = m
			}
		}
		if q.Page = l.Next; q.Page == "" {
			return kept, nil
		}
	}
}

// keptText is a manifest in a step's message.
func keptText(m evidence.Manifest) string {
	text := fmt.Sprintf("evidence %s (%s, %d bytes, SHA-256 %s", m.ID, quoted(m.Name, 120), m.Size, m.SHA256)
	if m.Unpacked != nil && m.Unpacked.SHA256 != "" {
		text += "; unpacked " + m.Unpacked.SHA256
	}
	return text + ")"
}

// fetchFault sorts the error of a fetch for the worker: what can't help to try again is a worker.Refused.
func fetchFault(err error) error {
	var ready *mdecore.NotReadyError
	var none *mdecore.NoResultError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ready): // Defender may be late
		return err
	case errors.As(err, &none), permanent(err), mdecore.Refused(err):
		return &worker.Refused{Text: clean(err.Error(), 400), Err: err}
	case mdecore.NotSent(err):
		return &worker.NotSent{RetryAfter: mdecore.RetryAfter(err), Err: err}
	}
	return err
}

// ofStep reads the action of a step, and makes sure that it is the step's and has ended.
func (h hands) ofStep(ctx context.Context, t worker.Task, actionID string, kind mdecore.ActionType) (*mdecore.MachineAction, error) {
	a, err := h.reader.GetMachineAction(ctx, actionID)
	switch {
	case err != nil:
		return nil, fetchFault(err)
	case !strings.EqualFold(a.MachineID, t.Step.Target) || a.Type != kind:
		return nil, &worker.Refused{Text: fmt.Sprintf("Defender says that action %s is a %s of device %s, which is not what was sent",
			actionID, quoted(string(a.Type), 40), quoted(a.MachineID, 60))}
	case !a.Status.Terminal():
		return nil, fmt.Errorf("action %s is %s again", actionID, a.Status)
	}
	return a, nil
}

// canCollect checks that a device can be told to give something: Defender must manage it, and no action of that kind may be
// under way.
func (f *finding) canCollect(m *mdecore.Machine, actions []*mdecore.MachineAction, kind mdecore.ActionType) {
	if !m.Onboarded() {
		f.refuse("is not onboarded (onboardingStatus %s), so Defender can't reach it", quoted(string(m.OnboardingStatus), 40))
	}
	for _, a := range actions {
		if a.Type == kind && !a.Status.Terminal() {
			f.refuse("already has an open action: %s %s is %s, of %s; wait for it, or stop it with cancel_action",
				kind, clean(a.ID, 60), clean(string(a.Status), 40), quoted(a.Requestor, 80))
			break
		}
	}
	if m.HealthStatus != mdecore.HealthActive {
		f.warn("%s reports health %s: the action may stay Pending and time out", label(m), quoted(string(m.HealthStatus), 40))
	}
}

// recently is how far back an action that is still open can have begun.
const recently = 7 * 24 * time.Hour

// recentOf reads the recent actions of one kind, by device.
func (s *session) recentOf(ctx context.Context, kind mdecore.ActionType) (map[string][]*mdecore.MachineAction, error) {
	var f filter
	f.eq("type", string(kind))
	f.since("creationDateTimeUtc", s.clock().Add(-recently))
	actions, err := listActions(ctx, s.reader, f.String())
	if err != nil {
		return nil, err
	}
	byDevice := map[string][]*mdecore.MachineAction{}
	for _, a := range actions {
		id := strings.ToLower(a.MachineID)
		byDevice[id] = append(byDevice[id], a)
	}
	return byDevice, nil
}

// stepOn is the step of a plan that does one thing to one device.
func stepOn(m *mdecore.Machine, action, summary string, args any) (approvals.Step, error) {
	raw, err := canonical(args)
	return approvals.Step{Action: action, Target: m.ID, Args: raw, Summary: summary}, err
}
