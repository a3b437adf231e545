package tools

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// TestToolSessions plays testdata/sessions: calls of tools as an assistant makes them, with the votes of people and the work
// of a worker between, on a simulated tenant. Alice asks; bob, carol and dave may approve. The words that only these
// scripts know are:
//
//	[!] call TOOL {JSON}   calls a tool; its text and then its structure go to stdout, a refusal to stderr; a request that
//	                       it made is $REQUEST from then on
//	approve WHO...         votes of $REQUEST's approvers; deny WHO WHY and confirm (by alice) likewise
//	work                   the worker's part until $REQUEST has ended; what get_request then says goes to stdout
//	until REGEXP           the same until get_request says something
//	send                   the worker's part only until $REQUEST is sent
//	later 5m               lets time pass
//	fault KIND [METHOD\ ]PATH [STATUS [SKIP]]
//	                       a request to that path of the tenant goes wrong: the next, or the one after so many others
//	writes N               fails unless the tenant has seen so many writes
//	capture NAME REGEXP    keeps the first group, found in the last stdout, as $NAME
//	device NAME            keeps the id of a device as $DEVICE
//	content NAME TEXT      puts a file on $DEVICE
//
// Those that only whole stories need are in stories_test.go, and those about Nexus clusters in nexus_sessions_test.go.
//
// Sessions in testdata/sessions/collect read with a credential that may see the library. Once all were played, the operations
// that each tool says it asks of the tenant (AsksOf) are held against those that it was asked.
func TestToolSessions(t *testing.T) {
	t.Parallel()
	asked, all := &tenantAsked{reads: map[string]map[string]bool{}, works: map[string]map[string]bool{}}, 0
	t.Run("sessions", func(t *testing.T) {
		for pattern, staff := range map[string]func(*testing.T) *office{
			"testdata/sessions/*.txtar":         func(t *testing.T) *office { return staffedUnder(t, sessionPolicy(t)) },
			"testdata/sessions/collect/*.txtar": librarian,
		} {
			files, err := filepath.Glob(pattern)
			require.NoError(t, err)
			require.NotEmpty(t, files)
			all += len(files)
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
					t.Parallel()
					asked.play(t, file, staff(t))
				})
			}
		}
	})
	if int(asked.played.Load()) == all { // or only some were chosen
		asked.compare(t)
	}
}

// playAll plays the sessions that a pattern names, each in an office of its own.
func playAll(t *testing.T, pattern string, staff func(t *testing.T, file string) *office) {
	t.Helper()
	t.Parallel()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := &sitting{office: staff(t, file)}
			words := s.words()
			maps.Copy(words, s.storyWords())
			testscript.Run(t, testscript.Params{Files: []string{file}, Cmds: words, RequireUniqueNames: true})
		})
	}
}

// TestEveryToolHasASession wants each tool to be called in some session with success, to be refused in some, and to meet a failure
// in some: a fault of the tenant, or an end that is none.
func TestEveryToolHasASession(t *testing.T) {
	files, err := filepath.Glob("testdata/sessions/*.txtar")
	require.NoError(t, err)
	more, err := filepath.Glob("testdata/sessions/*/*.txtar")
	require.NoError(t, err)
	met := map[string]map[string]bool{"a success": {}, "a refusal": {}, "a failure": {}}
	line := regexp.MustCompile(`(?m)^(! )?call ([a-z_]+)`)
	failure := regexp.MustCompile(`(?m)^(azure)?fault |timed_out|"status":"(failed|partial|unknown)"`)
	for _, file := range append(files, more...) {
		text := toolstest.Read(t, file)
		for _, m := range line.FindAllStringSubmatch(text, -1) {
			met[map[string]string{"": "a success", "! ": "a refusal"}[m[1]]][m[2]] = true
			met["a failure"][m[2]] = met["a failure"][m[2]] || failure.MatchString(text)
		}
	}
	all, err := Catalogue()
	require.NoError(t, err)
	var missing []string
	for _, tool := range all {
		for what, tools := range met {
			if !tools[tool.Name] && !sessionless(tool.Name) {
				missing = append(missing, tool.Name+" with "+what)
			}
		}
	}
	require.Empty(t, missing, "sessions to be written")
}

// sessionless are tools whose whole life needs other processes: the sessions of internal/cli have them.
func sessionless(name string) bool {
	switch name {
	case approvals.ToolLift, approvals.ToolResume, approvals.ToolExtend:
		return true
	}
	return false
}

// sessionPolicy is the default policy with three approvers.
func sessionPolicy(t *testing.T) approvals.Policy {
	t.Helper()
	p, err := policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "on-call", People: []string{
		"bob@contoso.com", "carol@contoso.com", "dave@contoso.com",
	}}})
	require.NoError(t, err)
	return p
}

// sitting is one session that is being played.
type sitting struct {
	*office
	out    string
	raised time.Duration // how old the last batch of alerts is
}

// word is what a script can say.
type word = func(ts *testscript.TestScript, neg bool, args []string)

// always is a word that takes so many arguments at least and can't be denied.
func always(least int, fn func(*testscript.TestScript, []string)) word {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least {
			ts.Fatalf("this word takes %d arguments and no !", least)
		}
		fn(ts, args)
	}
}

