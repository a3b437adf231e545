package download

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// An answer that is no content is read for its error code, but not for as long as a server likes.
func TestAnErrorAnswerThatDripsEnds(t *testing.T) {
	for name, code := range map[string]int{"refused": http.StatusNotFound, "unavailable": http.StatusServiceUnavailable, "no rest": http.StatusRequestedRangeNotSatisfiable} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStorage(t, func(_ int, w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(code)
					for r.Context().Err() == nil {
						if _, err := w.Write([]byte("x")); err != nil {
							return
						}
						_ = http.NewResponseController(w).Flush()
						select {
						case <-time.After(time.Second):
						case <-r.Context().Done():
						}
					}
				})
				start := time.Now()
				_, _, err := s.fetch(t, Request{})
				require.Equal(t, code, failed(t, err).Status)
				tries := time.Duration(len(s.asked))
				require.LessOrEqual(t, time.Since(start), tries*(defaultIdle+8*time.Second), "%d tries", tries)
			})
		})
	}
}
