package mdecore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestIndicatorsInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	ctx := t.Context()
	req := newIndicator()
	req.ExpirationTime = mdecore.Time{Time: time.Now().Add(time.Hour).UTC()}
	req.Severity, req.GenerateAlert, req.Application = mdecore.SeverityHigh, true, "demo"
	made, err := c.SubmitIndicator(ctx, req)
	require.NoError(t, err)
	require.Equal(t, "mde-ops worker", made.Creator())
	require.True(t, made.GenerateAlert)
	require.True(t, made.Action.Blocks())
	require.WithinDuration(t, req.ExpirationTime.Time, made.ExpirationTime.Time, time.Millisecond)
	kept, ok := tenant.Indicator("FileSha1", strings.ToUpper(fileSHA1))
	require.True(t, ok)
	require.Equal(t, string(made.ID), kept.ID)

	req.GenerateAlert, req.Action = false, mdecore.IndicatorAllowed
	changed, err := c.SubmitIndicator(ctx, req)
	require.NoError(t, err)
	require.Equal(t, made.ID, changed.ID, "one indicator per value")
	require.False(t, changed.GenerateAlert, "what is false is sent too")

	var found []*mdecore.Indicator
	for i, err := range c.ListIndicators(ctx, mdecore.Query{Filter: mdecore.Eq("indicatorValue", fileSHA1)}) {
		require.NoError(t, err)
		found = append(found, i)
	}
	require.Len(t, found, 1)
	require.Equal(t, changed, found[0])
	require.NoError(t, c.DeleteIndicator(ctx, string(made.ID)))
	_, ok = tenant.Indicator("FileSha1", fileSHA1)
	require.False(t, ok)
	require.True(t, mdecore.IsNotFound(c.DeleteIndicator(ctx, string(made.ID))))
}

// fileIndicators are requests about n files, from the first on.
func fileIndicators(first, n int) []mdecore.IndicatorRequest {
	out := make([]mdecore.IndicatorRequest, n)
	for i := range out {
		out[i] = newIndicator()
		out[i].IndicatorValue = fmt.Sprintf("%040x", first+i)
	}
	return out
}

func TestImportOfManyIndicators(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	before := len(tenant.Indicators())
	requests := fileIndicators(0, 1100)
	requests = append(requests, requests[7]) // once more
	results, err := c.ImportIndicators(t.Context(), requests)
	require.NoError(t, err)
	require.Len(t, results, 1100)
	require.Len(t, tenant.Indicators(), before+1100)
	require.Equal(t, 3, tenant.Requests()[mdesim.Request{Method: "POST", Path: "/api/indicators/import"}])
	ids := make([]string, 0, len(results))
	for i, r := range results {
		require.Equal(t, requests[i].IndicatorValue, r.ID)
		kept, ok := tenant.Indicator("FileSha1", r.ID)
		require.True(t, ok)
		require.Equal(t, kept.ID, r.IndicatorID)
		ids = append(ids, r.IndicatorID)
	}
	deleted, err := c.BatchDeleteIndicators(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, deleted, 1100)
	require.Len(t, tenant.Indicators(), before)
	require.Equal(t, 3, tenant.Requests()[mdesim.Request{Method: "POST", Path: "/api/indicators/BatchDelete"}])
}

func TestBatchDeletionIsRefusedWhole(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	first := tenant.Indicators()[0].ID
	results, err := c.BatchDeleteIndicators(t.Context(), []string{first, "4711"})
	require.True(t, mdecore.Refused(err))
	require.True(t, mdecore.IsNotFound(err))
	require.Len(t, results, 2)
	require.True(t, mdecore.Refused(results[0].Err), "the known one was not deleted either")
	require.Equal(t, first, tenant.Indicators()[0].ID)
}

// importAnswer answers an import like the service, with what it makes of each value.
func importAnswer(result func(value string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Indicators []struct{ IndicatorValue string }
		}
		data, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(data, &body)
		var out []string
		for _, i := range body.Indicators {
			if text := result(i.IndicatorValue); text != "" {
				out = append(out, text)
			}
		}
		answer(200, `{"value":[`+strings.Join(out, ",")+`]}`)(w, r)
	}
}

