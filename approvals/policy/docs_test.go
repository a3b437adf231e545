package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/tools"
)

// page is what people read about policies. The words after the language of a fence say what stands in it:
//
//	yaml policy     a whole file, with which a program starts and in which policy check finds no error
//	yaml rules      rules of a file whose other sections are around's
//	yaml sections   sections that are put in place of around's
//	yaml cases      cases of policy test, for the first whole file of the page
//	yaml faulty     a file with faults, whose messages are the next fence, of the kind text faults
//	cel             conditions, one on each line
const page = "../../docs/policy.md"

// around is what the page takes to be there around its parts.
func around() map[string]string {
	return map[string]string{
		"version": "version: 1\n",
		"groups": "groups:\n  oncall: {slack: S0123ABCD}\n  managers: {slack: S0MANAGER1}\n  security: {role: Defender.Security}\n" +
			"  leads: {people: [ana@example.com, ben@example.com, cleo@example.com]}\n",
		"defaults": "defaults: {from: oncall}\n",
		"hours":    "hours: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], from: \"08:00\", to: \"18:00\"}\n",
	}
}

// snippet is one fenced block of the page.
type snippet struct {
	line int
	info string
	text string
}

func snippets(t *testing.T) []snippet {
	t.Helper()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	var all []snippet
	var open *snippet
	for i, line := range strings.Split(string(data), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &snippet{line: i + 1, info: strings.TrimSpace(info)}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	require.Nil(t, open, "a fence is not closed")
	require.NotEmpty(t, all)
	return all
}

// whole is the file that a snippet stands for.
func (s snippet) whole() string {
	parts := around()
	switch s.info {
	case "yaml rules":
		return parts["version"] + parts["groups"] + parts["defaults"] + parts["hours"] + "rules:\n" + s.text
	case "yaml sections":
		for _, key := range regexp.MustCompile(`(?m)^[a-z_]+:`).FindAllString(s.text, -1) {
			delete(parts, strings.TrimSuffix(key, ":"))
		}
		return parts["version"] + parts["groups"] + parts["defaults"] + parts["hours"] + s.text
	case "cel":
		text := parts["version"] + parts["groups"] + parts["defaults"] + parts["hours"] + "rules:\n"
		for i, line := range strings.Split(strings.TrimSpace(s.text), "\n") {
			line, _, _ = strings.Cut(line, "  // ")
			text += fmt.Sprintf("- {name: %d, outcome: deny, when: '%s'}\n", i+1, strings.ReplaceAll(strings.TrimSpace(line), "'", "''"))
		}
		return text
	}
	return s.text
}

// everyTool is what mde-mcp knows when it checks a file.
func everyTool(t *testing.T) policy.Known {
	t.Helper()
	facts, err := tools.Facts()
	require.NoError(t, err)
	return policy.Known{Tools: facts}
}

func TestEverySnippetOfThePageIsAPolicyThatCheckAccepts(t *testing.T) {
	t.Parallel()
	var first *policy.Policy
	seen := map[string]int{}
	all := snippets(t)
	for i, s := range all {
		seen[s.info]++
		name := fmt.Sprintf("%s line %d", filepath.Base(page), s.line)
		switch s.info {
		case "yaml policy", "yaml rules", "yaml sections", "cel":
			p, findings := policy.Review(name, []byte(s.whole()), everyTool(t))
			require.Empty(t, errorsOf(findings), "%s:\n%s", name, s.whole())
			if s.info == "yaml policy" && first == nil {
				first = p
			}
		case "yaml cases":
			require.NotNil(t, first, "cases need a whole file before them")
			cases, err := policy.ReadCases(name, []byte(s.text))
			require.NoError(t, err)
			for _, r := range first.Try(cases) {
				require.True(t, r.OK(), "%s: %s", name, r)
			}
		case "yaml faulty":
			require.Less(t, i+1, len(all), name)
			require.Equal(t, "text faults", all[i+1].info, "%s: what is found in it has to follow", name)
			_, findings := policy.Review(name, []byte(s.text), everyTool(t))
			require.Equal(t, all[i+1].text, printed(findings), name)
		default:
			require.False(t, strings.HasPrefix(s.info, "yaml"), "%s: the fence does not say what its YAML is", name)
		}
	}
	for _, info := range []string{"yaml policy", "yaml rules", "yaml sections", "yaml cases", "yaml faulty", "cel"} {
		require.Positive(t, seen[info], "the page shows no %s", info)
	}
}

func errorsOf(findings []policy.Finding) []policy.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f policy.Finding) bool { return f.Severity != policy.SeverityError })
}

// printed is what policy check prints of a file called policy.yaml.
func printed(findings []policy.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "policy.yaml:%s\n", f)
	}
	return b.String()
}

// A rule of a worked policy that the page does not explain, or explains and that is gone, misleads whoever copies it.
func TestThePageExplainsEveryRuleOfTheWorkedPolicies(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	_, worked, found := strings.Cut(string(data), "\n## Three worked policies\n")
	require.True(t, found)
	var explained []string
	for _, m := range regexp.MustCompile(`(?m)^\| \*([^*|]+)\* \|`).FindAllStringSubmatch(worked, -1) {
		explained = append(explained, m[1])
	}
	files, err := filepath.Glob("../../docs/examples/policies/*.yaml")
	require.NoError(t, err)
	var rules []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.yaml") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^  - name: (.+)$`).FindAllStringSubmatch(string(text), -1) {
			rules = append(rules, m[1])
		}
	}
	require.NotEmpty(t, rules)
	require.ElementsMatch(t, rules, explained)
}

// The table of what conditions can ask has a row for each field, and each row's field can be asked.
func TestThePageNamesEveryFieldOfConditions(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	named := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(target|requester|time)\\.([a-z_]+)` \\|").FindAllStringSubmatch(string(data), -1) {
		named[m[1]] = append(named[m[1]], m[2])
	}
	fields := policy.Fields()
	require.Len(t, fields, 3)
	for object, want := range fields {
		require.ElementsMatch(t, want, named[object], "the fields of %s", object)
	}
}

// A default or a bound that the page states is the program's.
func TestThePageStatesTheDefaults(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	p, err := policy.Parse("none", []byte("version: 1\ngroups: {oncall: {slack: S0123ABCD}}\ndefaults: {from: oncall}\n"), everyTool(t))
	require.NoError(t, err)
	d := p.Decide(approvals.Call{Tool: "isolate_devices", Risk: approvals.RiskContain, Targets: []approvals.Target{{ID: "d"}}})
	for key, value := range map[string]string{
		"expires": d.Expires.String(), "start_before": d.StartBefore.String(), "max_targets": fmt.Sprint(d.MaxTargets), "unverified_extra": "1",
	} {
		value = strings.TrimSuffix(value, "0s")
		require.Contains(t, string(data), fmt.Sprintf("| `%s` | %s |", key, value))
	}
}
