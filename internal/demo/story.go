package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// story is the main job, played: every step checks what it tells.
type story struct {
	*house
	*screen
	assistant *assistant
	isolate   played
	boxed     played
}

// played is one request on its way.
type played struct {
	id   string
	card slacksim.Message
}

// chapter is one step of the story.
type chapter struct {
	title string
	play  func(context.Context) error
}

// Story plays the main job from alert to release and returns an error that names the step that went otherwise. With
// Serve the house stays up afterwards until ctx ends.
func Story(ctx context.Context, o Options) error {
	began := time.Now()
	h, err := build(ctx, o)
	if ctx.Err() != nil && err != nil {
		return errors.New("demo: interrupted before the story began")
	}
	if err != nil {
		return fmt.Errorf("demo: the house did not start: %w", err)
	}
	defer h.close()
	if err := tell(ctx, h, o); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "\n%s\n", newScreen(o.Out, h.workspace.DisplayName).paint("1;32", fmt.Sprintf("All of it happened as told, in %.1f s.", time.Since(began).Seconds())))
	if o.Serve {
		return serve(ctx, h, o)
	}
	return nil
}

// tell plays the story in a house that stands.
func tell(ctx context.Context, h *house, o Options) error {
	s := &story{house: h, screen: newScreen(o.Out, h.workspace.DisplayName)}
	s.opening()
	chapters := s.chapters
	if o.Nexus {
		chapters = s.nexusChapters
	}
	var err error
	s.assistant, err = newAssistant(ctx, h.url, h.token, s.screen)
	if ctx.Err() != nil && err != nil {
		return errors.New("demo: interrupted before the story began")
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer s.assistant.close()
	for i, c := range chapters() {
		s.title(i+1, c.title)
		limited, cancel := context.WithTimeout(ctx, s.stepLimit)
		err := c.play(limited)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("demo: interrupted in step %d (%s)", i+1, c.title)
		}
		if err != nil {
			return fmt.Errorf("demo: step %d (%s): %w", i+1, c.title, err)
		}
	}
	return nil
}

func (s *story) opening() {
	fmt.Fprintln(s.w, s.paint("1", "mde-ops on a SIMULATED tenant, for tests and demos: an assistant asks, people decide, exactly that happens."))
	fmt.Fprintln(s.w, "Everything here is simulated and on this machine; between the simulators runs the production code.")
	s.say("tenant", "%d devices at %s", mdesim.DefaultDevices, s.sim.Server.URL)
	s.say("slack", "#security with @alice (asks) and @bob (on call), the bot connected by websocket")
	s.say("mcp", "server at %s, its caller signed in as alice@contoso.com", s.url)
}

func (s *story) chapters() []chapter {
	return []chapter{
		{"An alert comes in", s.alert},
		{"The assistant reads the device", s.readDevice},
		{"Isolating an ambiguous host name is refused, with the candidates", s.ambiguous},
		{"Isolating the right device returns a pending request and its card", s.ask},
		{"The requester's own click is refused", s.ownClick},
		{"The on-call approver presses Approve: exactly one POST reaches the tenant", s.approve},
		{"The action is followed to its end", s.follow},
		{"The device is released the same way", s.release},
		{"Isolated again, for 15 minutes only: the release is part of what is approved", s.timebox},
		{"Any responder stops everything, and the assistant is refused", s.stop},
		{"Only approvers lift it, two of them", s.lift},
		{"Fifteen minutes later the device is released by itself", s.released},
		{"The audit is verified", s.audit},
	}
}

func (s *story) alert(ctx context.Context) error {
	device := s.tenant.Device("host01")
	raised := s.tenant.RaiseAlert(mdesim.Alert{
		Title: "Beaconing to a known C2 server", Severity: "High", Category: "CommandAndControl",
		MachineID: device.ID, ComputerDNSName: device.ComputerDNSName,
	})
	ans, err := s.assistant.call(ctx, "list_alerts", map[string]any{"severity": "High", "status": "New", "limit": 5})
	if err := errors.Join(err, ans.must()); err != nil {
		return err
	}
	if !strings.Contains(fmt.Sprint(ans.data), raised.ID) {
		return fmt.Errorf("the new alert %s is not in the list: %s", raised.ID, ans.text)
	}
	s.say("mcp", "%s", ans.text)
	s.good("the new alert %s is there", raised.ID)
	return nil
}

