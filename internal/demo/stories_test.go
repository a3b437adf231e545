package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// TestStoriesInSlack plays testdata/stories: the investigations of docs/stories.md as people type them in Slack, on everything
// that production runs. The words of these scripts are:
//
//	mde NAME WORDS...      somebody types a command; its answer is the stdout, and its request $REQUEST
//	more NAME              somebody presses More under the last answer
//	fill NAME A=B | C=D    somebody fills in the form that is open; \n is a new line
//	approve NAME...        people press Approve on the card of $REQUEST, and type what a window asks for
//	deny NAME WORDS...     somebody presses Deny, and says why
//	confirm                alice presses Confirm
//	work                   waits until $REQUEST has ended; the stdout is its card and what is in its thread
//	until REGEXP           waits until the card of $REQUEST shows something; the stdout is the card
//	later DURATION         sends everybody's clock ahead
//	writes N               fails unless the tenant has seen so many writes
//	[!] isolated NAME...   fails unless the tenant has isolated these devices (ids or names)
//	indicators N           fails unless so many indicators are in force, those that the tenant began with left out
//	capture NAME REGEXP    keeps the first group of the first match in the last stdout as $NAME
//	every NAME REGEXP      keeps the first groups of all matches, with spaces between
//	fault KIND PATH [STATUS [SKIP]], offline NAME..., online NAME..., rename NAME NEW, raise N TITLE PATH [DEVICE], content NAME PATH TEXT
func TestStoriesInSlack(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txtar")
	require.NoError(t, err)
	require.Len(t, files, 7)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			p := &play{t: t, story: storyUnder(t, policyIn(t, file))}
			testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: p.words(), RequireUniqueNames: true})
		})
	}
}

// The stories are told twice, as calls of an assistant and as commands of people, and come to the same.
func TestTheStoriesInSlackAreThoseOfTheAssistant(t *testing.T) {
	t.Parallel()
	last := func(file string) string {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		all := regexp.MustCompile(`(?m)^writes ([0-9]+)$`).FindAllStringSubmatch(string(raw), -1)
		require.NotEmpty(t, all, file)
		return all[len(all)-1][1]
	}
	told, err := filepath.Glob("../../tools/testdata/sessions/stories/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, told)
	for _, file := range told {
		require.Equal(t, last(file), last(filepath.Join("testdata/stories", filepath.Base(file))), "%s: as many writes as with an assistant", filepath.Base(file))
	}
}

func policyIn(t *testing.T, file string) string {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	for _, f := range archive.Files {
		if f.Name == "policy.yaml" {
			return strings.ReplaceAll(string(f.Data), "ONCALL", slacksim.OnCall)
		}
	}
	return ""
}

func storyUnder(t *testing.T, policy string) *story {
	t.Helper()
	h, err := furnish(t.Context(), Options{StepLimit: patience}, policy)
	require.NoError(t, err)
	t.Cleanup(h.close)
	return &story{house: h, screen: newScreen(new(bytes.Buffer), h.workspace.DisplayName)}
}

// play is one story that is being played.
type play struct {
	*story
	t      *testing.T
	out    string
	raised time.Duration
}

type word = func(ts *testscript.TestScript, neg bool, args []string)

// plain is a word that takes so many arguments at least and can't be denied.
func plain(least int, fn func(*testscript.TestScript, []string)) word {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least {
			ts.Fatalf("this word takes %d arguments and no !", least)
		}
		fn(ts, args)
	}
}

