//go:build !linux

package worker

import (
	"errors"
	"syscall"
	"time"
)

// limitMemory has only the bound of the garbage collector to go by where the
// kernel has none like it; the deadline ends a render that thrashes.
func limitMemory(uint64) error { return nil }

// cpuTime is not known here. The deadline of a render is its only bound.
func cpuTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

// diesWithParent leaves it to the end of stdin, which the worker sees when it
// has finished what it renders.
func diesWithParent() *syscall.SysProcAttr { return nil }
