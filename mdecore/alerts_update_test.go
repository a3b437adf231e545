package mdecore_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestUpdateAlertSendsOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	for want, update := range map[string]mdecore.UpdateAlertRequest{
		`{"status":"InProgress"}`:           {Status: mdecore.AlertStatusInProgress},
		`{"comment":"say \"why\" <b>"}`:     {Comment: `say "why" <b>`},
		`{"assignedTo":"secop@x"}`:          {AssignedTo: "secop@x"},
		`{"determination":"NotMalicious"}`:  {Determination: mdecore.DeterminationNotMalicious},
		`{"classification":"TruePositive"}`: {Classification: mdecore.ClassificationTruePositive},
		`{"status":"Resolved","assignedTo":"a","classification":"FalsePositive","determination":"Malware","comment":"c"}`: {
			Status: mdecore.AlertStatusResolved, AssignedTo: "a", Classification: mdecore.ClassificationFalsePositive,
			Determination: mdecore.DeterminationMalware, Comment: "c",
		},
		`{"classification":"InformationalExpectedActivity","determination":"ConfirmedActivity"}`: {
			Classification: mdecore.ClassificationInformationalExpectedActivity, Determination: mdecore.DeterminationConfirmedActivity,
		},
	} {
		s := newService(t, answer(200, anAlert))
		_, err := s.clientOf(t).UpdateAlert(t.Context(), alertID, update)
		require.NoError(t, err)
		require.JSONEq(t, want, s.received()[0].body)
		require.Equal(t, "/api/alerts/"+alertID, s.received()[0].path)
	}
}

func TestAlertByReferenceSendsTheEventsTimeToItsLastDigit(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, anAlert))
	_, err := s.clientOf(t).CreateAlertByReference(t.Context(), newAlert())
	require.NoError(t, err)
	require.JSONEq(t, `{"machineId":"`+machineID+`","eventTime":"2026-11-20T16:45:21.7115183Z","reportId":"20776","severity":"Low","title":"example",
		"description":"example alert","recommendedAction":"nothing","category":"Exploit"}`, s.received()[0].body)
}

// TestAnswersAboutSomethingElse: what a wrong answer says must not be taken for what was asked, and a write that was
// answered so may have been done.
func TestAnswersAboutSomethingElse(t *testing.T) {
	t.Parallel()
	other := `{"id":"da1_1","machineId":"` + "f" + machineID[1:] + `","sha1":"` + machineID + `","ipAddress":"10.0.0.9","host":"evil.example"}`
	for _, name := range []string{
		"GetAlert", "UpdateAlert", "CreateAlertByReference", "GetAlertMachine", "StartInvestigation", "GetInvestigation", "GetFile", "GetFileStats",
		"GetIPStats", "GetDomainStats",
	} {
		op := operations(t)[name]
		s := newService(t, answer(200, other))
		err := op.good(t.Context(), s.clientOf(t))
		var failed *mdecore.Error
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, name, failed.Op)
		require.True(t, mdecore.Uncertain(err), name)
		require.Len(t, s.received(), 1)
	}
	for _, name := range []string{"CreateAlertByReference", "StartInvestigation"} {
		s := newService(t, answer(200, `{"machineId":"`+machineID+`"}`))
		err := operations(t)[name].good(t.Context(), s.clientOf(t))
		require.ErrorContains(t, err, "named no", name)
		require.True(t, mdecore.Uncertain(err), name)
	}
}

func manyAlerts(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("da%d_%d", i, i))
	}
	return ids
}

func TestBatchUpdateSplitsAndReportsPerAlert(t *testing.T) {
	t.Parallel()
	type fate struct{ done, refused, unknown, notSent int }
	for name, tc := range map[string]struct {
		statuses []int
		sizes    []int
		want     fate
	}{
		"all done":          {[]int{200, 200, 200}, []int{100, 100, 50}, fate{done: 250}},
		"one refused":       {[]int{200, 400, 200}, []int{100, 100, 50}, fate{done: 150, refused: 100}},
		"one unknown":       {[]int{200, 500, 200}, []int{100, 100}, fate{done: 100, unknown: 100, notSent: 50}},
		"limited":           {[]int{200, 429, 200}, []int{100, 100}, fate{done: 100, notSent: 150}},
		"refused and ended": {[]int{403, 403, 403}, []int{100, 100, 50}, fate{refused: 250}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := 0
			s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(tc.statuses[next])
				next++
			})
			ids := manyAlerts(250)
			results, err := s.clientOf(t).BatchUpdateAlerts(t.Context(), mdecore.BatchUpdateAlertsRequest{
				AlertIDs: append(ids, ids[:20]...), UpdateAlertRequest: mdecore.UpdateAlertRequest{Status: mdecore.AlertStatusResolved},
			})
			var sizes []int
			for _, call := range s.received() {
				var body struct {
					AlertIDs []string `json:"alertIds"`
					Status   string   `json:"status"`
				}
				require.NoError(t, json.Unmarshal([]byte(call.body), &body))
				require.Equal(t, "Resolved", body.Status)
				sizes = append(sizes, len(body.AlertIDs))
			}
			require.Equal(t, tc.sizes, sizes)
			var got fate
			for i, r := range results {
				require.Equal(t, ids[i], r.ID)
				switch {
				case r.Err == nil:
					got.done++
				case mdecore.NotSent(r.Err):
					got.notSent++
				case mdecore.Refused(r.Err):
					got.refused++
				default:
					got.unknown++
				}
			}
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.want.done < 250, err != nil)
		})
	}
}
