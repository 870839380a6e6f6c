package worker

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitMemory limits the additional memory that this process can allocate. It limits the
// address space too: the kernel does not apply the limit on data to an allocation in space
// that the Go runtime has already reserved.
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

// cpuTime returns the CPU time that a process has used so far.
func cpuTime(pid int) (time.Duration, error) {
	// The ID of the process's CPU clock, computed like clock_getcpuclockid(3) does.
	const scheduled = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &at); err != nil {
		return 0, fmt.Errorf("read processor time of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}

// diesWithParent makes the kernel kill the worker when the operator ends for any reason.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
