package nexus_test

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"", clusterPath, nodePath, strings.ToUpper(nodePath), nodesPath + "/../x", clusterPath + "?x=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := nexus.ParseID(text)
		if err != nil {
			return
		}
		require.True(t, strings.EqualFold(text, id.String()), "%q is %s", text, id)
		require.NotContains(t, id.String(), "/..")
		require.Equal(t, 8, strings.Count(id.String(), "/"))
		again, err := nexus.ParseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}

func FuzzForbiddenMessage(f *testing.F) {
	f.Add("The client 'x' does not have authorization to perform action 'Microsoft.NetworkCloud/clusters/read' over scope '/subscriptions/1'.")
	f.Add("has permission to perform action 'A/b' on scope '/a'; however, it does not have permission to perform action(s) 'C/d' on the linked scope(s) '/e'")
	f.Add("does not have authorization to perform action 'x y' over scope '/'")
	f.Fuzz(func(t *testing.T, message string) {
		action, scope := nexus.ParseForbidden(message)
		require.Equal(t, action == "", scope == "")
		require.NotContains(t, action+scope, "'")
		if action != "" {
			require.Contains(t, message, "'"+action+"'")
			require.Contains(t, message, "'"+scope+"'")
			require.NotContains(t, action, " ")
		}
	})
}

// FuzzResultAddress requires of every address that would be fetched that it is the cloud's, and of one that gets a token that
// it is in the container as well.
func FuzzResultAddress(f *testing.F) {
	const container = "https://own.blob.core.windows.net/c"
	for _, seed := range []string{
		"https://own.blob.core.windows.net/c/b", "https://own.blob.core.windows.net/c/b?sig=x", "https://OWN.blob.core.windows.net:443/c/../d", "https://a@own.blob.core.windows.net/c/b",
		"https://x.blob.core.windows.net/c/b?SIG=1;2", "https://own.blob.core.windows.net/c/%2e%2e/b", "http://127.0.0.1/c/b?sig=x", "//own.blob.core.windows.net/c/b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		for _, home := range []string{"", container} {
			if nexus.CheckResult(nexus.Public(), address, home) != nil {
				continue
			}
			u, err := url.Parse(strings.TrimSpace(address))
			require.NoError(t, err)
			require.Equal(t, "https", u.Scheme)
			require.Nil(t, u.User)
			require.True(t, strings.HasSuffix(strings.ToLower(u.Hostname()), ".blob.core.windows.net"), u.Host)
			if home == "" {
				require.Contains(t, strings.ToLower(u.RawQuery), "sig", "nothing but a signature opens it")
				continue
			}
			require.True(t, strings.EqualFold(u.Hostname(), "own.blob.core.windows.net") && strings.HasPrefix(path.Clean(u.Path), "/c/"), address)
		}
	})
}

// FuzzClean requires that a text that others wrote can be shown.
func FuzzClean(f *testing.F) {
	f.Add("plain\ttext\nwith lines", 100)
	f.Add("\x1b[31m\u202e\u2028\xff sig=SECRETSECRET", 10)
	f.Add(strings.Repeat("ä", 100), 51)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 10 + max(most, -most)%100
		if most < 10 {
			return // the smallest int has no positive
		}
		got := nexus.Clean(text, most)
		require.LessOrEqual(t, len(got), most)
		require.True(t, utf8.ValidString(got))
		require.False(t, strings.ContainsFunc(got, func(r rune) bool {
			return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) || r == '\u2028'
		}), "%q", got)
	})
}

func FuzzOperationAddress(f *testing.F) {
	for _, seed := range []string{
		operation, "https://management.azure.com" + operation, operation + "&t=1&c=2&s=3&h=4", operation + "&sig=x", "//evil.example" + operation,
		operations + "..%2fx", operations + "x%2A1", "?", "https://management.azure.com:443" + operation + "#x", "HTTPS://Management.Azure.com" + operation,
	} {
		f.Add(seed)
	}
	client, err := nexus.New(&tokens{}, nexus.Options{})
	require.NoError(f, err)
	on, err := nexus.ParseID(clusterPath)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		if kept, sub, err := nexus.ParseOperation(text); err == nil {
			sameAgain(t, kept)
			require.Contains(t, strings.ToLower(kept), strings.ToLower(sub))
		}
		if kept, err := client.OperationAt(text, on); err == nil {
			sameAgain(t, kept)
			require.True(t, strings.HasPrefix(strings.ToLower(kept), "/subscriptions/"+subscription+"/providers/microsoft.networkcloud/locations/"), kept)
		}
	})
}

// sameAgain requires that what is kept of an operation's address is read as itself, and holds nothing but a path of an
// operation and what Resource Manager puts in its query.
func sameAgain(t *testing.T, kept string) {
	t.Helper()
	again, _, err := nexus.ParseOperation(kept)
	if err != nil {
		require.Greater(t, len(kept), nexus.LongestOperation, "%v", err)
		return
	}
	require.Equal(t, kept, again)
	path, query, found := strings.Cut(kept, "?")
	require.True(t, found)
	require.Equal(t, 8, strings.Count(path, "/"), path)
	require.NotContains(t, path, "..")
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		require.Contains(t, []string{"api-version", "t", "c", "s", "h"}, name)
	}
}
