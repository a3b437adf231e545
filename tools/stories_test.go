package tools

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

const (
	storyFiles = "testdata/sessions/stories/*.txtar"
	storyPage  = "../docs/stories.md"
)

// TestStories plays testdata/sessions/stories: whole investigations, as docs/stories.md tells them. A story whose archive has
// a policy.yaml is played under that policy. The words that only stories need are:
//
//	every NAME REGEXP      keeps the first groups of all places in the last stdout as $NAME: JSON strings with commas between
//	[!] isolated DEVICE... fails unless the tenant has isolated these devices (ids or names)
//	indicators N           fails unless so many indicators are in force, those that the tenant began with left out
//	offline NAME...        devices can't be reached any more; online NAME... likewise
//	rename NAME NEW        a device gets another name
//	raise N SOURCE TITLE PATH [DEVICE]
//	                       raises alerts about a program, on host01 to host12 or on a device; each batch is older than the one before
//	feed N [FILE]          makes $CSV a table of so many indicators and the rows of a file, written as in JSON
func TestStories(t *testing.T) {
	playAll(t, storyFiles, func(t *testing.T, file string) *office {
		t.Helper()
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		for _, f := range archive.Files {
			if f.Name == "policy.yaml" {
				facts, err := Facts()
				require.NoError(t, err)
				p, err := policy.Parse(file, f.Data, policy.Known{Tools: facts})
				require.NoError(t, err)
				return staffedUnder(t, p)
			}
		}
		return staffedUnder(t, sessionPolicy(t))
	})
}

func (s *sitting) storyWords() map[string]word {
	reach := func(offline bool) word {
		return always(1, func(_ *testscript.TestScript, names []string) {
			for _, name := range names {
				s.Tenant.SetOffline(s.Tenant.Device(name).ID, offline)
			}
		})
	}
	return map[string]word{
		"every": always(2, func(ts *testscript.TestScript, args []string) {
			texts := make([]string, 0, 40)
			for _, one := range s.found(ts, args[1]) {
				texts = append(texts, strconv.Quote(one))
			}
			ts.Setenv(args[0], strings.Join(slices.Compact(texts), ","))
		}),
		"isolated": func(ts *testscript.TestScript, neg bool, names []string) {
			for _, name := range names {
				if s.Tenant.Isolated(s.Tenant.Device(name).ID) == neg {
					ts.Fatalf("%s: isolated is %t", name, !neg)
				}
			}
		},
		"indicators": always(1, func(ts *testscript.TestScript, args []string) {
			if n := strconv.Itoa(len(s.Tenant.Indicators()) - len((&mdesim.Tenant{}).Indicators())); n != args[0] {
				ts.Fatalf("%s indicators are in force", n)
			}
		}),
		"offline": reach(true),
		"online":  reach(false),
		"rename": always(2, func(_ *testscript.TestScript, args []string) {
			s.Tenant.UpdateDevice(s.Tenant.Device(args[0]).ID, func(m *mdesim.Machine) { m.ComputerDNSName = args[1] })
		}),
		"raise": always(4, s.raise),
		"feed":  always(1, feed),
	}
}

func (s *sitting) raise(ts *testscript.TestScript, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	folder, name := args[3][:strings.LastIndex(args[3], `\`)], args[3][strings.LastIndex(args[3], `\`)+1:]
	s.raised += time.Hour
	for i := range n {
		device := fmt.Sprintf("host%02d", i%12+1)
		if len(args) > 4 {
			device = args[4]
		}
		at := s.Clock.Now().Add(-s.raised - time.Duration(i)*time.Second)
		s.Tenant.RaiseAlert(mdesim.Alert{
			Title: args[2], DetectionSource: args[1], Category: "CredentialAccess", MachineID: s.Tenant.Device(device).ID, AlertCreationTime: at,
			Evidence: []mdesim.Evidence{{EntityType: "Process", EvidenceCreationTime: at, FilePath: mdesim.Nullable(folder), FileName: mdesim.Nullable(name)}},
		})
	}
}

// feed makes a table of hashes, names and addresses that are for examples, a third of each.
func feed(ts *testscript.TestScript, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("indicator_value,action,title,expires\n")
	for i := range n {
		value := fmt.Sprintf("%x", sha256.Sum256([]byte("dropper "+strconv.Itoa(i))))
		switch k := i / 3; {
		case i%3 == 1:
			value = fmt.Sprintf("drop%04d.example.net", k)
		case i%3 == 2 && k < 250:
			value = fmt.Sprintf("203.0.113.%d", k+1)
		case i%3 == 2:
			value = fmt.Sprintf("192.0.2.%d", k-249)
		}
		b.WriteString(value + ",Block,Campaign 12,30d\n")
	}
	if len(args) > 1 {
		b.WriteString(ts.ReadFile(args[1]))
	}
	text, err := json.Marshal(b.String())
	ts.Check(err)
	ts.Setenv("CSV", strings.Trim(string(text), `"`))
}

// TestThePageOfStoriesTellsWhatIsPlayed holds docs/stories.md against the sessions: every session has its section, whose tools
// are those that the session calls and whose count of writes is the session's last, and no section is without one.
func TestThePageOfStoriesTellsWhatIsPlayed(t *testing.T) {
	t.Parallel()
	_, page, _ := strings.Cut(toolstest.Read(t, storyPage), "\n## ")
	link := regexp.MustCompile(`\]\(\.\./tools/(testdata/sessions/stories/[a-z0-9_]+\.txtar)\)`)
	called := regexp.MustCompile(`(?m)^(?:! )?call ([a-z_]+)`)
	written := regexp.MustCompile(`(?m)^writes ([0-9]+)$`)
	told := map[string]bool{}
	for section := range strings.SplitSeq(page, "\n## ") {
		title, _, _ := strings.Cut(section, "\n")
		links := link.FindAllStringSubmatch(section, -1)
		require.Len(t, links, 1, "section %q links to one session", title)
		require.False(t, told[links[0][1]], "%s is told twice", links[0][1])
		told[links[0][1]] = true
		script, calls := toolstest.Read(t, links[0][1]), map[string]bool{}
		for _, m := range called.FindAllStringSubmatch(script, -1) {
			calls[m[1]] = true
		}
		counts := written.FindAllStringSubmatch(script, -1)
		require.NotEmpty(t, counts, title)
		require.Regexp(t, `Writes in all: `+counts[len(counts)-1][1]+`\b`, section, title)
		require.Equal(t, slices.Sorted(maps.Keys(calls)), toolsNamedIn(t, section), "section %q names the tools that its session calls", title)
	}
	files, err := filepath.Glob(storyFiles)
	require.NoError(t, err)
	require.Len(t, files, 7)
	for _, f := range files {
		require.True(t, told[f], "docs/stories.md does not tell %s", f)
	}
}

// toolsNamedIn are the tools in a text, each once. A word that looks like one and is neither a tool nor an argument of one is
// a mistake.
func toolsNamedIn(t *testing.T, text string) []string {
	t.Helper()
	all, err := Catalogue()
	require.NoError(t, err)
	known, args := map[string]bool{}, map[string]bool{}
	for _, tool := range all {
		known[tool.Name] = true
		for _, a := range tool.Args {
			args[a.Name] = true
		}
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z]+(?:_[a-z]+)*)`").FindAllStringSubmatch(text, -1) {
		switch {
		case known[m[1]]:
			named[m[1]] = true
		case strings.Contains(m[1], "_") && !args[m[1]]:
			t.Errorf("there is no tool and no argument %s", m[1])
		}
	}
	return slices.Sorted(maps.Keys(named))
}
