package cli_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // to hold a lock as another process would

	"github.com/mde-ops/mde-ops/internal/simulate"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// command is one word of a script.
type command func(s *surroundings, ts *testscript.TestScript, args []string)

// commands are the words that only these scripts know.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]func(*testscript.TestScript, bool, []string){}
	for name, c := range map[string]struct {
		run   command
		least int
	}{
		"exits":       {exits, 2},        // exits CODE COMMAND ARG…: run it, and want exactly that exit code; @101 stands for so many device ids
		"device":      {device, 2},       // device PREFIX NAME: set PREFIX_ID, _IP and _AAD
		"writes":      {writes, 1},       // writes N: so many writing requests reached the tenant, accepted or not
		"posts":       {posts, 2},        // posts ACTION N: so many writes of that kind were accepted
		"asked":       {asked, 1},        // asked N: so many requests of any kind reached the API
		"fault":       {fault, 1},        // fault STATUS: the tenant answers the next API requests so
		"tenant-down": {tenantDown, 0},   // the tenant stops listening
		"as-bot":      {asBot, 0},        // set the variables of mde-slackbot
		"as-mcp":      {asMCP, 0},        // and unset them
		"read-only":   {readOnly, 1},     // read-only FILE: make a SQLite file one that may only be read
		"lock":        {lock, 1},         // lock FILE: hold the write lock of a SQLite file
		"unlock":      {unlock, 0},       //
		"tampers":     {tampers, 2},      // tampers FILE SQL: change a SQLite file behind the program's back, without the audit's triggers
		"capture":     {capture, 2},      // capture NAME REGEXP: set NAME to what matched in the last output
		"no-leavings": {noLeavings, 0},   // nothing is left in the folder for temporary files
		"starts":      {starts, 2},       // starts NAME COMMAND ARG…: run it in the background with an open input
		"says":        {says, 2},         // says NAME LINE: write a line to its input
		"hears":       {hears, 2},        // hears NAME REGEXP: wait until its output matches
		"hangs-up":    {hangsUp, 1},      // hangs-up NAME: end its input
		"heard":       {heard, 3},        // heard NAME VARIABLE REGEXP: wait as hears does, and set the variable to what its first group matched
		"signs-in":    {signsIn, 2},      // signs-in VARIABLE PERSON: set it to a token of a person's for an MCP server over HTTP
		"asks":        {asks, 6},         // asks STATUS URL TOKEN TOOL ARGS REGEXP: call a tool over HTTP; no token when empty
		"interrupts":  {interrupts, 1},   // interrupts NAME: what Ctrl-C does
		"ended":       {ended, 2},        // ended NAME CODE: wait for its end and look at its exit code
		"connected":   {connected, 1},    // connected N: wait until so many sockets are connected to the workspace
		"slack":       {slackCommand, 3}, // slack NAME USER TEXT: type /mde TEXT in #security and set NAME to the request it made
		"told":        {toldInSlack, 3},  // told USER TEXT REGEXP: type /mde TEXT in #security and want an answer that matches
		"nexus":       {withNexus, 0},    // the programs know the simulated Nexus clusters from now on
		"uncontained": {uncontained, 1},  // uncontained CLUSTER: it names no container of its own for results
		"azure-fault": {azureFault, 1},   // azure-fault STATUS: Azure answers the next listing of clusters so
		"azure":       {azureWrites, 1},  // azure N: so many writes were accepted by Azure
		"press":       {press, 3},        // press USER BUTTON TEXT: press a button of the card that shows TEXT
		"type":        {typeInto, 2},     // type USER TEXT: fill in the field of the window that USER has open, and submit it
		"clock-off":   {clockOff, 1},     // clock-off DURATION: the API's clock differs by so much from this machine's
		"role":        {role, 3},         // role gives|takes VALUE USER: an app role of the reading application in Entra ID
		"installed":   {installed, 1},    // installed FILE: what the Slack app was made from
		"card":        {waitForCard, 1},  // card TEXT: wait for a message in #security that shows TEXT
		"collects":    {collects, 0},     // start a collector of traces and point the programs at it
		"admin":       {admin, 2},        // admin NAME VARIABLE: set it to the address at which a process answers numbers and probes
		"fetches":     {fetches, 2},      // fetches STATUS URL [HEADER]: ask until the answer has that status
		"counts":      {counts, 3},       // counts URL METRIC LEAST: scrape until a metric, as NAME{LABEL=VALUE}, is that much
		"spans":       {spans, 2},        // spans NAME KEY=VALUE: wait for a span of that name with that attribute
		"untold":      {untold, 1},       // untold WORD…: no span has one of these words, or a secret
		"logs-json":   {logsJSON, 1},     // logs-json NAME…: every line of these processes' logs is JSON, and has no secret
	} {
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < c.least {
				ts.Fatalf("usage: %s with at least %d words, without !", name, c.least)
			}
			s, ok := ts.Value(surroundingsKey{}).(*surroundings)
			if !ok {
				ts.Fatalf("the script has no surroundings")
			}
			c.run(s, ts, args)
		}
	}
	return all
}

