package admission

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/text"
)

// Findings collects the problems that prevent an operation.
type Findings struct {
	// WaitsForUnmet specifies that the operation waits for requirements that may be met later.
	// Otherwise an unmet requirement is terminal.
	WaitsForUnmet bool
	// Interval is the interval at which requirements are checked again that no watch observes.
	Interval time.Duration

	found []violation
}

// violation is a problem, with YAML that solves it if available.
type violation struct {
	err    error
	remedy string
	// until is a sentence about how long the operation waits for this problem to
	// resolve.
	until string
}

// Add adds an error, unless it is nil.
func (f *Findings) Add(err error) {
	if err != nil {
		f.found = append(f.found, violation{err: err})
	}
}

// AddWithRemedy adds an error with YAML that solves it.
func (f *Findings) AddWithRemedy(err error, remedy string) {
	f.found = append(f.found, violation{err: err, remedy: remedy})
}

// AddUntil adds a waiting error and a sentence about how long the operation waits.
func (f *Findings) AddUntil(err error, until string) {
	f.found = append(f.found, violation{err: err, until: until})
}

// Len returns the number of findings.
func (f *Findings) Len() int { return len(f.found) }

// AddOrReturn adds the error and returns nil if it is a finding, otherwise it returns the error.
func (f *Findings) AddOrReturn(err error) error {
	if !IsFinding(err) {
		return err
	}
	f.Add(err)
	return nil
}

// AddUnmet adds a requirement that may be met later, when an object changes that the operator
// watches. The operation waits for it if WaitsForUnmet is set.
func (f *Findings) AddUnmet(reason, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if f.WaitsForUnmet {
		f.Add(outcome.Waiting(reason, 0, err))
		return
	}
	f.Add(outcome.Stalled(reason, err))
}

// AddProblems adds problems of the cluster. A problem that is not final may be solved later,
// without an event. The operation checks it again after Interval if WaitsForUnmet is set.
func (f *Findings) AddProblems(problems ...preflight.Problem) {
	for _, one := range problems {
		err := outcome.Stalled(one.Reason, errors.New(one.Message))
		if f.WaitsForUnmet && !one.Final {
			err = outcome.Waiting(one.Reason, f.Interval, errors.New(one.Message))
		}
		f.found = append(f.found, violation{err: err, remedy: one.Remedy})
	}
}

// findingMessage returns the message of a finding by its index. If the finding has a remedy, the
// message contains the path of the status field with the remedy.
func (f *Findings) findingMessage(number int) string {
	message := f.found[number].err.Error()
	if f.found[number].remedy == "" || number >= f.countListed() {
		return message
	}
	return strings.Replace(message, preflight.RemedyPlaceholder, fmt.Sprintf("status.preflight[%d].remedy", number), 1)
}

const (
	// maxMessage is the maximum length of a message in bytes.
	maxMessage = 1024
	// maxListed is the maximum number of problems in status, and maxListedBytes the maximum
	// size of their messages and remedies in bytes.
	maxListed      = 50
	maxListedBytes = 128 << 10
)

// ToProblems returns the findings for status. If some do not fit, the last problem contains
// their number.
func (f *Findings) ToProblems() []v1alpha1.Problem {
	var out []v1alpha1.Problem
	for i, one := range f.found[:f.countListed()] {
		out = append(out, v1alpha1.Problem{
			Reason: outcome.Reason(one.err, v1alpha1.ReasonInvalidSpec), Message: text.Limit(f.findingMessage(i), maxMessage), Remedy: one.remedy,
		})
	}
	if more := len(f.found) - len(out); more > 0 {
		out = append(out, v1alpha1.Problem{
			Reason:  outcome.Reason(f.found[len(out)].err, v1alpha1.ReasonInvalidSpec),
			Message: text.Count(more, "other problem is", "other problems are") + " not listed; correct the listed problems first",
		})
	}
	return out
}

// countListed returns the number of findings that fit into status, at least 1 if there are any.
func (f *Findings) countListed() int {
	size := 0
	for i, one := range f.found {
		size += len(one.err.Error()) + len(one.remedy)
		if i > 0 && size > maxListedBytes || i == maxListed-1 && len(f.found) > maxListed {
			return i
		}
	}
	return len(f.found)
}

// ToError combines the findings into one error, nil if there are none. The error is
// terminal if any finding is. Otherwise it waits for the shortest delay of the findings,
// and at most for the given time unless that is 0. The message contains all findings.
func (f *Findings) ToError(most time.Duration) error {
	if len(f.found) == 0 {
		return nil
	}
	var messages []string
	for i := range f.found {
		messages = append(messages, f.findingMessage(i))
	}
	for _, one := range f.found {
		if outcome.IsStalled(one.err) {
			return outcome.Stalled(outcome.Reason(one.err, v1alpha1.ReasonInvalidSpec), errors.New(text.Sentences(messages, maxMessage)))
		}
	}
	for _, one := range f.found {
		if one.until != "" {
			messages = append(messages, one.until)
		}
	}
	next := most
	for _, one := range f.found {
		if after, _ := outcome.IsWaiting(one.err); after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	return outcome.Waiting(outcome.Reason(f.found[0].err, v1alpha1.ReasonProgressing), next, errors.New(text.Sentences(messages, maxMessage)))
}

// IsFinding reports whether an error is nil or the result of a check. Other errors
// prevented a check.
func IsFinding(err error) bool {
	_, waiting := outcome.IsWaiting(err)
	return err == nil || waiting || outcome.IsStalled(err)
}
