//go:build !linux

package helm

import "syscall"

// limitMemory has only the bound of the garbage collector to go by where the
// kernel has none like it; the time limit ends a render that thrashes.
func limitMemory(uint64) error { return nil }

// diesWithParent leaves it to the end of stdin, which the worker sees when it
// has finished what it renders.
func diesWithParent() *syscall.SysProcAttr { return nil }
