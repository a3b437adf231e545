// Command bundle packs mde-mcp for those who install it: as MCP bundles (.mcpb) and, for a release, as archives of both
// programs with their checksums and the entry of the MCP registry. `make bundle` and the release workflow run it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// The files that say what a bundle and the registry's entry hold besides the tools.
const (
	manifestFile = "deploy/mcpb/manifest.json"
	registryFile = "deploy/server.json"
)

// platform is an operating system and an architecture, as Go names them.
type platform struct{ os, arch string }

func (p platform) exe(program string) string {
	if p.os == "windows" {
		return program + ".exe"
	}
	return program
}

func (p platform) bundle() string { return fmt.Sprintf("mde-mcp-%s-%s.mcpb", p.os, p.arch) }

// released are the platforms of a release.
func released() []platform {
	var all []platform
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			all = append(all, platform{system, arch})
		}
	}
	return all
}

// job is what was asked for.
type job struct {
	root, out, version string
	platforms          []platform
	release            bool
	// build makes a program for a platform; the Go toolchain's work outside of tests.
	build func(ctx context.Context, p platform, program, to string) error
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	j := job{root: "."}
	flags := flag.NewFlagSet("bundle", flag.ContinueOnError)
	flags.StringVar(&j.out, "out", "dist", "folder for what is made")
	flags.StringVar(&j.version, "version", "0.0.0", "semantic version, without a v")
	flags.BoolVar(&j.release, "release", false, "all platforms, with archives, checksums and server.json")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not known: bundle takes only flags", flags.Arg(0))
	}
	j.platforms, j.build = []platform{{runtime.GOOS, runtime.GOARCH}}, goBuild
	if j.release {
		j.platforms, j.build = released(), goBuildStamped
	}
	made, err := j.make(ctx)
	for _, name := range made {
		fmt.Fprintln(out, filepath.Join(j.out, name))
	}
	return err
}

// versionText is a semantic version as manifests want it.
const versionText = `^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`

// make makes everything and returns the names of the files.
func (j job) make(ctx context.Context) (made []string, err error) {
	if !regexp.MustCompile(versionText).MatchString(j.version) {
		return nil, fmt.Errorf("--version %q is not a semantic version without a v, such as 1.2.3", j.version)
	}
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "mde-ops-bundle-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	for _, p := range j.platforms {
		files, err := j.pack(ctx, p, work)
		if made = append(made, files...); err != nil {
			return made, fmt.Errorf("%s/%s: %w", p.os, p.arch, err)
		}
	}
	if !j.release {
		return made, nil
	}
	if err := j.registry(); err != nil {
		return made, err
	}
	made = append(made, "server.json")
	if err := j.sums(made); err != nil {
		return made, err
	}
	return append(made, "SHA256SUMS"), nil
}

// pack makes the files of one platform.
func (j job) pack(ctx context.Context, p platform, work string) ([]string, error) {
	programs := []string{"mde-mcp"}
	if j.release {
		programs = append(programs, "mde-slackbot")
	}
	dir := filepath.Join(work, p.os+"-"+p.arch)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	for i, program := range programs {
		programs[i] = filepath.Join(dir, p.exe(program))
		if err := j.build(ctx, p, program, programs[i]); err != nil {
			return nil, err
		}
	}
	manifest, err := j.manifest(p)
	if err != nil {
		return nil, err
	}
	files := []string{p.bundle()}
	if err := writeBundle(filepath.Join(j.out, p.bundle()), manifest, p.exe("server/mde-mcp"), programs[0]); err != nil || !j.release {
		return files, err
	}
	name, err := j.archive(p, append(programs, filepath.Join(j.root, "LICENSE"), filepath.Join(j.root, "README.md")))
	return append(files, name), err
}

// goBuild makes a static program.
func goBuild(ctx context.Context, p platform, program, to string) error {
	return compile(ctx, p, "-o", to, "./cmd/"+program)
}

// goBuildStamped makes a static program that says of which version it is, which Go reads from git; without git it fails.
func goBuildStamped(ctx context.Context, p platform, program, to string) error {
	return compile(ctx, p, "-buildvcs=true", "-o", to, "./cmd/"+program)
}

func compile(ctx context.Context, p platform, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-ldflags", "-s -w"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s can't be built: %w\n%s", args[len(args)-1], err, strings.TrimSpace(string(text)))
	}
	return nil
}
