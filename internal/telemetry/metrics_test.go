package telemetry_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/telemetry"
)

// parsed are the metrics as Prometheus' own parser reads them.
func parsed(t *testing.T, m *telemetry.Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	var b strings.Builder
	require.NoError(t, m.Write(t.Context(), &b))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(b.String()))
	require.NoError(t, err, b.String())
	return families
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func TestPrometheusReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics()
	odd := "a \"quoted\" \\ path\nand a line"
	c := m.Counter("things_total", `What was done; a \ and`+"\n"+`a line.`, "what")
	c.Add(2, odd)
	c.Add(0.5, odd)
	c.Add(0, "never")
	h := m.Histogram("took_seconds", "How long.", []float64{0.1, 1}, "what")
	for _, v := range []float64{0.05, 0.1, 0.5, 7} {
		h.Observe(v, "x")
	}
	m.Counter("unused_total", "Nothing yet.")
	m.Source("outside", nil, func(context.Context) ([]telemetry.Reading, error) {
		return []telemetry.Reading{telemetry.Gauge("depth", "How deep.", -1.5)}, nil
	})
	got := parsed(t, m)
	require.Len(t, got["things_total"].GetMetric(), 1)
	require.InDelta(t, 2.5, got["things_total"].GetMetric()[0].GetCounter().GetValue(), 0)
	require.Equal(t, odd, label(got["things_total"].GetMetric()[0], "what"))
	require.Equal(t, dto.MetricType_COUNTER, got["things_total"].GetType())
	hist := got["took_seconds"].GetMetric()[0].GetHistogram()
	require.Equal(t, uint64(4), hist.GetSampleCount())
	require.InDelta(t, 7.65, hist.GetSampleSum(), 1e-9)
	var bounds []float64
	var counts []uint64
	for _, b := range hist.GetBucket() {
		bounds, counts = append(bounds, b.GetUpperBound()), append(counts, b.GetCumulativeCount())
	}
	require.Equal(t, []float64{0.1, 1, math.Inf(1)}, bounds)
	require.Equal(t, []uint64{2, 3, 4}, counts, "a bound is in its bucket, and buckets add up")
	require.InDelta(t, -1.5, got["depth"].GetMetric()[0].GetGauge().GetValue(), 0)
	require.NotContains(t, got, "unused_total")
	require.InDelta(t, 0, got["mde_scrape_error"].GetMetric()[0].GetGauge().GetValue(), 0)
}

func TestNothingIsMeasuredByNothing(t *testing.T) {
	t.Parallel()
	var m *telemetry.Metrics
	m.Counter("a_total", "").Add(1)
	m.Histogram("b_seconds", "", nil).Observe(1)
	m.Source("c", nil, nil)
	var off *telemetry.Telemetry
	_, end := off.ToolCall(t.Context(), telemetry.Call{})
	end("ok")
	_, over := off.APICall(t.Context(), "GET /", "host")
	over(telemetry.APIEnd{})
	_, acted := off.WorkerAct(t.Context(), telemetry.Act{})
	acted("ok")
	_, made := off.Submission(t.Context(), "x")
	made("", "ok")
	require.NoError(t, off.Shutdown(t.Context()))
}

func TestCountingIsSafe(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics()
	c, h := m.Counter("n_total", "N.", "a"), m.Histogram("h_seconds", "H.", []float64{1}, "a")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				c.Add(1, "x")
				h.Observe(2, "x")
				_ = m.Write(t.Context(), new(strings.Builder))
			}
		})
	}
	all.Wait()
	require.InDelta(t, 800, parsed(t, m)["n_total"].GetMetric()[0].GetCounter().GetValue(), 0)
}

