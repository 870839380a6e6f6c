package helm

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"runtime"
	"runtime/debug"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// DefaultMemory is how much memory a worker may take, in bytes. The largest of
// 347 real charts needs a tenth of it.
const DefaultMemory = 512 << 20

// RunRenderWorker is the main of a worker process of a Sandbox: it bounds its own
// memory and renders one order after the other until stdin ends. It changes
// limits of the whole process and is of no use in one that does anything else.
func RunRenderWorker(stdin io.Reader, stdout io.Writer) error {
	// Helm logs warnings about charts, which nobody reads here.
	log.SetOutput(io.Discard)
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(200)

	in, out := gob.NewDecoder(stdin), gob.NewEncoder(stdout)
	var with settings
	if err := in.Decode(&with); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if err := boundMemory(with.Memory); err != nil {
		return fmt.Errorf("bound memory: %w", err)
	}
	for {
		var next order
		if err := in.Decode(&next); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		if err := out.Encode(carryOut(with.Engine, next)); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
}

// carryOut renders one order. A panic is the failure of this chart alone.
func carryOut(engine Engine, next order) (done answer) {
	defer func() {
		if cause := recover(); cause != nil {
			done = failed(outcome.Stalled(v1alpha1.ReasonRenderFailed, fmt.Errorf("render chart: panic: %s", oneLine(fmt.Sprint(cause)))))
		}
	}()
	unpack(next.Input.Values)
	rendered, err := engine.Render(context.Background(), next.Input)
	if err != nil {
		return failed(err)
	}
	return answer{Rendered: rendered}
}

// boundMemory makes the kernel refuse memory beyond the bound, which ends the
// process, and the garbage collector work harder before that.
func boundMemory(bytes int64) error {
	if bytes <= 0 || bytes == math.MaxInt64 {
		return fmt.Errorf("bound of %d bytes is not possible", bytes)
	}
	debug.SetMemoryLimit(bytes / 4 * 3)
	return limitMemory(uint64(bytes))
}
