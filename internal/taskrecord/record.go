// Package taskrecord reads and writes the annotation that records which AppInstallTask last
// wrote the spec of an AppInstance.
//
// The task controller writes the record in the same request as the spec, so that the two
// cannot disagree after a restart. The instance controller copies it to the status: to
// status.writer, to the operations that it runs, and to the completed tasks.
//
// A user who may write an AppInstance may also write its annotations. ReadRecord therefore
// limits the length of the value and of each field, and returns an error for a value that
// AppMarket could not have written. Both controllers treat an instance with such a value as
// one that no task has written. The next task replaces the value.
//
// A user can forge a valid record. Only its message authentication code proves that the task
// controller of this process wrote the spec: see HasValidCode.
package taskrecord

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// Record identifies the task that last wrote the spec of an instance. Its zero value means
// that no task has written it.
type Record struct {
	// Task is the name of the task, at most 253 characters.
	Task string `json:"task"`
	// UID is the UID of the task, at most 128 characters.
	UID string `json:"uid,omitempty"`
	// Hash is the hash of the operation that the task requests, at most 128 characters. A
	// task that is deleted and applied again has another UID and the same hash.
	Hash string `json:"hash,omitempty"`
	// RequestedBy is the user who created the task, at most 256 characters. It is empty if the
	// user is not known.
	RequestedBy string `json:"requestedBy,omitempty"`
	// PreviousRevision is the revision that was installed before the task wrote the spec. It
	// is 0 if none was.
	PreviousRevision int32 `json:"previousRevision,omitempty"`
	// PreviousRestart is the last restart before the task wrote the spec. It is nil if the
	// instance was not restarted.
	PreviousRestart *metav1.Time `json:"previousRestart,omitempty"`
	// Code is the message authentication code of the spec that the task was admitted for, at
	// most 128 characters. SetCode sets it.
	Code string `json:"code,omitempty"`
	// RevertReason is set after the task has reverted its changes. It is the reason of the
	// cancellation or of the failure of the task, at most 128 characters.
	RevertReason string `json:"revertReason,omitempty"`
}

// IsReverted reports whether the task has reverted its changes.
func (r Record) IsReverted() bool { return r.RevertReason != "" }

// The limits of the annotation. They equal the limits of the fields of the status to which
// the values are copied.
const (
	maxBytes     = 4096
	maxTaskName  = 253
	maxUIDLength = 128
	maxHash      = 128
	maxRequester = 256
	maxReason    = 128
	maxCode      = 128
)

// TrimRequester returns the name of a user, cut to the length that a record can contain.
func TrimRequester(user string) string { return text.Limit(user, maxRequester) }

// reasonPattern matches the reasons of conditions.
var reasonPattern = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// ReadRecord returns the record of an object, which is zero if the object has none. The error
// names the annotation and does not contain its value.
func ReadRecord(object metav1.Object) (Record, error) {
	value, found := object.GetAnnotations()[v1alpha1.TaskAnnotation]
	if !found {
		return Record{}, nil
	}
	record, err := parseRecord(value)
	if err != nil {
		return Record{}, fmt.Errorf("metadata.annotations[%q]: %w", v1alpha1.TaskAnnotation, err)
	}
	return record, nil
}

func parseRecord(value string) (Record, error) {
	if len(value) > maxBytes {
		return Record{}, fmt.Errorf("must have at most %d bytes", maxBytes)
	}
	var record Record
	if err := json.Unmarshal([]byte(value), &record); err != nil {
		return Record{}, errors.New("must be a JSON object with the name of a task")
	}
	if err := record.checkFields(); err != nil {
		return Record{}, err
	}
	return record, nil
}

func (r Record) checkFields() error {
	for _, field := range []struct {
		name, value string
		most        int
	}{
		{"task", r.Task, maxTaskName}, {"uid", r.UID, maxUIDLength}, {"hash", r.Hash, maxHash},
		{"requestedBy", r.RequestedBy, maxRequester}, {"revertReason", r.RevertReason, maxReason},
		{"code", r.Code, maxCode},
	} {
		if utf8.RuneCountInString(field.value) > field.most {
			return fmt.Errorf("%s must have at most %d characters", field.name, field.most)
		}
	}
	switch {
	case r.Task == "":
		return errors.New("task must not be empty")
	case r.PreviousRevision < 0:
		return errors.New("previousRevision must not be negative")
	case r.RevertReason != "" && !reasonPattern.MatchString(r.RevertReason):
		return errors.New("revertReason must be a reason of a condition")
	}
	return nil
}

// WriteRecord sets the record of an object.
func WriteRecord(object metav1.Object, record Record) error {
	value, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode annotation %s: %w", v1alpha1.TaskAnnotation, err)
	}
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.TaskAnnotation] = string(value)
	object.SetAnnotations(annotations)
	return nil
}
