package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// cardKey is the key under which the store remembers a request's card.
const cardKey = "card"

// terminal is a simulated workspace on a screen: one person at a time types and presses, everybody's messages show.
type terminal struct {
	*house
	*screen
	in    io.Reader
	typed bool // a person types; otherwise the input is a script
	me    string
	// channel is where whoever types is, and said the newest message that somebody wrote there.
	channel, said string

	mu    sync.Mutex
	shown map[string]string // what was drawn last, by message
}

// Terminal runs the bot in a simulated workspace that is drawn here. Lines are what a person types: /mde commands, a
// number to press that button, /as NAME to be somebody else, /wait to see the running requests end, /later TIME to send the
// clock ahead, /quit. Piped input runs as a script: each line is echoed, and a line that the workspace can't carry out ends it with an error.
func Terminal(ctx context.Context, o Options) error {
	h, err := build(ctx, o)
	if err != nil {
		return fmt.Errorf("demo: the house did not start: %w", err)
	}
	defer h.close()
	t := newTerminal(h, o)
	fmt.Fprintln(o.Out, t.paint("1", "A simulated Slack workspace on a simulated tenant; between them runs the production bot."))
	t.intro("alice")
	if o.Nexus {
		if err := t.plays(ctx, nexusLines); err != nil {
			return err
		}
	}
	return t.loop(ctx, true)
}

// plays carries out the lines of a story before anybody types.
func (t *terminal) plays(ctx context.Context, lines string) error {
	t.prepareSite()
	typed := t.typed
	defer func() { t.typed = typed }()
	t.typed = false
	for line := range strings.Lines(lines) {
		if done, err := t.line(ctx, strings.TrimSpace(line)); done || err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

func newTerminal(h *house, o Options) *terminal {
	file, isFile := o.In.(*os.File)
	return &terminal{
		house: h, screen: newScreen(o.Out, h.workspace.DisplayName), in: o.In,
		typed: isFile && term.IsTerminal(int(file.Fd())), shown: make(map[string]string),
	}
}

func (t *terminal) intro(me string) {
	t.me, t.channel = me, slacksim.Security
	fmt.Fprintf(t.w, `You are @%s in #security. Type
  /mde isolate host01 --for 4h because beaconing to a known C2     (/mde help lists more)
  /mde stop because the wrong devices   to stop everything;  /mde lift because REASON   to ask approvers to lift that
  /as bob     to be somebody else: alice (asks), bob (asks, on call), carol (on call: only presses buttons), dave (guest)
  1           to press the button with that number on the newest card that waits; "K7Q2M4XT 1" on that request's card
  /wait       to wait until nothing is under way;  /later 4h to send the clock ahead, so that time-boxes end
  /home       to open your Home tab, /home N to press a button there;  /ask  for the menu of everything that can be asked for
  /say TEXT   to write into the channel, /look  to look up what that names;  /in general  to go to another channel;  /threads
  /close      to close a dialog; one with several fields takes them in one line, with | between;  /quit to end
`, me)
}

// loop reads lines until the input or ctx ends. endWithInput says whether the end of input ends the demo.
func (t *terminal) loop(ctx context.Context, endWithInput bool) error {
	lines, failed := t.lines(ctx)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	t.prompt()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(t.w)
			return nil
		case err := <-t.botEnded:
			return errors.Join(errors.New("demo: the bot ended"), err)
		case <-ticker.C:
			if t.refresh() {
				t.prompt()
			}
		case line, open := <-lines:
			if !open {
				if err := <-failed; err != nil || endWithInput {
					return err
				}
				<-ctx.Done()
				return nil
			}
			if done, err := t.line(ctx, strings.TrimSpace(line)); done || err != nil {
				return err
			}
			t.prompt()
		}
	}
}

// lines reads the input in the background, so that messages show while nobody types.
func (t *terminal) lines(ctx context.Context) (<-chan string, <-chan error) {
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		defer close(lines)
		scan := bufio.NewScanner(t.in)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
				failed <- nil
				return
			}
		}
		failed <- scan.Err()
	}()
	return lines, failed
}

func (t *terminal) prompt() {
	if t.typed {
		fmt.Fprintf(t.w, "%s ", t.paint("1", "@"+t.me+">"))
	}
}

