package worker

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
	"github.com/appmarket/operator/internal/fairsemaphore"
	"github.com/appmarket/operator/internal/outcome"
)

// Default limits of an order, which no real chart comes close to, and the default time
// after which an idle worker ends.
const (
	DefaultTime     = 10 * time.Second
	DefaultDeadline = 2 * time.Minute
	DefaultIdleTime = 5 * time.Second
)

// Pool is a hydrate.Worker that uses worker processes, so that a chart can exhaust neither
// the memory nor the CPU time of the operator. Workers are started on demand, carry out one
// order at a time, and end when idle. A worker that exceeds a limit is killed, and the next
// order gets a new one. Set the fields before the first use. The methods may be called
// concurrently.
type Pool struct {
	// Command is the command line of a worker, whose main function is Serve. Usually it is
	// the executable of the operator with an argument for this mode.
	Command []string
	// Workers is the maximum number of concurrent orders. Defaults to GOMAXPROCS.
	Workers int
	// Time is the maximum CPU time of one order. Defaults to DefaultTime.
	Time time.Duration
	// Deadline is the maximum elapsed time of one order, as a last resort. Defaults to
	// DefaultDeadline or four times Time, whichever is greater.
	Deadline time.Duration
	// Memory is the maximum memory of one worker in bytes. Defaults to DefaultMemory.
	Memory int64
	// Idle is the time after which an idle worker ends. Defaults to DefaultIdleTime.
	Idle time.Duration

	start sync.Once
	slots *fairsemaphore.Semaphore

	mu     sync.Mutex
	idle   []*process
	closed bool
}

var _ hydrate.Worker = (*Pool)(nil)

var errClosed = errors.New("worker pool is closed")

// Analyze works like Analyze of hydrate.InProcess, with the errors of Prepare.
func (p *Pool) Analyze(ctx context.Context, r hydrate.Request, payload hydrate.ChartContent) (*hydrate.Draft, map[hydrate.Name]time.Duration, error) {
	packed, err := packRequest(r)
	if err != nil {
		return nil, nil, err
	}
	got, at, err := p.runOrder(ctx, r.Owner.Namespace, order{Analysis: &analysis{Request: packed, Payload: payload}}, nil)
	if err != nil {
		return &hydrate.Draft{FileCount: at.Files}, nil, &hydrate.StepError{Step: hydrate.StepAfter(at.Step), Err: err}
	}
	if got.Draft == nil {
		return nil, nil, got.toError()
	}
	return got.Draft, got.Took, got.toError()
}

// Prepare works like Prepare of hydrate.InProcess. If a chart exceeds a limit, the error is
// Stalled with LimitExceeded. A killed worker or an exceeded deadline may be caused by the
// environment, so the error is not Stalled and the order can be retried. The order is
// canceled when ctx is done.
func (p *Pool) Prepare(ctx context.Context, in hydrate.Preparation) (*hydrate.Prepared, error) {
	packed, err := packRequest(in.Request)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidValues, err)
	}
	next := order{Preparation: &preparation{
		Request: packed, Archive: in.Archive, Given: in.Given, ValuePaths: in.ValuePaths, IgnoresInputs: in.IgnoresInputs,
		AssumesPasswords: in.AssumesPasswords, Lookup: in.Request.Lookup != nil,
	}}
	got, _, err := p.runOrder(ctx, in.Request.At.Namespace, next, in.Request.Lookup)
	if err == nil {
		err = got.toError()
	}
	if err != nil {
		return nil, err
	}
	unpackValue(got.Values)
	for i := range got.Draft.Units {
		got.Draft.Units[i].Values = got.Values
	}
	got.Draft.Request = in.Request
	return &hydrate.Prepared{Draft: got.Draft, InputProblems: got.Wrong, AssumedInputs: got.Assumed, ValuePaths: got.ValuePaths}, nil
}

