package slacksim_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

var update = flag.Bool("update", false, "write the golden files of the drawings")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update to make it")
	require.Equal(t, string(want), got)
}

// wideCard has one of every block that a message may hold.
func wideCard() []slack.Block {
	fields := []*slack.TextBlockObject{
		mrkdwn("*Device*\nhost01.corp.example"), mrkdwn("*Health*\nActive :large_green_circle:"),
		mrkdwn("*Last seen*\n<!date^1772358060^{time}|09:41>"), plain("Plain *stays* &lt;plain&gt;"),
		mrkdwn("*A value that is much too long for one column*\nbecause it goes on"),
	}
	details := slack.NewAccessory(slack.NewButtonBlockElement("details", "", plain("Details")))
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("More"), "menu", slack.NewOptionBlockObject("a", plain("A"), nil))
	return []slack.Block{
		slack.NewHeaderBlock(plain(":lock: Isolate host01?")),
		slack.NewSectionBlock(mrkdwn("<@U0ALICE> asks to *isolate* `host01` in <#C0SECURITY>, see <https://portal.example/m/1|the alert>.\n&gt; beaconing to a _known_ C2, ~maybe~ certainly, and this line is long enough to be wrapped\n```\nnet user &amp; whoami\n```\n2*3*4 is not bold"), nil, nil),
		slack.NewSectionBlock(nil, fields, details),
		slack.NewDividerBlock(),
		slack.NewActionBlock("vote",
			slack.NewButtonBlockElement("approve", "", plain("Approve")).WithStyle(slack.StylePrimary),
			slack.NewButtonBlockElement("deny", "", plain("Deny")).WithStyle(slack.StyleDanger), menu),
		slack.NewImageBlock("https://example.com/i.png", "a map", "", nil),
		slack.NewContextBlock("", mrkdwn("Request *01ABC*"), plain("expires 09:56"), slack.NewImageBlockElement("https://example.com/i.png", "clock")),
	}
}

func TestDrawingOfMessages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.post(t, slack.MsgOptionText("Isolate host01?", false), slack.MsgOptionBlocks(wideCard()...))
	opts := slacksim.RenderOptions{Width: 60, Names: d.DisplayName}
	golden(t, "card", slacksim.RenderText(m, opts))
	require.Contains(t, slacksim.RenderText(m, opts), "[1] Details")
	require.Equal(t, "details", m.Buttons()[0].ActionID, "numbers are those of Click")
	opts.Color = true
	golden(t, "card_color", slacksim.RenderText(m, opts))

	_, _, _, err := d.api.UpdateMessageContext(ctxFor(t), slacksim.Security, m.TS, slack.MsgOptionText("*done* by <@U0BOB>", false), slack.MsgOptionBlocks([]slack.Block{}...))
	require.NoError(t, err)
	m, _ = d.Message(slacksim.Security, m.TS)
	golden(t, "text", slacksim.RenderText(m, slacksim.RenderOptions{Width: 60}))
	_, err = d.api.PostEphemeralContext(ctxFor(t), slacksim.Security, slacksim.Alice, slack.MsgOptionText("not you", false))
	require.NoError(t, err)
	golden(t, "ephemeral", slacksim.RenderText(d.Ephemerals("alice")[0], slacksim.RenderOptions{}))
}

func TestDrawingOfViews(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.opener(t, nothing)
	v := d.openModal(t)
	v.Errors = map[string]string{"reason_block": "say more"}
	golden(t, "modal", slacksim.RenderView(v, slacksim.RenderOptions{Width: 60}))
}

func TestDrawingDisarmsHostileText(t *testing.T) {
	t.Parallel()
	m := slacksim.Message{TS: "1.0", User: "U1", Text: "a\x1b[2Jb\u202egnp.exe\r\u200bc\u2028 &lt;!channel&gt;"}
	got := slacksim.RenderText(m, slacksim.RenderOptions{})
	require.NotContains(t, got, "\x1b")
	require.NotContains(t, got, "\r")
	require.NotContains(t, got, "\u202e")
	require.Contains(t, got, "a�[2Jb�gnp.exe�c� <!channel>")
}

func TestEntities(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ mention, link bool }{
		"nothing":                       {},
		"<!channel>":                    {true, false},
		"<!here|here>":                  {true, false},
		"<!subteam^S0ONCALL>":           {true, false},
		"<@U0BOB>":                      {true, false},
		"`<@U0BOB>`":                    {true, false}, // Code is no defence.
		"< <@U0BOB>":                    {true, false},
		"<<@U0BOB>>":                    {true, false},
		"&lt;!channel&gt;":              {},
		"&lt;@U0BOB>":                   {},
		"<!date^1^{time}|then>":         {},
		"<#C0SECURITY>":                 {},
		"<https://evil.example|portal>": {false, true},
		"<mailto:a@b.example>":          {false, true},
		"<javascript:alert(1)|x>":       {false, true},
		"see https://evil.example/x":    {false, true},
		"<@h> see http://evil.example":  {true, true},
		"1 < 2 and 3 > 2":               {},
		"<not an entity>":               {},
		"<!chan\nnel>":                  {},
		"host01":                        {},
		"<@>":                           {},
		"a@channel":                     {},
	} {
		require.Equal(t, want.mention, slacksim.FiresMention(text), text)
		require.Equal(t, want.link, slacksim.FiresLink(text), text)
	}
	require.Equal(t, []slacksim.Entity{{Kind: slacksim.EntityLink, Target: "https://x.example", Label: "y"}}, slacksim.Entities("<https://x.example|y>"))
}