func (p *play) words() map[string]word {
	reach := func(offline bool) word {
		return plain(1, func(_ *testscript.TestScript, names []string) {
			for _, name := range names {
				p.tenant.SetOffline(p.tenant.Device(name).ID, offline)
			}
		})
	}
	return map[string]word{
		"mde": plain(2, p.types), "more": plain(1, p.more), "fill": plain(2, p.fill), "deny": plain(2, p.denies), "until": plain(1, p.until),
		"approve": plain(1, func(ts *testscript.TestScript, who []string) {
			for _, name := range who {
				p.approves(p.t, p.id(ts, name), ts.Getenv("REQUEST"))
			}
		}),
		"confirm": plain(0, func(ts *testscript.TestScript, _ []string) {
			p.click(ts, slacksim.Alice, "Confirm")
			r, err := p.mcp.Gate.Get(p.t.Context(), ts.Getenv("REQUEST"))
			ts.Check(err)
			if n := len(r.Plan.Targets); n > cards.LargePlan {
				ts.Check(p.confirms(p.t.Context(), slacksim.Alice, strconv.Itoa(n)))
			}
		}),
		"work": plain(0, p.work),
		"later": plain(1, func(ts *testscript.TestScript, args []string) {
			d, err := time.ParseDuration(args[0])
			ts.Check(err)
			if id := ts.Getenv("REQUEST"); id != "" {
				p.noted(p.t, id)
			}
			p.clock.forward(d)
		}),
		"writes":   plain(1, p.wrote),
		"isolated": p.isolated,
		"indicators": plain(1, func(ts *testscript.TestScript, args []string) {
			if n := strconv.Itoa(len(p.tenant.Indicators()) - len((&mdesim.Tenant{}).Indicators())); n != args[0] {
				ts.Fatalf("%s indicators are in force", n)
			}
		}),
		"capture": plain(2, func(ts *testscript.TestScript, args []string) { ts.Setenv(args[0], p.found(ts, args[1])[0]) }),
		"every": plain(2, func(ts *testscript.TestScript, args []string) {
			ts.Setenv(args[0], strings.Join(slices.Compact(p.found(ts, args[1])), " "))
		}),
		"fault": plain(2, p.fault), "offline": reach(true), "online": reach(false), "raise": plain(3, p.raise),
		"rename": plain(2, func(_ *testscript.TestScript, args []string) {
			p.tenant.UpdateDevice(p.tenant.Device(args[0]).ID, func(m *mdesim.Machine) { m.ComputerDNSName = args[1] })
		}),
		"content": plain(3, func(_ *testscript.TestScript, args []string) {
			p.tenant.PutDeviceFile(p.tenant.Device(args[0]).ID, args[1], []byte(args[2]))
		}),
	}
}

func (p *play) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.t.Context(), patience)
}

func (p *play) id(ts *testscript.TestScript, name string) string {
	u, err := p.workspace.User(name)
	ts.Check(err)
	return u.ID
}

// say puts text on the stdout that the script looks at.
func (p *play) say(ts *testscript.TestScript, text string) {
	p.out = text
	_, err := fmt.Fprintln(ts.Stdout(), text)
	ts.Check(err)
}

func drawn(m slacksim.Message) string {
	return slacksim.RenderText(m, slacksim.RenderOptions{Width: 2000})
}

var requestSaid = regexp.MustCompile(`Request ([0-9A-Z]{8}) is`)

// types types a command, and waits for its answer.
func (p *play) types(ts *testscript.TestScript, args []string) {
	ctx, cancel := p.limited()
	defer cancel()
	who := p.id(ts, args[0])
	before := len(p.workspace.Ephemerals(who))
	_, err := p.workspace.Command(ctx, who, slacksim.Security, "/mde", typed(args[1:]))
	ts.Check(err)
	p.answered(ctx, ts, who, before)
}

// typed are words as a person types them: what has spaces in it before the reason stands in quotation marks.
func typed(words []string) string {
	out := make([]string, len(words))
	because := false
	for i, w := range words {
		because = because || w == "because"
		if out[i] = w; !because && strings.Contains(w, " ") && !hex(w) {
			out[i] = `"` + w + `"`
		}
	}
	return strings.Join(out, " ")
}

// hex reports whether words are ids, as `every` keeps them.
func hex(words string) bool {
	return regexp.MustCompile(`^[0-9a-f_ -]+$`).MatchString(strings.ReplaceAll(words, "da", ""))
}

