package worker

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// workerExitError is the error of a worker that ended during an order.
type workerExitError struct {
	// output is the beginning of its stderr.
	output string
	// cause is the error of the communication with the worker.
	cause error
}

func (d *workerExitError) Error() string { return "worker exited: " + d.cause.Error() }
func (d *workerExitError) Unwrap() error { return d.cause }

// isOutOfMemory reports whether the stderr of the worker contains one of the messages that
// the Go runtime prints when it is out of memory. The last two are printed by the race
// detector.
func (d *workerExitError) isOutOfMemory() bool {
	for _, text := range []string{
		"out of memory", "cannot allocate memory", "errno=12", "stack exceeds", "stack overflow",
		"failed to allocate", "too many address space collisions",
	} {
		if strings.Contains(d.output, text) {
			return true
		}
	}
	return false
}

// process is a worker process. It carries out one order at a time.
type process struct {
	command *exec.Cmd
	stdin   *os.File
	stdout  *os.File
	orders  *gob.Encoder
	meter   *answerReader
	answers *gob.Decoder
	stderr  *headBuffer
	// exited is closed after the process has ended.
	exited chan struct{}
	// expiry ends the worker after it has been idle for Pool.Idle.
	expiry *time.Timer
}

// startProcess starts a process with three pipes, without environment and other open files.
func startProcess(command []string, with settings) (*process, error) {
	if len(command) == 0 {
		return nil, errors.New("start worker: no command is configured")
	}
	childStdin, stdin, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	stdout, childStdout, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", errors.Join(err, childStdin.Close(), stdin.Close()))
	}
	w := &process{stdin: stdin, stdout: stdout, stderr: &headBuffer{}, exited: make(chan struct{})}
	w.command = exec.Command(command[0], command[1:]...)
	w.command.Env = []string{}
	w.command.Dir = "/"
	w.command.SysProcAttr = diesWithParent()
	w.command.Stdin, w.command.Stdout, w.command.Stderr = childStdin, childStdout, w.stderr
	err = w.command.Start()
	err = errors.Join(err, childStdin.Close(), childStdout.Close())
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", errors.Join(err, stdin.Close(), stdout.Close()))
	}
	go w.waitForExit()
	w.orders, w.meter = gob.NewEncoder(stdin), &answerReader{from: stdout}
	w.answers = gob.NewDecoder(w.meter)
	if err := w.orders.Encode(with); err != nil {
		return nil, w.killWithError(err)
	}
	return w, nil
}

// waitForExit waits for the end of the process. The exit status is ignored because stderr contains
// the reason.
func (w *process) waitForExit() {
	_ = w.command.Wait()
	close(w.exited)
}

// isRunning reports whether the process has not been reaped yet.
func (w *process) isRunning() bool {
	select {
	case <-w.exited:
		return false
	default:
		return true
	}
}

var (
	// errCPUTime reports that an order exceeded its CPU time, and errDeadline that it
	// exceeded the elapsed time.
	errCPUTime  = errors.New("CPU time limit exceeded")
	errDeadline = errors.New("deadline exceeded")
)

// sendOrder sends one order to the worker, limits its CPU time, and answers the worker's
// lookups. After an error the process has ended. The error is a *workerExitError, errTooMuch,
// errCPUTime, errDeadline or the error of ctx.
func (w *process) sendOrder(ctx context.Context, next order, cpu time.Duration, questions *lookups) (answer, error) {
	stop := context.AfterFunc(ctx, w.killWorker)
	defer stop()
	watched := w.watchCPU(cpu)
	defer watched.stopWatching()
	w.meter.left = maxAnswerBytes
	err := w.orders.Encode(next)
	for err == nil {
		var got answer
		if err = w.answers.Decode(&got); err != nil {
			break
		}
		switch {
		case got.Done != nil:
			questions.done = *got.Done
			continue
		case got.Query == nil:
			return got, nil
		}
		err = w.orders.Encode(order{Reply: questions.answerLookup(ctx, *got.Query)})
	}
	died := w.killWithError(err)
	switch {
	case watched.exceeded.Load():
		return answer{}, errCPUTime
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return answer{}, errDeadline
	case ctx.Err() != nil:
		return answer{}, ctx.Err()
	}
	return answer{}, died
}

// cpuWatch kills a worker that exceeds the CPU time of an order. Elapsed time is not a
// substitute because on a busy machine an order may take any length of time.
type cpuWatch struct {
	done     chan struct{}
	exceeded atomic.Bool
}

// minCPUCheck is the minimum interval between two checks of a worker's CPU time.
const minCPUCheck = 20 * time.Millisecond

// watchCPU starts to watch the worker. It does nothing on systems where the CPU time of a
// process cannot be read.
func (w *process) watchCPU(limit time.Duration) *cpuWatch {
	watch := &cpuWatch{done: make(chan struct{})}
	before, err := cpuTime(w.command.Process.Pid)
	if err != nil {
		return watch
	}
	go func() {
		left := limit
		for {
			select {
			case <-watch.done:
				return
			case <-w.exited:
				return
			// The worker runs one thread at a time, so its CPU time cannot grow faster than
			// real time.
			case <-time.After(max(left, minCPUCheck)):
			}
			used, err := cpuTime(w.command.Process.Pid)
			if err != nil {
				return
			}
			if left = limit - (used - before); left <= 0 {
				watch.exceeded.Store(true)
				w.killWorker()
				return
			}
		}
	}()
	return watch
}

// stopWatching stops the watch.
func (c *cpuWatch) stopWatching() { close(c.done) }

// killWithError ends the process and returns the error that describes its end.
func (w *process) killWithError(cause error) error {
	w.stopWorker()
	if errors.Is(cause, errTooMuch) {
		return cause
	}
	return &workerExitError{output: w.stderr.String(), cause: cause}
}

// stopWorker kills the process and waits until it has ended.
func (w *process) stopWorker() {
	w.killWorker()
	<-w.exited
	// Errors do not matter because nothing is left to read from or write to these pipes.
	_ = w.stdin.Close()
	_ = w.stdout.Close()
}

// killWorker kills the process. It does nothing if the process has ended.
func (w *process) killWorker() { _ = w.command.Process.Kill() }

// headBuffer keeps the beginning of its input. The Go runtime prints the reason of a crash first,
// followed by the stacks of all goroutines.
type headBuffer struct {
	mu   sync.Mutex
	kept []byte
}

const maxHead = 4 << 10

func (h *headBuffer) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := maxHead - len(h.kept); room > 0 {
		h.kept = append(h.kept, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (h *headBuffer) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.kept)
}