// condition answers [mounts]: may this user mount a small file system of its own?
func condition(name string) (bool, error) {
	if name != "mounts" {
		return false, errors.New("unknown condition " + name)
	}
	return exec.CommandContext(context.Background(), "unshare", "-rm", "mount", "-t", "tmpfs", "x", "/mnt").Run() == nil, nil
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func exits(s *surroundings, ts *testscript.TestScript, args []string) {
	var words []string
	for _, a := range args[1:] {
		count, isDevices := strings.CutPrefix(a, "@")
		if !isDevices {
			words = append(words, a)
			continue
		}
		for i := range number(ts, count) {
			words = append(words, s.tenant.AddDevice(mdesim.Machine{ComputerDNSName: "extra" + strconv.Itoa(i) + ".contoso.com"}).ID)
		}
	}
	err := ts.Exec(words[0], words[1:]...)
	var failed *exec.ExitError
	code := 0
	if errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if want := number(ts, args[0]); code != want {
		ts.Fatalf("the exit code is %d, not %d", code, want)
	}
}

func device(s *surroundings, ts *testscript.TestScript, args []string) {
	m := s.tenant.Device(args[1])
	ts.Setenv(args[0]+"_ID", m.ID)
	ts.Setenv(args[0]+"_IP", string(m.LastIPAddress))
	ts.Setenv(args[0]+"_AAD", string(m.AADDeviceID))
}

func want(ts *testscript.TestScript, what string, got int, want string) {
	if got != number(ts, want) {
		ts.Fatalf("%s: %d, not %s", what, got, want)
	}
}

func writes(s *surroundings, ts *testscript.TestScript, args []string) {
	want(ts, "writes that reached the tenant", s.tenant.Writes(), args[0])
}

func posts(s *surroundings, ts *testscript.TestScript, args []string) {
	n := 0
	for _, e := range s.tenant.Effects() {
		if strings.HasSuffix(e.Path, "/"+args[0]) {
			n++
		}
	}
	want(ts, args[0]+" accepted", n, args[1])
}

func asked(s *surroundings, ts *testscript.TestScript, args []string) {
	n := 0
	for r, count := range s.tenant.Requests() {
		if strings.HasPrefix(r.Path, "/api/") {
			n += count
		}
	}
	want(ts, "requests to the API", n, args[0])
}

func fault(s *surroundings, ts *testscript.TestScript, args []string) {
	s.tenant.Fail(mdesim.Fault{Path: "/api/**", Status: number(ts, args[0]), Times: -1})
}

// role gives a person of the simulated tenant an app role, or takes it away.
func role(s *surroundings, ts *testscript.TestScript, args []string) {
	const id = "aaaaaaaa-0000-4000-8000-000000000001"
	who := map[string]string{"alice": "a11ce000-0000-4000-8000-000000000001", "bob": "b0b00000-0000-4000-8000-000000000002"}[args[2]]
	switch args[0] {
	case "gives":
		s.tenant.SetAppRoles(mdesim.DefaultReaderID, mdesim.AppRole{ID: id, Value: args[1]})
		s.tenant.AssignAppRole(mdesim.DefaultReaderID, id, who)
	case "takes":
		s.tenant.RevokeAppRole(mdesim.DefaultReaderID, id, who)
	default:
		ts.Fatalf("usage: role gives|takes VALUE USER")
	}
}

func installed(s *surroundings, ts *testscript.TestScript, args []string) {
	s.workspace.SetManifest([]byte(ts.ReadFile(args[0])))
}

func tenantDown(s *surroundings, ts *testscript.TestScript, _ []string) { ts.Check(s.server.Close()) }

func asBot(s *surroundings, ts *testscript.TestScript, _ []string) {
	for name, value := range s.bot {
		ts.Setenv(name, value)
	}
}

func asMCP(s *surroundings, ts *testscript.TestScript, _ []string) {
	for name := range s.bot {
		ts.Setenv(name, "")
	}
}

// readOnly writes a format version into the header that SQLite may read and not write, because file modes don't stop a
// test that runs as root.
func readOnly(_ *surroundings, ts *testscript.TestScript, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt([]byte{3}, 18)
	ts.Check(errors.Join(err, f.Close()))
}

func lock(s *surroundings, ts *testscript.TestScript, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	conn, err := db.Conn(context.Background())
	ts.Check(err)
	_, err = conn.ExecContext(context.Background(), "BEGIN EXCLUSIVE")
	ts.Check(err)
	free := func() { _ = conn.Close(); _ = db.Close() }
	s.locks = append(s.locks, free)
	ts.Defer(free)
}

func unlock(s *surroundings, _ *testscript.TestScript, _ []string) {
	for _, free := range s.locks {
		free()
	}
	s.locks = nil
}

func tampers(_ *surroundings, ts *testscript.TestScript, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0])+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	defer func() { _ = db.Close() }()
	for _, statement := range []string{"DROP TRIGGER IF EXISTS audit_event_no_update", "DROP TRIGGER IF EXISTS audit_event_no_delete", strings.Join(args[1:], " ")} {
		_, err := db.ExecContext(context.Background(), statement)
		ts.Check(err)
	}
}

