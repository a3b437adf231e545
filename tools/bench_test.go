package tools

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
