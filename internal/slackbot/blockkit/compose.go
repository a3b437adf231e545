package blockkit

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// MaxSection is how many runes one section takes, of 3000.
const MaxSection = 2900

// Sizes that every message keeps. Slack takes more of some of them; a margin costs nothing.
const (
	maxBlocks  = 46 // of 50, leaving room for the closing note and the buttons
	maxMessage = 12000
	maxHeader  = 150
)

// ActionsBlock is the block of the buttons.
const ActionsBlock = "mde_actions"

// Message is something to show in Slack: blocks, and the text that phones show instead of them.
type Message struct {
	Blocks []slack.Block
	Text   string
	// cut says that something did not fit. Nobody may approve what they could not read whole.
	Cut bool
}

// Composer builds a message of untrusted text within Slack's limits, remembering whether anything was lost.
type Composer struct {
	// Blocks are those so far.
	Blocks []slack.Block
	// Cut says that something was lost.
	Cut  bool
	left int
}

// New makes an empty composer.
func New() *Composer { return &Composer{left: maxMessage} }

// Add appends a block if it fits; what does not fit is lost, and remembered as such.
func (c *Composer) Add(size int, b slack.Block) {
	if size > c.left || len(c.Blocks) >= maxBlocks {
		c.Cut = true
		return
	}
	c.left -= size
	c.Blocks = append(c.Blocks, b)
}

// Header adds a heading of untrusted text.
func (c *Composer) Header(text string) {
	obj, lost := Plain(text, maxHeader)
	c.Cut = c.Cut || lost
	c.Add(utf8.RuneCountInString(obj.Text), slack.NewHeaderBlock(obj))
}

// Label adds a line of our own words in bold. It never carries untrusted text.
func (c *Composer) Label(text string) {
	c.Markup("*" + text + "*")
}

// Lines adds untrusted lines, as many to a section as fit. Each line stays on one line.
func (c *Composer) Lines(lines ...string) {
	var b strings.Builder
	size := 0
	flush := func() {
		if size == 0 {
			return
		}
		obj, lost := PlainEscaped(b.String(), MaxSection)
		c.Cut = c.Cut || lost
		c.Add(size, slack.NewSectionBlock(obj, nil, nil))
		b.Reset()
		size = 0
	}
	for _, l := range lines {
		text, lost := Cut(Escape(Clean(l)), MaxSection)
		c.Cut = c.Cut || lost
		n := utf8.RuneCountInString(text) + 1
		if size+n > MaxSection {
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

// Table adds untrusted lines in letters of one width. Slack looks for no markup in them, so nothing is escaped.
func (c *Composer) Table(lines ...string) {
	var rows []string
	size := 0
	flush := func() {
		if len(rows) == 0 {
			return
		}
		text := slack.NewRichTextSectionTextElement(strings.Join(rows, "\n"), nil)
		c.Add(size, slack.NewRichTextBlock("", &slack.RichTextPreformatted{Type: slack.RTEPreformatted, Elements: []slack.RichTextSectionElement{text}}))
		rows, size = nil, 0
	}
	for _, l := range lines {
		row, lost := Cut(Clean(l), MaxSection)
		c.Cut = c.Cut || lost
		n := utf8.RuneCountInString(row) + 1
		if size+n > MaxSection {
			flush()
		}
		rows, size = append(rows, row), size+n
	}
	flush()
}

// Markup adds our own words in Slack's markup, such as a mention or a date. It never carries untrusted text.
func (c *Composer) Markup(text string) {
	obj := slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
	c.Add(utf8.RuneCountInString(text), slack.NewSectionBlock(obj, nil, nil))
}

// Small adds a line in small grey letters.
func (c *Composer) Small(text string) {
	obj, lost := Plain(text, MaxSection)
	c.Cut = c.Cut || lost
	c.Add(utf8.RuneCountInString(obj.Text), slack.NewContextBlock("", obj))
}

// Message ends the composition with the buttons that apply. Room for a note and the buttons is always left.
func (c *Composer) Message(text, note string, buttons ...slack.BlockElement) Message {
	if c.Cut && note != "" {
		obj, _ := Plain(note, MaxSection)
		c.Blocks = append(c.Blocks, slack.NewSectionBlock(obj, nil, nil))
	}
	if len(buttons) > 0 {
		c.Blocks = append(c.Blocks, slack.NewActionBlock(ActionsBlock, buttons...))
	}
	return Message{Blocks: c.Blocks, Text: notification(text), Cut: c.Cut}
}

// Quote puts untrusted text in quotation marks that it can't close, so that it can't pass for one of our own facts.
func Quote(s string) string { return `"` + strings.ReplaceAll(Clean(s), `"`, `'`) + `"` }

// Options are the parameters that every message is sent with: no unfurling, no markup in the notification text.
func (m Message) Options() []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionDisableMarkdown(), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// Text is an answer of plain lines.
func Text(text string) Message {
	c := New()
	c.Lines(strings.Split(strings.TrimSpace(text), "\n")...)
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return c.Message(first, "The answer was longer than a message can be; ask for less.")
}

// Button is one with a plain label.
func Button(action, label, value string) *slack.ButtonBlockElement {
	obj, _ := Plain(label, 75)
	return slack.NewButtonBlockElement(action, value, obj)
}
