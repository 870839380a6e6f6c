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

// death is what is known of a worker that ended in the middle of an order.
type death struct {
	// words are the first that it wrote to stderr.
	words string
	// cause is why talking to it failed.
	cause error
}

func (d *death) Error() string { return "worker ended: " + d.cause.Error() }
func (d *death) Unwrap() error { return d.cause }

// outOfMemory reports whether the worker said so; Go's runtime writes one of
// these before it ends, and one of the last two where the race detector is built in.
func (d *death) outOfMemory() bool {
	for _, sign := range []string{
		"out of memory", "cannot allocate memory", "errno=12", "stack exceeds", "stack overflow",
		"failed to allocate", "too many address space collisions",
	} {
		if strings.Contains(d.words, sign) {
			return true
		}
	}
	return false
}

// process is a worker, which carries out one order at a time.
type process struct {
	command *exec.Cmd
	stdin   *os.File
	stdout  *os.File
	orders  *gob.Encoder
	meter   *meter
	answers *gob.Decoder
	stderr  *head
	// gone is closed when the process has ended.
	gone chan struct{}
	// expiry ends the worker when it has been idle for long.
	expiry *time.Timer
}

// startProcess starts a process that has nothing of ours but three pipes.
func startProcess(command []string, with settings) (*process, error) {
	if len(command) == 0 {
		return nil, errors.New("start worker: no command is configured")
	}
	itsStdin, stdin, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	stdout, itsStdout, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", errors.Join(err, itsStdin.Close(), stdin.Close()))
	}
	w := &process{stdin: stdin, stdout: stdout, stderr: &head{}, gone: make(chan struct{})}
	w.command = exec.Command(command[0], command[1:]...)
	w.command.Env = []string{}
	w.command.Dir = "/"
	w.command.SysProcAttr = diesWithParent()
	w.command.Stdin, w.command.Stdout, w.command.Stderr = itsStdin, itsStdout, w.stderr
	err = w.command.Start()
	err = errors.Join(err, itsStdin.Close(), itsStdout.Close())
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", errors.Join(err, stdin.Close(), stdout.Close()))
	}
	go w.reap()
	w.orders, w.meter = gob.NewEncoder(stdin), &meter{from: stdout}
	w.answers = gob.NewDecoder(w.meter)
	if err := w.orders.Encode(with); err != nil {
		return nil, w.bury(err)
	}
	return w, nil
}

// reap waits for the end of the process. How a process ended that was killed
// says nothing that its stderr does not.
func (w *process) reap() {
	_ = w.command.Wait()
	close(w.gone)
}

// alive reports whether the process still runs, as far as is known.
func (w *process) alive() bool {
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}

var (
	// errCPUTime ends an order that takes more processor time than it may, errDeadline
	// one that takes too long by the clock.
	errCPUTime  = errors.New("the order takes more processor time than it may")
	errDeadline = errors.New("the order takes too long")
)

// carryOut has one order carried out, with a bound on its processor time, and answers the
// worker's questions. After an error the process has ended; the error is a *death,
// errTooMuch, errCPUTime, errDeadline or that of ctx.
func (w *process) carryOut(ctx context.Context, next order, cpu time.Duration, questions *questions) (answer, error) {
	stop := context.AfterFunc(ctx, w.kill)
	defer stop()
	watched := w.watchCPU(cpu)
	defer watched.end()
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
		err = w.orders.Encode(order{Reply: questions.answer(ctx, *got.Query)})
	}
	died := w.bury(err)
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

// cpuWatch kills a worker that takes more processor time for an order than it may. On
// a busy machine an order may take any time by the clock.
type cpuWatch struct {
	done     chan struct{}
	exceeded atomic.Bool
}

// minCPUCheck is the least time between two looks at the processor time of a worker.
const minCPUCheck = 20 * time.Millisecond

// watchCPU begins to watch the worker. Where the system does not tell the processor
// time of a process, there is nothing to watch.
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
			case <-w.gone:
				return
			// No process of one thread takes more processor time than goes by.
			case <-time.After(max(left, minCPUCheck)):
			}
			used, err := cpuTime(w.command.Process.Pid)
			if err != nil {
				return
			}
			if left = limit - (used - before); left <= 0 {
				watch.exceeded.Store(true)
				w.kill()
				return
			}
		}
	}()
	return watch
}

// end ends the watch.
func (c *cpuWatch) end() { close(c.done) }

// bury ends the process for good, and gives what is known of its end.
func (w *process) bury(cause error) error {
	w.end()
	if errors.Is(cause, errTooMuch) {
		return cause
	}
	return &death{words: w.stderr.String(), cause: cause}
}

// end kills the process and waits until it is gone.
func (w *process) end() {
	w.kill()
	<-w.gone
	// Nothing is left to be lost in these pipes.
	_ = w.stdin.Close()
	_ = w.stdout.Close()
}

// kill does nothing to a process that has ended.
func (w *process) kill() { _ = w.command.Process.Kill() }

// head keeps the beginning of what is written to it: Go's runtime says in its
// first lines why it ends, and after them come the goroutines.
type head struct {
	mu   sync.Mutex
	kept []byte
}

const maxHead = 4 << 10

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := maxHead - len(h.kept); room > 0 {
		h.kept = append(h.kept, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.kept)
}
