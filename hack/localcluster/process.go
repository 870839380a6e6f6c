package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pollInterval = 50 * time.Millisecond
	killAfter    = 5 * time.Second
)

// An identity names one process for good: a process id is used again, the same id with the same start is not.
type identity struct {
	pid int
	// started is the time since boot at which the process started, in clock ticks.
	started uint64
}

// identify reads who a running process is. It fails with fs.ErrNotExist when there is none, or only its remains.
func identify(pid int) (identity, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if errors.Is(err, syscall.ESRCH) {
		err = fs.ErrNotExist // It ended while it was read.
	}
	if err != nil {
		return identity{}, fmt.Errorf("look up process %d: %w", pid, err)
	}
	state, started, err := parseStat(stat)
	if err != nil {
		return identity{}, fmt.Errorf("look up process %d: %w", pid, err)
	}
	if state == "Z" {
		return identity{}, fmt.Errorf("look up process %d: %w", pid, fs.ErrNotExist)
	}
	return identity{pid: pid, started: started}, nil
}

// parseStat reads the state and the start time from /proc/PID/stat: fields 3 and 22, counted after the command's name,
// which is in parentheses and may hold spaces and parentheses itself.
func parseStat(stat []byte) (state string, started uint64, err error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	const stateField, startField = 0, 19
	if end < 0 || len(fields) <= startField {
		return "", 0, fmt.Errorf("read process state: %d fields", len(fields))
	}
	started, err = strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return "", 0, fmt.Errorf("read process start: %w", err)
	}
	return fields[stateField], started, nil
}

func (i identity) alive() bool {
	now, err := identify(i.pid)
	return err == nil && now == i
}

func (i identity) String() string { return fmt.Sprintf("%d %d\n", i.pid, i.started) }

func parseIdentity(text string) (identity, error) {
	var i identity
	if _, err := fmt.Sscanf(text, "%d %d", &i.pid, &i.started); err != nil || i.pid <= 1 {
		return identity{}, fmt.Errorf("read process file: want a process id and a start time, got %q", text)
	}
	return i, nil
}

// A process is one program of the cluster; its identity is kept in a file so that a later command finds it.
type process struct {
	name    string
	pidFile string
	logFile string
	// patience is how long the program may take to end by itself.
	patience time.Duration
	// namespaces are flags of clone(2) for namespaces of its own.
	namespaces uintptr
	exited     chan struct{}
}

// start runs the program apart from this one: in a session of its own, so that an interrupt typed at the terminal does
// not reach it, and with its output in its log.
func (p *process) start(binary, dir string, args ...string) error {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close() // The program has a handle of its own.
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	// kwok keeps a folder in the user's home unless told otherwise.
	cmd.Env = append(os.Environ(), "KWOK_WORKDIR="+filepath.Join(dir, "kwok"), "KUBECONFIG=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: p.namespaces}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	who, err := identify(cmd.Process.Pid)
	switch {
	case errors.Is(err, fs.ErrNotExist): // It has ended already, and died says why.
		if err = os.Remove(p.pidFile); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	case err == nil:
		err = os.WriteFile(p.pidFile, []byte(who.String()), 0o600)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.name, err), cmd.Process.Kill())
	}
	p.exited = make(chan struct{})
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // How it ended is in its log.
	}()
	return nil
}

// running tells who the process is, if it lives. A file that cannot be read counts as none.
func (p *process) running() (identity, bool) {
	text, err := os.ReadFile(p.pidFile)
	if err != nil {
		return identity{}, false
	}
	who, err := parseIdentity(string(text))
	return who, err == nil && who.alive()
}

// died returns an error with the end of the log once a process that was started here has ended.
func (p *process) died() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended; the end of its log:\n%s", p.name, tail(p.logFile, 20))
	default:
		return nil
	}
}

// stop asks the process to end, and makes it after a few seconds.
func (p *process) stop(ctx context.Context) error {
	who, alive := p.running()
	if !alive {
		return nil
	}
	if err := send(who, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	if gone(ctx, who, p.patience) {
		return nil
	}
	if err := send(who, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	if !gone(context.WithoutCancel(ctx), who, killAfter) {
		return fmt.Errorf("stop %s: process %d is still there", p.name, who.pid)
	}
	return nil
}

func send(who identity, s syscall.Signal) error {
	if err := syscall.Kill(who.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// gone waits for the process to end, for so long or until ctx is done.
func gone(ctx context.Context, who identity, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return poll(ctx, func() (bool, error) { return !who.alive(), nil }) == nil
}

// poll calls done until it says so, fails, or ctx ends; then the error says what ended it.
func poll(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// tail returns the last lines of a file, or why it cannot.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
