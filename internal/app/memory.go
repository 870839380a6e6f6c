package app

import (
	"fmt"
	"os"
	"runtime/debug"
)

// minOwnMemory is the memory that the operator needs in addition to its render workers.
const minOwnMemory = 256 << 20

// memoryShares divides a limit between the operator and its render workers, which count
// toward the same limit of a container. The number of workers is the number of processors, or
// less if they do not fit. A limit of 0 means no limit; own is then 0.
func memoryShares(limit, perRender int64, processors int) (workers int, own int64, err error) {
	if limit == 0 {
		return processors, 0, nil
	}
	if needed := perRender + minOwnMemory; limit < needed {
		return 0, 0, fmt.Errorf("--memory-limit: Invalid value: %d MiB: must be at least %d MiB (%d MiB for one render worker and %d MiB for the operator); raise the memory limit of the container or lower --render-memory",
			limit>>20, needed>>20, perRender>>20, minOwnMemory>>20)
	}
	workers = min(processors, int((limit-minOwnMemory)/perRender))
	return workers, limit - int64(workers)*perRender, nil
}

// limitOwnMemory makes the garbage collector keep this process below its share, unless the
// environment variable GOMEMLIMIT is set. A tenth is reserved for memory that the collector
// does not count.
func limitOwnMemory(own int64) {
	if own > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(own / 10 * 9)
	}
}