func (s *story) readDevice(ctx context.Context) error {
	ans, err := s.assistant.call(ctx, "get_device", map[string]any{"device": "host01"})
	if err := errors.Join(err, ans.must()); err != nil {
		return err
	}
	want := s.tenant.Device("host01")
	if !strings.Contains(fmt.Sprint(ans.data), want.ID) {
		return fmt.Errorf("get_device did not answer with device %s: %s", want.ID, ans.text)
	}
	s.say("mcp", "%s", ans.text)
	s.good("host01 is one device: %s", want.ID)
	return nil
}

func (s *story) ambiguous(ctx context.Context) error {
	name := s.tenant.AmbiguousName()
	ans, err := s.assistant.call(ctx, "isolate_devices", map[string]any{"devices": []string{name}, "reason": "beaconing to a known C2"})
	if err != nil {
		return err
	}
	if !ans.refused {
		return fmt.Errorf("%s was not refused: %s", name, ans.text)
	}
	for _, m := range s.tenant.Find(name) {
		if !strings.Contains(ans.text, m.ID) {
			return fmt.Errorf("the refusal does not name candidate %s: %s", m.ID, ans.text)
		}
	}
	s.say("mcp", "%s", ans.text)
	return s.writes(0, "nothing was sent to the tenant")
}

// writes checks how many writes the tenant has received, accepted or not.
func (s *story) writes(want int, text string) error {
	if got := s.tenant.Writes(); got != want {
		return fmt.Errorf("the tenant received %d writes, want %d: %v", got, want, s.tenant.Effects())
	}
	s.good("%s (writes so far: %d)", text, want)
	return nil
}

func (s *story) ask(ctx context.Context) error {
	var err error
	s.isolate, err = s.submit(ctx, "isolate_devices", "beaconing to a known C2")
	return err
}

// submit asks for a tool on host01 and waits for its card in the workspace.
func (s *story) submit(ctx context.Context, tool, reason string) (played, error) {
	return s.submitWith(ctx, tool, map[string]any{"devices": []string{"host01"}, "reason": reason})
}

func (s *story) submitWith(ctx context.Context, tool string, args map[string]any) (played, error) {
	ans, err := s.assistant.call(ctx, tool, args)
	if err := errors.Join(err, ans.must()); err != nil {
		return played{}, err
	}
	s.say("mcp", "%s", ans.text)
	status, err := ans.str("status")
	if err != nil {
		return played{}, err
	}
	if status != "pending_approval" {
		return played{}, fmt.Errorf("the status is %q, want pending_approval", status)
	}
	id, err := ans.str("request_id")
	if err != nil {
		return played{}, err
	}
	card, err := s.cardOf(ctx, id, func(slacksim.Message) bool { return true })
	if err != nil {
		return played{}, fmt.Errorf("the card of %s did not appear: %w", id, err)
	}
	s.say("slack", "a card appears in #security")
	s.message(card)
	return played{id: id, card: card}, nil
}

// cardOf waits until the card of a request is as it should be.
func (s *story) cardOf(ctx context.Context, id string, ok func(slacksim.Message) bool) (slacksim.Message, error) {
	var card slacksim.Message
	is := func(m slacksim.Message) bool {
		return m.ThreadTS == "" && strings.Contains(string(m.RawBlocks), id) && ok(m)
	}
	err := s.workspace.WaitFor(ctx, func(snap slacksim.Snapshot) bool {
		i := slices.IndexFunc(snap.Messages[slacksim.Security], is)
		if i >= 0 {
			card = snap.Messages[slacksim.Security][i]
		}
		return i >= 0
	})
	return card, err
}

func (s *story) ownClick(ctx context.Context) error {
	out, err := s.workspace.Click(ctx, slacksim.Alice, slacksim.Security, s.isolate.card.TS, "Approve")
	if err != nil {
		return err
	}
	s.say("@alice", "presses Approve")
	told, err := s.told(ctx, slacksim.Alice, out)
	if err != nil {
		return err
	}
	s.say("slack", "only @alice sees: %s", told)
	r, err := s.mcp.Gate.Get(ctx, s.isolate.id)
	if err != nil {
		return err
	}
	if r.State != "pending" || len(r.Votes) != 0 {
		return fmt.Errorf("after the requester's own click the request is %s with %d votes", r.State, len(r.Votes))
	}
	return s.writes(0, "the request still waits, nothing was sent")
}

// told waits for what only one person is shown after a click.
func (s *story) told(ctx context.Context, user string, out slacksim.Outcome) (string, error) {
	if len(out.Ephemerals) > 0 {
		return out.Ephemerals[len(out.Ephemerals)-1].Text, nil
	}
	var text string
	err := s.workspace.WaitFor(ctx, func(snap slacksim.Snapshot) bool {
		shown := snap.Ephemerals[user]
		if len(shown) > 0 {
			text = shown[len(shown)-1].Text
		}
		return len(shown) > 0
	})
	return text, err
}

