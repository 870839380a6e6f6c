package status

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// MaxInterruptions bounds the attempts for the same inputs and request without a result. Work
// that ends the operator process would otherwise end it again and again.
const MaxInterruptions = 3

// Work identifies an attempt: its inputs, the request for it, and the process that performs
// it.
type Work struct{ Inputs, Request, Process string }

// Next returns the attempt to record before the work begins. It increments the count if the
// last attempt, which is zero if there is none, was interrupted.
func (w Work) Next(last v1alpha1.Attempt) v1alpha1.Attempt {
	next := v1alpha1.Attempt{Inputs: w.Inputs, Request: w.Request, Process: w.Process, Starts: 1}
	if w.WasInterrupted(last) {
		next.Starts = last.Starts + 1
	}
	return next
}

// WasInterrupted reports whether another process began the same work and recorded no result.
// An attempt of the same process has a result, although it may not be in status yet.
func (w Work) WasInterrupted(last v1alpha1.Attempt) bool {
	return last.Starts > 0 && last.Inputs == w.Inputs && last.Request == w.Request && last.Process != w.Process
}

// IsExhausted reports whether the same work was interrupted MaxInterruptions times.
func (w Work) IsExhausted(last v1alpha1.Attempt) bool {
	return w.WasInterrupted(last) && last.Starts >= MaxInterruptions
}

// InterruptedError returns the error of work whose attempts are exhausted. Its message describes
// how to request another attempt.
func InterruptedError(work, kind, name string) error {
	return outcome.Stalled(v1alpha1.ReasonInterrupted, fmt.Errorf(
		"%s was interrupted %d times without a result; change the annotation %s of %s %q to retry",
		work, MaxInterruptions, v1alpha1.ReconcileRequestAnnotation, kind, name))
}

// InputsDigest returns the digest of the inputs of an Attempt. Inputs that cannot be encoded
// as JSON are formatted.
func InputsDigest(inputs any) string {
	text, err := json.Marshal(inputs)
	if err != nil {
		text = fmt.Appendf(nil, "%#v", inputs)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
