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

// Findings collect what stands in the way of an operation.
type Findings struct {
	found []finding
}

// finding is one thing that stands in the way, and YAML that corrects it, if there is
// such.
type finding struct {
	err    error
	remedy string
	// until says how long it is waited for, if nothing else is in the way for good.
	until string
}

// Add adds an error, unless it is nil.
func (f *Findings) Add(err error) {
	if err != nil {
		f.found = append(f.found, finding{err: err})
	}
}

// AddWith adds an error, and YAML to apply that corrects it.
func (f *Findings) AddWith(err error, remedy string) {
	f.found = append(f.found, finding{err: err, remedy: remedy})
}

// AddUntil adds an error that is waited for, and a sentence about how long.
func (f *Findings) AddUntil(err error, until string) {
	f.found = append(f.found, finding{err: err, until: until})
}

// Len is the number of findings.
func (f *Findings) Len() int { return len(f.found) }

// Take adds an error that says what is wrong, and returns one that says that looking
// failed.
func (f *Findings) Take(err error) error {
	if !IsFinding(err) {
		return err
	}
	f.Add(err)
	return nil
}

// Refuse adds the problems of a comparison with the cluster as final ones.
func (f *Findings) Refuse(problems ...preflight.Problem) {
	for _, one := range problems {
		f.found = append(f.found, finding{err: outcome.Stalled(one.Reason, errors.New(one.Message)), remedy: one.Remedy})
	}
}

// WaitFor adds the problems of a comparison with the cluster. Those that time may solve
// are waited for, and looked at again after an interval.
func (f *Findings) WaitFor(interval time.Duration, problems ...preflight.Problem) {
	for _, one := range problems {
		if one.Final {
			f.Refuse(one)
			continue
		}
		err := outcome.Waiting(one.Reason, interval, errors.New(one.Message))
		f.found = append(f.found, finding{err: err, remedy: one.Remedy})
	}
}

// message is what the finding of a number says. It names the field of the status that
// holds its remedy.
func (f *Findings) message(number int) string {
	message := f.found[number].err.Error()
	if f.found[number].remedy == "" || number >= f.shown() {
		return message
	}
	return strings.Replace(message, preflight.TheRemedy, fmt.Sprintf("status.preflight[%d].remedy", number), 1)
}

const (
	// maxMessage bounds a message in bytes.
	maxMessage = 1024
	// maxListed bounds the problems that a status shows, and maxListedBytes their size.
	maxListed      = 50
	maxListedBytes = 128 << 10
)

// Listed are the findings as a status shows them. If some are left out, the last one
// says how many.
func (f *Findings) Listed() []v1alpha1.Problem {
	var out []v1alpha1.Problem
	for i, one := range f.found[:f.shown()] {
		out = append(out, v1alpha1.Problem{
			Reason: outcome.Reason(one.err, v1alpha1.ReasonInvalidSpec), Message: text.Limit(f.message(i), maxMessage), Remedy: one.remedy,
		})
	}
	if more := len(f.found) - len(out); more > 0 {
		out = append(out, v1alpha1.Problem{
			Reason:  outcome.Reason(f.found[len(out)].err, v1alpha1.ReasonInvalidSpec),
			Message: fmt.Sprintf("and %s, shown once these are solved", text.Count(more, "more problem", "more problems")),
		})
	}
	return out
}

// shown is the number of findings that fit into a status, at least one.
func (f *Findings) shown() int {
	size := 0
	for i, one := range f.found {
		size += len(one.err.Error()) + len(one.remedy)
		if i > 0 && size > maxListedBytes || i == maxListed-1 && len(f.found) > maxListed {
			return i
		}
	}
	return len(f.found)
}

// Verdict sums the findings up, nil if there are none: one that is final decides, and
// otherwise they are waited for, at most for the given time unless that is zero. The
// message names all of them.
func (f *Findings) Verdict(most time.Duration) error {
	if len(f.found) == 0 {
		return nil
	}
	var said []string
	for i := range f.found {
		said = append(said, f.message(i))
	}
	for _, one := range f.found {
		if outcome.IsStalled(one.err) {
			return outcome.Stalled(outcome.Reason(one.err, v1alpha1.ReasonInvalidSpec), errors.New(text.Sentences(said, maxMessage)))
		}
	}
	for _, one := range f.found {
		if one.until != "" {
			said = append(said, one.until)
		}
	}
	next := most
	for _, one := range f.found {
		if after, _ := outcome.IsWaiting(one.err); after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	return outcome.Waiting(outcome.Reason(f.found[0].err, v1alpha1.ReasonProgressing), next, errors.New(text.Sentences(said, maxMessage)))
}

// IsFinding reports whether an error is nil or says what is wrong, rather than that looking
// failed.
func IsFinding(err error) bool {
	_, waiting := outcome.IsWaiting(err)
	return err == nil || waiting || outcome.IsStalled(err)
}
