package ui

import (
	"os"
	"runtime/debug"
)

// garbagePercent is the garbage, in percent of the memory in use, at which it is collected. Most of this memory is
// the cache of the cluster, so the default of 100 would double it. A collection takes some milliseconds of CPU time.
const garbagePercent = 50

// limitGarbage has garbage collected earlier than by default, unless the environment variable GOGC is set.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}
