package deploy_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to look at what the roles may
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/mcpcmd"
	"github.com/mde-ops/mde-ops/internal/cli/slackcmd"
)

// checked runs a program in this process and returns what it printed.
func checked(t *testing.T, program string, environ []string, args ...string) (string, error) {
	t.Helper()
	run := map[string]cli.Runner{"mde-mcp": mcpcmd.Run, "mde-slackbot": slackcmd.Run}[program]
	require.NotNil(t, run, program)
	var out bytes.Buffer
	err := run(t.Context(), cli.Env{Args: args, Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	return out.String(), err
}

// certificate is a PEM file with a certificate and its key.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "reader"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// secrets makes the folder of secrets as a person would: with the script, then by hand.
func secrets(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(dir, "secrets.sh")
	require.NoError(t, os.WriteFile(script, []byte(read(t, "secrets.sh")), 0o755))
	out, err := exec.CommandContext(t.Context(), "bash", script).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, 6, strings.Count(string(out), "to do: "), string(out))
	vote, _, err := app.NewVoteKey()
	require.NoError(t, err)
	signing, _, err := audit.NewKeys()
	require.NoError(t, err)
	dir = filepath.Join(dir, "secrets")
	for name, text := range map[string]string{
		"reader.pem": certificate(t), "writer.pem": certificate(t), "slack-bot-token": "xoxb-test", "slack-app-token": "xapp-test",
		"vote-signing-key": vote, "audit-signing-key": signing,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600))
	}
	return dir
}

// Both programs take the settings that compose.yaml gives them, with the values of the example.
func TestTheProgramsTakeTheSettingsOfCompose(t *testing.T) {
	t.Parallel()
	dir, values := secrets(t), dotenv(t)
	for _, program := range []string{"mde-mcp", "mde-slackbot"} {
		s := composeFile(t).Services[program]
		var environ []string
		for key, value := range s.Environment {
			value = regexp.MustCompile(`\$\{([A-Z_]+):-[^}]*\}`).ReplaceAllStringFunc(value, func(m string) string {
				name, _, _ := strings.Cut(strings.Trim(m, "${}"), ":")
				return values[name]
			})
			environ = append(environ, key+"="+strings.Replace(value, "/run/secrets/", dir+"/", 1))
		}
		out, err := checked(t, program, environ, append(s.Command, "--check-config")...)
		require.NoError(t, err, program)
		require.Contains(t, out, "the configuration is good")
		_, err = checked(t, program, []string{"MDE_STORE_FILE=" + dir + "/store-mcp"}, append(s.Command, "--check-config")...)
		require.ErrorContains(t, err, "MDE_TENANT_ID is not set", "an .env that nobody filled in is refused")
	}
}

func TestTheScriptOfSecretsKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	dir := secrets(t)
	before := read(t, filepath.Join(dir, "store-mcp"))
	require.Regexp(t, `^postgres://mde_mcp_login:[0-9a-f]{40}@db:5432/mdeops\?sslmode=disable$`, before)
	require.NotEqual(t, strings.Split(before, "@")[0], strings.Split(read(t, filepath.Join(dir, "store-slackbot")), "@")[0])
	out, err := exec.CommandContext(t.Context(), "bash", filepath.Join(filepath.Dir(dir), "secrets.sh")).CombinedOutput()
	require.NoError(t, err)
	require.Empty(t, string(out), "nothing is left to do")
	require.Equal(t, before, read(t, filepath.Join(dir, "store-mcp")))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "the folder keeps others out, because the files are for the containers' users to read")
}

// The database of compose.yaml, made by its script, migrated by its owner, used by the two programs' roles.
func TestTheRolesOfTheDatabase(t *testing.T) {
	t.Parallel()
	server := os.Getenv("MDE_TEST_POSTGRES")
	if server == "" {
		t.Skip("MDE_TEST_POSTGRES is not set: there is no PostgreSQL to make roles in")
	}
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not here, which PostgreSQL's image runs the script with")
	}
	dir, u := secrets(t), mustParse(t, server)
	admin := open(t, server)
	clean := func() {
		for _, s := range []string{"DROP DATABASE IF EXISTS mdeops WITH (FORCE)", "DROP ROLE IF EXISTS mde_mcp_login, mde_slackbot_login, mde_owner"} {
			_, err := admin.ExecContext(t.Context(), s)
			require.NoError(t, err)
		}
	}
	clean()
	defer clean()
	script := exec.CommandContext(t.Context(), "bash", "postgres/roles.sh")
	password, _ := u.User.Password()
	script.Env = append(os.Environ(), "SECRETS="+dir, "PGHOST="+u.Hostname(), "PGPORT="+u.Port(), "PGPASSWORD="+password, "POSTGRES_USER="+u.User.Username())
	out, err := script.CombinedOutput()
	require.NoError(t, err, string(out))

	as := func(secret string) string {
		to := mustParse(t, strings.TrimSpace(read(t, filepath.Join(dir, secret))))
		to.Host = u.Host
		return to.String()
	}
	_, err = checked(t, "mde-slackbot", []string{"MDE_STORE=" + as("store-mcp")}, "migrate")
	require.ErrorContains(t, err, "may not", "who only asks can't make tables")
	for range 2 { // it runs at every start
		text, err := checked(t, "mde-slackbot", []string{"MDE_STORE=" + as("store-owner")}, "migrate")
		require.NoError(t, err)
		require.Contains(t, text, "the rights that they need")
	}
	mcp, bot := open(t, as("store-mcp")), open(t, as("store-slackbot"))
	for _, statement := range []string{
		"INSERT INTO votes SELECT * FROM votes", "UPDATE votes SET request_id = ''", "DELETE FROM audit_event", "CREATE TABLE mine (x int)",
		"CREATE ROLE mde_friend", "SET ROLE mde_worker",
	} {
		_, err := mcp.ExecContext(t.Context(), statement)
		require.ErrorContains(t, err, "permission denied", statement)
	}
	_, err = bot.ExecContext(t.Context(), "INSERT INTO votes SELECT * FROM votes")
	require.NoError(t, err, "a bot stores votes")
	_, err = bot.ExecContext(t.Context(), "DELETE FROM audit_event")
	require.ErrorContains(t, err, "permission denied", "a bot can't alter the audit")
	for _, secret := range []string{"store-mcp", "store-slackbot"} {
		text, err := checked(t, "mde-slackbot", []string{"MDE_STORE=" + as(secret)}, "audit", "verify")
		require.NoError(t, err, text)
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

func open(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