// runOrder carries out an order for a namespace. It retries once if the worker ended for an
// unknown reason, because another process may have killed it. It also returns how far the
// order came.
func (p *Pool) runOrder(ctx context.Context, namespace string, next order, lookup hydrate.Lookup) (answer, done, error) {
	available := p.setDefaults()
	if err := available.Acquire(ctx, namespace); err != nil {
		return answer{}, done{}, err
	}
	defer available.Release(namespace)
	got, at, err := p.tryOrder(ctx, next, lookup)
	var died *workerExitError
	if errors.As(err, &died) && !died.isOutOfMemory() {
		got, at, err = p.tryOrder(ctx, next, lookup)
	}
	return got, at, p.toChartError(ctx, err)
}

func (p *Pool) setDefaults() *fairsemaphore.Semaphore {
	p.start.Do(func() {
		p.Time = cmp.Or(p.Time, DefaultTime)
		p.Deadline = cmp.Or(p.Deadline, max(DefaultDeadline, 4*p.Time))
		p.Memory = cmp.Or(p.Memory, DefaultMemory)
		p.Idle = cmp.Or(p.Idle, DefaultIdleTime)
		p.slots = fairsemaphore.New(cmp.Or(p.Workers, runtime.GOMAXPROCS(0)))
	})
	return p.slots
}

func (p *Pool) tryOrder(ctx context.Context, next order, lookup hydrate.Lookup) (answer, done, error) {
	w, err := p.takeWorker()
	if err != nil {
		return answer{}, done{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, p.Deadline)
	defer cancel()
	questions := &lookups{lookup: lookup}
	got, err := w.sendOrder(bounded, next, p.Time, questions)
	if err != nil {
		return answer{}, questions.done, err
	}
	p.keepWorker(w)
	if got.Failure != "" && questions.failed != nil {
		return answer{}, questions.done, questions.failed
	}
	return got, questions.done, nil
}

// toChartError converts the error of a worker to an error about the chart.
func (p *Pool) toChartError(ctx context.Context, err error) error {
	var died *workerExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errDeadline):
		return fmt.Errorf("render chart: not completed within %s because the node is overloaded; the operator retries", p.Deadline)
	case errors.Is(err, errCPUTime):
		err = fmt.Errorf("render chart: exceeded the CPU time limit of %s", p.Time)
	case errors.Is(err, errTooMuch):
		err = fmt.Errorf("render chart: exceeded the output limit of %d bytes", maxAnswerBytes)
	case errors.As(err, &died) && died.isOutOfMemory():
		err = fmt.Errorf("render chart: exceeded the memory limit of %d MiB", p.Memory>>20)
	case errors.As(err, &died):
		return errors.New("render chart: the worker process was killed, possibly because the node is out of memory; the operator retries")
	default:
		return err
	}
	return outcome.Stalled(v1alpha1.ReasonLimitExceeded, err)
}

// takeWorker returns the idle worker that was used last and is still running, or a new worker.
func (p *Pool) takeWorker() (*process, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	var found *process
	for found == nil && len(p.idle) > 0 {
		last := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		last.expiry.Stop()
		if last.isRunning() {
			found = last
		} else {
			last.stopWorker()
		}
	}
	p.mu.Unlock()
	if found != nil {
		return found, nil
	}
	return startProcess(p.Command, settings{Memory: p.Memory})
}

// keepWorker keeps the worker for the next order until it expires.
func (p *Pool) keepWorker(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		w.stopWorker()
		return
	}
	w.expiry = time.AfterFunc(p.Idle, func() { p.expireWorker(w) })
	p.idle = append(p.idle, w)
}

// expireWorker ends the worker unless it has been taken in the meantime.
func (p *Pool) expireWorker(w *process) {
	p.mu.Lock()
	at := slices.Index(p.idle, w)
	if at >= 0 {
		p.idle = slices.Delete(p.idle, at, at+1)
	}
	p.mu.Unlock()
	if at >= 0 {
		w.stopWorker()
	}
}

// Close ends all idle workers; busy workers end after their order. New orders fail.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.idle {
		w.expiry.Stop()
		w.stopWorker()
	}
	p.idle = nil
}
