package blockkit

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

// tableTexts are the texts of all tables of a message.
func tableTexts(t *testing.T, c *Composer) (out []string) {
	t.Helper()
	for _, b := range c.Blocks {
		rich, ok := b.(*slack.RichTextBlock)
		require.True(t, ok, "%T", b)
		require.Len(t, rich.Elements, 1)
		part, ok := rich.Elements[0].(*slack.RichTextPreformatted)
		require.True(t, ok)
		require.Len(t, part.Elements, 1)
		out = append(out, part.Elements[0].(*slack.RichTextSectionTextElement).Text)
	}
	return out
}

func TestATableKeepsItsLinesWhole(t *testing.T) {
	t.Parallel()
	c := New()
	var rows []string
	for i := range 200 {
		rows = append(rows, fmt.Sprintf("node%03d  %s", i, strings.Repeat("ä", 40)))
	}
	c.Table(rows...)
	texts := tableTexts(t, c)
	require.Greater(t, len(texts), 2)
	for _, text := range texts {
		require.LessOrEqual(t, utf8.RuneCountInString(text), MaxSection)
	}
	require.Equal(t, strings.Join(rows, "\n"), strings.Join(texts, "\n"))
	require.False(t, c.Cut)
}

func TestATableIsCleanAndSaysWhatItLost(t *testing.T) {
	t.Parallel()
	c := New()
	c.Table("a\u202eb\nc", "<!channel>  *x*")
	require.Equal(t, []string{"a\ufffdb⏎c\n<!channel>  *x*"}, tableTexts(t, c))
	require.False(t, c.Cut)

	c = New()
	c.Table(strings.Repeat("x", MaxSection+1))
	require.True(t, c.Cut)
	require.Len(t, tableTexts(t, c), 1)

	c = New()
	c.Table()
	require.Empty(t, c.Blocks)
	c.Table(strings.Split(strings.Repeat(strings.Repeat("y", 99)+"\n", 200), "\n")...)
	require.True(t, c.Cut, "a message has room for so much")
}
