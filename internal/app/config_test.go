package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// good is the smallest configuration of a real tenant, with more after it; the last of a name counts.
func good(more ...string) []string {
	return append([]string{
		"MDE_TENANT_ID=5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c00", "MDE_CLIENT_ID=app", "MDE_CLIENT_SECRET=hunter2-read", "MDE_USER=alice@contoso.com",
	}, more...)
}

func slackSettings(more ...string) []string {
	key, _, err := NewVoteKey()
	if err != nil {
		panic(err)
	}
	return good(append([]string{
		"MDE_WRITE_CLIENT_ID=writer", "MDE_WRITE_CLIENT_SECRET=hunter2-write", "MDE_SLACK_BOT_TOKEN=xoxb-hunter2", "MDE_SLACK_APP_TOKEN=xapp-hunter2",
		"MDE_SLACK_RESPONDER_GROUP=S0RESP", "MDE_SLACK_CHANNELS=C0ONE,C0TWO", "MDE_SLACK_APPROVAL_CHANNEL=C0ONE", "MDE_VOTE_SIGNING_KEY=" + key,
	}, more...)...)
}

func load(t *testing.T, environ ...string) Config {
	t.Helper()
	cfg, err := Load(t.Context(), environ, false)
	require.NoError(t, err)
	return cfg
}

func TestLoadReadsEverySetting(t *testing.T) {
	t.Parallel()
	cfg := load(t, slackSettings("PATH=/bin", "MDE_POLL_INTERVAL=2s", "MDE_LOG_LEVEL=debug", "MDE_MAX_DEVICES=7")...)
	require.NoError(t, cfg.CheckSlack())
	require.Equal(t, []string{"C0ONE", "C0TWO"}, cfg.Slack.Channels)
	require.Equal(t, "2s", cfg.Timing.Poll.String())
	require.Equal(t, "5m0s", cfg.Timing.Grace.String())
	require.Equal(t, slog.LevelDebug, cfg.Log.Level)
	require.Equal(t, 7, cfg.Policy.MaxDevices)
	require.Equal(t, "hunter2-read", cfg.Read.ClientSecret.Reveal())
	require.Equal(t, "hunter2-write", cfg.Write.ClientSecret.Reveal())
	require.Equal(t, "config", cfg.Identity.Source)
}

