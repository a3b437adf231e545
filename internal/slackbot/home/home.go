// Package home draws the app's Home tab: what waits for somebody, what they asked for, what runs and what was stopped.
//
// It is a pure function of what was found for one person at one moment. Nobody votes here: a vote belongs on the card, which
// shows all that it is for.
package home

import (
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

// The ids of what can be pressed. They are part of the wire.
const (
	// Prefix begins the id of everything that can be pressed on a Home tab.
	Prefix        = "mde_home_"
	ActionRefresh = Prefix + "refresh"
	ActionAsk     = Prefix + "ask"
	ActionStop    = Prefix + "stop"
	ActionLift    = Prefix + "lift"
	ActionDetails = Prefix + "details"
	// ActionCard is a link; Slack tells of its press all the same.
	ActionCard = Prefix + "card"
	// ViewStop is the window that asks why everything is to be stopped, and BlockWhy its field.
	ViewStop = "mde_home_stop_view"
	BlockWhy = "mde_home_why"
	InputWhy = "mde_home_why_text"
)

// Shown is how many requests a list shows; the others are counted.
const Shown = 10

// Row is a request, and where its card is: empty when it has none or nobody knows.
type Row struct {
	Request approvals.Request
	Card    string
}

// List is a list of requests, of which not all need be there.
type List struct {
	Rows []Row
	// More is how many there are besides.
	More int
}

// Page is what is shown to one person.
type Page struct {
	// Sorry says why there is nothing more: the person may not see it, or nobody could be asked.
	Sorry string
	// Responder says that the person may ask and stop; others see only what waits for them.
	Responder bool
	Stops     []approvals.Stop
	// Waiting is for this person to decide, Mine was asked for by them, Running is under way, Ended came to its end.
	Waiting, Mine, Running, Ended List
	// Boxes are the time-boxes that end next.
	Boxes []string
	At    time.Time
}

// View draws the page.
func View(p Page) slack.HomeTabViewRequest {
	d := &drawing{}
	d.label("MDE")
	if p.Sorry != "" {
		d.lines(p.Sorry)
		d.small("As of " + p.At.UTC().Format(time.RFC3339))
		return d.view()
	}
	d.buttons(p)
	for _, s := range p.Stops {
		d.lines(cards.StopRow(s))
	}
	d.list("Waits for you", "Nothing waits for you.", p.Waiting)
	if p.Responder {
		d.list("You asked for", "", p.Mine)
		d.list("Under way", "Nothing is under way.", p.Running)
		if len(p.Boxes) > 0 {
			d.label("Time-boxes that end next")
			d.lines(p.Boxes...)
		}
		d.list("Ended lately", "", p.Ended)
	}
	d.small("Votes are given on the card, which shows all that they are for. As of " + p.At.UTC().Format(time.RFC3339))
	return d.view()
}

// drawing collects blocks within Slack's limits.
type drawing struct{ blocks []slack.Block }

// maxBlocks leaves room for the last line; Slack takes 100.
const maxBlocks = 98

func (d *drawing) add(b slack.Block) {
	if len(d.blocks) < maxBlocks {
		d.blocks = append(d.blocks, b)
	}
}

func (d *drawing) view() slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: d.blocks}}
}

// label is a line of our own words in bold.
func (d *drawing) label(text string) {
	d.add(slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, "*"+text+"*", false, true), nil, nil))
}

func (d *drawing) lines(lines ...string) {
	c := blockkit.New()
	c.Lines(lines...)
	for _, b := range c.Blocks {
		d.add(b)
	}
}

func (d *drawing) small(text string) {
	c := blockkit.New()
	c.Small(text)
	d.blocks = append(d.blocks, c.Blocks...)
}

func (d *drawing) buttons(p Page) {
	list := []slack.BlockElement{blockkit.Button(ActionRefresh, "Refresh", "-")}
	if p.Responder {
		list = append(list, blockkit.Button(ActionAsk, "Ask", "-"))
		if len(p.Stops) > 0 {
			list = append(list, blockkit.Button(ActionLift, "Ask to lift", p.Stops[0].Scope))
		}
		list = append(list, blockkit.Button(ActionStop, "STOP everything", "-").WithStyle(slack.StyleDanger))
	}
	d.add(slack.NewActionBlock("mde_home_buttons", list...))
}

// list shows requests, and says so when there are none unless empty is.
func (d *drawing) list(title, empty string, l List) {
	if len(l.Rows) == 0 {
		if empty != "" {
			d.lines(empty)
		}
		return
	}
	d.label(fmt.Sprintf("%s (%d)", title, len(l.Rows)+l.More))
	for i, r := range l.Rows {
		d.row(fmt.Sprintf("%s.%d", title, i), r)
	}
	if l.More > 0 {
		d.lines(fmt.Sprintf("and %d more: /mde requests", l.More))
	}
}

// row is a request with a button for all that is known of it, and a link to its card.
func (d *drawing) row(id string, r Row) {
	text := ""
	for i, l := range cards.Row(r.Request) {
		if i > 0 {
			text += "\n"
		}
		text += blockkit.Escape(blockkit.Clean(l))
	}
	obj, _ := blockkit.PlainEscaped(text, blockkit.MaxSection)
	section := slack.NewSectionBlock(obj, nil, nil)
	section.BlockID = id
	if r.Card != "" && r.Request.State == approvals.Pending {
		section.Accessory = slack.NewAccessory(blockkit.Button(ActionCard, "Card", r.Request.ID).WithURL(r.Card))
	} else {
		value := cards.Stamp{ID: r.Request.ID, Digest: r.Request.Digest}.String()
		section.Accessory = slack.NewAccessory(blockkit.Button(ActionDetails, "Details", value))
	}
	d.add(section)
}

// StopView asks why everything is to be stopped. An empty reason is taken: to stop must be quick.
func StopView() slack.ModalViewRequest {
	v := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: ViewStop}
	v.Title, _ = blockkit.Plain("STOP everything", 24)
	v.Close, _ = blockkit.Plain("Back", 24)
	v.Submit, _ = blockkit.Plain("STOP", 24)
	label, _ := blockkit.Plain("Why? Everybody will read this.", 200)
	hint, _ := blockkit.Plain("Nothing more is sent until approvers lift it. What was sent already is followed.", 300)
	why := slack.NewInputBlock(BlockWhy, label, hint, slack.NewPlainTextInputBlockElement(nil, InputWhy).WithMaxLength(500))
	why.Optional = true
	v.Blocks.BlockSet = []slack.Block{why}
	return v
}
