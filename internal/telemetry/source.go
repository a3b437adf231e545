package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// sourceLimit is how long a scrape waits for a source, and sourceLife how long its answer is good for others.
	sourceLimit = 2 * time.Second
	sourceLife  = 5 * time.Second
)

// source is something outside of the process's memory, such as a store, that is asked when somebody wants the numbers.
type source struct {
	name  string
	read  func(context.Context) ([]Reading, error)
	log   *slog.Logger
	limit time.Duration
	life  time.Duration

	mu       sync.Mutex
	reading  chan struct{} // closed when the look that runs has ended; nil while none runs
	looked   time.Time
	families []*family
	err      error
}

// Source adds something that is asked at a scrape: at most every few seconds, once at a time and for a limited time, whatever
// comes in. While it fails, its metrics are left out, because old ones would look like good ones, and mde_scrape_error says so.
func (m *Metrics) Source(name string, log *slog.Logger, read func(context.Context) ([]Reading, error)) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sources = append(m.sources, &source{name: name, read: read, log: log, limit: sourceLimit, life: sourceLife})
	slices.SortStableFunc(m.sources, byName)
}

// get is what the source says now, or said a moment ago; nothing when it fails or takes too long.
func (s *source) get(ctx context.Context) []*family {
	s.mu.Lock()
	if s.reading == nil && (s.looked.IsZero() || time.Since(s.looked) >= s.life) {
		s.reading = make(chan struct{})
		go s.look(context.WithoutCancel(ctx), s.reading)
	}
	running := s.reading
	s.mu.Unlock()
	if running != nil {
		timer := time.NewTimer(s.limit)
		defer timer.Stop()
		select {
		case <-running:
		case <-timer.C: // the read does not heed its limit; it must not hold the scrape up
			s.late(ctx)
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.families
}

// look reads the source once. It outlives the scrape that began it, because others may wait for it too.
func (s *source) look(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	readings, err := s.safely(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report(ctx, err)
	s.looked, s.err, s.families, s.reading = time.Now(), err, nil, nil
	if err == nil {
		for _, r := range readings {
			s.families = append(s.families, r.family())
		}
	}
	close(done)
}

// safely keeps a fault of a source out of the scrape.
func (s *source) safely(ctx context.Context) (readings []Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	return s.read(ctx)
}

// report logs when a source begins to fail and when it is well again. The caller holds the lock.
func (s *source) report(ctx context.Context, err error) {
	switch {
	case s.log == nil:
	case err != nil && s.err == nil:
		s.log.WarnContext(ctx, "numbers for /metrics could not be read; they are left out until they can", "source", s.name, "error", err)
	case err == nil && s.err != nil:
		s.log.InfoContext(ctx, "numbers for /metrics can be read again", "source", s.name)
	}
}

// late notes that a scrape went without the source.
func (s *source) late(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading != nil {
		s.report(ctx, context.DeadlineExceeded)
		s.err = context.DeadlineExceeded
	}
}

// writeFaults says of each source whether the scrape had to do without it.
func writeFaults(b *strings.Builder, sources []*source) {
	if len(sources) == 0 {
		return
	}
	faults := Reading{Name: "mde_scrape_error", Help: "1 when a source of numbers could not be read for this scrape, else 0.", Labels: []string{"source"}}
	for _, s := range sources {
		s.mu.Lock()
		p := Point{Values: []string{s.name}}
		if s.err != nil {
			p.Value = 1
		}
		s.mu.Unlock()
		faults.Points = append(faults.Points, p)
	}
	faults.family().write(b)
}
