package mcpcmd

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"
)

// ancestor are all flags of mde-lr at its commit 0d62064: first those that choose what it does.
func ancestor() (actions, others []string) {
	return strings.Fields(`-g -r -p -t --isolate --unisolate --scan --collect-investigation --stop-quarantine --restrict-execution
			--unrestrict-execution --get-machine --list-machines --list-library --upload-library --delete-library --list-alerts --get-alert
			--update-alert --batch-update-alerts`),
		strings.Fields(`--file --script --args --out --config --device-id --tenant-id --client-id --secret --query --comment --isolation-type
			--scan-type --sha1 --filter --description --alert-id --alert-ids --status --classification --determination --assigned-to`)
}

// TestTheMovingPage holds docs/from-mde-lr.md to what is there: every flag of mde-lr has a row, every one that does something
// a line to type, and each of these lines is one that call takes.
func TestTheMovingPage(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../docs/from-mde-lr.md")
	require.NoError(t, err)
	page := strings.ReplaceAll(string(b), `"$at"`, "0") // a number, by the time that the line is typed
	left := ""                                          // the left cells of all rows
	lines := map[string]string{}
	for row := range strings.Lines(page) {
		if cells := strings.SplitN(row, " | ", 2); strings.HasPrefix(row, "| ") && len(cells) == 2 {
			left += cells[0] + "\n"
			for _, m := range regexp.MustCompile("`(-[a-z-]+)").FindAllStringSubmatch(cells[0], -1) {
				lines[m[1]] += cells[1]
			}
		}
	}
	actions, others := ancestor()
	for _, flag := range actions {
		require.Contains(t, lines[flag], "`mde-mcp call ", "%s has no line", flag)
	}
	for _, flag := range others {
		require.Regexp(t, "[`| ]"+flag+"[`| ]", left, "%s has no row", flag)
	}
	typed := regexp.MustCompile(`mde-mcp call ([a-z].*)`).FindAllStringSubmatch(strings.ReplaceAll(page, "`mde-mcp", "\n`mde-mcp"), -1)
	require.Greater(t, len(typed), 35)
	for _, m := range typed {
		taken(t, shellWords(m[1]))
	}
}

// taken requires that call takes the words: the tool is there, the words are its arguments, and these fit its schema.
func taken(t *testing.T, words []string) {
	t.Helper()
	rest, _, err := ownFlags(words)
	require.NoError(t, err, words)
	tool, err := find(rest[0])
	require.NoError(t, err, words)
	args, err := tool.ParseWords(rest[1:])
	require.NoError(t, err, words)
	var schema jsonschema.Schema
	require.NoError(t, json.Unmarshal(tool.InputSchema, &schema))
	resolved, err := schema.Resolve(nil)
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, json.Unmarshal(args, &v))
	require.NoError(t, resolved.Validate(v), "%v: %s", words, args)
	if tool.Acts() {
		require.NotEmpty(t, v["reason"], "%v: approvers read a reason", words)
	}
}

// shellWords are the words of a line as a shell takes them, up to what ends the line in a page. It knows quotation marks,
// backslashes, and variables and commands within quotation marks, which stay as they are written.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	open, quote, depth := false, rune(0), 0
	end := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for i, r := range line {
		escaped := i > 0 && line[i-1] == '\\' && quote == '"'
		switch {
		case quote == '"' && r == '(' && strings.HasSuffix(line[:i], "$"):
			depth++
			word.WriteRune(r)
		case depth > 0:
			if r == ')' {
				depth--
			}
			word.WriteRune(r)
		case quote == 0 && strings.ContainsRune("`|)<>", r):
			end()
			return words
		case quote == 0 && r == ' ':
			end()
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case r == quote && !escaped:
			quote = 0
		default:
			open = true
			word.WriteRune(r)
		}
	}
	end()
	return words
}
