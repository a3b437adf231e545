package leaks_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/leaks"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// join keeps this file's own samples from being found in a listing of it.
func join(parts ...string) string { return strings.Join(parts, "") }

func TestFindSeesEverySecret(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"token":         join("err: eyJhbGciOiJS", ".eyJhdWQiOiJ4", ".c2ln"),
		"signature":     join("https://x.blob.core.windows.net/a?si", "g=abc%2Bdef&se=1"),
		"quoted":        join("next=https%3A%2F%2Fx%3Fsi", "g%3Dabc"),
		"bearer":        join("Authorization: Bea", "rer 0123456789abcdef0123456789"),
		"form":          join("client_se", "cret=hunter2&grant_type=x"),
		"JSON":          join(`{"access_to`, `ken":"0123456789"}`),
		"Slack":         join("xo", "xb-1234567890-abc"),
		"vote key":      join("mde-vote-pri", "vate-", strings.Repeat("A", 30)),
		"key":           join("-----BEGIN RSA PRI", "VATE KEY-----"),
		"password":      join("postgres://mde:hun", "ter2@db/mde"),
		"known, inside": join("xx", "knownsecret", "yy"),
	} {
		found, err := leaks.Find(strings.NewReader("first\n"+text), "knownsecret")
		require.NoError(t, err)
		require.NotEmpty(t, found, name)
		require.Equal(t, 2, found[0].Line)
		require.LessOrEqual(t, len(found[0].Text), 27, "a report does not spread the secret")
	}
}

func TestFindLeavesTheRest(t *testing.T) {
	t.Parallel()
	text := "https://x.blob.core.windows.net/a?sig=REDACTED&se=1\nAuthorization: Bearer REDACTED\nclient_secret=REDACTED\n" +
		"the bearer token was refused\nassigned=yes\npostgres://postgres@127.0.0.1:5432/postgres\nredesign=1\n"
	found, err := leaks.Find(strings.NewReader(text), "knownsecret")
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestFindSaysWhenItCouldNotRead(t *testing.T) {
	t.Parallel()
	_, err := leaks.Find(iotest.ErrReader(errors.New("gone")))
	require.ErrorContains(t, err, "gone")
}

// TestNoSecretsInTheOutput holds the output of a whole verbose test run, which MDE_TEST_OUTPUT names, against Find.
func TestNoSecretsInTheOutput(t *testing.T) {
	t.Parallel()
	name := os.Getenv("MDE_TEST_OUTPUT")
	if name == "" {
		t.Skip("set MDE_TEST_OUTPUT to a file with the output of `go test -v ./...` to look for secrets in it; .ci/run does")
	}
	file, err := os.Open(name)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(100_000), "this is not the output of all tests")
	found, err := leaks.Find(file, mdesim.DefaultAppSecret, mdesim.DefaultReaderSecret, mdesim.DefaultUserPassword, mdesim.SeededScanPassword)
	require.NoError(t, err)
	for _, f := range found {
		t.Error(f)
	}
}
