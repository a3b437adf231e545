package slackbot

import (
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

func TestTablesStandInLettersOfOneWidthAndNothingIsLost(t *testing.T) {
	t.Parallel()
	const table = "NODE   STATE\nrack1  done"
	for name, c := range map[string]struct {
		text   string
		tables []string
		want   []string // a table begins with |
	}{
		"no table":        {"a\nb", nil, []string{"a\nb"}},
		"between lines":   {"a\n" + table + "\nb\nc", []string{table}, []string{"a", "|" + table, "b\nc"}},
		"alone":           {table, []string{table}, []string{"|" + table}},
		"twice":           {table + "\nx\n" + table, []string{table, table}, []string{"|" + table, "x", "|" + table}},
		"not in the text": {"a", []string{table, ""}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			composer := blockkit.New()
			compose(composer, c.text, c.tables)
			var got []string
			for _, b := range composer.Blocks {
				switch b := b.(type) {
				case *slack.SectionBlock:
					got = append(got, b.Text.Text)
				case *slack.RichTextBlock:
					got = append(got, "|"+b.Elements[0].(*slack.RichTextPreformatted).Elements[0].(*slack.RichTextSectionTextElement).Text)
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}
