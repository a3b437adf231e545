package slacksim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RenderOptions say how to draw.
type RenderOptions struct {
	Width int                    // Width is the number of columns. Below 20 means 76.
	Color bool                   // Color uses terminal colours.
	Names func(id string) string // Names gives "@alice" or "#security" for an ID, "" for an unknown one. Nil shows IDs; Workspace.DisplayName fits.
}

// DisplayName returns "@handle" for a person or group and "#name" for a channel, "" for an unknown ID.
func (w *Workspace) DisplayName(id string) string {
	st := w.lock()
	defer w.unlock()
	if u, ok := st.users[id]; ok {
		return "@" + u.Name
	}
	if g, ok := st.groups[id]; ok {
		return "@" + g.Handle
	}
	if c, ok := st.channels[id]; ok && c.Name != "" {
		return "#" + c.Name
	}
	return ""
}

// drawing collects lines.
type drawing struct {
	opts    RenderOptions
	width   int // width is what is left beside the bar.
	lines   []line
	buttons int
	errors  map[string]string
}

func newDrawing(opts RenderOptions) *drawing {
	if opts.Width < 20 {
		opts.Width = 76
	}
	return &drawing{opts: opts, width: opts.Width - 2}
}

// RenderText draws a message as its reader sees it: who and when, the blocks (or the text, when there are none), and the
// buttons with the numbers that Click takes. Hostile control characters don't reach the terminal.
func RenderText(m Message, opts RenderOptions) string {
	d := newDrawing(opts)
	if len(m.Blocks) == 0 {
		d.add(mrkdwnCells(m.Text, 0, opts.Names))
	}
	d.blocks(m.Blocks)
	return d.frame(d.messageHead(m), nil)
}

func (d *drawing) messageHead(m Message) line {
	name := m.User
	if d.opts.Names != nil {
		name = orDefault(d.opts.Names(m.User), name)
	}
	badge := "  APP  "
	if m.Human {
		badge = "  "
	}
	head := append(styled(strings.TrimPrefix(name, "@"), bold), styled(badge+clockOf(m.TS), dim)...)
	if len(m.Edits) > 0 {
		head = append(head, styled("  (edited)", dim)...)
	}
	if m.Ephemeral {
		head = append(head, styled("  only visible to you", dim|italic)...)
	}
	return head
}

// clockOf is the time of day of a message timestamp, in UTC.
func clockOf(ts string) string {
	secs, err := strconv.ParseInt(strings.SplitN(ts, ".", 2)[0], 10, 64)
	if err != nil {
		return "--:--"
	}
	return time.Unix(secs, 0).UTC().Format("15:04")
}

// RenderView draws an open modal as its reader sees it: title, blocks with their inputs, and the two buttons at its foot.
func RenderView(v View, opts RenderOptions) string {
	d := newDrawing(opts)
	d.errors = v.Errors
	d.blocks(v.Blocks)
	head := styled("┏━ ", dim)
	if v.Title != nil {
		head = append(head, d.plain(*v.Title, bold)...)
	}
	foot := styled("┗━ ", dim)
	closeLabel := Text{Text: "Cancel"}
	if v.Close != nil {
		closeLabel = *v.Close
	}
	foot = append(foot, d.plain(Text{Text: "[" + closeLabel.Text + "]"}, 0)...)
	if v.Submit != nil {
		foot = append(foot, d.plain(Text{Text: "  [" + v.Submit.Text + "]"}, good|bold)...)
	}
	return d.frame(head, foot)
}

// RenderHome draws a Home tab.
func RenderHome(v View, opts RenderOptions) string {
	d := newDrawing(opts)
	d.blocks(v.Blocks)
	return d.frame(styled("┏━ Home", dim), styled("┗━", dim))
}

// frame writes head, the lines behind a bar, and foot.
func (d *drawing) frame(head, foot line) string {
	var b strings.Builder
	put := func(l line) { b.WriteString(l.paint(d.opts.Color) + "\n") }
	for _, l := range wrap(head, d.opts.Width) {
		put(l)
	}
	for _, l := range d.lines {
		put(append(styled("┃ ", dim), l...))
	}
	if foot != nil {
		put(foot)
	}
	return b.String()
}

func (d *drawing) add(cells line) { d.lines = append(d.lines, wrap(cells, d.width)...) }

func (d *drawing) blocks(blocks []Block) {
	for i, b := range blocks {
		if i > 0 && b.Type != "divider" && blocks[i-1].Type != "divider" && b.Type != "context" {
			d.lines = append(d.lines, nil)
		}
		d.block(b)
	}
}

func (d *drawing) block(b Block) {
	switch b.Type {
	case "header":
		d.optional(b.Text, bold)
	case "section":
		d.optional(b.Text, 0)
		d.fields(b.Fields)
		if b.Accessory != nil {
			d.add(d.element(*b.Accessory))
		}
	case "context":
		d.context(b)
	case "divider":
		d.add(styled(strings.Repeat("─", d.width), dim))
	case "actions":
		d.actions(b)
	case "input":
		d.input(b)
	case "rich_text":
		d.richText(b)
	case "image":
		d.optional(b.Title, dim)
		d.add(styled("[image: "+unescape(b.AltText)+"]", dim))
	}
}

func (d *drawing) optional(t *Text, st style) {
	if t != nil {
		d.add(d.text(*t, st))
	}
}