// What is wrong is reported in one go: a person who mends one fault must not meet the next at each start.
func TestLoadReportsAllFaultsTogether(t *testing.T) {
	t.Parallel()
	cfg, err := Load(t.Context(), []string{
		"MDE_POLL_INTERVAL=soon", "MDE_CALLS_PER_HOUR=lots", "MDE_LOG_LEVEL=LOUD", "MDE_LOG_FORMAT=xml", "MDE_IDENTITY=guess",
		"MDE_CREDENTIAL=password", "MDE_CLIENT_SECRT=hunter2", "MDE_SLACK_BOT_TOKEN=hunter2", "MDE_SLACK_BOT_TOKEN_FILE=/nosuch",
	}, false)
	err = JoinFaults(err, cfg.CheckSlack())
	for _, want := range []string{
		`MDE_POLL_INTERVAL: "soon" is not valid here: want a duration such as 5s, 2m or 1h`,
		`MDE_CALLS_PER_HOUR: "lots" is not valid here: want a whole number`,
		`MDE_LOG_LEVEL: "LOUD" is not valid here: want DEBUG, INFO, WARN or ERROR`,
		`MDE_LOG_FORMAT: "xml" is not valid here: want text or json`,
		`MDE_IDENTITY: "guess" is not valid here`,
		`MDE_CREDENTIAL: "password" is not valid here: want secret, certificate or cli`,
		`MDE_CLIENT_SECRT is not a setting; did you mean MDE_CLIENT_SECRET?`,
		`MDE_SLACK_BOT_TOKEN and MDE_SLACK_BOT_TOKEN_FILE are both set: keep one`,
		`MDE_TENANT_ID is not set`, `MDE_SLACK_APP_TOKEN (or _FILE) is not set`, `MDE_SLACK_RESPONDER_GROUP is not set`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "MDE_SLACK_BOT_TOKEN (or _FILE) is not set", "what is there and wrong is not called missing")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestJoinFaults(t *testing.T) {
	t.Parallel()
	require.NoError(t, JoinFaults(nil, nil))
	err := JoinFaults(faults{"a", "b"}.err(), nil, fmt.Errorf("c"))
	require.EqualError(t, err, "the configuration has 3 fault(s):\n  - a\n  - b\n  - c")
}

func TestAnUnknownVariableIsRefused(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"MDE_USR":                  "did you mean MDE_USER?",
		"MDE_POLICY_FLIE":          "did you mean MDE_POLICY_FILE?",
		"MDE_TENANT_ID_FILE":       "MDE_TENANT_ID_FILE is not a setting",
		"MDE_SOMETHING_ELSE_AGAIN": "; docs/configuration.md lists them",
	} {
		_, err := Load(t.Context(), good(name+"=x"), false)
		require.ErrorContains(t, err, name+" is not a setting")
		require.ErrorContains(t, err, want)
	}
	_, err := Load(t.Context(), good("MDE_TEST_POSTGRES=postgres://x", "OTHER=1"), false)
	require.NoError(t, err)
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	cfg := load(t, "MDE_TENANT_ID=t", "MDE_CLIENT_ID=app", "MDE_CLIENT_SECRET_FILE="+file(" in a file \r\n"), "MDE_STORE_FILE="+file("sqlite:x.db"))
	require.Equal(t, " in a file ", cfg.Read.ClientSecret.Reveal(), "only the end of the line is not part of it")
	require.Equal(t, "sqlite:x.db", cfg.Store.Reveal())

	for _, c := range []struct{ value, want string }{
		{file("\n"), "is empty"},
		{filepath.Join(t.TempDir(), "nosuch"), "can't be read: no such file or directory"},
		{t.TempDir(), "can't be read: is a directory"},
	} {
		_, err := Load(t.Context(), []string{"MDE_TENANT_ID=t", "MDE_CLIENT_ID=app", "MDE_CLIENT_SECRET_FILE=" + c.value}, false)
		require.ErrorContains(t, err, "has 1 fault(s)")
		require.ErrorContains(t, err, "MDE_CLIENT_SECRET_FILE: "+c.value+" "+c.want)
	}
}

// A secret must not be printable by accident, whatever prints the configuration.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	cfg := load(t, slackSettings("MDE_STORE=postgres://u:hunter2@h/db", "MDE_CERTIFICATE_PASSWORD=hunter2")...)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", cfg, &cfg, cfg.Store)
	}
	raw, err := json.Marshal(cfg)
	require.NoError(t, err)
	out.Write(raw)
	for _, format := range []string{"text", "json"} {
		log := NewLogger(&out, Log{Format: format})
		log.Info("configuration", "cfg", cfg, "read", cfg.Read, "token", cfg.Slack.BotToken, "pointer", &cfg.Votes.SigningKey)
	}
	require.NotContains(t, out.String(), "hunter2")
	require.NotContains(t, out.String(), cfg.Votes.SigningKey.Reveal())
	require.NotContains(t, out.String(), fmt.Sprintf("%x", "hunter2"))
	require.Equal(t, "(set) (not set)", fmt.Sprint(NewSecret("x"), " ", Secret{}))
}

// At-most-once rests on the order of the waits, so a configuration that turns it round must not start.
func TestTheOrderOfTheWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set  []string
		want string
	}{
		{nil, ""},
		{[]string{"MDE_GRACE=36s"}, ""},
		{[]string{"MDE_GRACE=35s"}, "MDE_GRACE: 35s is not more than MDE_SEND_LIMIT + MDE_WRITE_TIMEOUT (35s)"},
		{[]string{"MDE_SEND_LIMIT=5m"}, "MDE_GRACE: 5m0s is not more than"},
		{[]string{"MDE_WRITE_TIMEOUT=30s"}, "MDE_JOB_TIMEOUT: 30s is not more than MDE_WRITE_TIMEOUT (30s)"},
		{[]string{"MDE_RESCUE_AFTER=30s"}, "MDE_RESCUE_AFTER: 30s is not more than MDE_JOB_TIMEOUT (30s)"},
		{[]string{"MDE_RESCUE_AFTER=31s"}, ""},
		{[]string{"MDE_POLL_INTERVAL=0s"}, "must be above zero"},
		{[]string{"MDE_SWEEP_EVERY=-1s"}, "must be above zero"},
		{[]string{"MDE_SEND_LIMIT=-1s"}, "must be above zero"},
		{[]string{"MDE_WRITE_TIMEOUT=0s"}, "must be above zero"},
		{[]string{"MDE_RECOVER_AFTER=0s"}, "must be above zero"},
	} {
		_, err := Load(t.Context(), good(c.set...), false)
		if c.want == "" {
			require.NoError(t, err, c.set)
			continue
		}
		require.ErrorContains(t, err, c.want, c.set)
	}
}

