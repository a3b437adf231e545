package leaks_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"regexp"
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

// environment is a line that is a variable and nothing else: what a test script says to set, and what keygen and simulate
// are there to print. Logs, errors and panics never look like that.
var environment = regexp.MustCompile(`^\s*(> .*|(export )?[A-Z][A-Z0-9_]*=\S*)$`)

// withoutEnvironments empties such lines, so that the others keep their numbers.
func withoutEnvironments(r io.Reader) io.Reader {
	read, write := io.Pipe()
	go func() {
		lines := bufio.NewReader(r)
		for {
			line, err := lines.ReadString('\n')
			if environment.MatchString(strings.TrimRight(line, "\r\n")) {
				line = "\n"
			}
			if _, wErr := io.WriteString(write, line); wErr != nil {
				return
			}
			if err != nil {
				_ = write.CloseWithError(err)
				return
			}
		}
	}()
	return read
}

func TestOnlyEnvironmentsAreLeftOut(t *testing.T) {
	t.Parallel()
	text := "  MDE_CLIENT_SECRET=s3cret\nexport MDE_CLIENT_SECRET=s3cret\n> env X=s3cret\nlevel=ERROR secret=s3cret\nerror: MDE_X=s3cret is bad\n"
	found, err := leaks.Find(withoutEnvironments(strings.NewReader(text)), "s3cret")
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, 4, found[0].Line)
	require.Equal(t, 5, found[1].Line)
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
	found, err := leaks.Find(withoutEnvironments(file), mdesim.DefaultAppSecret, mdesim.DefaultReaderSecret, mdesim.DefaultUserPassword, mdesim.SeededScanPassword)
	require.NoError(t, err)
	for _, f := range found {
		t.Error(f)
	}
}
