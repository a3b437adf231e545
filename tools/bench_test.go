package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// BenchmarkAllowedRead compares an allowed read through dispatcher and gate with the same read by the client alone, in
// turns, and reports the median of each and their difference.
func BenchmarkAllowedRead(b *testing.B) {
	h := toolstest.Open(b, toolstest.Options{})
	d, err := NewDispatcher(Options{Reader: h.Reader, Gate: h.Gate, Tenant: mdesim.DefaultTenantID})
	require.NoError(b, err)
	alert := h.Tenant.RaiseAlert(mdesim.Alert{Title: "t", Severity: "High", MachineID: h.Tenant.Device("host01").ID})
	call := Call{Tool: "get_alert", Args: json.RawMessage(`{"alert_id":"` + alert.ID + `"}`), Requester: toolstest.Alice()}
	direct, through := make([]time.Duration, 0, b.N), make([]time.Duration, 0, b.N)
	for b.Loop() {
		start := time.Now()
		_, err := h.Reader.GetAlert(b.Context(), alert.ID)
		require.NoError(b, err)
		middle := time.Now()
		_, err = d.Call(b.Context(), call)
		require.NoError(b, err)
		direct, through = append(direct, middle.Sub(start)), append(through, time.Since(middle))
	}
	us := func(ds []time.Duration) float64 {
		slices.Sort(ds)
		return float64(ds[len(ds)/2].Nanoseconds()) / 1e3
	}
	b.ReportMetric(us(direct), "direct-µs")
	b.ReportMetric(us(through), "dispatched-µs")
	b.ReportMetric(us(through)-us(direct), "overhead-µs")
	b.ReportMetric(us(through)/us(direct), "ratio")
}

// recorded passes requests on and remembers them, with their tokens.
type recorded struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  []*http.Request
}

func (r *recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		r.mu.Lock()
		r.all = append(r.all, req.Clone(context.Background()))
		r.mu.Unlock()
	}
	return r.next.RoundTrip(req)
}

// BenchmarkPlan1000Devices plans an isolation of a thousand devices, named by their ids, and repeats the same HTTP requests
// bare: the difference is ours. The simulated tenant and the reading of its answers are in both.
func BenchmarkPlan1000Devices(b *testing.B) {
	const fleet = 1000
	h := toolstest.Open(b, toolstest.Options{})
	template, ids := h.Tenant.Device("host01"), make([]string, fleet)
	for i := range ids {
		m := template
		m.ID, m.AADDeviceID, m.ComputerDNSName = "", "", fmt.Sprintf("fleet-%04d.contoso.com", i)
		ids[i] = h.Tenant.AddDevice(m).ID
	}
	record := &recorded{next: h.Server.Client().Transport}
	reader, err := mdecore.New(h.Server.AppCredential(mdesim.DefaultReaderID, mdesim.DefaultReaderSecret), mdecore.Options{
		Cloud: mdecore.Custom(h.Server.URL, h.Server.URL, ""), HTTPClient: &http.Client{Transport: record}, TenantID: mdesim.DefaultTenantID,
		AppID: mdesim.DefaultReaderID, Limit: &mdecore.Limit{PerMinute: 1_000_000, PerHour: 10_000_000}, MaxRetries: -1,
	})
	require.NoError(b, err)
	d, err := NewDispatcher(Options{Reader: reader, Gate: h.Gate, Tenant: mdesim.DefaultTenantID, MaxDevices: fleet})
	require.NoError(b, err)
	args, err := json.Marshal(map[string]any{"devices": ids, "reason": "x"})
	require.NoError(b, err)
	call := Call{Tool: "isolate_devices", Args: args, Requester: toolstest.Alice()}
	var planned, bare []time.Duration
	for b.Loop() {
		record.all = nil
		start := time.Now()
		plan, err := d.Plan(b.Context(), call)
		planned = append(planned, time.Since(start))
		require.NoError(b, err)
		require.Len(b, plan.Steps, fleet)
		require.NoError(b, plan.Check())
		start = time.Now()
		repeat(b, h.Server.Client(), record.all)
		bare = append(bare, time.Since(start))
	}
	ms := func(ds []time.Duration) float64 {
		slices.Sort(ds)
		return float64(ds[len(ds)/2].Microseconds()) / 1e3
	}
	b.ReportMetric(ms(planned), "plan-ms")
	b.ReportMetric(ms(bare), "bare-ms")
	b.ReportMetric(float64(len(record.all)), "requests")
	b.ReportMetric(0, "ns/op")
}

// repeat sends requests again, as many at a time as planning does, and reads their answers to the end.
func repeat(b *testing.B, client *http.Client, requests []*http.Request) {
	b.Helper()
	var g errgroup.Group
	g.SetLimit(lookups)
	for _, req := range requests {
		g.Go(func() error {
			res, err := client.Do(req.Clone(b.Context()))
			if err != nil {
				return err
			}
			defer func() { _ = res.Body.Close() }()
			if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNotFound {
				return fmt.Errorf("%s answered %s", req.URL.Path, res.Status)
			}
			_, err = io.Copy(io.Discard, res.Body)
			return err
		})
	}
	require.NoError(b, g.Wait())
}
