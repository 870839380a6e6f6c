package status

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// MaxInterruptions bounds how often work is begun for the same inputs and request
// without a result: what ends the operator would end it again and again.
const MaxInterruptions = 3

// Work is what an attempt is for: its inputs, the request for it, and the process that
// does it.
type Work struct{ Inputs, Request, Process string }

// Next returns the attempt to be noted before the work begins. It counts on where the
// last one, which is zero if there is none, was cut off.
func (w Work) Next(last v1alpha1.Attempt) v1alpha1.Attempt {
	next := v1alpha1.Attempt{Inputs: w.Inputs, Request: w.Request, Process: w.Process, Begun: 1}
	if w.WasInterrupted(last) {
		next.Begun = last.Begun + 1
	}
	return next
}

// WasCutOff reports whether the same work was begun by another process and has no
// result. What this process began has one, though it may not be in status yet.
func (w Work) WasInterrupted(last v1alpha1.Attempt) bool {
	return last.Begun > 0 && last.Inputs == w.Inputs && last.Request == w.Request && last.Process != w.Process
}

// IsExhausted reports whether the same work was cut off as often as it may be.
func (w Work) IsExhausted(last v1alpha1.Attempt) bool {
	return w.WasInterrupted(last) && last.Begun >= MaxInterruptions
}

// Interrupted returns the error of work that was begun as often as it may be without a
// result. It says how to request another attempt of an object.
func InterruptedError(work, kind, name string) error {
	return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf(
		"%s was interrupted %d times without a result: set the annotation %s of %s %q to another value to try again",
		work, MaxInterruptions, v1alpha1.ReconcileRequestAnnotation, kind, name))
}

// InputsDigest is the digest of what work is done with, as an Attempt has it. Values
// that cannot be encoded have none in common with others.
func InputsDigest(inputs any) string {
	text, err := json.Marshal(inputs)
	if err != nil {
		text = fmt.Appendf(nil, "%#v", inputs)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
