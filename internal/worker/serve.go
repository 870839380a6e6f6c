package worker

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/signature"
)

// DefaultMemory is the default memory limit of a worker in bytes. The largest of 347 real
// charts needs a tenth of it.
const DefaultMemory = 512 << 20

// Serve is the main function of a worker process of a Pool. It limits the memory of the
// process and carries out orders until stdin is closed. It changes limits of the whole
// process, so it must not be called in a process that has any other task.
func Serve(stdin io.Reader, stdout io.Writer) error {
	// Helm logs warnings about charts, and no one reads the log of a worker.
	log.SetOutput(io.Discard)
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(200)

	s := &server{in: gob.NewDecoder(stdin), out: gob.NewEncoder(stdout)}
	var with settings
	if err := s.in.Decode(&with); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if err := boundMemory(with.Memory); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	for {
		var next order
		if err := s.in.Decode(&next); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		err := s.out.Encode(s.handleOrder(next))
		if err != nil { // No part of the answer was written.
			err = s.out.Encode(newErrorAnswer(outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("encode result: %w", err))))
		}
		if err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
}

// server is the worker's side of the pipes.
type server struct {
	in  *gob.Decoder
	out *gob.Encoder
}

// handleOrder carries out one order. A panic is reported as an error of this chart.
func (s *server) handleOrder(next order) (result answer) {
	defer func() {
		if cause := recover(); cause != nil {
			text := strings.Join(strings.Fields(fmt.Sprint(cause)), " ")
			result = newErrorAnswer(outcome.Stalled(v1alpha1.ReasonRenderFailed, fmt.Errorf("panic: %.200s", text)))
		}
	}()
	ctx := context.Background()
	with := hydrate.InProcess{Renderer: render.Engine{}, Reader: olares.Reader{}, Verifier: signature.Verifier{}, Done: s.reportProgress}
	switch {
	case next.Analysis != nil:
		draft, took, err := with.Analyze(ctx, next.Analysis.Request.toRequest(), next.Analysis.Payload)
		if err != nil {
			result = newErrorAnswer(err)
		}
		result.Draft, result.Took = withoutKnownFields(draft), took
	case next.Preparation != nil:
		p := hydrate.Preparation{Request: next.Preparation.Request.toRequest(), Archive: next.Preparation.Archive, Given: next.Preparation.Given,
			ValuePaths: next.Preparation.ValuePaths, IgnoresInputs: next.Preparation.IgnoresInputs, AssumesPasswords: next.Preparation.AssumesPasswords}
		if next.Preparation.Lookup {
			p.Request.Lookup = s.requestLookup
		}
		prepared, err := with.Prepare(ctx, p)
		if err != nil {
			return newErrorAnswer(err)
		}
		result.Draft, result.Wrong, result.ValuePaths = withoutKnownFields(prepared.Draft), prepared.InputProblems, prepared.ValuePaths
		result.Assumed = prepared.AssumedInputs
		if units := prepared.Draft.Units; len(units) > 0 {
			if result.Values, err = packValues(units[0].Values); err != nil {
				return newErrorAnswer(outcome.Stalled(v1alpha1.ReasonInvalidValues, err))
			}
		}
	case next.Inspection != nil:
		return inspectChart(next.Inspection.Archive)
	default:
		return newErrorAnswer(errors.New("empty order"))
	}
	return result
}

// reportProgress sends the progress of the order to the operator. It ignores errors because writing
// the answer then fails too.
func (s *server) reportProgress(step hydrate.Name, d *hydrate.Draft) {
	_ = s.out.Encode(answer{Done: &done{Step: step, Files: d.FileCount}})
}

// withoutKnownFields returns a copy of the draft without the fields that the operator already has.
func withoutKnownFields(d *hydrate.Draft) *hydrate.Draft {
	if d == nil {
		return nil
	}
	out := *d
	out.Request, out.Units = hydrate.Request{}, append([]hydrate.Unit(nil), d.Units...)
	for i := range out.Units {
		out.Units[i].Values = nil
	}
	return &out
}

var errNoReply = errors.New("lookup: the operator did not respond")

// requestLookup requests an object from the operator.
func (s *server) requestLookup(_ context.Context, query hydrate.LookupQuery) (map[string]any, error) {
	if err := s.out.Encode(answer{Query: &query}); err != nil {
		return nil, fmt.Errorf("send lookup: %w", err)
	}
	var next order
	if err := s.in.Decode(&next); err != nil || next.Reply == nil {
		return nil, errors.Join(errNoReply, err)
	}
	if next.Reply.Failed {
		return nil, errNoReply
	}
	if len(next.Reply.Found) == 0 {
		return nil, nil
	}
	var found map[string]any
	if err := json.Unmarshal(next.Reply.Found, &found); err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	return found, nil
}

// boundMemory sets a memory limit in the kernel, which ends the process when it is
// exceeded, and a lower limit for the garbage collector, which then runs more often.
func boundMemory(bytes int64) error {
	if bytes <= 0 || bytes == math.MaxInt64 {
		return fmt.Errorf("invalid limit of %d bytes", bytes)
	}
	debug.SetMemoryLimit(bytes / 4 * 3)
	return limitMemory(uint64(bytes))
}
