package worker

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitMemory bounds the memory that this process may take from now on. Its
// address space is bounded too: the kernel lets a single large allocation pass
// the limit on data where Go has reserved the space before.
func limitMemory(bytes uint64) error {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return fmt.Errorf("read size of process: %w", err)
	}
	var size, resident, shared, code, library, data uint64 // in pages
	if _, err := fmt.Sscan(string(text), &size, &resident, &shared, &code, &library, &data); err != nil {
		return fmt.Errorf("read size of process: %w", err)
	}
	page := uint64(os.Getpagesize())
	for _, limit := range []struct {
		name  string
		of    int
		bytes uint64
	}{
		{"RLIMIT_AS", unix.RLIMIT_AS, size*page + bytes},
		{"RLIMIT_DATA", unix.RLIMIT_DATA, data*page + bytes},
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(limit.of, &unix.Rlimit{Cur: limit.bytes, Max: limit.bytes}); err != nil {
			return fmt.Errorf("set %s: %w", limit.name, err)
		}
	}
	return nil
}

// cpuTime returns the processor time that a process has taken so far.
func cpuTime(pid int) (time.Duration, error) {
	// The clock of a process by its id, as clock_getcpuclockid(3) makes it.
	const scheduled = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &at); err != nil {
		return 0, fmt.Errorf("read processor time of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}

// diesWithParent makes the kernel end the worker when the operator ends, however
// it ends.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