func noLeavings(_ *surroundings, ts *testscript.TestScript, _ []string) {
	dir := ts.Getenv("TMPDIR")
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	ts.Check(err)
	if dir == "" || len(left) > 0 {
		ts.Fatalf("left in %q: %v", dir, left)
	}
}

func connected(s *surroundings, ts *testscript.TestScript, args []string) {
	n := number(ts, args[0])
	waitFor(s, ts, "the sockets", func(snap slacksim.Snapshot) bool { return snap.Connections >= n })
}

func waitFor(s *surroundings, ts *testscript.TestScript, what string, ok func(slacksim.Snapshot) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := s.workspace.WaitFor(ctx, ok); err != nil {
		ts.Fatalf("waiting for %s: %v\n%s", what, err, s.logs())
	}
}

func withNexus(s *surroundings, ts *testscript.TestScript, _ []string) {
	s.tenant.SetResources(nexussim.Resources()...)
	ts.Setenv("MDE_NEXUS_URL", ts.Getenv("NEXUS_URL"))
	ts.Setenv("MDE_NEXUS_SUBSCRIPTIONS", nexussim.DefaultSubscription)
	ts.Setenv("MDE_EVIDENCE", ts.MkAbs("evidence"))
}

func uncontained(s *surroundings, _ *testscript.TestScript, args []string) {
	s.azure.SetCluster(args[0], func(c *nexussim.Cluster) { c.OwnStorage = false })
}

func azureFault(s *surroundings, ts *testscript.TestScript, args []string) {
	s.azure.Fail(simulate.Fault{Path: "/subscriptions/*/providers/Microsoft.NetworkCloud/clusters", Status: number(ts, args[0])})
}

func azureWrites(s *surroundings, ts *testscript.TestScript, args []string) {
	if n := len(s.azure.Effects()); n != number(ts, args[0]) {
		ts.Fatalf("Azure has accepted %d writes\n%s", n, s.logs())
	}
}

func toldInSlack(s *surroundings, ts *testscript.TestScript, args []string) {
	reply := s.typed(ts, args[0], args[1])
	if !regexp.MustCompile(args[2]).MatchString(reply) {
		ts.Fatalf("the answer does not match %s\n%s", args[2], s.logs())
	}
}

// typed types a command in #security and waits for its answer.
func (s *surroundings) typed(ts *testscript.TestScript, user, text string) string {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	person, err := s.workspace.User(user)
	ts.Check(err)
	before := len(s.workspace.Ephemerals(person.ID))
	out, err := s.workspace.Command(ctx, person.ID, slacksim.Security, "/mde", text)
	ts.Check(err)
	answers := out.Ephemerals
	if len(answers) == 0 { // on a busy machine the answer comes after the acknowledgement
		waitFor(s, ts, "the answer", func(snap slacksim.Snapshot) bool { return len(snap.Ephemerals[person.ID]) > before })
		answers = s.workspace.Ephemerals(person.ID)
	}
	reply := slacksim.RenderText(answers[len(answers)-1], slacksim.RenderOptions{Width: 2000})
	ts.Logf("@%s is answered: %s", user, reply)
	return reply
}

func slackCommand(s *surroundings, ts *testscript.TestScript, args []string) {
	reply := s.typed(ts, args[1], args[2])
	_, rest, _ := strings.Cut(reply, "Request ")
	id, _, made := strings.Cut(rest, " ")
	if !made {
		ts.Fatalf("no request was made")
	}
	ts.Setenv(args[0], id)
}

// cardWith waits for a card, not a reply in its thread, that shows a text.
func cardWith(s *surroundings, ts *testscript.TestScript, text string) slacksim.Message {
	var card slacksim.Message
	waitFor(s, ts, "a card with "+text, func(snap slacksim.Snapshot) bool {
		i := slices.IndexFunc(snap.Messages[slacksim.Security], func(m slacksim.Message) bool {
			return m.ThreadTS == "" && strings.Contains(string(m.RawBlocks), text)
		})
		if i >= 0 {
			card = snap.Messages[slacksim.Security][i]
		}
		return i >= 0
	})
	return card
}

func waitForCard(s *surroundings, ts *testscript.TestScript, args []string) { cardWith(s, ts, args[0]) }

func typeInto(s *surroundings, ts *testscript.TestScript, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	who, err := s.workspace.User(args[0])
	ts.Check(err)
	ts.Check(slacksim.Patient{Workspace: s.workspace}.Fill(ctx, who.ID, map[string]string{"mde_typed": args[1]}))
}

func press(s *surroundings, ts *testscript.TestScript, args []string) {
	card := cardWith(s, ts, args[2])
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ts.Check(slacksim.Patient{Workspace: s.workspace}.Press(ctx, args[0], slacksim.Security, card.TS, args[1]))
}
