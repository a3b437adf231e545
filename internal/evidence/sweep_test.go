package evidence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

const month = 30 * 24 * time.Hour

func TestRetentionRemovesTheContentAndLeavesTheManifest(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "hello")
	r.Add(month + time.Minute)
	out, err := r.Sweep(t.Context(), month)
	require.NoError(t, err)
	require.Equal(t, evidence.Swept{Contents: 1, Bytes: 5}, out)
	require.Empty(t, keys(t, r.bucket, "content/"))
	require.Empty(t, keys(t, r.bucket, "removing/"))
	_, err = r.get(t, m.ID)
	var removed *evidence.RemovedError
	require.ErrorAs(t, err, &removed)
	_, err = r.Range(t.Context(), m, 0, 5)
	require.Error(t, err)
	left, err := r.Manifest(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, r.Now().Truncate(time.Millisecond), left.Removed.At)
	require.Equal(t, "retention", left.Removed.By)
	require.Contains(t, left.Removed.Why, "720h")
	left.Removed = nil
	require.Equal(t, m, left, "who, what and its hash stay")
	out, err = r.Sweep(t.Context(), month)
	require.NoError(t, err)
	require.Zero(t, out)
	again := r.put(t, of("1"), "hello")
	require.NotEqual(t, m.ID, again.ID, "what is collected again after its removal is evidence again")
}

func TestAContentThatAYoungerManifestNeedsIsKept(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	old := r.put(t, of("1"), "hello")
	r.Add(month - time.Hour)
	r.put(t, of("2"), "hello")
	r.Add(2 * time.Hour)
	out, err := r.Sweep(t.Context(), month)
	require.NoError(t, err)
	require.Zero(t, out)
	_, err = r.get(t, old.ID)
	require.NoError(t, err)
}

func TestWithoutARetentionEverythingIsKeptAndAShortOneIsRefused(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	r.put(t, of("1"), "hello")
	r.Add(1000 * month)
	out, err := r.Sweep(t.Context(), 0)
	require.NoError(t, err)
	require.Zero(t, out)
	_, err = r.Sweep(t.Context(), time.Minute)
	require.ErrorContains(t, err, "1h0m0s")
	require.Len(t, keys(t, r.bucket, "content/"), 1)
}

func TestWhatAnInterruptedPutLeftIsRemovedADayLater(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	overwrite(t, r.bucket, "content/"+sum([]byte("left")), "left")
	overwrite(t, r.bucket, "removing/"+sum([]byte("gone")), "")
	r.Add(time.Hour)
	out, err := r.Sweep(t.Context(), 0)
	require.NoError(t, err)
	require.Zero(t, out.Contents)
	require.Len(t, keys(t, r.bucket, "removing/"), 1)
	r.Add(24 * time.Hour)
	out, err = r.Sweep(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 1, out.Contents)
	require.Empty(t, keys(t, r.bucket, ""))
}

func TestAContentWhoseManifestCanNotBeNotedIsKept(t *testing.T) {
	t.Parallel()
	r := open(t, evidence.Options{})
	m := r.put(t, of("1"), "hello")
	overwrite(t, r.bucket, "manifest/"+m.ID+".json", "{")
	r.Add(2 * month)
	out, err := r.Sweep(t.Context(), month)
	require.NoError(t, err)
	require.Zero(t, out.Contents)
	require.Len(t, out.Faults, 1)
	require.Len(t, keys(t, r.bucket, "content/"), 1)
}

// Whatever the moment at which a Sweep comes into a Put of the same content, what Put answered for is there afterwards.
func TestASweepInTheMiddleOfAPutTakesNothingFromIt(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"holds/", "device/", "request/", "manifest/", "once/"} {
		t.Run(strings.TrimSuffix(at, "/"), func(t *testing.T) {
			t.Parallel()
			r := open(t, evidence.Options{})
			r.put(t, of("1"), "hello")
			r.Add(2 * month)
			done := false
			r.bucket.when(func(key string) error {
				if !done && strings.HasPrefix(key, at) {
					done = true
					_, err := r.Sweep(t.Context(), month)
					return err
				}
				return nil
			})
			m := r.put(t, of("2"), "hello")
			require.True(t, done)
			b, err := r.get(t, m.ID)
			require.NoError(t, err)
			require.Equal(t, "hello", string(b))
		})
	}
}

// The other way round: a Put comes into a Sweep that has just left its mark, or is about to remove.
func TestAPutInTheMiddleOfASweepIsNotTakenFrom(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"removing/", "manifest/"} {
		t.Run(strings.TrimSuffix(at, "/"), func(t *testing.T) {
			t.Parallel()
			r := open(t, evidence.Options{})
			r.put(t, of("1"), "hello")
			r.Add(2 * month)
			done, put := false, make(chan evidence.Manifest, 1)
			r.bucket.when(func(key string) error {
				if !done && strings.HasPrefix(key, at) {
					done = true
					go func() {
						m, _ := r.Put(t.Context(), of("2"), strings.NewReader("hello"))
						put <- m
					}()
					require.Eventually(t, func() bool { // Put has come as far as it can while the Sweep is held up here
						return len(keys(t, r.bucket, "request/REQ2/")) == 1
					}, 10*time.Second, time.Millisecond)
				}
				return nil
			})
			_, err := r.Sweep(t.Context(), month)
			require.NoError(t, err)
			m := <-put
			b, err := r.get(t, m.ID)
			require.NoError(t, err)
			require.Equal(t, "hello", string(b))
		})
	}
}
