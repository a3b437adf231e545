package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeopleAreMappedByTheirIDs(t *testing.T) {
	t.Parallel()
	got, err := parsePeople([]byte("people:\n  U0123ABC: Alice.Admin@Contoso.com\n  W9A: bob@contoso.com\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"U0123ABC": "alice.admin@contoso.com", "W9A": "bob@contoso.com"}, got)
	none, err := ReadPeople("")
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestAFileOfPeopleThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "maps nobody",
		"people: {}":                     "maps nobody",
		"people: [a]":                    "one line for each",
		"persons:\n  U0123ABC: a@b.c":    "one line for each",
		"people:\n  alice: a@b.com":      "is not the id of a Slack user",
		"people:\n  U0123ABC: alice":     "is not a user principal name",
		"people:\n  U0123ABC: '@b.com'":  "is not a user principal name",
		"people:\n  U0123ABC: 'a b@c.d'": "is not a user principal name",
		"people:\n  U0123ABC: a@b.com\n  U0123ABC: c@d.com": "one line for each",
	} {
		file := filepath.Join(t.TempDir(), "people.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := ReadPeople(file)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "MDE_SLACK_PEOPLE_FILE")
	}
	_, err := ReadPeople(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "MDE_SLACK_PEOPLE_FILE")
}
