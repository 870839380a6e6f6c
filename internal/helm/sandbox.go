package helm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// Bounds of a render that no real chart comes near, and how long a worker stays
// when nothing is asked of it.
const (
	DefaultRenderTime     = 10 * time.Second
	DefaultRenderDeadline = 2 * time.Minute
	DefaultIdleTime       = 5 * time.Second
)

// Sandbox renders in worker processes, so that a chart may neither take the
// operator's memory nor its time. Workers start when needed, render one chart
// unit at a time, and end when idle; one that exceeds a bound is killed and the
// next render gets another. Fill in the fields before the first use; the methods
// may be called side by side.
type Sandbox struct {
	// Command starts a worker, whose main is RunRenderWorker: commonly the
	// operator's own executable with an argument that says so.
	Command []string
	// Engine is what the workers render with.
	Engine Engine
	// Workers is how many render at once, as many as there are processors if zero.
	Workers int
	// Time bounds the processor time of one render, DefaultRenderTime if zero.
	Time time.Duration
	// Deadline bounds one render by the clock, as a last resort. If zero it is
	// DefaultRenderDeadline, and four times Time at least.
	Deadline time.Duration
	// Memory bounds the data of one worker in bytes, DefaultMemory if zero.
	Memory int64
	// Idle is how long a worker waits for more, DefaultIdleTime if zero.
	Idle time.Duration

	start  sync.Once
	places chan struct{}

	mu     sync.Mutex
	idle   []*worker
	closed bool
}

var _ hydrate.Renderer = (*Sandbox)(nil)

var errClosed = errors.New("render chart: the renderer is closed")

// Render renders one chart unit. A chart that exceeds a bound is stalled with
// LimitExceeded, one that fails with RenderFailed. That a worker was killed, or that
// the deadline has passed, may be the fault of the machine: it is a plain error, to be
// tried again. The end of ctx ends the render.
func (s *Sandbox) Render(ctx context.Context, in hydrate.RenderInput) (hydrate.Rendered, error) {
	values, err := packValues(in.Values)
	if err != nil {
		return hydrate.Rendered{}, outcome.Stalled(v1alpha1.ReasonRenderFailed, err)
	}
	in.Values = values
	places := s.prepare()
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-ctx.Done():
		return hydrate.Rendered{}, ctx.Err()
	}
	got, err := s.render(ctx, order{Input: in})
	if err != nil {
		return hydrate.Rendered{}, err
	}
	return got.Rendered, got.failure()
}

func (s *Sandbox) prepare() chan struct{} {
	s.start.Do(func() {
		s.Time = cmp.Or(s.Time, DefaultRenderTime)
		s.Deadline = cmp.Or(s.Deadline, max(DefaultRenderDeadline, 4*s.Time))
		s.Memory = cmp.Or(s.Memory, DefaultMemory)
		s.Idle = cmp.Or(s.Idle, DefaultIdleTime)
		s.places = make(chan struct{}, cmp.Or(s.Workers, runtime.GOMAXPROCS(0)))
	})
	return s.places
}

// render has the order carried out, a second time if the worker ended and did not
// say why: that may have been somebody else's doing.
func (s *Sandbox) render(ctx context.Context, next order) (answer, error) {
	got, err := s.try(ctx, next)
	var died *death
	if errors.As(err, &died) && !died.outOfMemory() {
		got, err = s.try(ctx, next)
	}
	return got, s.judge(ctx, err)
}

func (s *Sandbox) try(ctx context.Context, next order) (answer, error) {
	w, err := s.take()
	if err != nil {
		return answer{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.Deadline)
	defer cancel()
	got, err := w.render(bounded, next, s.Time)
	if err != nil {
		return answer{}, err
	}
	s.put(w)
	return got, nil
}

// judge says what the end of a worker means for the chart.
func (s *Sandbox) judge(ctx context.Context, err error) error {
	var died *death
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("render chart: its templates were not done within %s by the clock; the machine is busy", s.Deadline)
	case errors.Is(err, errCPUTime):
		err = fmt.Errorf("render chart: its templates took more than %s of processor time", s.Time)
	case errors.Is(err, errTooMuch):
		err = fmt.Errorf("render chart: more than %d bytes of output", maxAnswerBytes)
	case errors.As(err, &died) && died.outOfMemory():
		err = fmt.Errorf("render chart: its templates used more than %d MiB of memory", s.Memory>>20)
	case errors.As(err, &died):
		return errors.New("render chart: the render worker was killed; the machine may be short of memory")
	default:
		return err
	}
	return outcome.Stalled(v1alpha1.ReasonLimitExceeded, err)
}

// take gives an idle worker that lives, the one used last, or a new one.
func (s *Sandbox) take() (*worker, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	var found *worker
	for found == nil && len(s.idle) > 0 {
		last := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		last.expiry.Stop()
		if last.alive() {
			found = last
		} else {
			last.end()
		}
	}
	s.mu.Unlock()
	if found != nil {
		return found, nil
	}
	return startWorker(s.Command, settings{Engine: s.Engine, Memory: s.Memory})
}

// put keeps the worker for the next render, for a while.
func (s *Sandbox) put(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		w.end()
		return
	}
	w.expiry = time.AfterFunc(s.Idle, func() { s.expire(w) })
	s.idle = append(s.idle, w)
}

// expire ends the worker unless it was taken in the meantime.
func (s *Sandbox) expire(w *worker) {
	s.mu.Lock()
	at := slices.Index(s.idle, w)
	if at >= 0 {
		s.idle = slices.Delete(s.idle, at, at+1)
	}
	s.mu.Unlock()
	if at >= 0 {
		w.end()
	}
}

// Close ends all workers; those that render end when they are done. Render fails
// from then on.
func (s *Sandbox) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, w := range s.idle {
		w.expiry.Stop()
		w.end()
	}
	s.idle = nil
}
