package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// process is a command that runs in the background of a script.
type process struct {
	cmd            *exec.Cmd
	in             io.WriteCloser
	stdout, stderr *transcript
	done           chan struct{} // closed when it has ended
}

// transcript keeps what a process writes and wakes whoever waits for it.
type transcript struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.grown)
	t.grown = make(chan struct{})
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// wait returns the first match, or false when ctx ends before there is one.
func (t *transcript) wait(ctx context.Context, re *regexp.Regexp) ([]string, bool) {
	for {
		t.mu.Lock()
		found, grown := re.FindStringSubmatch(t.text.String()), t.grown
		t.mu.Unlock()
		if found != nil {
			return found, true
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (s *surroundings) process(ts *testscript.TestScript, name string) *process {
	p, ok := s.running[name]
	if !ok {
		ts.Fatalf("nothing was started as %q", name)
	}
	return p
}

// logs are what the background processes wrote, for a failure's report.
func (s *surroundings) logs() string {
	var b strings.Builder
	for name, p := range s.running {
		fmt.Fprintf(&b, "[%s stdout]\n%s[%s stderr]\n%s", name, p.stdout, name, p.stderr)
	}
	return b.String()
}

func starts(s *surroundings, ts *testscript.TestScript, args []string) {
	path, err := lookUp(ts, args[1])
	ts.Check(err)
	p := &process{cmd: exec.CommandContext(context.Background(), path, args[2:]...), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	p.cmd.Args[0], p.cmd.Stdout, p.cmd.Stderr = args[1], p.stdout, p.stderr
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environ(ts)
	p.in, err = p.cmd.StdinPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	s.running[args[0]] = p
	ts.Defer(func() {
		if s.running[args[0]] == p { // the script failed before it had ended
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
}

func lookUp(ts *testscript.TestScript, name string) (string, error) {
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(filepath.ListSeparator)) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no command " + name)
}

// environ are the script's variables that a command of ours reads.
func environ(ts *testscript.TestScript) []string {
	names := []string{
		"HOME", "PATH", "TMPDIR", "GORACE", "MDE_TENANT_ID", "MDE_BASE_URL", "MDE_AUTHORITY", "MDE_CA_FILE", "MDE_NEXUS_URL", "MDE_NEXUS_SUBSCRIPTIONS", "MDE_EVIDENCE", "MDE_CLIENT_ID", "MDE_CLIENT_SECRET",
		"MDE_USER", "MDE_STORE", "MDE_APPROVER_GROUP", "MDE_POLL_INTERVAL", "MDE_WRITE_CLIENT_ID", "MDE_WRITE_CLIENT_SECRET",
		"MDE_SLACK_API_URL", "MDE_SLACK_BOT_TOKEN", "MDE_SLACK_APP_TOKEN", "MDE_SLACK_RESPONDER_GROUP", "MDE_SLACK_CHANNELS",
		"MDE_SLACK_APPROVAL_CHANNEL", "MDE_SLACK_MODE", "MDE_SLACK_HTTP_ADDR", "MDE_SLACK_SIGNING_SECRET", "MDE_VOTE_SIGNING_KEY", "MDE_AUDIT_SIGNING_KEY", "MDE_AUDIT_CHECKPOINTS", "MDE_AUDIT_EXPORT", "MDE_HTTP", "MDE_HTTP_AUDIENCE", "MDE_HTTP_ROLES",
		"MDE_POLICY_FILE", "MDE_GRAPH_URL", "MDE_ENTRA_APP_ID", "MDE_LOG_FORMAT", "MDE_LOG_LEVEL", "MDE_METRICS_ADDR", "MDE_METRICS_TOKEN",
		"OTEL_EXPORTER_OTLP_ENDPOINT",
	}
	var all []string
	for _, n := range names {
		all = append(all, n+"="+ts.Getenv(n))
	}
	return all
}

func says(s *surroundings, ts *testscript.TestScript, args []string) {
	_, err := io.WriteString(s.process(ts, args[0]).in, args[1]+"\n")
	ts.Check(err)
}

func hears(s *surroundings, ts *testscript.TestScript, args []string) {
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	p := s.process(ts, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if _, ok := p.stdout.wait(ctx, re); !ok {
		ts.Fatalf("%s did not say %q\n%s", args[0], args[1], s.logs())
	}
}

func hangsUp(s *surroundings, ts *testscript.TestScript, args []string) {
	ts.Check(s.process(ts, args[0]).in.Close())
}

func interrupts(s *surroundings, ts *testscript.TestScript, args []string) {
	ts.Check(s.process(ts, args[0]).cmd.Process.Signal(os.Interrupt))
}

// endsWithin is how long an orderly end may take, on a busy machine.
const endsWithin = 10 * time.Second

// ended waits for the end of a process: NAME CODE [TEXT-IN-STDERR].
func ended(s *surroundings, ts *testscript.TestScript, args []string) {
	p := s.process(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(endsWithin):
		ts.Fatalf("%s did not end within %s\n%s", args[0], endsWithin, s.logs())
	}
	delete(s.running, args[0])
	if code, want := p.cmd.ProcessState.ExitCode(), number(ts, args[1]); code != want {
		ts.Fatalf("%s ended with %d, not %d\n%s\n%s", args[0], code, want, p.stdout, p.stderr)
	}
	if len(args) > 2 && !strings.Contains(p.stderr.String(), args[2]) {
		ts.Fatalf("%s did not log %q:\n%s", args[0], args[2], p.stderr)
	}
	ts.Logf("%s said:\n%s\nand logged:\n%s", args[0], p.stdout, p.stderr)
}

// capture sets a variable to what the first group of a pattern matches in the last output.
func capture(_ *surroundings, ts *testscript.TestScript, args []string) {
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("the last output has no %q", args[1])
	}
	ts.Setenv(args[0], found[1])
}