func (s *story) approve(ctx context.Context) error {
	if err := s.press(ctx, s.isolate); err != nil {
		return err
	}
	return s.oneWrite(1, "isolate")
}

// press lets @bob press Approve on a card, through the bot's websocket.
func (s *story) press(ctx context.Context, p played) error {
	if err := s.patient().Press(ctx, slacksim.Bob, slacksim.Security, p.card.TS, "Approve"); err != nil {
		return err
	}
	s.say("@bob", "presses Approve")
	r, err := s.mcp.Gate.Wait(ctx, p.id, sent, s.stepLimit)
	if err != nil {
		return fmt.Errorf("after the press request %s is %s (%s): %w", p.id, r.State, r.Message, err)
	}
	return nil
}

// patient is somebody who presses again where the bot asks for it, as it does when a press is quicker than its own notes.
func (s *story) patient() slacksim.Patient { return slacksim.Patient{Workspace: s.workspace} }

// oneWrite checks that the tenant received exactly n writes in all and that the last one is the approved one.
func (s *story) oneWrite(n int, action string) error {
	effects := s.tenant.Effects()
	if len(effects) != n {
		return fmt.Errorf("the tenant accepted %d writes, want %d: %v", len(effects), n, effects)
	}
	last, device := effects[n-1], s.tenant.Device("host01")
	if last.MachineID != device.ID || !strings.HasSuffix(last.Path, "/"+action) {
		return fmt.Errorf("the tenant accepted %s %s on %s, want %s on %s", last.Method, last.Path, last.MachineID, action, device.ID)
	}
	s.say("tenant", "%s %s\ncomment: %s", last.Method, last.Path, last.Comment)
	return s.writes(n, "exactly one POST for this approval")
}

func (s *story) follow(ctx context.Context) error {
	return s.toTheEnd(ctx, s.isolate)
}

// toTheEnd asks until a request has ended and shows the card's last state.
func (s *story) toTheEnd(ctx context.Context, p played) error {
	ans, err := s.assistant.call(ctx, "get_request", map[string]any{"id": p.id, "wait_seconds": 15})
	if err := errors.Join(err, ans.must()); err != nil {
		return err
	}
	status, err := ans.str("status")
	if err != nil {
		return err
	}
	if status != "succeeded" {
		return fmt.Errorf("request %s ended as %q: %s", p.id, status, ans.text)
	}
	s.say("mcp", "%s", ans.text)
	card, err := s.cardOf(ctx, p.id, func(m slacksim.Message) bool { return len(m.Buttons()) < len(p.card.Buttons()) && drawnEnd(m) })
	if err != nil {
		return fmt.Errorf("the card of %s did not come to its end: %w", p.id, err)
	}
	s.say("slack", "the card in its last state")
	s.message(card)
	s.good("request %s succeeded", p.id)
	return nil
}

// drawnEnd reports whether a card says that its request succeeded.
func drawnEnd(m slacksim.Message) bool {
	return strings.Contains(strings.ToLower(string(m.RawBlocks)), "succeeded")
}

func (s *story) release(ctx context.Context) error {
	if !s.tenant.Isolated(s.tenant.Device("host01").ID) {
		return errors.New("host01 is not isolated in the tenant")
	}
	p, err := s.submit(ctx, "release_devices", "re-imaged and clean")
	if err != nil {
		return err
	}
	if err := s.press(ctx, p); err != nil {
		return err
	}
	if err := s.oneWrite(2, "unisolate"); err != nil {
		return err
	}
	if err := s.toTheEnd(ctx, p); err != nil {
		return err
	}
	if s.tenant.Isolated(s.tenant.Device("host01").ID) {
		return errors.New("host01 is still isolated in the tenant")
	}
	s.good("host01 is back on the network")
	return nil
}

func (s *story) audit(ctx context.Context) error {
	if err := s.auditVerified(ctx); err != nil {
		return err
	}
	return s.writes(4, "three approved by people, one by what they approved")
}

// auditVerified checks the whole audit.
func (s *story) auditVerified(ctx context.Context) error {
	report, err := s.mcp.Gate.VerifyAudit(ctx)
	if err != nil {
		return err
	}
	if !report.OK() {
		return fmt.Errorf("the audit does not verify: %s", strings.Join(report.Faults, "; "))
	}
	if report.Rows == 0 {
		return errors.New("the audit is empty")
	}
	s.good("%d rows, chained to %s…; every request is what its rows say", report.Rows, report.Head[:12])
	return nil
}