func TestImportTellsOfEveryIndicator(t *testing.T) {
	t.Parallel()
	requests := fileIndicators(0xa, 6)
	results := map[string]string{
		requests[0].IndicatorValue: `{"id":"1","indicator":"` + strings.ToUpper(requests[0].IndicatorValue) + `","isFailed":false}`,
		requests[1].IndicatorValue: `{"id":null,"indicator":"` + requests[1].IndicatorValue + `","isFailed":true,"failureReason":"no room"}`,
		requests[2].IndicatorValue: "",
		requests[3].IndicatorValue: `{"indicator":"` + requests[3].IndicatorValue + `"}`,
		requests[4].IndicatorValue: `{"id":"4","indicator":"` + requests[4].IndicatorValue + `","isFailed":true}`,
		requests[5].IndicatorValue: `{"id":5,"indicator":"` + requests[5].IndicatorValue + `"}`,
	}
	s := newImportService(t, importAnswer(func(value string) string { return results[value] }))
	got, err := s.clientOf(t).ImportIndicators(t.Context(), requests)
	var bulk *mdecore.BulkError
	require.ErrorAs(t, err, &bulk)
	require.Equal(t, []int{2, 2, 2, 0}, []int{bulk.Done, bulk.Refused, bulk.Unknown, bulk.NotSent})
	require.True(t, mdecore.Uncertain(err))
	require.NoError(t, got[0].Err)
	require.Equal(t, "1", got[0].IndicatorID)
	require.True(t, mdecore.Refused(got[1].Err))
	require.ErrorContains(t, got[1].Err, "no room")
	require.True(t, mdecore.Uncertain(got[2].Err), "not named in the answer")
	require.True(t, mdecore.Uncertain(got[3].Err), "named without an id")
	require.ErrorContains(t, got[4].Err, "no reason")
	require.Empty(t, got[4].IndicatorID)
	require.Equal(t, "5", got[5].IndicatorID)
}

// newImportService keeps the body for the answer, which newService has read already.
func newImportService(t *testing.T, answer http.HandlerFunc) *service {
	t.Helper()
	var s *service
	s = newService(t, func(w http.ResponseWriter, r *http.Request) {
		calls := s.received()
		r.Body = io.NopCloser(strings.NewReader(calls[len(calls)-1].body))
		answer(w, r)
	})
	return s
}

func TestImportStopsWhereTheOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault                          mdesim.Fault
		done, refused, unknown, unsent int
		kept                           int
	}{
		"refused":         {mdesim.Fault{Kind: mdesim.FaultStatus, Status: 400, Skip: 1}, 700, 500, 0, 0, 700},
		"server error":    {mdesim.Fault{Kind: mdesim.FaultStatus, Status: 500, Skip: 1}, 500, 0, 500, 200, 500},
		"cut after it":    {mdesim.Fault{Kind: mdesim.FaultCutAfter, Skip: 1}, 500, 0, 500, 200, 1000},
		"truncated":       {mdesim.Fault{Kind: mdesim.FaultTruncated, Skip: 1}, 500, 0, 500, 200, 1000},
		"first not taken": {mdesim.Fault{Kind: mdesim.FaultStatus, Status: 429, RetryAfter: "3600"}, 0, 0, 0, 1200, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := &mdesim.Tenant{Devices: -1}
			c := simulated(t, tenant, nil)
			tc.fault.Method, tc.fault.Path = "POST", "/api/indicators/import"
			tenant.Fail(tc.fault)
			results, err := c.ImportIndicators(t.Context(), fileIndicators(0, 1200))
			var bulk *mdecore.BulkError
			require.ErrorAs(t, err, &bulk)
			require.Len(t, results, 1200)
			require.Equal(t, []int{tc.done, tc.refused, tc.unknown, tc.unsent}, []int{bulk.Done, bulk.Refused, bulk.Unknown, bulk.NotSent})
			require.Len(t, tenant.Indicators(), tc.kept)
		})
	}
}

func TestSameValueTwiceInAnImport(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, anImportResult))
	c := s.clientOf(t)
	upper := newIndicator()
	upper.IndicatorValue = strings.ToUpper(upper.IndicatorValue)
	upper.RbacGroupNames = []string{}
	results, err := c.ImportIndicators(t.Context(), []mdecore.IndicatorRequest{newIndicator(), upper})
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.Equal(t, 1, strings.Count(strings.ToLower(s.received()[0].body), fileSHA1))

	other := newIndicator()
	other.Action = mdecore.IndicatorAllowed
	_, err = c.ImportIndicators(t.Context(), []mdecore.IndicatorRequest{newIndicator(), other})
	require.ErrorContains(t, err, "twice")
	require.True(t, mdecore.NotSent(err))
	require.Len(t, s.received(), 1)
}

