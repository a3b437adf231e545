package download

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

const (
	// roleVariable makes the test binary a server, or one measured download, instead of running tests. Each measured
	// download is a process of its own, because the peak of its memory can be read but not be put back.
	roleVariable = "DOWNLOAD_BENCH_ROLE"
	linkVariable = "DOWNLOAD_BENCH_LINK"
	fileVariable = "DOWNLOAD_BENCH_FILE"
	benchSize    = 200_000_000
)

func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "serve", "serve-tls":
		serveNoise(role == "serve-tls")
	default:
		err = measure(role)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// serveNoise serves 200 MB until the standard input ends.
func serveNoise(secure bool) {
	chunk := []byte(noise(1 << 20))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(benchSize))
		w.Header().Set("ETag", `"v1"`)
		rate, _ := strconv.ParseFloat(r.URL.Query().Get("rate"), 64)
		start := time.Now()
		for left := benchSize; left > 0; left -= len(chunk) {
			_, _ = w.Write(chunk[:min(left, len(chunk))])
			if rate > 0 {
				time.Sleep(time.Until(start.Add(time.Duration(float64(benchSize-left) / rate * 1e9))))
			}
		}
	}))
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// measure downloads once and prints the nanoseconds it took, and the peak of
// resident memory above that of the idle process.
func measure(role string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the benchmark's own server
	get := map[string]func(io.Writer, string, http.RoundTripper) error{"download": byFetch, "iocopy": byCopy}[role]
	if get == nil {
		return errors.New("unknown role")
	}
	idle, err := peak()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := toFile(os.Getenv(fileVariable), func(w io.Writer) error { return get(w, os.Getenv(linkVariable), transport) }); err != nil {
		return err
	}
	took := time.Since(start)
	high, err := peak()
	if err != nil {
		return err
	}
	fmt.Println(took.Nanoseconds(), high-idle)
	return nil
}

// toFile gives do a file, or nothing to keep the bytes in when no name is given.
func toFile(name string, do func(io.Writer) error) error {
	if name == "" {
		return do(io.Discard)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(do(f), f.Close())
}

func byFetch(w io.Writer, link string, transport http.RoundTripper) error {
	c, err := New(Options{RoundTripper: transport, CheckLink: func(*url.URL) error { return nil }, Transport: azpipe.TransportOptions{}})
	if err != nil {
		return err
	}
	result, err := c.Fetch(context.Background(), w, Request{Source: func(context.Context) (string, error) { return link, nil }})
	if err == nil && result.Bytes != benchSize {
		return fmt.Errorf("%d bytes came", result.Bytes)
	}
	return err
}

func byCopy(w io.Writer, link string, transport http.RoundTripper) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(w, resp.Body)
	return err
}

// peak returns the process's highest resident memory so far, in bytes.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0, errors.New("the system does not say how much memory was used")
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10, err
}

// BenchmarkDownload200MB compares a download with io.Copy from net/http: same server in another process, same file. It
// reports the best of alternating runs and the highest peak of resident memory above the idle process.
func BenchmarkDownload200MB(b *testing.B) {
	if _, err := peak(); err != nil {
		b.Skip(err)
	}
	for _, c := range []struct{ name, server, file, query string }{
		// A line of 2.5 Gbit/s, faster than any that leads to the real service. The others go as fast as the machine: there
		// the server, the copying and the hashing share its cores.
		{"tls-to-file-at-2.5-Gbit", "serve-tls", b.TempDir() + "/out", "/?rate=312500000"},
		{"tls-to-file", "serve-tls", b.TempDir() + "/out", ""},
		{"http-to-file", "serve", b.TempDir() + "/out", ""},
		{"tls-to-nowhere", "serve-tls", "", ""},
		{"http-to-nowhere", "serve", "", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			link := startRole(b, c.server) + c.query
			best, memory := map[string]int64{}, map[string]int64{}
			for b.Loop() {
				for _, role := range []string{"iocopy", "download", "iocopy", "download", "iocopy", "download"} {
					took, rss := runRole(b, role, link, c.file)
					if best[role] == 0 || took < best[role] {
						best[role] = took
					}
					memory[role] = max(memory[role], rss)
				}
			}
			for role, took := range best {
				b.ReportMetric(benchSize/1e6/(float64(took)/1e9), role+"-MB/s")
				b.ReportMetric(float64(memory[role])/1e6, role+"-RSS-MB")
			}
			b.ReportMetric(float64(best["iocopy"])/float64(best["download"]), "x-iocopy")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// command is this binary in another role.
func command(b *testing.B, role, link, file string) *exec.Cmd {
	b.Helper()
	binary, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.CommandContext(b.Context(), binary)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, linkVariable+"="+link, fileVariable+"="+file)
	return cmd
}

// startRole starts a server and returns its address.
func startRole(b *testing.B, role string) string {
	b.Helper()
	cmd := command(b, role, "", "")
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

// runRole measures one download: nanoseconds and bytes of memory.
func runRole(b *testing.B, role, link, file string) (took, rss int64) {
	b.Helper()
	if file != "" {
		// Emptying the file of the run before takes as long as a good part of a download, and would count for this one.
		require.NoError(b, os.RemoveAll(file))
	}
	out, err := command(b, role, link, file).CombinedOutput()
	require.NoError(b, err, string(out))
	_, err = fmt.Sscan(string(out), &took, &rss)
	require.NoError(b, err, string(out))
	return took, rss
}
