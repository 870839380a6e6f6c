//go:build !linux

package worker

import (
	"errors"
	"syscall"
	"time"
)

// limitMemory does nothing because other systems have no equivalent limit. The memory limit
// of the garbage collector still applies, and the deadline ends an order that thrashes.
func limitMemory(uint64) error { return nil }

// cpuTime is not supported. The deadline is the only limit on the time of an order.
func cpuTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

// diesWithParent returns nil. The worker ends after its current order because stdin is
// closed.
func diesWithParent() *syscall.SysProcAttr { return nil }