func (p *play) answered(ctx context.Context, ts *testscript.TestScript, who string, before int) {
	ts.Check(p.workspace.WaitFor(ctx, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[who]) > before }))
	list := p.workspace.Ephemerals(who)
	p.say(ts, drawn(list[len(list)-1]))
	if m := requestSaid.FindStringSubmatch(p.out); m != nil {
		ts.Setenv("REQUEST", m[1])
	}
}

// more asks for the next page of the last answer.
func (p *play) more(ts *testscript.TestScript, args []string) {
	ctx, cancel := p.limited()
	defer cancel()
	who := p.id(ts, args[0])
	list := p.workspace.Ephemerals(who)
	_, err := p.workspace.ClickStale(ctx, who, list[len(list)-1], "More")
	ts.Check(err)
	p.answered(ctx, ts, who, len(list))
}

// fill fills in the form that is open.
func (p *play) fill(ts *testscript.TestScript, args []string) {
	ctx, cancel := p.limited()
	defer cancel()
	who := p.id(ts, args[0])
	before := len(p.workspace.Ephemerals(who))
	open := p.workspace.Views(who)
	if len(open) == 0 {
		ts.Fatalf("no form is open")
	}
	v := open[len(open)-1]
	values, err := fields(v, strings.ReplaceAll(strings.Join(args[1:], " "), `\n`, "\n"))
	ts.Check(err)
	ts.Check((&terminal{house: p.house, me: who}).offered(ctx, v, values))
	out, err := p.workspace.Submit(ctx, who, v.ID, values)
	ts.Check(err)
	if left := p.workspace.Views(who); len(left) > 0 {
		p.say(ts, slacksim.RenderView(left[len(left)-1], slacksim.RenderOptions{Width: 2000})+fmt.Sprint(out.Errors))
		return
	}
	p.answered(ctx, ts, who, before)
}

// card is the card of $REQUEST once it is as wanted.
func (p *play) card(ts *testscript.TestScript, ok func(slacksim.Message) bool) slacksim.Message {
	ctx, cancel := p.limited()
	defer cancel()
	m, err := p.cardOf(ctx, ts.Getenv("REQUEST"), ok)
	if err != nil {
		for _, stored := range p.workspace.Messages(slacksim.Security) {
			ts.Logf("%s", drawn(stored))
		}
	}
	ts.Check(err)
	return m
}

func (p *play) click(ts *testscript.TestScript, who, button string) {
	ctx, cancel := p.limited()
	defer cancel()
	place := p.noted(p.t, ts.Getenv("REQUEST"))
	card := p.card(ts, func(m slacksim.Message) bool {
		return m.TS == place && slices.ContainsFunc(m.Buttons(), func(b slacksim.Button) bool { return b.Label == button })
	})
	ts.Check(slacksim.Patient{Workspace: p.workspace}.Press(ctx, who, slacksim.Security, card.TS, button))
}

func (p *play) denies(ts *testscript.TestScript, args []string) {
	ctx, cancel := p.limited()
	defer cancel()
	who := p.id(ts, args[0])
	p.click(ts, who, "Deny")
	ts.Check(p.workspace.WaitFor(ctx, func(s slacksim.Snapshot) bool { return len(s.Views[who]) > 0 }))
	_, err := p.workspace.Submit(ctx, who, p.workspace.Views(who)[0].ID, map[string]string{cards.BlockReason: strings.Join(args[1:], " ")})
	ts.Check(err)
}

