package taskrecord

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/appmarket/operator/api/v1alpha1"
)

// codeKey is the key of the message authentication codes. Each process has its own key, so that
// no object contains it. A code of an earlier process is therefore not valid.
var codeKey = []byte(rand.Text())

// SetCode sets the message authentication code in the record of an instance. The spec must be
// complete, and its task must be admitted.
func SetCode(instance *v1alpha1.AppInstance) error {
	record, err := ReadRecord(instance)
	if err != nil {
		return err
	}
	code, err := newCode(instance, record.UID)
	if err != nil {
		return err
	}
	record.Code = hex.EncodeToString(code)
	return WriteRecord(instance, record)
}

// HasValidCode reports whether the record was written by the task controller of this process for
// the current spec of the instance.
func HasValidCode(instance *v1alpha1.AppInstance, record Record) (bool, error) {
	given, err := hex.DecodeString(record.Code)
	if err != nil || len(given) == 0 || record.UID == "" {
		return false, nil
	}
	code, err := newCode(instance, record.UID)
	return err == nil && hmac.Equal(given, code), err
}

// newCode returns the code of the spec of an instance, as written by the task with this UID.
func newCode(instance *v1alpha1.AppInstance, uid string) ([]byte, error) {
	text, err := json.Marshal([]any{instance.Namespace, instance.Name, uid, withDefaults(instance.Spec)})
	if err != nil {
		return nil, fmt.Errorf("encode spec of instance %q: %w", instance.Name, err)
	}
	// The API server sorts the keys of values.
	var sorted any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&sorted); err != nil {
		return nil, fmt.Errorf("decode spec of instance %q: %w", instance.Name, err)
	}
	if text, err = json.Marshal(sorted); err != nil {
		return nil, fmt.Errorf("encode spec of instance %q: %w", instance.Name, err)
	}
	code := hmac.New(sha256.New, codeKey)
	code.Write(text)
	return code.Sum(nil), nil
}

// withDefaults returns a spec with the defaults that the API server sets.
func withDefaults(spec v1alpha1.AppInstanceSpec) v1alpha1.AppInstanceSpec {
	spec.AdoptionPolicy = cmp.Or(spec.AdoptionPolicy, v1alpha1.AdoptionReject)
	spec.DesiredState = cmp.Or(spec.DesiredState, v1alpha1.StateRunning)
	spec.DataPolicy = cmp.Or(spec.DataPolicy, v1alpha1.DataRetain)
	spec.DriftPolicy = cmp.Or(spec.DriftPolicy, v1alpha1.DriftIgnore)
	spec.Timeout = cmp.Or(spec.Timeout, "10m")
	spec.RevisionHistoryLimit = cmp.Or(spec.RevisionHistoryLimit, 5)
	return spec
}
