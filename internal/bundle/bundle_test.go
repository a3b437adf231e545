package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/tools"
)

// pretend builds a program that only says what it would be.
func pretend(_ context.Context, p platform, program, to string) error {
	return os.WriteFile(to, []byte(program+" for "+p.os+"/"+p.arch), 0o755)
}

func testJob(t *testing.T) job {
	t.Helper()
	return job{root: "../..", out: t.TempDir(), version: "1.2.3-rc.1", platforms: released(), release: true, build: pretend}
}

// unzipped are the files of a zip, and their modes.
func unzipped(t *testing.T, path string) (map[string]string, map[string]os.FileMode) {
	t.Helper()
	archive, err := zip.OpenReader(path)
	require.NoError(t, err)
	defer func() { _ = archive.Close() }()
	texts, modes := map[string]string{}, map[string]os.FileMode{}
	for _, f := range archive.File {
		r, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		texts[f.Name], modes[f.Name] = string(data), f.Mode().Perm()
	}
	return texts, modes
}

// manifestOf is what of a manifest the tests look at.
type manifestOf struct {
	Manifest string `json:"manifest_version"`
	Version  string
	Author   struct{ Name string }
	Server   struct {
		Type       string
		EntryPoint string `json:"entry_point"`
		Config     struct {
			Command   string
			Args      []string
			Env       map[string]string
			Overrides map[string]struct{ Command string } `json:"platform_overrides"`
		} `json:"mcp_config"`
	}
	Tools         []struct{ Name, Description string }
	Compatibility struct{ Platforms []string }
	UserConfig    map[string]struct {
		Type, Title, Description string
		Default                  any
		Required, Sensitive      bool
	} `json:"user_config"`
}

func TestABundleHoldsTheProgramAndTheToolsOfTheDefaultSurface(t *testing.T) {
	t.Parallel()
	j := testJob(t)
	made, err := j.make(t.Context())
	require.NoError(t, err)
	all, err := tools.Catalogue()
	require.NoError(t, err)
	offered, err := tools.Select(all, tools.Selection{})
	require.NoError(t, err)
	for _, p := range j.platforms {
		require.Contains(t, made, p.bundle())
		texts, modes := unzipped(t, filepath.Join(j.out, p.bundle()))
		require.Len(t, texts, 2)
		var m manifestOf
		require.NoError(t, json.Unmarshal([]byte(texts["manifest.json"]), &m))
		require.Equal(t, "0.3", m.Manifest)
		require.Equal(t, "1.2.3-rc.1", m.Version)
		require.NotEmpty(t, m.Author.Name)
		require.Equal(t, "binary", m.Server.Type)
		require.Equal(t, "mde-mcp for "+p.os+"/"+p.arch, texts[m.Server.EntryPoint])
		require.Equal(t, os.FileMode(0o755), modes[m.Server.EntryPoint], "a client starts it")
		command, system := m.Server.Config.Command, nodeName(p.os)
		if other, ok := m.Server.Config.Overrides[system]; ok {
			command = other.Command
		}
		require.Equal(t, "${__dirname}/"+m.Server.EntryPoint, command)
		require.Equal(t, []string{system}, m.Compatibility.Platforms)
		require.Len(t, m.Tools, len(offered))
		for i, tool := range offered {
			require.Equal(t, tool.Name, m.Tools[i].Name)
			require.Equal(t, tool.Summary, m.Tools[i].Description)
		}
	}
}

// A client leaves ${user_config.…} as it is where nothing was filled in, so that every question must have a default; and
// what a person is asked for must arrive somewhere.
func TestEveryQuestionOfABundleIsUsedAndHasADefault(t *testing.T) {
	t.Parallel()
	var m manifestOf
	data, err := os.ReadFile(filepath.Join("../..", manifestFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &m))
	settings, secrets := documented(t)
	asked := regexp.MustCompile(`\$\{user_config\.([a-z_]+)\}`)
	used := map[string]bool{}
	for name, value := range m.Server.Config.Env {
		require.Contains(t, settings, name)
		match := asked.FindStringSubmatch(value)
		require.NotNil(t, match, name)
		require.Equal(t, secrets[name], m.UserConfig[match[1]].Sensitive, name)
		used[match[1]] = true
	}
	for _, match := range asked.FindAllStringSubmatch(strings.Join(m.Server.Config.Args, " "), -1) {
		used[match[1]] = true
	}
	require.Len(t, used, len(m.UserConfig))
	for key, question := range m.UserConfig {
		require.True(t, used[key], key)
		require.NotNil(t, question.Default, key)
		require.NotEmpty(t, question.Title+question.Description, key)
	}
}

