package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/mcpcmd"
	"github.com/mde-ops/mde-ops/internal/cli/slackcmd"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/internal/telemetry/telemetrytest"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mde-mcp":      func() { cli.Main(mcpcmd.Run) },
		"mde-slackbot": func() { cli.Main(slackcmd.Run) },
	})
}

// TestSessions plays every session in testdata: the real commands as processes of their own, on a simulated tenant and a
// simulated workspace that the script can look into. commands_test.go has the words that only these scripts know.
func TestSessions(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", Setup: setUp, Cmds: commands(), Condition: condition,
		RequireExplicitExec: true, RequireUniqueNames: true,
		Deadline: time.Now().Add(10 * limit), // for all of them; a command that should have refused and runs instead is a failure, not a wait
	})
}

// limit bounds everything a script waits for.
const limit = 30 * time.Second

// surroundings are what a script runs in.
type surroundings struct {
	tenant    *mdesim.Tenant
	azure     *nexussim.Azure
	server    *mdesim.Server
	workspace *slacksim.Workspace
	running   map[string]*process
	locks     []func()
	bot       map[string]string // the variables of mde-slackbot
	collector *telemetrytest.Collector
}

type surroundingsKey struct{}

func setUp(env *testscript.Env) error {
	s := &surroundings{
		tenant: &mdesim.Tenant{ActionPending: 50 * time.Millisecond, ActionRunning: 50 * time.Millisecond, Apps: []mdesim.App{
			{ID: mdesim.DefaultAppID, Name: "worker", Secret: mdesim.DefaultAppSecret, Roles: mdesim.WriterRoles()},
			{ID: mdesim.DefaultReaderID, Name: "reader", Secret: mdesim.DefaultReaderSecret, Roles: append(mdesim.ReaderRoles(),
				mdesim.RoleReadApplications, mdesim.RoleReadGroups)},
			{ID: narrowAppID, Name: "narrow", Secret: mdesim.DefaultReaderSecret, Roles: []string{"Machine.Read.All", "Alert.Read.All"}},
		}},
		workspace: new(slacksim.Workspace), running: make(map[string]*process),
	}
	env.Values[surroundingsKey{}] = s
	env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector lets every process sleep a second before it ends
	if err := s.startTenant(env); err != nil {
		return err
	}
	if err := s.startWorkspace(env); err != nil {
		return err
	}
	return storetest.CopyReady(filepath.Join(env.WorkDir, "gate.db"))
}

func (s *surroundings) startTenant(env *testscript.Env) error {
	s.tenant.SetWebAPI(mdesim.WebAPI{AppID: mdesim.DefaultWebAPIID, Scope: mdesim.DefaultWebAPIScope, Roles: map[string][]string{"bob@contoso.com": {"Reader"}}})
	var err error
	if s.server, err = s.tenant.Start(); err != nil {
		return err
	}
	env.Defer(func() { _ = s.server.Close() })
	s.azure = &nexussim.Azure{OperationTime: 50 * time.Millisecond, ScanTime: 200 * time.Millisecond}
	clusters, err := s.azure.Start()
	if err != nil {
		return err
	}
	env.Defer(func() { _ = clusters.Close() })
	ca := filepath.Join(env.WorkDir, "ca.pem")
	if err := os.WriteFile(ca, slices.Concat(s.server.CertificatePEM(), clusters.CertificatePEM()), 0o600); err != nil {
		return err
	}
	env.Setenv("NEXUS_URL", clusters.URL)
	for name, value := range map[string]string{
		"MDE_TENANT_ID": mdesim.DefaultTenantID, "MDE_BASE_URL": s.server.URL, "MDE_AUTHORITY": s.server.URL, "MDE_CA_FILE": ca,
		"MDE_CLIENT_ID": mdesim.DefaultReaderID, "MDE_CLIENT_SECRET": mdesim.DefaultReaderSecret,
		"MDE_USER": "alice@contoso.com", "MDE_STORE": "sqlite:" + filepath.Join(env.WorkDir, "gate.db"),
		"MDE_APPROVER_GROUP": slacksim.OnCall, "MDE_POLL_INTERVAL": "100ms",
	} {
		env.Setenv(name, value)
	}
	return nil
}

func (s *surroundings) startWorkspace(env *testscript.Env) error {
	s.workspace.Cast()
	for id, name := range map[string]string{slacksim.Alice: "alice", slacksim.Bob: "bob", slacksim.Carol: "carol"} {
		u, err := s.workspace.User(id)
		if err != nil {
			return err
		}
		u.Email = name + "@contoso.com" // the people of the simulated tenant
		s.workspace.AddUser(u)
	}
	slack, err := s.workspace.Start()
	if err != nil {
		return err
	}
	env.Defer(slack.Close)
	key, _, err := app.NewVoteKey()
	if err != nil {
		return err
	}
	s.bot = map[string]string{
		"MDE_WRITE_CLIENT_ID": mdesim.DefaultAppID, "MDE_WRITE_CLIENT_SECRET": mdesim.DefaultAppSecret,
		"MDE_SLACK_API_URL": slack.APIURL(), "MDE_SLACK_BOT_TOKEN": s.workspace.Tokens().Bot, "MDE_SLACK_APP_TOKEN": s.workspace.Tokens().App,
		"MDE_SLACK_RESPONDER_GROUP": slacksim.Responders, "MDE_SLACK_CHANNELS": slacksim.Security, "MDE_SLACK_APPROVAL_CHANNEL": slacksim.Security,
		"MDE_VOTE_SIGNING_KEY": key,
	}
	env.Setenv("SIGNING_KEY", key)
	env.Setenv("CONTROL", "host\x01\x1b[31m")
	return nil
}

// TestEveryScriptIsASession keeps a script with another ending from being skipped silently.
func TestEveryScriptIsASession(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("testdata")
	require.NoError(t, err)
	for _, f := range files {
		require.Equal(t, ".txtar", filepath.Ext(f.Name()), f.Name())
	}
}