func (s *sitting) words() map[string]word {
	words := map[string]word{
		"call":    s.play,
		"approve": always(1, func(ts *testscript.TestScript, who []string) { s.vote(ts, approvals.VerdictApprove, "", who...) }),
		"deny": always(2, func(ts *testscript.TestScript, args []string) {
			s.vote(ts, approvals.VerdictDeny, strings.Join(args[1:], " "), args[0])
		}),
		"confirm": always(0, func(ts *testscript.TestScript, _ []string) { s.vote(ts, approvals.VerdictConfirm, "", "alice") }),
		"work":    always(0, func(ts *testscript.TestScript, _ []string) { s.show(ts, s.finish(ts.Getenv("REQUEST"))) }),
		"until":   always(1, s.wait),
		"send":    always(0, func(ts *testscript.TestScript, _ []string) { s.push(ts.Getenv("REQUEST")) }),
		"later": always(1, func(ts *testscript.TestScript, args []string) {
			d, err := time.ParseDuration(args[0])
			ts.Check(err)
			s.Clock.Add(d)
		}),
		"fault": always(2, s.fault),
		"writes": always(1, func(ts *testscript.TestScript, args []string) {
			if n := strconv.Itoa(s.writes()); n != args[0] {
				ts.Fatalf("the tenant has seen %s writes", n)
			}
		}),
		"capture": always(2, func(ts *testscript.TestScript, args []string) { ts.Setenv(args[0], s.found(ts, args[1])[0]) }),
		"device": always(1, func(ts *testscript.TestScript, args []string) {
			ts.Setenv("DEVICE", s.Tenant.Device(args[0]).ID)
		}),
		"content": always(2, func(ts *testscript.TestScript, args []string) {
			s.Tenant.PutDeviceFile(ts.Getenv("DEVICE"), args[0], []byte(args[1]))
		}),
	}
	maps.Copy(words, s.nexusWords())
	return words
}

// writes counts the writing requests that the tenant has seen. A hunt is a POST and writes nothing.
func (s *sitting) writes() int {
	n := s.Tenant.Writes()
	for r, times := range s.Tenant.Requests() {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/runHuntingQuery") {
			n -= times
		}
	}
	return n
}

// found are the first groups of everything in the last stdout that an expression matches; there is at least one.
func (s *sitting) found(ts *testscript.TestScript, expr string) []string {
	var all []string
	for _, m := range regexp.MustCompile(expr).FindAllStringSubmatch(s.out, -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		ts.Fatalf("%s is not in: %s", expr, s.out)
	}
	return all
}

// say puts text on the stdout that the script looks at.
func (s *sitting) say(ts *testscript.TestScript, text string) {
	s.out = text
	_, err := fmt.Fprintln(ts.Stdout(), text)
	ts.Check(err)
}

func (s *sitting) play(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 1 {
		args = append(args, "{}")
	}
	res, err := s.call(args[0], strings.Join(args[1:], " "))
	if err != nil {
		_, _ = fmt.Fprintln(ts.Stderr(), err)
		if approvals.KindOf(err) == "" {
			ts.Fatalf("a refusal without a kind: %v", err)
		}
		if !neg {
			ts.Fatalf("%s refused: %v", args[0], err)
		}
		return
	}
	conforms(s.t, s.d, res)
	b, err := json.Marshal(res.Output)
	ts.Check(err)
	s.say(ts, res.Text+"\n"+string(b))
	if neg {
		ts.Fatalf("%s did not refuse", args[0])
	}
	if res.Request != nil {
		ts.Setenv("REQUEST", res.Request.ID)
	}
}

func (s *sitting) vote(ts *testscript.TestScript, verdict approvals.Verdict, why string, who ...string) {
	for _, name := range who {
		r, err := s.Gate.Get(s.t.Context(), ts.Getenv("REQUEST"))
		ts.Check(err)
		_, err = s.box.Cast(s.t.Context(), ballot.Ballot{
			RequestID: r.ID, Digest: r.Digest, Voter: approvals.Person{ID: name + "@contoso.com"}, Verdict: verdict, Reason: why,
		})
		ts.Check(err)
	}
}

// show puts what get_request says of a request on stdout.
func (s *sitting) show(ts *testscript.TestScript, v requestView) {
	b, err := json.Marshal(v)
	ts.Check(err)
	s.say(ts, v.text()+"\n"+string(b))
}

// wait works until get_request says something.
func (s *sitting) wait(ts *testscript.TestScript, args []string) {
	expr := regexp.MustCompile(args[0])
	id := ts.Getenv("REQUEST")
	s.show(ts, s.until(id, func(approvals.Request) bool {
		return expr.MatchString(s.ok("get_request", fmt.Sprintf(`{"id":%q}`, id)).Text)
	}))
}

func (s *sitting) fault(ts *testscript.TestScript, args []string) {
	f := mdesim.Fault{Kind: mdesim.FaultKind(args[0]), Path: args[1]}
	if method, path, ok := strings.Cut(args[1], " "); ok {
		f.Method, f.Path = method, path
	}
	for i, field := range []*int{&f.Status, &f.Skip} {
		if len(args) > 2+i {
			n, err := strconv.Atoi(args[2+i])
			ts.Check(err)
			*field = n
		}
	}
	s.Tenant.Fail(f)
}
