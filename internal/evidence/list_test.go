package evidence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

func TestAListIsNewestFirstAndInPages(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	start := r.Now()
	var want []string
	for i := range 7 {
		m := of(fmt.Sprint(i))
		if i%2 == 1 {
			m.DeviceID = "other"
		}
		want = append([]string{r.put(t, m, fmt.Sprint("content ", i)).ID}, want...)
		r.Add(time.Minute)
	}
	all := func(q evidence.Query) (ids []string) {
		for {
			l, err := r.List(t.Context(), q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(l.Manifests), max(q.Limit, 1)+100*(1-min(q.Limit, 1)))
			for _, m := range l.Manifests {
				ids = append(ids, m.ID)
			}
			if l.Next == "" {
				return ids
			}
			q.Page = l.Next
		}
	}
	require.Equal(t, want, all(evidence.Query{}))
	for limit := range 8 {
		require.Equal(t, want, all(evidence.Query{Limit: limit}))
		require.Equal(t, []string{want[1], want[3], want[5]}, all(evidence.Query{Limit: limit, DeviceID: "OTHER"}))
		require.Equal(t, want[2:4], all(evidence.Query{Limit: limit, Since: start.Add(3 * time.Minute), Before: start.Add(5 * time.Minute)}))
	}
	require.Equal(t, []string{want[2]}, all(evidence.Query{RequestID: "req4"}))
	require.Empty(t, all(evidence.Query{RequestID: "REQ4", DeviceID: "other"}))
}

func TestAQueryThatCanNotBeOneIsRefused(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	for _, q := range []evidence.Query{{DeviceID: "../x"}, {RequestID: "a/b"}, {Page: "%%"}} {
		_, err := r.List(t.Context(), q)
		require.Error(t, err)
	}
	for _, id := range []string{"", "../../../../etc/pas", "AAAAAAAAAAAAAAAAAAAA", "aaaaaaaaaaaaaaaaaaai", "a"} {
		_, err := r.Manifest(t.Context(), id)
		require.ErrorContains(t, err, "not an evidence id")
	}
}

// An entry that somebody wrote by hand can't put evidence under another device.
func TestAnEntryDoesNotDecideWhatEvidenceIsOf(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "x")
	overwrite(t, r.bucket, "device/other/"+m.ID, "")
	l, err := r.List(t.Context(), evidence.Query{DeviceID: "other"})
	require.NoError(t, err)
	require.Empty(t, l.Manifests)
}
