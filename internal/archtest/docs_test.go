package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pages returns the project's own Markdown by its path below the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root, found := moduleRoot(t), map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, p := range paths {
			text, err := os.ReadFile(p)
			require.NoError(t, err)
			rel, err := filepath.Rel(root, p)
			require.NoError(t, err)
			found[filepath.ToSlash(rel)] = string(text)
		}
	}
	require.Contains(t, found, "docs/approvals.md")
	return found
}

// testNames are the tests, fuzz targets and benchmarks of the module.
func testNames(t *testing.T) []string {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]*)\(`)
	var names []string
	err := filepath.WalkDir(moduleRoot(t), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		text, err := os.ReadFile(p)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		return err
	})
	require.NoError(t, err)
	require.Greater(t, len(names), 500)
	slices.Sort(names)
	return slices.Compact(names)
}

// A page that says which test keeps a promise must not go on saying so when that test is gone or has another name.
func TestEveryTestThatThePagesNameExists(t *testing.T) {
	t.Parallel()
	names := testNames(t)
	named := regexp.MustCompile(`(-(?:run|bench) '?)?\b((?:Test|Fuzz)[A-Z][A-Za-z0-9_]*)`)
	total := 0
	for page, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			total++
			known := func(n string) bool { return n == m[2] || m[1] != "" && strings.HasPrefix(n, m[2]) }
			if !slices.ContainsFunc(names, known) {
				t.Errorf("%s names the test %s, which does not exist", page, m[2])
			}
		}
	}
	require.Greater(t, total, 200)
}

// Somebody who reads what a crash leaves has to find every place in which a process can die on purpose.
func TestThePageOnCrashesNamesEveryPoint(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(moduleRoot(t), "internal/failpoint/doc.go"))
	require.NoError(t, err)
	_, crashes, found := strings.Cut(pages(t)["docs/approvals.md"], "\n## Crashes\n")
	require.True(t, found)
	points := regexp.MustCompile(`= "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, points)
	for _, p := range points {
		require.Contains(t, crashes, "`"+p[1]+"`")
	}
}

// anchors are the headings of a page as links name them.
func anchors(text string) []string {
	var all []string
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		heading := strings.TrimLeft(line, "#")
		if fenced || heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		heading = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(strings.TrimSpace(heading), "$1")
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r > 127:
				return r
			case r == ' ':
				return '-'
			}
			return -1
		}, strings.ToLower(heading)))
	}
	return all
}

// A link that leads nowhere is found by the one who needs it at the wrong hour.
func TestEveryLinkOfThePagesLeadsSomewhere(t *testing.T) {
	t.Parallel()
	all, root := pages(t), moduleRoot(t)
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			to := page
			if file != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
				continue
			}
			if there, ok := all[to]; ok && anchor != "" && !slices.Contains(anchors(there), anchor) {
				t.Errorf("%s links to %s, and that page has no such heading", page, m[1])
			}
		}
	}
}