func (d *drawing) text(t Text, st style) line {
	if t.Type == "mrkdwn" {
		return mrkdwnCells(t.Text, st, d.opts.Names)
	}
	return d.plain(t, st)
}

func (d *drawing) plain(t Text, st style) line {
	s := unescape(t.Text)
	if t.Emoji == nil || *t.Emoji {
		s = emoji(s)
	}
	return styled(s, st)
}

// richText draws preformatted text as it stands: there is no markup in it.
func (d *drawing) richText(b Block) {
	for _, part := range b.Elements {
		for _, e := range part.Elements {
			d.add(styled(e.textObject().Text, code))
		}
	}
}

// fields draws a section's fields in two columns, row by row.
func (d *drawing) fields(fields []Text) {
	col := (d.width - 2) / 2
	for i := 0; i < len(fields); i += 2 {
		left := wrap(d.text(fields[i], 0), col)
		var right []line
		if i+1 < len(fields) {
			right = wrap(d.text(fields[i+1], 0), col)
		}
		for r := range max(len(left), len(right)) {
			var row line
			if r < len(left) {
				row = left[r]
			}
			if r < len(right) {
				row = append(row.pad(col+2), right[r]...)
			}
			d.lines = append(d.lines, row)
		}
	}
}

func (d *drawing) context(b Block) {
	var cells line
	for i, e := range b.Elements {
		if i > 0 {
			cells = append(cells, styled("  ", dim)...)
		}
		if e.Type == "image" {
			cells = append(cells, styled("[image: "+unescape(e.AltText)+"]", dim)...)
			continue
		}
		cells = append(cells, d.text(e.textObject(), dim)...)
	}
	d.add(cells)
}

func (d *drawing) actions(b Block) {
	var row line
	for _, e := range b.Elements {
		next := d.element(e)
		if len(row) > 0 && row.width()+3+next.width() > d.width {
			d.add(row)
			row = nil
		}
		if len(row) > 0 {
			row = append(row, styled("   ", 0)...)
		}
		row = append(row, next...)
	}
	d.add(row)
}

// element draws a button with its number, or another element in words.
func (d *drawing) element(e Element) line {
	switch e.Type {
	case "button":
		d.buttons++
		look := bold
		switch e.Style {
		case "primary":
			look |= good
		case "danger":
			look |= bad
		}
		return append(styled(fmt.Sprintf("[%d] ", d.buttons), look), d.plain(e.textObject(), look)...)
	case "image":
		return styled("[image: "+unescape(e.AltText)+"]", dim)
	}
	label := "…"
	if e.Placeholder != nil {
		label = unescape(e.Placeholder.Text)
	}
	if chosen := chosenIn(e); chosen != "" {
		label = chosen
	}
	return styled("("+label+" ▾)", 0)
}

// chosenIn is what a menu or picker shows as chosen.
func chosenIn(e Element) string {
	switch {
	case e.InitialDate+e.InitialTime != "":
		return e.InitialDate + e.InitialTime
	case e.InitialAt != 0:
		return time.Unix(e.InitialAt, 0).UTC().Format("2006-01-02 15:04 UTC")
	}
	var texts []string
	for _, o := range e.InitialOptions {
		texts = append(texts, unescape(o.Text.Text))
	}
	if e.InitialOption != nil {
		texts = append(texts, unescape(e.InitialOption.Text.Text))
	}
	return strings.Join(texts, ", ")
}

func (d *drawing) input(b Block) {
	if b.Label != nil {
		label := d.plain(*b.Label, bold)
		if b.Optional {
			label = append(label, styled(" (optional)", dim)...)
		}
		d.add(label)
	}
	if b.Element != nil {
		d.field(*b.Element)
	}
	if b.Hint != nil {
		d.add(d.plain(*b.Hint, dim))
	}
	if msg := d.errors[b.BlockID]; msg != "" {
		d.add(styled("! "+msg, bad))
	}
}

// field draws where a person types or chooses.
func (d *drawing) field(e Element) {
	switch e.Type {
	case "radio_buttons", "checkboxes":
		for _, o := range e.Options {
			mark := "( ) "
			switch {
			case e.Type == "checkboxes" && slices.ContainsFunc(e.InitialOptions, func(p Option) bool { return p.Value == o.Value }):
				mark = "[x] "
			case e.Type == "checkboxes":
				mark = "[ ] "
			case e.InitialOption != nil && e.InitialOption.Value == o.Value:
				mark = "(•) "
			}
			if o.Text != nil {
				d.add(append(styled(mark, 0), d.text(*o.Text, 0)...))
			}
		}
	case "plain_text_input", "number_input", "email_text_input", "url_text_input":
		d.add(d.textField(e))
	default:
		d.add(d.element(e))
	}
}

func (d *drawing) textField(e Element) line {
	content := line{}
	switch {
	case e.InitialValue != "":
		content = styled(strings.ReplaceAll(e.InitialValue, "\n", " "), 0)
	case e.Placeholder != nil:
		content = d.plain(*e.Placeholder, dim)
	}
	room := min(d.width-2, 40)
	if content.width() > room {
		content = append(content[:0:0], wrap(content, room-1)[0]...)
		content = append(content, styled("…", dim)...)
	}
	box := append(styled("[", 0), content...)
	box = append(box, styled(strings.Repeat("_", max(0, room-content.width())), dim)...)
	return append(box, styled("]", 0)...)
}
