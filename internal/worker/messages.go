package worker

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
)

// Messages between a worker process and its Pool, encoded with gob: settings once, then one
// order and one answer at a time. Before the final answer a worker may send progress
// messages and lookups, and each lookup gets a reply.
type (
	settings struct {
		// Memory is the memory limit of the worker in bytes.
		Memory int64
	}
	// order has exactly one field set.
	order struct {
		Analysis    *analysis
		Preparation *preparation
		Inspection  *inspection
		Reply       *reply
	}
	analysis struct {
		Request request
		Payload hydrate.ChartContent
	}
	preparation struct {
		Request request
		Archive []byte
		Given   hydrate.GivenInputs
		// ValuePaths are the paths that the answer describes.
		ValuePaths [][]string
		// IgnoresInputs renders the chart although inputs are missing or invalid.
		IgnoresInputs bool
		// AssumesPasswords renders the chart with placeholders for missing passwords.
		AssumesPasswords bool
		// Lookup reports whether lookups of templates are answered.
		Lookup bool
	}
	// request is a hydrate.Request with packed values. The profile is sent as its name.
	request struct {
		hydrate.Request
		ProfileName string
	}
	// done is the progress of an analysis: the last completed step.
	done struct {
		Step  hydrate.Name
		Files int
	}
	// reply is the answer to a lookup.
	reply struct {
		// Found is the object as JSON. It is empty if there is no such object.
		Found []byte
		// Failed reports that the lookup failed. The Pool keeps the error.
		Failed bool
	}
	answer struct {
		// Query is a lookup, and Done the last completed step. If one of them is set, all
		// other fields are empty.
		Query *hydrate.LookupQuery
		Done  *done
		Draft *hydrate.Draft
		// Values are the packed values, which are the same for all units of the draft.
		Values map[string]any
		Wrong  []inputs.Problem
		// Assumed lists the inputs of a preparation that have a placeholder.
		Assumed []inputs.Problem
		// ValuePaths describes the paths of a preparation.
		ValuePaths []hydrate.ValuePath
		Took       map[hydrate.Name]time.Duration
		// Failed is the step that failed, if known. Reason and Failure describe the error.
		Failed  hydrate.Name
		Reason  string
		Failure string
	}
)

// profiles are the profiles that a worker supports, by name.
var profiles = map[string]hydrate.Profile{"Helm": olares.HelmProfile{}, "Olares": olares.Profile{}}

// packRequest converts a request to the form that is sent to a worker.
func packRequest(r hydrate.Request) (request, error) {
	name, known := "", r.Profile == nil
	for each, profile := range profiles {
		if r.Profile == profile {
			name, known = each, true
		}
	}
	if !known {
		return request{}, fmt.Errorf("encode request for worker: unknown profile %T", r.Profile)
	}
	r.Source, r.Profile, r.Lookup, r.Inspector = nil, nil, nil, nil
	var err error
	if r.Platform, err = packValues(r.Platform); err != nil {
		return request{}, err
	}
	if r.Params, err = packValues(r.Params); err != nil {
		return request{}, err
	}
	return request{Request: r, ProfileName: name}, nil
}

// toRequest reverses packRequest.
func (r request) toRequest() hydrate.Request {
	out := r.Request
	out.Profile = profiles[r.ProfileName]
	unpackValue(out.Platform)
	unpackValue(out.Params)
	return out
}

// newErrorAnswer returns the answer for an error.
func newErrorAnswer(err error) answer {
	return answer{Failed: hydrate.FailedStep(err, ""), Reason: outcome.Reason(err, ""), Failure: withoutStep(err).Error()}
}

// withoutStep returns the cause of a StepError, and any other error unchanged.
func withoutStep(err error) error {
	if step, ok := errors.AsType[*hydrate.StepError](err); ok {
		return step.Err
	}
	return err
}

// toError returns the error that an answer contains, or nil.
func (a answer) toError() error {
	if a.Failure == "" {
		return nil
	}
	err := outcome.Stalled(a.Reason, errors.New(a.Failure))
	if a.Failed != "" {
		return &hydrate.StepError{Step: a.Failed, Err: err}
	}
	return err
}

// maxAnswerBytes is the maximum size of one answer. An answer contains the archive and the
// reports, or the rendered text both as YAML and as JSON.
const maxAnswerBytes = 64 << 20

// null represents nil in values because gob cannot encode it.
type null bool

func init() {
	gob.Register(map[string]any{}) // A library registers the same types with these names.
	gob.Register([]any{})
	gob.RegisterName("null", null(false))
	gob.RegisterName("number", json.Number(""))
}

// packValue returns a copy of a value that gob can encode. Numbers keep their type because
// templates print an int and a float differently.
func packValue(value any) (any, error) {
	switch value := value.(type) {
	case nil:
		return null(false), nil
	case bool, string, json.Number, int, int8, int16, int32, int64,
		uint, uint8, uint16, uint32, uint64, float32, float64:
		return value, nil
	case map[string]any:
		packed := make(map[string]any, len(value))
		for key, item := range value {
			one, err := packValue(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			packed[key] = one
		}
		return packed, nil
	case []any:
		packed := make([]any, len(value))
		for i, item := range value {
			one, err := packValue(item)
			if err != nil {
				return nil, fmt.Errorf("%d: %w", i, err)
			}
			packed[i] = one
		}
		return packed, nil
	default:
		return packOther(value)
	}
}

// packOther converts a value that does not consist of plain maps and lists by way of JSON.
func packOther(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode value of type %T: %w", value, err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, fmt.Errorf("encode value of type %T: %w", value, err)
	}
	return packValue(plain)
}

// unpackValue reverses packValue in place.
func unpackValue(value any) any {
	switch value := value.(type) {
	case null:
		return nil
	case map[string]any:
		for key, item := range value {
			value[key] = unpackValue(item)
		}
		return value
	case []any:
		for i, item := range value {
			value[i] = unpackValue(item)
		}
		return value
	default:
		return value
	}
}

// packValues packs a map. A nil map stays nil.
func packValues(values map[string]any) (map[string]any, error) {
	if values == nil {
		return nil, nil
	}
	packed, err := packValue(values)
	if err != nil {
		return nil, fmt.Errorf("encode values for worker: %w", err)
	}
	return packed.(map[string]any), nil
}

var errTooMuch = errors.New("response exceeds the maximum size")

// answerReader reads at most left bytes. left is reset before each order.
type answerReader struct {
	from io.Reader
	left int
}

func (m *answerReader) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooMuch
	}
	n, err := m.from.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}
