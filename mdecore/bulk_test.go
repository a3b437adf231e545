package mdecore_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// fleetIDs are n machine ids.
func fleetIDs(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%040x", i)
	}
	return out
}

// tagService answers as the service does, with the machines that were tagged; nth may answer in its place.
func tagService(t *testing.T, nth func(call int, w http.ResponseWriter, ids []string) bool) *service {
	t.Helper()
	var s *service
	s = newService(t, func(w http.ResponseWriter, r *http.Request) {
		calls := s.received()
		var req mdecore.MachinesTagRequest
		_ = json.Unmarshal([]byte(calls[len(calls)-1].body), &req)
		if nth != nil && nth(len(calls), w, req.MachineIDs) {
			return
		}
		answer(200, tagged(req.MachineIDs))(w, r)
	})
	return s
}

// tagged is a list of machines with nothing but their ids.
func tagged(ids []string) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"` + id + `"}`)
	}
	return `{"value":[` + b.String() + `]}`
}

func tag(t *testing.T, s *service, ids []string) ([]mdecore.ItemResult, error) {
	t.Helper()
	return s.clientOf(t).TagMachines(t.Context(), mdecore.MachineTagRequest{Value: "vip", Action: mdecore.TagAdd}, ids)
}

// fates writes one letter per result: done, refused, unknown, not sent.
func fates(results []mdecore.ItemResult) string {
	var b strings.Builder
	for _, r := range results {
		switch {
		case r.Err == nil:
			b.WriteByte('d')
		case mdecore.NotSent(r.Err):
			b.WriteByte('n')
		case mdecore.Refused(r.Err):
			b.WriteByte('r')
		default:
			b.WriteByte('u')
		}
	}
	return b.String()
}

func TestTagMachinesSplitsAFleet(t *testing.T) {
	t.Parallel()
	s := tagService(t, nil)
	ids := fleetIDs(20037)
	results, err := tag(t, s, ids)
	require.NoError(t, err)
	require.Len(t, results, len(ids))
	calls := s.received()
	require.Len(t, calls, 41)
	var sent []string
	for i, call := range calls {
		var req mdecore.MachinesTagRequest
		require.NoError(t, json.Unmarshal([]byte(call.body), &req))
		require.Len(t, req.MachineIDs, map[bool]int{true: 37, false: 500}[i == 40])
		require.Equal(t, "vip Add", req.Value+" "+string(req.Action))
		sent = append(sent, req.MachineIDs...)
	}
	require.Equal(t, ids, sent, "each once, in order")
	for i, r := range results {
		require.Equal(t, ids[i], r.ID)
	}
}

func TestTagMachinesSendsARepeatedIDOnce(t *testing.T) {
	t.Parallel()
	s := tagService(t, nil)
	id := strings.Repeat("ab", 20)
	results, err := tag(t, s, []string{id, strings.ToUpper(id), machineID, id})
	require.NoError(t, err)
	require.Len(t, results, 2)
	require.Len(t, s.received(), 1)
	require.Equal(t, 1, strings.Count(strings.ToLower(s.received()[0].body), id))
}

func TestBulkCallsSayWhatBecameOfEachItem(t *testing.T) {
	t.Parallel()
	const all = 500
	first := func(n, status int, header ...string) func(int, http.ResponseWriter, []string) bool {
		return func(call int, w http.ResponseWriter, _ []string) bool {
			if call >= n {
				answer(status, refusal, header...)(w, nil)
			}
			return call >= n
		}
	}
	for name, tc := range map[string]struct {
		nth              func(int, http.ResponseWriter, []string) bool
		want             [3]string // fates of the three batches
		sends            int
		notSent, refused bool // what is true of the whole
		wait             time.Duration
	}{
		"refused in the middle": {
			func(call int, w http.ResponseWriter, _ []string) bool {
				if call == 2 {
					answer(400, refusal)(w, nil)
				}
				return call == 2
			},
			[3]string{"d", "r", "d"},
			3, false, false, 0,
		},
		"refused always":        {first(1, 403), [3]string{"r", "r", "r"}, 3, false, true, 0},
		"unknown in the middle": {first(2, 500), [3]string{"d", "u", "n"}, 2, false, false, 0},
		"unknown at once":       {first(1, 503), [3]string{"u", "n", "n"}, 1, false, false, 0},
		"throttled":             {first(2, 429, "Retry-After", "120"), [3]string{"d", "n", "n"}, 2, false, false, 120 * time.Second},
		"throttled at once":     {first(1, 429, "Retry-After", "120"), [3]string{"n", "n", "n"}, 1, true, false, 120 * time.Second},
		"left out of the answer": {
			func(call int, w http.ResponseWriter, ids []string) bool {
				if call == 2 {
					answer(200, tagged(ids[:len(ids)-3]))(w, nil)
				}
				return call == 2
			},
			[3]string{"d", strings.Repeat("d", all-3) + "uuu", "d"},
			3, false, false, 0,
		},
		"no list in the answer": {
			func(_ int, w http.ResponseWriter, _ []string) bool {
				answer(200, `{}`)(w, nil)
				return true
			},
			[3]string{"u", "u", "u"},
			3, false, false, 0,
		},
		"a null in the answer": {
			func(_ int, w http.ResponseWriter, _ []string) bool {
				answer(200, `{"value":[null]}`)(w, nil)
				return true
			},
			[3]string{"u", "u", "u"},
			3, false, false, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tagService(t, tc.nth)
			results, err := tag(t, s, fleetIDs(3*all))
			want := ""
			for _, fate := range tc.want {
				if len(fate) == 1 {
					fate = strings.Repeat(fate, all)
				}
				want += fate
			}
			require.Equal(t, want, fates(results))
			require.Len(t, s.received(), tc.sends)
			var sum *mdecore.BulkError
			require.ErrorAs(t, err, &sum)
			require.Equal(t, strings.Count(want, "d"), sum.Done)
			require.Equal(t, strings.Count(want, "r"), sum.Refused)
			require.Equal(t, strings.Count(want, "u"), sum.Unknown)
			require.Equal(t, strings.Count(want, "n"), sum.NotSent)
			require.Equal(t, tc.notSent, mdecore.NotSent(err), "of the whole")
			require.Equal(t, tc.refused, mdecore.Refused(err), "of the whole")
			require.Equal(t, !tc.notSent && !tc.refused, mdecore.Uncertain(err), "of the whole")
			require.Equal(t, tc.wait, mdecore.RetryAfter(err))
			require.ErrorContains(t, err, fmt.Sprintf("of %d items %d done", 3*all, sum.Done))
		})
	}
}

func TestTagMachinesRefusesABadIDBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := tagService(t, nil)
	results, err := tag(t, s, append(fleetIDs(1200), "host01"))
	require.ErrorContains(t, err, "host01")
	require.True(t, mdecore.NotSent(err))
	require.Nil(t, results)
	require.Empty(t, s.received())
}

func TestTagMachinesInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Devices: 1203}
	c := simulated(t, tenant, nil)
	var all []string
	for m, err := range c.ListMachines(t.Context(), mdecore.Query{}) {
		require.NoError(t, err)
		all = append(all, m.ID)
	}
	unknown := strings.Repeat("0f", 20)
	results, err := c.TagMachines(t.Context(), mdecore.MachineTagRequest{Value: "wave 1 & 2", Action: mdecore.TagAdd}, append(slices.Clone(all), unknown))
	require.Equal(t, strings.Repeat("d", 1203)+"u", fates(results), "the tenant doesn't know the last one")
	require.ErrorContains(t, err, unknown)
	require.Equal(t, 3, tenant.Writes())
	require.Len(t, tenant.Effects(), 1203)
	found := 0
	for m, err := range c.FindMachinesByTag(t.Context(), "wave 1 & 2", false) {
		require.NoError(t, err)
		require.Contains(t, m.MachineTags, "wave 1 & 2")
		found++
	}
	require.Equal(t, 1203, found)
	results, err = c.TagMachines(t.Context(), mdecore.MachineTagRequest{Value: "wave 1 & 2", Action: mdecore.TagRemove}, all)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("d", 1203), fates(results))
	for m, err := range c.FindMachinesByTag(t.Context(), "wave", true) {
		require.NoError(t, err)
		require.Fail(t, "still tagged", m.ID)
	}
}
