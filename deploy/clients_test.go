package deploy_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// client is an entry of a client's file.
type client struct {
	Type, Command, URL string
	Args               []string
	Env                map[string]string
	OAuth              *struct {
		ClientID     string
		CallbackPort int
	}
	Auth *struct {
		ClientID string `json:"CLIENT_ID"`
		Scopes   []string
	}
}

type clientFile struct {
	MCPServers, Servers map[string]client
	Inputs              []struct {
		Type, ID, Description string
		Password              bool
	}
}

// blocks are the fenced blocks of a language in docs/clients.md.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```\n").FindAllStringSubmatch(read(t, "../docs/clients.md"), -1) {
		found = append(found, m[1])
	}
	require.NotEmpty(t, found)
	return found
}

// guid is what ids look like.
const guid = `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`

func TestEverySnippetForAClientWorks(t *testing.T) {
	t.Parallel()
	known := documented(t)
	ways := map[string]int{}
	for _, block := range blocks(t, "json") {
		var f clientFile
		decoder := json.NewDecoder(strings.NewReader(block))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&f), block)
		servers := f.MCPServers
		if servers == nil {
			servers = f.Servers
		}
		require.NotEmpty(t, servers, block)
		for name, c := range servers {
			for key, value := range c.Env {
				require.True(t, known(key), "%s: %s is no setting", name, key)
				if m := regexp.MustCompile(`^\$\{input:(.*)\}$`).FindStringSubmatch(value); m != nil {
					i := slices.IndexFunc(f.Inputs, func(in struct {
						Type, ID, Description string
						Password              bool
					},
					) bool {
						return in.ID == m[1]
					})
					require.GreaterOrEqual(t, i, 0, "nothing asks for %s", m[1])
					require.Equal(t, regexp.MustCompile(`SECRET|STORE`).MatchString(key), f.Inputs[i].Password, key)
				}
			}
			ways[way(t, c)]++
		}
	}
	require.Equal(t, map[string]int{
		"stdio, simulated": 4, "stdio, real": 5, "HTTP, simulated": 4, "HTTP, real": 4,
	}, ways, "four clients, each in every way; Claude Desktop once more in a container")
}

// way tries a client's entry and says which of the four ways it is.
func way(t *testing.T, c client) string {
	t.Helper()
	switch c.Command {
	case "":
		return served(t, c.URL, c)
	case "npx":
		require.Equal(t, "mcp-remote", c.Args[1])
		return served(t, c.Args[2], c)
	case "docker":
		return started(t, insideDocker(t, c))
	}
	return started(t, c)
}

// insideDocker is what a container's program is started with.
func insideDocker(t *testing.T, c client) client {
	t.Helper()
	image := slices.IndexFunc(c.Args, func(a string) bool { return strings.HasPrefix(a, "ghcr.io/") })
	require.Equal(t, "ghcr.io/mde-ops/mde-mcp:main", c.Args[image])
	require.Equal(t, []string{"run", "-i", "--rm"}, c.Args[:3], "input must reach it")
	var passed []string
	for i, a := range c.Args[:image] {
		if a == "-e" {
			passed = append(passed, c.Args[i+1])
		}
	}
	for name := range c.Env {
		require.Contains(t, passed, name, "docker does not hand it on")
	}
	require.Len(t, passed, len(c.Env))
	return client{Command: "mde-mcp", Args: c.Args[image+1:], Env: c.Env}
}

// started checks that mde-mcp takes the arguments and settings.
func started(t *testing.T, c client) string {
	t.Helper()
	require.Equal(t, "mde-mcp", c.Command)
	var environ []string
	for key, value := range c.Env {
		switch {
		case strings.HasSuffix(key, "_FILE"):
			value = filepath.Join(t.TempDir(), key)
			require.NoError(t, os.WriteFile(value, []byte("postgres://somebody:secret@db.example.com/mdeops"), 0o600))
		case strings.HasPrefix(value, "${") && key == "MDE_USER":
			value = "alice@contoso.com"
		case strings.HasPrefix(value, "${") && key == "MDE_STORE":
			value = "postgres://somebody:secret@db.example.com/mdeops"
		}
		environ = append(environ, key+"="+value)
	}
	out, err := checked(t, "mde-mcp", environ, append(slices.Clone(c.Args), "--check-config")...)
	require.NoError(t, err, "%v", c)
	require.Contains(t, out, "the configuration is good")
	if slices.Contains(c.Args, "sim") {
		require.Empty(t, c.Env, "a simulated tenant needs nothing")
		return "stdio, simulated"
	}
	require.NotContains(t, out, "refused", "%v", c)
	return "stdio, real"
}

// served checks an address, and how its callers sign in.
func served(t *testing.T, address string, c client) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, "/mcp", u.Path)
	if c.OAuth != nil {
		require.Regexp(t, guid, c.OAuth.ClientID)
		require.Contains(t, read(t, "../docs/clients.md"), "http://localhost:8123/callback")
		require.Equal(t, 8123, c.OAuth.CallbackPort)
	}
	if c.Auth != nil {
		require.Regexp(t, guid, c.Auth.ClientID)
		require.Equal(t, []string{dotenv(t)["MDE_HTTP_AUDIENCE"] + "/access_as_user"}, c.Auth.Scopes)
	}
	if u.Scheme == "http" {
		require.Equal(t, "127.0.0.1:8080", u.Host)
		require.True(t, c.OAuth == nil && c.Auth == nil, "nobody is asked to sign in there")
		return "HTTP, simulated"
	}
	require.Equal(t, dotenv(t)["MDE_HTTP_URL"], address)
	return "HTTP, real"
}

func TestEveryCommandForAClientWorks(t *testing.T) {
	t.Parallel()
	lines := 0
	for _, block := range blocks(t, "sh") {
		for line := range strings.Lines(block) {
			lines++
			words := strings.Fields(line)
			require.Equal(t, []string{"claude", "mcp", "add"}, words[:3])
			if i := slices.Index(words, "--"); i > 0 {
				started(t, client{Command: words[i+1], Args: words[i+2:]})
				continue
			}
			served(t, words[len(words)-1], client{})
		}
	}
	require.Equal(t, 3, lines)
}

// The server that the simulated snippets speak to.
func TestTheSimulatedServerOfThePageStarts(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile("`mde-mcp (serve --tenant sim[^`]*)`").FindStringSubmatch(read(t, "../docs/clients.md"))
	require.NotNil(t, line)
	_, err := checked(t, "mde-mcp", nil, append(strings.Fields(line[1]), "--check-config")...)
	require.NoError(t, err)
}