func TestFires(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	hostile := "<!channel> https://evil.example"
	escaped := "&lt;!channel&gt;"
	safe := d.post(t, slack.MsgOptionText(escaped, false), slack.MsgOptionBlocks(slack.NewSectionBlock(plain(hostile), nil, nil)))
	require.Empty(t, safe.Fires())
	table, err := d.Draft(asJSON(t, []any{rawTable(obj{"type": "text", "text": hostile + "\n*a*  :wave:  &lt;"})}))
	require.NoError(t, err)
	require.Empty(t, table.Fires())
	require.Contains(t, slacksim.RenderText(table, slacksim.RenderOptions{Width: 80}), hostile+"\n┃ *a*  :wave:  &lt;", "there is no markup in it")
	for name, opt := range map[string]slack.MsgOption{
		"text":    slack.MsgOptionText(hostile, false),
		"section": slack.MsgOptionBlocks(slack.NewSectionBlock(mrkdwn(hostile), nil, nil)),
		"field":   slack.MsgOptionBlocks(slack.NewSectionBlock(nil, []*slack.TextBlockObject{mrkdwn(hostile)}, nil)),
		"context": slack.MsgOptionBlocks(slack.NewContextBlock("", mrkdwn(hostile))),
	} {
		require.Len(t, d.post(t, opt).Fires(), 2, name)
	}
	option := obj{"text": rawMrkdwn(hostile), "value": "v", "description": rawMrkdwn(hostile)}
	for name, blocks := range map[string][]any{
		"option":      {rawActions(obj{"type": "radio_buttons", "options": []any{option}})},
		"two dialogs": {rawConfirm(obj{"text": rawMrkdwn("<!here>")}), rawConfirm(obj{"text": rawMrkdwn(hostile), "title": rawPlain(hostile)})},
		"context":     {obj{"type": "context", "elements": []any{rawMrkdwn(hostile), rawPlain(hostile), and(rawMrkdwn(hostile), obj{"verbatim": true})}}},
	} {
		m, err := d.Draft(asJSON(t, blocks))
		require.NoError(t, err)
		want := map[string]int{"option": 4, "two dialogs": 3, "context": 3}
		require.Len(t, m.Fires(), want[name], name)
		v, err := d.DraftView(asJSON(t, rawModal(blocks...)))
		require.NoError(t, err)
		require.Len(t, v.Fires(), want[name], name)
	}
	attached := d.post(t, slack.MsgOptionText("see below", false), slack.MsgOptionAttachments(slack.Attachment{
		Pretext: "<!channel>", Fields: []slack.AttachmentField{{Title: "a", Value: "<@U0BOB>"}},
	}))
	require.Len(t, attached.Fires(), 2)
	linked := d.post(t, slack.MsgOptionText("@channel", false), slack.MsgOptionParse(true))
	require.Len(t, linked.Fires(), 1)
	d.opener(t, nothing)
	require.Empty(t, d.openModal(t).Fires())
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{"", "*b* _i_ ~s~ `c`", "```x\n```", "<@U1> <", "&gt; q", "a\x1b[2J", "漢字 ::", "**", "`<`>`", ">\n>", "<!date^1^{x}|y>"} {
		f.Add(s, 30)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		m := slacksim.Message{TS: s, User: s, Text: s}
		for _, line := range strings.Split(slacksim.RenderText(m, slacksim.RenderOptions{Width: width % 200}), "\n") {
			for _, r := range line {
				require.False(t, unicode.IsControl(r), "%q", line)
			}
		}
		if slacksim.FiresMention(s) {
			require.Contains(t, s, "<")
		}
	})
}

func FuzzBlocks(f *testing.F) {
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"x"}}]`)
	f.Add(`[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"x"}}]}]`)
	f.Add(`[null]`)
	f.Add(`[{"type":"actions","elements":[null,1]}]`)
	f.Add(`[{"type":"context","elements":[{"type":"mrkdwn","text":"x"},{"type":"image"}]}]`)
	f.Add(`[{"type":"input","label":{},"element":{"type":"static_select","options":[{}]}}]`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, blocks string) {
		ws := new(slacksim.Workspace)
		m, err := ws.Draft(blocks)
		if err != nil {
			return
		}
		require.NotPanics(t, func() { slacksim.RenderText(m, slacksim.RenderOptions{}) })
		for i, b := range m.Buttons() {
			require.NotEmpty(t, b.ActionID, "button %d", i)
		}
	})
}