func TestSubmitIndicatorSendsTheDocumentedBody(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, anIndicator))
	c := s.clientOf(t)
	_, err := c.SubmitIndicator(t.Context(), newIndicator())
	require.NoError(t, err)
	require.JSONEq(t, `{"indicatorValue":"`+fileSHA1+`","indicatorType":"FileSha1","action":"Block","title":"example",
		"description":"example file","generateAlert":false}`, s.received()[0].body)
	req := newIndicator()
	req.IndicatorType, req.IndicatorValue, req.EducateURL = mdecore.IndicatorURL, "https://bad.example.com/a?b=c", "https://help.contoso.com"
	req.ExpirationTime = mdecore.Time{Time: time.Date(2126, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))}
	req.RbacGroupNames = []string{"group1"}
	_, err = c.SubmitIndicator(t.Context(), req)
	require.True(t, mdecore.Uncertain(err), "the answer is about another value")
	require.ErrorContains(t, err, fileSHA1)
	require.JSONEq(t, `{"indicatorValue":"https://bad.example.com/a?b=c","indicatorType":"Url","action":"Block","title":"example",
		"description":"example file","generateAlert":false,"educateUrl":"https://help.contoso.com","expirationTime":"2126-01-02T02:04:05Z",
		"rbacGroupNames":["group1"]}`, s.received()[1].body)
}

func TestSubmitWithoutAnIDIsUncertain(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"indicatorValue":"`+fileSHA1+`"}`))
	_, err := s.clientOf(t).SubmitIndicator(t.Context(), newIndicator())
	require.True(t, mdecore.Uncertain(err))
	require.ErrorContains(t, err, "no id")
}

func TestIndicatorValuesThatAreTaken(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	for kind, values := range map[mdecore.IndicatorType][]string{
		mdecore.IndicatorFileSHA256:            {fileSHA256},
		mdecore.IndicatorFileMD5:               {"8d5b7cc9a832e21d22503057e1fec8e9"},
		mdecore.IndicatorCertificateThumbprint: {fileSHA1},
		mdecore.IndicatorIPAddress:             {"12.13.14.15", "2a00:1450::1"},
		mdecore.IndicatorDomainName:            {"evil.example", "xn--bcher-kva.example"},
		mdecore.IndicatorURL:                   {"https://evil.example/A?b=c#d", "http://12.13.14.15:8080/x", "evil.example/path"},
	} {
		for _, value := range values {
			req := newIndicator()
			req.IndicatorType, req.IndicatorValue = kind, value
			got, err := c.SubmitIndicator(t.Context(), req)
			require.NoError(t, err)
			require.Equal(t, value, got.IndicatorValue)
		}
	}
}

func TestReaderSeesItsOwnIndicatorsOnly(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Apps: []mdesim.App{
		{ID: mdesim.DefaultReaderID, Name: "reader", Secret: mdesim.DefaultReaderSecret, Roles: []string{"Ti.ReadWrite"}},
	}}
	c := simulated(t, tenant, func(cfg *azpipe.CredentialConfig, _ *mdecore.Options) {
		cfg.ClientID, cfg.ClientSecret = mdesim.DefaultReaderID, mdesim.DefaultReaderSecret
	})
	require.NotEmpty(t, tenant.Indicators())
	for i, err := range c.ListIndicators(t.Context(), mdecore.Query{}) {
		require.NoError(t, err)
		t.Fatal("an indicator of somebody else", i.ID)
	}
	_, err := c.BatchDeleteIndicators(t.Context(), []string{tenant.Indicators()[0].ID})
	require.ErrorContains(t, err, "403")
}

func TestExpiryIsCheckedByTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		req := newIndicator()
		req.ExpirationTime = mdecore.Time{Time: time.Now().Add(time.Minute)}
		client := (&memTenant{status: statuses("Succeeded")}).client(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var invalid *mdecore.InvalidError
		_, err := client.SubmitIndicator(ctx, req)
		require.NotErrorAs(t, err, &invalid)
		time.Sleep(time.Minute)
		_, err = client.SubmitIndicator(ctx, req)
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, "expiration time", invalid.Field)
	})
}

func TestIndicatorTolerance(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"generateAlert":true}`: true, `{"generateAlert":"True"}`: true, `{"generateAlert":"False"}`: false, `{"generateAlert":null}`: false, `{}`: false,
	} {
		got := mdecore.Indicator{GenerateAlert: !want}
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		require.Equal(t, want, got.GenerateAlert, text)
	}
	var got mdecore.Indicator
	require.NoError(t, json.Unmarshal([]byte(`{"id":995,"createdBySource":"app","rbacGroupIds":[9,"10"],"action":"Surprise","rbacGroupNames":null}`), &got))
	require.Equal(t, mdecore.ID("995"), got.ID)
	require.Equal(t, "app", got.Creator())
	require.Equal(t, []mdecore.ID{"9", "10"}, got.RbacGroupIDs)
	require.True(t, got.Action.Blocks(), "what is not known may block")
}
