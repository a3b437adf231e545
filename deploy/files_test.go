// Package deploy_test looks at the files of this folder as those will who read them: compose, Docker, GitHub, PostgreSQL.
package deploy_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// documented reports whether docs/configuration.md has a setting, by itself or as the file of a secret.
func documented(t *testing.T) func(name string) bool {
	t.Helper()
	all := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(MDE_[A-Z_]+)`(?: or `(MDE_[A-Z_]+_FILE)`)?").FindAllStringSubmatch(read(t, "../docs/configuration.md"), -1) {
		all[row[1]], all[row[2]] = true, true
	}
	require.Greater(t, len(all), 50)
	return func(name string) bool { return name != "" && all[name] }
}

// service is what of a service of compose.yaml matters here.
type service struct {
	Image       string
	User        string
	Privileged  bool
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	NetworkMode string   `yaml:"network_mode"`
	Command     []string
	Profiles    []string
	Environment map[string]string
	Secrets     []string
	Volumes     []string
	Networks    []string
	Ports       []string
	Build       struct{ Context, Dockerfile, Target string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct {
		Disable bool
		Test    []string
	}
}

type compose struct {
	Services map[string]service
	Secrets  map[string]struct{ File string }
	Volumes  map[string]any
	Networks map[string]struct {
		Internal bool
		IPAM     struct {
			Config []struct{ Subnet, Gateway string }
		}
	}
}

func composeFile(t *testing.T) compose {
	t.Helper()
	var c compose
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c))
	require.Equal(t, []string{"db", "mde-mcp", "mde-slackbot", "migrate", "sim"}, slices.Sorted(maps.Keys(c.Services)))
	return c
}

func TestNoServiceCanDoMoreThanItMust(t *testing.T) {
	t.Parallel()
	c := composeFile(t)
	for name, s := range c.Services {
		require.Regexp(t, `^[1-9][0-9]*:[1-9][0-9]*$`, s.User, "%s must not run as root", name)
		require.False(t, s.Privileged, name)
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Empty(t, s.CapAdd, name)
		require.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		require.NotContains(t, strings.Join(s.Volumes, " "), "docker.sock", name)
		for _, port := range s.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s: %s can be reached from other machines", name, port)
		}
		if s.NetworkMode != "" {
			require.Equal(t, "sim", name, "only the simulation shares this machine's network")
		}
	}
}

func TestEveryImageIsPinned(t *testing.T) {
	t.Parallel()
	for name, s := range composeFile(t).Services {
		image, tag, _ := strings.Cut(s.Image, ":")
		if strings.HasPrefix(image, "ghcr.io/mde-ops/") {
			require.Equal(t, "${IMAGE_TAG:-main}", tag, name)
			require.Equal(t, strings.TrimPrefix(image, "ghcr.io/mde-ops/"), s.Build.Target, name)
			continue
		}
		require.Regexp(t, `^\d+\.\d+`, tag, name)
	}
	require.Regexp(t, `^postgres:17\.`, composeFile(t).Services["db"].Image)
}

// Each process has its own role and its own secrets, and what one must not have is nowhere near it.
func TestWhoHoldsWhat(t *testing.T) {
	t.Parallel()
	c := composeFile(t)
	stores := map[string]string{}
	for name, s := range c.Services {
		for _, secret := range s.Secrets {
			require.Contains(t, c.Secrets, secret, name)
		}
		for key, value := range s.Environment {
			if file, ok := strings.CutPrefix(value, "/run/secrets/"); ok {
				require.Contains(t, s.Secrets, file, "%s: %s", name, key)
			}
		}
		if store := s.Environment["MDE_STORE_FILE"]; store != "" {
			stores[name] = store
		}
	}
	require.Equal(t, map[string]string{
		"migrate": "/run/secrets/store-owner", "mde-mcp": "/run/secrets/store-mcp", "mde-slackbot": "/run/secrets/store-slackbot",
	}, stores)
	require.Equal(t, []string{"store-mcp", "reader.pem"}, c.Services["mde-mcp"].Secrets)
	require.NotContains(t, c.Services["mde-slackbot"].Secrets, "store-owner")
	for name := range c.Services["mde-mcp"].Environment {
		require.NotRegexp(t, `WRITE|SIGNING|SLACK`, name)
	}
	require.Contains(t, c.Services["mde-mcp"].Volumes, "evidence:/var/lib/mde-ops/evidence:ro")
	require.Empty(t, c.Services["sim"].Secrets)
	require.True(t, c.Networks["data"].Internal)
	require.Equal(t, []string{"data"}, c.Services["db"].Networks)
	require.Equal(t, c.Networks["edge"].IPAM.Config[0].Gateway, c.Services["mde-mcp"].Environment["MDE_HTTP_PROXIES"])
	for _, s := range []string{"mde-mcp", "mde-slackbot"} {
		require.Equal(t, "service_completed_successfully", c.Services[s].DependsOn["migrate"].Condition)
		require.Equal(t, []string{"CMD", "/usr/bin/" + s, "health"}, c.Services[s].Healthcheck.Test)
	}
}

func TestEverySettingOfTheFilesExists(t *testing.T) {
	t.Parallel()
	known := documented(t)
	asked := map[string]bool{"IMAGE_TAG": true}
	for name, s := range composeFile(t).Services {
		for key, value := range s.Environment {
			if strings.HasPrefix(key, "MDE_") {
				require.True(t, known(key), "%s: %s is no setting", name, key)
			}
			for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(value, -1) {
				require.Equal(t, key, m[1], "%s: one name for one thing", name)
				asked[m[1]] = true
			}
		}
	}
	example := dotenv(t)
	require.Equal(t, slices.Sorted(maps.Keys(asked)), slices.Sorted(maps.Keys(example)))
	for name := range example {
		require.NotRegexp(t, `SECRET|TOKEN|PASSWORD|SIGNING|STORE`, name, "no secret belongs into .env")
	}
	require.Contains(t, read(t, "../.gitignore"), "/deploy/.env\n")
	require.Contains(t, read(t, "../.gitignore"), "/deploy/secrets/\n")
}

// dotenv is .env.example.
func dotenv(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(read(t, ".env.example")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			all[name] = value
		}
	}
	return all
}

func TestTheDockerfileMakesBothPrograms(t *testing.T) {
	t.Parallel()
	text := read(t, "Dockerfile")
	stages := regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+) AS (\S+)$`).FindAllStringSubmatch(text, -1)
	names := map[string]bool{}
	for _, stage := range stages {
		if !names[stage[1]] {
			_, tag, tagged := strings.Cut(stage[1], ":")
			require.True(t, tagged && tag != "latest", "%s is not pinned", stage[1])
		}
		names[stage[2]] = true
	}
	for _, program := range []string{"mde-mcp", "mde-slackbot"} {
		require.True(t, names[program], program)
		require.FileExists(t, filepath.Join("../cmd", program, "main.go"))
		require.Contains(t, text, " ./cmd/"+program)
		require.Contains(t, text, "COPY --from=build /out/"+program+" /usr/bin/"+program)
		require.Contains(t, text, `ENTRYPOINT ["/usr/bin/`+program+`"]`)
		require.Contains(t, text, `CMD ["/usr/bin/`+program+`", "health"]`)
	}
	require.Contains(t, text, "\nUSER 65532:65532\n")
	require.Contains(t, text, "CGO_ENABLED=0")
	require.NotRegexp(t, `(?m)^USER (root|0)`, text)
	image := regexp.MustCompile(`golang:(\d+\.\d+)\.\d+`).FindStringSubmatch(text)
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	require.Equal(t, language[1], image[1], "the toolchain is the module's")
	require.Contains(t, text, "io.modelcontextprotocol.server.name=\"io.github.mde-ops/mde-ops\"")
	for line := range strings.Lines(read(t, "../.dockerignore")) {
		require.NotContains(t, line, ".git\n", "Go reads the version from git")
	}
}

func TestTheWorkflowsAreReadAndTheirActionsPinned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		var w struct {
			On          any
			Permissions map[string]string
			Jobs        map[string]struct {
				Timeout int `yaml:"timeout-minutes"`
				Steps   []struct{ Uses, Run string }
			}
		}
		require.NoError(t, yaml.Unmarshal([]byte(read(t, file)), &w), file)
		require.Equal(t, map[string]string{"contents": "read"}, w.Permissions, "%s: a job that needs more says so itself", file)
		for name, job := range w.Jobs {
			require.Positive(t, job.Timeout, "%s: %s", file, name)
			for _, step := range job.Steps {
				require.True(t, step.Uses != "" || step.Run != "", file)
				if step.Uses != "" {
					require.Regexp(t, `^[a-z-]+/[a-z-]+@v\d+$`, step.Uses, file)
				}
			}
		}
	}
}
