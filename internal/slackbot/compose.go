package slackbot

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
)

// Sizes that every message keeps. Slack takes more of some of them; a margin costs nothing.
const (
	maxBlocks  = 46   // of 50, leaving room for the closing note and the buttons
	maxSection = 2900 // of 3000 runes in one section
	maxMessage = 12000
	maxHeader  = 150
)

// message is something to show in Slack: blocks, and the text that phones show instead of them.
type message struct {
	blocks []slack.Block
	text   string
	// cut says that something did not fit. Nobody may approve what they could not read whole.
	cut bool
}

// composer builds a message of untrusted text within Slack's limits, remembering whether anything was lost.
type composer struct {
	blocks []slack.Block
	left   int
	cut    bool
}

func newComposer() *composer { return &composer{left: maxMessage} }

// add appends a block if it fits; what does not fit is lost, and remembered as such.
func (c *composer) add(size int, b slack.Block) {
	if size > c.left || len(c.blocks) >= maxBlocks {
		c.cut = true
		return
	}
	c.left -= size
	c.blocks = append(c.blocks, b)
}

func (c *composer) header(text string) {
	obj, lost := plain(text, maxHeader)
	c.cut = c.cut || lost
	c.add(utf8.RuneCountInString(obj.Text), slack.NewHeaderBlock(obj))
}

// label adds a line of our own words in bold. It never carries untrusted text.
func (c *composer) label(text string) {
	c.markup("*" + text + "*")
}

// lines adds untrusted lines, as many to a section as fit. Each line stays on one line.
func (c *composer) lines(lines ...string) {
	var b strings.Builder
	size := 0
	flush := func() {
		if size == 0 {
			return
		}
		obj, lost := plainEscaped(b.String(), maxSection)
		c.cut = c.cut || lost
		c.add(size, slack.NewSectionBlock(obj, nil, nil))
		b.Reset()
		size = 0
	}
	for _, l := range lines {
		text, lost := cut(escape(clean(l)), maxSection)
		c.cut = c.cut || lost
		n := utf8.RuneCountInString(text) + 1
		if size+n > maxSection {
			flush()
		}
		if size > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(text)
		size += n
	}
	flush()
}

// markup adds our own words in Slack's markup, such as a mention or a date. It never carries untrusted text.
func (c *composer) markup(text string) {
	obj := slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
	c.add(utf8.RuneCountInString(text), slack.NewSectionBlock(obj, nil, nil))
}

// mention calls the groups that Slack can call, and names the others.
func (c *composer) mention(groups []approvals.Group) {
	called, others := mentionable(groups)
	if called != "" {
		c.markup(called)
	}
	if len(others) > 0 {
		c.lines("For group " + groupNames(others, " and "))
	}
}

// small adds a line in small grey letters.
func (c *composer) small(text string) {
	obj, lost := plain(text, maxSection)
	c.cut = c.cut || lost
	c.add(utf8.RuneCountInString(obj.Text), slack.NewContextBlock("", obj))
}

// message ends the composition with the buttons that apply. Room for a note and the buttons is always left.
func (c *composer) message(text, note string, buttons ...slack.BlockElement) message {
	if c.cut && note != "" {
		obj, _ := plain(note, maxSection)
		c.blocks = append(c.blocks, slack.NewSectionBlock(obj, nil, nil))
	}
	if len(buttons) > 0 {
		c.blocks = append(c.blocks, slack.NewActionBlock(actionsBlock, buttons...))
	}
	return message{blocks: c.blocks, text: notification(text), cut: c.cut}
}

// quote puts untrusted text in quotation marks that it can't close, so that it can't pass for one of our own facts.
func quote(s string) string { return `"` + strings.ReplaceAll(clean(s), `"`, `'`) + `"` }

// options are the parameters that every message is sent with: no unfurling, no markup in the notification text.
func (m message) options() []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(m.text, false), slack.MsgOptionBlocks(m.blocks...),
		slack.MsgOptionDisableMarkdown(), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// textMessage is an answer of plain lines.
func textMessage(text string) message {
	c := newComposer()
	c.lines(strings.Split(strings.TrimSpace(text), "\n")...)
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return c.message(first, "The answer was longer than a message can be; ask for less.")
}