// work waits for the end of $REQUEST and for what its card and its thread say of it.
func (p *play) work(ts *testscript.TestScript, _ []string) {
	ctx, cancel := p.limited()
	defer cancel()
	id := ts.Getenv("REQUEST")
	r, err := p.mcp.Gate.Wait(ctx, id, func(r approvals.Request) bool { return r.State.Terminal() }, patience)
	if err != nil || !r.State.Terminal() {
		for _, who := range []string{slacksim.Alice, slacksim.Bob, slacksim.Carol} {
			for _, m := range p.workspace.Ephemerals(who) {
				ts.Logf("%s was told: %s", who, m.Text)
			}
		}
	}
	ts.Check(err)
	if !r.State.Terminal() {
		ts.Fatalf("request %s is still %s: %s", id, r.State, r.Message)
	}
	key := "thread:" + string(r.State)
	eventually(ctx, ts, func() bool { // what the store remembers comes after what the workspace shows
		m, posted, err := p.bot.Store.Message(ctx, id, cardKey)
		end, _, _ := p.bot.Store.Message(ctx, id, key)
		return err == nil && posted && m.Version >= r.Version && end.TS != "" // until then it is only reserved
	})
	card := p.card(ts, func(slacksim.Message) bool { return true })
	text := drawn(card)
	for _, m := range p.workspace.Thread(slacksim.Security, card.TS) {
		text += "\n" + drawn(m)
	}
	p.say(ts, text)
}

// eventually waits for what the workspace does not tell of.
func eventually(ctx context.Context, ts *testscript.TestScript, ok func() bool) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			ts.Fatalf("it did not come to this in %v", patience)
		case <-tick.C:
		}
	}
}

func (p *play) until(ts *testscript.TestScript, args []string) {
	expr := regexp.MustCompile(strings.Join(args, " "))
	p.say(ts, drawn(p.card(ts, func(m slacksim.Message) bool { return expr.MatchString(drawn(m)) })))
}

// wrote counts the writing requests that the tenant has seen. A hunt is a POST and writes nothing.
func (p *play) wrote(ts *testscript.TestScript, args []string) {
	n := p.tenant.Writes()
	for r, times := range p.tenant.Requests() {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/runHuntingQuery") {
			n -= times
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("the tenant has seen %d writes", n)
	}
}

func (p *play) isolated(ts *testscript.TestScript, neg bool, names []string) {
	for _, name := range names {
		if p.tenant.Isolated(p.tenant.Device(name).ID) == neg {
			ts.Fatalf("%s: isolated is %t", name, !neg)
		}
	}
}

func (p *play) found(ts *testscript.TestScript, expr string) []string {
	var all []string
	for _, m := range regexp.MustCompile(expr).FindAllStringSubmatch(p.out, -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		ts.Fatalf("%s is not in: %s", expr, p.out)
	}
	return all
}

func (p *play) fault(ts *testscript.TestScript, args []string) {
	f := mdesim.Fault{Kind: mdesim.FaultKind(args[0]), Path: args[1]}
	if method, path, ok := strings.Cut(args[1], " "); ok {
		f.Method, f.Path = method, path
	}
	for i, field := range []*int{&f.Status, &f.Skip} {
		if len(args) > 2+i {
			n, err := strconv.Atoi(args[2+i])
			ts.Check(err)
			*field = n
		}
	}
	p.tenant.Fail(f)
}

// raise raises alerts about a program, on host01 to host12 or on a device.
func (p *play) raise(ts *testscript.TestScript, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	cut := strings.LastIndex(args[2], `\`)
	p.raised += time.Hour
	for i := range n {
		device := fmt.Sprintf("host%02d", i%12+1)
		if len(args) > 3 {
			device = args[3]
		}
		at := p.clock.Now().Add(-p.raised - time.Duration(i)*time.Second)
		p.tenant.RaiseAlert(mdesim.Alert{
			Title: args[1], DetectionSource: "CustomDetection", Category: "CredentialAccess", MachineID: p.tenant.Device(device).ID, AlertCreationTime: at,
			Evidence: []mdesim.Evidence{{
				EntityType: "Process", EvidenceCreationTime: at, FilePath: mdesim.Nullable(args[2][:cut]), FileName: mdesim.Nullable(args[2][cut+1:]),
			}},
		})
	}
}