func TestLimitsMustBePositive(t *testing.T) {
	t.Parallel()
	for _, set := range []string{"MDE_MAX_DEVICES=0", "MDE_CALLS_PER_MINUTE=0", "MDE_CALLS_PER_HOUR=-1"} {
		_, err := Load(t.Context(), good(set), false)
		require.ErrorContains(t, err, "want 1 or more", set)
	}
}

func TestCredentialKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set        []string
		kind, want string
	}{
		{[]string{"MDE_CLIENT_ID=a", "MDE_CLIENT_SECRET=s"}, "secret", ""},
		{[]string{"MDE_CLIENT_ID=a", "MDE_CERTIFICATE_FILE=c.pem"}, "certificate", ""},
		{[]string{"MDE_CLIENT_ID=a", "MDE_CERTIFICATE_FILE=c.pem", "MDE_CLIENT_SECRET=s"}, "certificate", ""},
		{[]string{"MDE_CLIENT_ID=a", "MDE_CERTIFICATE_FILE=c.pem", "MDE_CLIENT_SECRET=s", "MDE_CREDENTIAL=secret"}, "secret", ""},
		{[]string{"MDE_CREDENTIAL=cli"}, "cli", ""},
		{[]string{"MDE_CLIENT_SECRET=s"}, "secret", `MDE_CLIENT_ID is not set: a credential of kind "secret" needs it`},
		{[]string{"MDE_CREDENTIAL=certificate", "MDE_CLIENT_ID=a"}, "certificate", `MDE_CERTIFICATE_FILE is not set: a credential of kind "certificate" needs it`},
		{[]string{"MDE_CLIENT_ID=a"}, "", "no credential: set MDE_CLIENT_ID with MDE_CLIENT_SECRET"},
		{[]string{"MDE_CREDENTIAL=Secret", "MDE_CLIENT_ID=a", "MDE_CLIENT_SECRET=s"}, "Secret", `MDE_CREDENTIAL: "Secret" is not valid here`},
		{[]string{"MDE_CREDENTIAL=cli", "MDE_WRITE_CLIENT_ID=w"}, "cli", "no credential: set MDE_WRITE_CLIENT_ID with MDE_WRITE_CLIENT_SECRET"},
	} {
		cfg, err := Load(t.Context(), append([]string{"MDE_TENANT_ID=t"}, c.set...), false)
		require.Equal(t, c.kind, cfg.Read.kind(), c.set)
		if c.want == "" {
			require.NoError(t, err, c.set)
			continue
		}
		require.ErrorContains(t, err, c.want, c.set)
	}
}

// The process that takes an assistant's calls must hold neither the key that signs votes nor the credential that writes.
func TestWhatAnMCPServerMustNotHold(t *testing.T) {
	t.Parallel()
	require.NoError(t, load(t, good()...).CheckMCP())
	require.NoError(t, load(t, "MDE_TENANT_ID=t", "MDE_CREDENTIAL=cli", "MDE_IDENTITY=cli").CheckMCP())
	for set, want := range map[string]string{
		"MDE_VOTE_SIGNING_KEY=hunter2":      "MDE_VOTE_SIGNING_KEY (or _FILE) is set",
		"MDE_WRITE_CLIENT_ID=w":             "MDE_WRITE_* is set",
		"MDE_WRITE_CLIENT_SECRET=hunter2":   "MDE_WRITE_* is set",
		"MDE_WRITE_CERTIFICATE_FILE=w.pem":  "MDE_WRITE_* is set",
		"MDE_WRITE_CREDENTIAL=cli":          "MDE_WRITE_* is set",
		"MDE_VOTE_SIGNING_KEY_FILE=/nosuch": "MDE_VOTE_SIGNING_KEY (or _FILE) is set",
	} {
		cfg, _ := Load(t.Context(), good(set), false)
		require.ErrorContains(t, cfg.CheckMCP(), want, set)
		require.NotContains(t, cfg.CheckMCP().Error(), "hunter2")
	}
	cfg, err := Load(t.Context(), []string{"MDE_VOTE_SIGNING_KEY=hunter2"}, true)
	require.NoError(t, err)
	require.ErrorContains(t, cfg.CheckMCP(), "MDE_VOTE_SIGNING_KEY", "not even beside a simulated tenant")
}