// line carries out one line. In a script a line that can't be carried out is an error; a person is told and goes on.
func (t *terminal) line(ctx context.Context, line string) (done bool, err error) {
	if line == "" || strings.HasPrefix(line, "#") {
		return false, nil
	}
	if !t.typed {
		fmt.Fprintf(t.w, "\n%s %s\n", t.paint("1", "@"+t.me+">"), line)
	}
	limited, cancel := context.WithTimeout(ctx, t.stepLimit)
	defer cancel()
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "/quit":
		return true, nil
	case "/as":
		err = t.as(strings.TrimPrefix(strings.TrimSpace(rest), "@"))
	case "/wait":
		err = t.settle(limited)
	case "/later":
		err = t.later(limited, strings.TrimSpace(rest))
	case "/close":
		err = t.closeDialog(limited)
	case "/mde":
		err = t.command(limited, rest)
	default:
		if place, ok := t.placeWords()[word]; ok {
			err = place(limited, strings.TrimSpace(rest))
			break
		}
		err = t.press(limited, line)
	}
	if err != nil && t.typed {
		fmt.Fprintln(t.w, t.paint("31", err.Error()))
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("demo: line %q: %w", line, err)
	}
	t.refresh()
	return false, nil
}

func (t *terminal) as(name string) error {
	if _, err := t.workspace.User(name); err != nil {
		return err
	}
	t.me = name
	return nil
}

func (t *terminal) command(ctx context.Context, text string) error {
	before := len(t.workspace.Ephemerals(t.me))
	out, err := t.workspace.Command(ctx, t.me, t.channel, "/mde", text)
	if err != nil {
		return err
	}
	return t.outcome(ctx, out, before)
}

// outcome shows what a person is shown after a command or a click, waiting for it when it comes later.
func (t *terminal) outcome(ctx context.Context, out slacksim.Outcome, before int) error {
	me, err := t.workspace.User(t.me)
	if err != nil {
		return err
	}
	if len(out.Ephemerals) == 0 && len(out.Views) == 0 {
		limited, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		// A click that changes only the card tells nobody anything; the card is drawn by refresh.
		_ = t.workspace.WaitFor(limited, func(s slacksim.Snapshot) bool {
			return len(s.Ephemerals[me.ID]) > before || len(s.Views[me.ID]) > 0
		})
	}
	for _, m := range t.workspace.Ephemerals(t.me)[before:] {
		t.message(m)
	}
	for _, v := range t.workspace.Views(t.me) {
		if err := t.dialog(ctx, v); err != nil {
			return err
		}
	}
	return t.cardsSettled(ctx)
}

// dialog shows an open dialog. One with a field takes the next line as its answer; others are read and closed.
func (t *terminal) dialog(ctx context.Context, v slacksim.View) error {
	t.view(v)
	if v.Submit == nil && pressable(v) {
		fmt.Fprintln(t.w, "   Type the number of a button, or /close.")
		return nil
	}
	if v.Submit == nil {
		_, err := t.workspace.Close(ctx, t.me, v.ID)
		return err
	}
	hint := "Type the answer and press Enter, or /close."
	if n := len(inputs(v)); n > 1 {
		hint = fmt.Sprintf("Type the %d answers with | between, or those that you fill as %s=…, and press Enter, or /close.", n, label(inputs(v)[0]))
	}
	fmt.Fprintln(t.w, "   "+hint)
	return nil
}

func (t *terminal) closeDialog(ctx context.Context) error {
	open := t.workspace.Views(t.me)
	if len(open) == 0 {
		return errors.New("no dialog is open")
	}
	_, err := t.workspace.Close(ctx, t.me, open[len(open)-1].ID)
	return err
}

// press presses a numbered button of a card, or answers the open dialog.
func (t *terminal) press(ctx context.Context, line string) error {
	before := len(t.workspace.Ephemerals(t.me))
	if open := t.workspace.Views(t.me); len(open) > 0 {
		return t.answer(ctx, open[len(open)-1], line, before)
	}
	request, number, found := strings.Cut(line, " ")
	if !found {
		request, number = "", line
	}
	if _, err := strconv.Atoi(number); err != nil {
		return fmt.Errorf("%q is neither a command nor the number of a button; /mde help lists the commands, /quit ends", line)
	}
	ts := t.cardFor(request)
	if ts == "" {
		return errors.New("there is no such card with buttons")
	}
	out, err := t.workspace.Click(ctx, t.me, slacksim.Security, ts, number)
	if err != nil {
		return err
	}
	return t.outcome(ctx, out, before)
}

// later sends the clock ahead, and waits for what that ends.
func (t *terminal) later(ctx context.Context, by string) error {
	d, err := time.ParseDuration(by)
	if err != nil || d <= 0 || d > maxLater {
		return fmt.Errorf("%q is no time to send the clock ahead by; write it as 15m or 4h, up to %v", by, maxLater)
	}
	t.clock.forward(d)
	return t.settle(ctx)
}