// A store that fails or hangs must neither take /metrics with it nor leave old numbers there.
func TestASourceThatFailsIsLeftOutAndSaidSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := telemetry.NewMetrics()
		c := m.Counter("alive_total", "Ours.")
		c.Add(1)
		var fault atomic.Value
		var reads atomic.Int32
		fault.Store("")
		m.Source("store", nil, func(ctx context.Context) ([]telemetry.Reading, error) {
			reads.Add(1)
			switch fault.Load() {
			case "fails":
				return nil, errors.New("the database is locked")
			case "hangs":
				<-ctx.Done()
				return nil, ctx.Err()
			case "is deaf":
				time.Sleep(time.Minute)
			case "panics":
				panic("a bug")
			}
			return []telemetry.Reading{telemetry.Gauge("depth", "How deep.", 3)}, nil
		})
		faulty := func() float64 { return parsed(t, m)["mde_scrape_error"].GetMetric()[0].GetGauge().GetValue() }
		require.Contains(t, parsed(t, m), "depth")
		require.Contains(t, parsed(t, m), "depth")
		require.Equal(t, int32(1), reads.Load(), "not at every scrape")
		for _, how := range []string{"fails", "hangs", "panics", "is deaf"} {
			fault.Store(how)
			time.Sleep(6 * time.Second)
			began := time.Now()
			got := parsed(t, m)
			require.Less(t, time.Since(began), 3*time.Second, how)
			require.NotContains(t, got, "depth", how)
			require.Contains(t, got, "alive_total", how)
			require.InDelta(t, 1, faulty(), 0, how)
			fault.Store("")
			time.Sleep(2 * time.Minute)
			require.InDelta(t, 0, faulty(), 0, how)
			require.Contains(t, parsed(t, m), "depth", how)
		}
	})
}

func TestScrapesAtOnceReadASourceOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := telemetry.NewMetrics()
		var reads atomic.Int32
		m.Source("store", nil, func(context.Context) ([]telemetry.Reading, error) {
			reads.Add(1)
			time.Sleep(time.Second)
			return []telemetry.Reading{telemetry.Gauge("depth", "How deep.", 3)}, nil
		})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				var b strings.Builder
				_ = m.Write(t.Context(), &b)
				if !strings.Contains(b.String(), "depth 3") {
					t.Error(b.String())
				}
			})
		}
		all.Wait()
		require.Equal(t, int32(1), reads.Load())
	})
}

func TestWhoMayReadTheNumbers(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics()
	m.Counter("n_total", "N.").Add(1)
	ask := func(token string, change func(*http.Request)) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:9464/metrics", nil)
		r.RemoteAddr = "127.0.0.1:51234"
		if change != nil {
			change(r)
		}
		w := httptest.NewRecorder()
		m.Handler(token).ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			require.NotContains(t, w.Body.String(), "n_total")
			require.NotContains(t, w.Body.String(), "s3cret")
		}
		return w.Code
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	require.Equal(t, http.StatusOK, ask("", nil))
	for name, change := range map[string]func(*http.Request){
		"another machine": func(r *http.Request) { r.RemoteAddr = "10.0.0.7:5000" },
		"a foreign name":  func(r *http.Request) { r.Host = "attacker.example" },
		"a proxy":         header("X-Forwarded-For", "10.0.0.7"),
		"another proxy":   header("Forwarded", "for=10.0.0.7"),
		"a page":          header("Origin", "http://127.0.0.1:9464"),
	} {
		require.Equal(t, http.StatusForbidden, ask("", change), name)
	}
	require.Equal(t, http.StatusOK, ask("", func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:5000", "localhost:9464" }))
	require.Equal(t, http.StatusUnauthorized, ask("s3cret", nil), "this machine too")
	require.Equal(t, http.StatusUnauthorized, ask("s3cret", header("Authorization", "Bearer s3cre")))
	require.Equal(t, http.StatusUnauthorized, ask("s3cret", header("Authorization", "Bearer ")))
	require.Equal(t, http.StatusOK, ask("s3cret", func(r *http.Request) {
		r.RemoteAddr, r.Host = "10.0.0.7:5000", "mde.example.com"
		r.Header.Set("Authorization", "Bearer s3cret")
	}))
}
