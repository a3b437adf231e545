package mdecore_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// fleetSize is the largest fleet that the numbers are measured with: three pages.
const fleetSize = 20037

// fleetVariable makes TestFleetProcess what it says instead of skipping: "serve", or how to list the fleet of a server.
const fleetVariable = "MDECORE_FLEET"

// TestFleetProcess is no test: it is what the benchmark's other processes run.
func TestFleetProcess(t *testing.T) {
	role, address, _ := strings.Cut(os.Getenv(fleetVariable), " ")
	switch role {
	case "":
		t.Skip("only the benchmark runs this, in a process of its own")
	case "serve":
		server := httptest.NewServer(fleetHandler(fleetSize))
		defer server.Close()
		fmt.Println(server.URL)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
	default:
		list := fleetLists(t, address)[role]
		idle := peakRSS(t)
		for range 3 {
			require.NoError(t, list())
		}
		fmt.Println(peakRSS(t) - idle)
	}
}

// fleetHandler serves n machines in pages of 10,000, made once.
func fleetHandler(n int) http.HandlerFunc {
	const size = 10000
	var pages [][]byte
	for start := 0; start < n; start += size {
		var b bytes.Buffer
		b.WriteString(`{"@odata.context":"https://api.security.microsoft.com/api/$metadata#Machines","value":[`)
		for i := start; i < min(start+size, n); i++ {
			if i > start {
				b.WriteByte(',')
			}
			fleetMachine(&b, i)
		}
		b.WriteString("]")
		if start+size < n {
			fmt.Fprintf(&b, `,"@odata.nextLink":"/api/machines?$skip=%d"`, start+size)
		}
		b.WriteString("}")
		pages = append(pages, b.Bytes())
	}
	return func(w http.ResponseWriter, r *http.Request) {
		skip, _ := strconv.Atoi(r.URL.Query().Get("$skip"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(pages[min(skip/size, len(pages)-1)])
	}
}

// fleetMachine writes a machine with all its properties.
func fleetMachine(b *bytes.Buffer, i int) {
	fmt.Fprintf(b, `{"id":"%040x","computerDnsName":"wks%05d.contoso.com","firstSeen":"2026-05-02T14:55:03.7791856Z","lastSeen":"2026-11-22T08:%02d:03.7791856Z",`, i, i, i%60)
	fmt.Fprintf(b, `"osPlatform":"Windows11","osProcessor":"x64","osArchitecture":"64-bit","osBuild":22631,"version":"23H2","lastIpAddress":"10.%d.%d.%d",`, i/62500, i/250%250, i%250)
	b.WriteString(`"lastExternalIpAddress":"203.0.113.7","healthStatus":"Active","onboardingStatus":"onboarded","deviceValue":"Normal","rbacGroupId":140,"rbacGroupName":"The-A-Team",`)
	fmt.Fprintf(b, `"riskScore":"Low","exposureLevel":"Medium","isAadJoined":true,"aadDeviceId":"80fe8ff8-2624-418e-9591-%012x","machineTags":["workstation","wave-%d"],`, i, i%9)
	fmt.Fprintf(b, `"ipAddresses":[{"ipAddress":"10.%d.%d.%d","macAddress":"8CEC%08X","operationalStatus":"Up"}]}`, i/62500, i/250%250, i%250, i)
}

// fleetLists are the ways to list the fleet of a server: ours, ours with one page only, and the bare loop.
func fleetLists(t testing.TB, server string) map[string]func() error {
	t.Helper()
	client, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: mdecore.Custom(server, "", ""), Limit: &mdecore.Limit{}})
	require.NoError(t, err)
	ours := func(top, want int) func() error {
		return func() error {
			seen := 0
			for m, err := range client.ListMachines(t.Context(), mdecore.Query{Page: mdecore.Page{Top: top}}) {
				if err != nil {
					return err
				}
				seen += len(m.ID) / 40
			}
			return counted(seen, want)
		}
	}
	return map[string]func() error{"mdecore": ours(0, fleetSize), "page": ours(10000, 10000), "bare": bareList(server)}
}

// bareList reads each page with net/http and decodes it at once.
func bareList(server string) func() error {
	return func() error {
		seen := 0
		for next := "/api/machines"; next != ""; {
			resp, err := http.Get(server + next) //nolint:noctx // the plainest loop that there is
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				return err
			}
			var page struct {
				Value []mdecore.Machine
				Next  string `json:"@odata.nextLink"`
			}
			if err := json.Unmarshal(body, &page); err != nil {
				return err
			}
			for i := range page.Value {
				seen += len(page.Value[i].ID) / 40
			}
			next = page.Next
		}
		return counted(seen, fleetSize)
	}
}

func counted(seen, want int) error {
	if seen != want {
		return fmt.Errorf("%d machines were listed, not %d", seen, want)
	}
	return nil
}

// fleetProcess starts this binary as another process in a role and returns the first line that it writes.
func fleetProcess(b *testing.B, role string) string {
	b.Helper()
	binary, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.CommandContext(b.Context(), binary, "-test.run=^TestFleetProcess$")
	cmd.Env = append(os.Environ(), fleetVariable+"="+role)
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	return strings.TrimSpace(line)
}

// peakRSS is the largest resident size of this process so far, in bytes.
func peakRSS(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the resident size is read from /proc, which this system does not have")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return kilobytes << 10
		}
	}
	t.Fatal("/proc/self/status has no VmHWM")
	return 0
}

// BenchmarkListMachines20037 lists 20,037 machines in three pages out of a server in another process, and compares with a
// bare loop over the same bytes into the same type. x-bare is the median ratio of times, taken in turns; the peaks of
// memory above idle are those of processes that do nothing else, and x-page compares three pages with one.
func BenchmarkListMachines20037(b *testing.B) {
	server := fleetProcess(b, "serve")
	lists := fleetLists(b, server)
	timed := func(name string) float64 {
		start := time.Now()
		if err := lists[name](); err != nil {
			b.Fatal(err)
		}
		return time.Since(start).Seconds()
	}
	timed("mdecore")
	timed("bare")
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, timed("mdecore")/timed("bare"))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-bare")
	peak := map[string]float64{}
	for name := range lists {
		bytes, err := strconv.Atoi(fleetProcess(b, name+" "+server))
		require.NoError(b, err)
		peak[name] = float64(bytes) / (1 << 20)
		b.ReportMetric(peak[name], name+"-MB")
	}
	b.ReportMetric(peak["mdecore"]/peak["page"], "x-page")
}