// maxLater is shorter than a simulated sign-in is good for, with something left to work with.
const maxLater = 12 * time.Hour

// answer gives a line to the fields of a dialog.
func (t *terminal) answer(ctx context.Context, v slacksim.View, line string, before int) error {
	_, err := strconv.Atoi(line)
	typed := slices.ContainsFunc(inputs(v), func(b slacksim.Block) bool { return b.BlockID == cards.BlockTyped })
	switch {
	case err == nil && pressable(v):
		return t.pressIn(ctx, v, line)
	case err == nil && !typed:
		return fmt.Errorf("a dialog is open and %q is no answer to it; type words, or /close", line)
	}
	values, err := fields(v, line)
	if err == nil {
		err = t.offered(ctx, v, values)
	}
	if err != nil {
		return err
	}
	out, err := t.workspace.Submit(ctx, t.me, v.ID, values)
	if err != nil {
		return err
	}
	for id, text := range out.Errors {
		fmt.Fprintf(t.w, "   %s: %s\n", id, text)
	}
	return t.outcome(ctx, out, before)
}

// cardFor finds the card whose buttons are meant: that of a request, or else the newest that waits for a vote, or else the
// newest that has buttons.
func (t *terminal) cardFor(request string) string {
	best, votable := "", false
	for _, m := range t.workspace.Messages(slacksim.Security) {
		buttons := m.Buttons()
		if len(buttons) == 0 || (request != "" && !strings.Contains(string(m.RawBlocks), request)) {
			continue
		}
		waits := buttons[0].ActionID != cards.ActionDetails // which comes first where nothing can be decided
		if best == "" || waits || !votable {
			best, votable = m.TS, waits
		}
	}
	return best
}

// seen takes what stands in the channel as drawn.
func (t *terminal) seen() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, place := range t.places() {
		for _, m := range t.workspace.Messages(place) {
			t.shown[m.TS] = slacksim.RenderText(m, t.render())
		}
	}
}

// refresh draws what is new or changed in the channel, and reports whether anything was.
func (t *terminal) refresh() (drew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, place := range t.places() {
		for _, m := range t.workspace.Messages(place) {
			drawn := slacksim.RenderText(m, t.render())
			if t.shown[m.TS] != drawn {
				t.shown[m.TS] = drawn
				fmt.Fprintf(t.w, "\n   %s\n", indent(drawn, 3))
				drew = true
			}
		}
	}
	return drew
}

// cardsSettled waits until the card of every request that rests shows the state that the gate has, so that the next line
// meets what its typist saw. Requests under way are not waited for.
func (t *terminal) cardsSettled(ctx context.Context) error {
	return t.rest(ctx, func(r approvals.Request) bool { return !resting(r) })
}

// settle waits until every request rests: it waits for a vote, or has ended.
func (t *terminal) settle(ctx context.Context) error {
	return t.rest(ctx, func(approvals.Request) bool { return false })
}

func resting(r approvals.Request) bool { return r.State == approvals.Pending || r.State.Terminal() }

// rest waits until every request, but those to skip, rests and its card shows it.
func (t *terminal) rest(ctx context.Context, skip func(approvals.Request) bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		settled, err := t.allRest(ctx, skip)
		if settled || err != nil {
			return err
		}
		t.refresh()
		select {
		case <-ctx.Done():
			return fmt.Errorf("the requests did not come to rest in time: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (t *terminal) allRest(ctx context.Context, skip func(approvals.Request) bool) (bool, error) {
	all, err := t.bot.Gate.List(ctx, store.Filter{Limit: 100})
	if err != nil {
		return false, err
	}
	for _, r := range all {
		if skip(r) {
			continue
		}
		card, posted, err := t.bot.Store.Message(ctx, r.ID, cardKey)
		if err != nil {
			return false, err
		}
		if !resting(r) || !posted || card.Version < r.Version {
			return false, nil
		}
		if late, err := t.late(ctx, r); late || err != nil {
			return false, err
		}
	}
	return true, nil
}

// late reports whether a time-box of r is over and its step is about to be undone.
func (t *terminal) late(ctx context.Context, r approvals.Request) (bool, error) {
	if r.Plan.TimeBox == nil {
		return false, nil
	}
	boxes, err := t.bot.Gate.Timeboxes(ctx, r.ID)
	for _, b := range boxes {
		if b.Open() && b.Trouble == "" && !t.clock.Now().Before(b.Due) {
			return true, err
		}
	}
	return false, err
}