// documented are the settings that docs/configuration.md lists, and those of them that are secrets.
func documented(t *testing.T) (settings, secrets map[string]bool) {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	settings, secrets = map[string]bool{}, map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(MDE_[A-Z_]+)`( or `MDE_[A-Z_]+_FILE`)?").FindAllStringSubmatch(string(text), -1) {
		settings[row[1]], secrets[row[1]] = true, row[2] != ""
	}
	require.Greater(t, len(settings), 50)
	return settings, secrets
}

func TestTheRegistrysEntryNamesWhatWasMade(t *testing.T) {
	t.Parallel()
	j := testJob(t)
	made, err := j.make(t.Context())
	require.NoError(t, err)
	var entry struct {
		Schema                     string `json:"$schema"`
		Name, Version, Description string
		Packages                   []struct {
			RegistryType, Identifier, FileSha256 string
			Transport                            struct{ Type, URL string }
			EnvironmentVariables                 []struct {
				Name, Description    string
				IsRequired, IsSecret bool
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(j.out, "server.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &entry))
	require.Regexp(t, `/schemas/\d{4}-\d\d-\d\d/server\.schema\.json$`, entry.Schema)
	require.Equal(t, "io.github.mde-ops/mde-ops", entry.Name)
	require.Equal(t, "1.2.3-rc.1", entry.Version)
	require.LessOrEqual(t, len(entry.Description), 100, "the registry takes no more")
	settings, secrets := documented(t)
	transports, bundles := map[string]bool{}, 0
	for _, p := range entry.Packages {
		transports[p.Transport.Type] = true
		switch p.RegistryType {
		case "oci":
			require.Equal(t, "ghcr.io/mde-ops/mde-mcp:1.2.3-rc.1", p.Identifier)
		case "mcpb":
			bundles++
			name := strings.TrimPrefix(p.Identifier, "https://github.com/mde-ops/mde-ops/releases/download/v1.2.3-rc.1/")
			require.Contains(t, made, name)
			sum, err := checksum(filepath.Join(j.out, name))
			require.NoError(t, err)
			require.Equal(t, sum, p.FileSha256)
		}
		for _, v := range p.EnvironmentVariables {
			require.Contains(t, settings, v.Name)
			require.Equal(t, secrets[v.Name], v.IsSecret, v.Name)
			require.NotEmpty(t, v.Description)
		}
	}
	require.Equal(t, map[string]bool{"stdio": true, "streamable-http": true}, transports)
	require.Equal(t, len(j.platforms), bundles)
}

func TestAReleaseHoldsBothProgramsAndItsChecksums(t *testing.T) {
	t.Parallel()
	j := testJob(t)
	made, err := j.make(t.Context())
	require.NoError(t, err)
	require.Len(t, made, 2*len(j.platforms)+2)
	texts, modes := unzipped(t, filepath.Join(j.out, "mde-ops_1.2.3-rc.1_windows_arm64.zip"))
	require.Equal(t, "mde-slackbot for windows/arm64", texts["mde-slackbot.exe"])
	require.Equal(t, os.FileMode(0o755), modes["mde-mcp.exe"])
	require.Contains(t, texts["LICENSE"], "MIT")

	packed, err := os.Open(filepath.Join(j.out, "mde-ops_1.2.3-rc.1_linux_amd64.tar.gz"))
	require.NoError(t, err)
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	require.NoError(t, err)
	found := map[string]int64{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		found[header.Name] = header.Mode
	}
	require.Equal(t, map[string]int64{"mde-mcp": 0o755, "mde-slackbot": 0o755, "LICENSE": 0o644, "README.md": 0o644}, found)

	sums, err := os.ReadFile(filepath.Join(j.out, "SHA256SUMS"))
	require.NoError(t, err)
	require.Equal(t, len(made)-1, strings.Count(string(sums), "\n"))
	for _, name := range made[:len(made)-1] {
		require.Contains(t, string(sums), "  "+name+"\n")
	}
}

// Whoever wants to see whether a release is what its source says makes it again.
func TestTheSameInputMakesTheSameBytes(t *testing.T) {
	t.Parallel()
	one, two := testJob(t), testJob(t)
	made, err := one.make(t.Context())
	require.NoError(t, err)
	_, err = two.make(t.Context())
	require.NoError(t, err)
	for _, name := range made {
		a, err := os.ReadFile(filepath.Join(one.out, name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(two.out, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, b), name)
	}
}

func TestWhatIsNotAVersionIsRefused(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "v1.2.3", "1.2", "main", "1.2.3/../../x"} {
		j := testJob(t)
		j.version = version
		_, err := j.make(t.Context())
		require.ErrorContains(t, err, "semantic version")
	}
	require.ErrorContains(t, run(t.Context(), []string{"linux"}, io.Discard), `"linux" is not known`)
	require.Error(t, run(t.Context(), []string{"--platform"}, io.Discard))
}

// Without --release one bundle is made, for the machine that makes it.
func TestABundleForThisMachine(t *testing.T) {
	t.Parallel()
	j := testJob(t)
	j.release, j.platforms = false, []platform{{runtime.GOOS, runtime.GOARCH}}
	made, err := j.make(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"mde-mcp-" + runtime.GOOS + "-" + runtime.GOARCH + ".mcpb"}, made)
}