// A seed is as long as a public key: a swap must be seen, because it would hand the means to sign to whoever only verifies.
func TestASigningKeyInAPublicKeysPlaceIsRefused(t *testing.T) {
	t.Parallel()
	private, public, err := NewVoteKey()
	require.NoError(t, err)
	require.NoError(t, load(t, good("MDE_VOTE_PUBLIC_KEYS="+public)...).CheckMCP())
	_, seed, _ := strings.Cut(private, "mde-vote-private-")
	for _, wrong := range []string{private, public + "," + private, seed} {
		for _, sim := range []bool{false, true} {
			cfg, err := Load(t.Context(), good("MDE_SLACK_BOT_TOKEN=xoxb-x", "MDE_SLACK_APPROVAL_CHANNEL=C0ONE", "MDE_VOTE_PUBLIC_KEYS="+wrong), sim)
			require.NoError(t, err)
			for _, err := range []error{cfg.CheckMCP(), cfg.CheckWorker()} {
				require.ErrorContains(t, err, "MDE_VOTE_PUBLIC_KEYS: ")
				require.NotContains(t, err.Error(), seed)
			}
		}
	}
	err = load(t, slackSettings("MDE_VOTE_SIGNING_KEY="+public)...).CheckSlack()
	require.ErrorContains(t, err, "MDE_VOTE_SIGNING_KEY: this is a public key")
}

// Whoever configures a caller must not be able to pass for another kind of actor.
func TestAUserIsAnAddress(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"alice@contoso.com", " Alice@Contoso.com ", "o'brien+x@mail.contoso.co.uk", "bob_fabrikam.com#EXT#@contoso.onmicrosoft.com", "a@b.c"} {
		require.NoError(t, load(t, good("MDE_USER="+user)...).CheckMCP(), user)
	}
	for _, user := range []string{
		"worker", "clock", "gate", "slack:T0001/UBOSS", "slack:T0001/U@contoso.com", "entra:1@contoso.com", "alice", "alice@", "@contoso.com",
		"alice@localhost", "a@b@contoso.com", "alice @contoso.com", "alice@contoso.com,bob@contoso.com", "alice@contoso..com", "\u0430lice@contoso.com",
		"alice@contoso.com\n", "<@U0001>@contoso.com", " ", strings.Repeat("a", 65) + "@contoso.com", "a@" + strings.Repeat("b.", 150) + "c",
	} {
		_, err := Load(t.Context(), good("MDE_USER="+user), false)
		if user == "alice@contoso.com\n" {
			require.NoError(t, err, "white space around it is cut off")
			continue
		}
		require.ErrorContains(t, err, "MDE_USER: ", "%q", user)
		_, err = Load(t.Context(), good("MDE_USER="+user), true)
		require.ErrorContains(t, err, "MDE_USER: ", "%q", user)
	}
}

func TestWhatABotNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ unset, want string }{
		{"MDE_SLACK_BOT_TOKEN", "MDE_SLACK_BOT_TOKEN (or _FILE) is not set"},
		{"MDE_SLACK_APP_TOKEN", "MDE_SLACK_APP_TOKEN (or _FILE) is not set"},
		{"MDE_SLACK_RESPONDER_GROUP", "nobody may without it"},
		{"MDE_SLACK_CHANNELS", "MDE_SLACK_CHANNELS is not set"},
		{"MDE_SLACK_APPROVAL_CHANNEL", "MDE_SLACK_APPROVAL_CHANNEL is not set"},
		{"MDE_VOTE_SIGNING_KEY", "MDE_VOTE_SIGNING_KEY (or _FILE) is not set"},
	} {
		var environ []string
		for _, kv := range slackSettings() {
			if !strings.HasPrefix(kv, c.unset+"=") {
				environ = append(environ, kv)
			}
		}
		require.ErrorContains(t, load(t, environ...).CheckSlack(), c.want)
	}
	require.ErrorContains(t, load(t, slackSettings("MDE_SLACK_BOT_TOKEN=xapp-hunter2")...).CheckSlack(), "does not begin with xoxb-")
	require.ErrorContains(t, load(t, slackSettings("MDE_SLACK_APP_TOKEN=xoxb-hunter2")...).CheckSlack(), "does not begin with xapp-")
	err := load(t, slackSettings("MDE_VOTE_SIGNING_KEY=hunter2", "MDE_VOTE_PUBLIC_KEYS=short")...).CheckSlack()
	require.ErrorContains(t, err, "MDE_VOTE_PUBLIC_KEYS: ")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestAWorkerNeedsAPublicKeyAndNoFace(t *testing.T) {
	t.Parallel()
	_, public, err := NewVoteKey()
	require.NoError(t, err)
	base := good("MDE_SLACK_BOT_TOKEN=xoxb-x", "MDE_SLACK_APPROVAL_CHANNEL=C0ONE")
	require.NoError(t, load(t, append(base, "MDE_VOTE_PUBLIC_KEYS="+public)...).CheckWorker())
	require.ErrorContains(t, load(t, base...).CheckWorker(), "MDE_VOTE_PUBLIC_KEYS is not set")
	require.ErrorContains(t, load(t, append(base, "MDE_VOTE_PUBLIC_KEYS="+public+",zzz")...).CheckWorker(), "MDE_VOTE_PUBLIC_KEYS: ")
}

func TestVoteKeysFit(t *testing.T) {
	t.Parallel()
	private, public, err := NewVoteKey()
	require.NoError(t, err)
	signer, verifier, err := Votes{SigningKey: NewSecret(private), PublicKeys: []string{" " + public + " "}}.SignerKeys()
	require.NoError(t, err)
	require.NotNil(t, verifier)
	_, other, err := NewVoteKey()
	require.NoError(t, err)
	require.NotEqual(t, public, other)
	require.NotNil(t, signer)
	none, _, err := Votes{PublicKeys: []string{public}}.SignerKeys()
	require.NoError(t, err)
	require.Nil(t, none)
	_, _, err = Votes{}.SignerKeys()
	require.Error(t, err, "a worker without any key could verify nothing")
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"MDE_CLIENT_SECRET\x00x", "MDE_POLL_INTERVAL\x005s", "MDE_SLACK_CHANNELS\x00C1,,C2", "MDE_USR\x00x", "MDE_\x00", "MDE_MAX_DEVICES\x009999999999999999999",
		"MDE_VOTE_PUBLIC_KEYS\x00%s", "MDE_STORE\x00postgres://u:p@h/d?x=%zz", "MDE_LOG_LEVEL\x00INFO+9999999999", "MDE_CLIENT_SECRT\x00x",
	} {
		name, value, _ := strings.Cut(s, "\x00")
		f.Add(name, value)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		value = "s3cr3t-" + value
		cfg, err := Load(context.Background(), []string{name + "=" + value}, true)
		if err == nil {
			return
		}
		known := newEnvironment(nil)
		known.process(context.Background(), &cfg)
		if isSecret(name) || !known.known[name] {
			if strings.Contains(err.Error(), "s3cr3t-") && !strings.Contains(name, "s3cr3t-") {
				t.Fatalf("the value of %q is in the error: %v", name, err)
			}
		}
		require.False(t, bytes.ContainsRune([]byte(err.Error()), 0) && !strings.ContainsRune(name, 0), "values are quoted")
	})
}

// Claude Desktop hands a bundle's placeholder on where an optional question was left empty.
func TestABundlesUnansweredQuestionIsNoValue(t *testing.T) {
	t.Parallel()
	cfg := load(t, good("MDE_POLICY_FILE=${user_config.policy_file}", "MDE_TOOLSETS=${user_config.toolsets}")...)
	require.Empty(t, cfg.Policy.File)
	require.Empty(t, cfg.Surface.Toolsets)
	require.False(t, cfg.Set["MDE_POLICY_FILE"])
	_, err := Load(t.Context(), good("MDE_USER=${user_config.user} "), false)
	require.ErrorContains(t, err, "MDE_USER")
	_, err = Load(t.Context(), []string{"MDE_TENANT_ID=${user_config.tenant_id}"}, false)
	require.ErrorContains(t, err, "MDE_TENANT_ID is not set")
}
