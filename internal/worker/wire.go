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

// What a worker process and its Pool say to each other, in gob: settings once, then one
// order and one answer at a time. Before the answer a worker may ask questions, and each
// gets a reply.
type (
	settings struct {
		// Memory bounds the worker's data in bytes.
		Memory int64
	}
	// order has one of its fields set.
	order struct {
		Analysis    *analysis
		Preparation *preparation
		Reply       *reply
	}
	analysis struct {
		Request request
		Payload hydrate.Payload
	}
	preparation struct {
		Request request
		Archive []byte
		Given   hydrate.GivenInputs
		// Lookup says that questions of templates are answered.
		Lookup bool
	}
	// request is a hydrate.Request with its values packed. The profile goes by its name.
	request struct {
		hydrate.Request
		ProfileName string
	}
	// done says how far an analysis has come.
	done struct {
		Step  hydrate.Name
		Files int
	}
	// reply answers a question of a template.
	reply struct {
		// Found is the object in JSON, empty if there is none.
		Found []byte
		// Failed says that the question was not answered. The Pool knows why.
		Failed bool
	}
	answer struct {
		// Query is a question, and Done a step that was done; the other fields are empty then.
		Query *hydrate.LookupQuery
		Done  *done
		Draft *hydrate.Draft
		// Values are those of all units of the draft, packed.
		Values map[string]any
		Wrong  []inputs.Problem
		Took   map[hydrate.Name]time.Duration
		// Failed is the step that failed, if it is known, and Reason and Failure tell of it.
		Failed  hydrate.Name
		Reason  string
		Failure string
	}
)

// profiles are those that a worker knows, by name.
var profiles = map[string]hydrate.Profile{"Helm": olares.HelmProfile{}, "Olares": olares.Profile{}}

// pack makes a request ready for the wire.
func packRequest(r hydrate.Request) (request, error) {
	name, known := "", r.Profile == nil
	for each, profile := range profiles {
		if r.Profile == profile {
			name, known = each, true
		}
	}
	if !known {
		return request{}, fmt.Errorf("carry request to a worker: profile %T is not known", r.Profile)
	}
	r.Source, r.Profile, r.Lookup = nil, nil, nil
	var err error
	if r.Platform, err = packValues(r.Platform); err != nil {
		return request{}, err
	}
	if r.Params, err = packValues(r.Params); err != nil {
		return request{}, err
	}
	return request{Request: r, ProfileName: name}, nil
}

// unpack is the other way round.
func (r request) unpack() hydrate.Request {
	out := r.Request
	out.Profile = profiles[r.ProfileName]
	unpack(out.Platform)
	unpack(out.Params)
	return out
}

// failed is the answer that tells of an error.
func failed(err error) answer {
	return answer{Failed: hydrate.FailedStep(err, ""), Reason: outcome.Reason(err, ""), Failure: withoutStep(err).Error()}
}

// withoutStep is the cause of an error of a step.
func withoutStep(err error) error {
	if step, ok := errors.AsType[*hydrate.StepError](err); ok {
		return step.Err
	}
	return err
}

// failure is the error that an answer tells of, nil if there is none.
func (a answer) failure() error {
	if a.Failure == "" {
		return nil
	}
	err := outcome.Stalled(a.Reason, errors.New(a.Failure))
	if a.Failed != "" {
		return &hydrate.StepError{Step: a.Failed, Err: err}
	}
	return err
}

// maxAnswerBytes bounds what is read of one answer: the archive and what is beside it, or
// the rendered text twice, as YAML and as JSON.
const maxAnswerBytes = 64 << 20

// null stands for a nil among values, which gob cannot carry.
type null bool

func init() {
	gob.RegisterName("map", map[string]any{})
	gob.RegisterName("list", []any{})
	gob.RegisterName("null", null(false))
	gob.RegisterName("number", json.Number(""))
}

// pack copies values into what gob can carry. Numbers keep their type, since
// templates print an int and a float differently.
func pack(value any) (any, error) {
	switch value := value.(type) {
	case nil:
		return null(false), nil
	case bool, string, json.Number, int, int8, int16, int32, int64,
		uint, uint8, uint16, uint32, uint64, float32, float64:
		return value, nil
	case map[string]any:
		packed := make(map[string]any, len(value))
		for key, item := range value {
			one, err := pack(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			packed[key] = one
		}
		return packed, nil
	case []any:
		packed := make([]any, len(value))
		for i, item := range value {
			one, err := pack(item)
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

// packOther carries what is not made of plain maps and lists as JSON would.
func packOther(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("carry value of type %T: %w", value, err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, fmt.Errorf("carry value of type %T: %w", value, err)
	}
	return pack(plain)
}

// unpack is the other way round, in place.
func unpack(value any) any {
	switch value := value.(type) {
	case null:
		return nil
	case map[string]any:
		for key, item := range value {
			value[key] = unpack(item)
		}
		return value
	case []any:
		for i, item := range value {
			value[i] = unpack(item)
		}
		return value
	default:
		return value
	}
}

// packValues packs a map; a nil one stays nil.
func packValues(values map[string]any) (map[string]any, error) {
	if values == nil {
		return nil, nil
	}
	packed, err := pack(values)
	if err != nil {
		return nil, fmt.Errorf("carry values to a worker: %w", err)
	}
	return packed.(map[string]any), nil
}

var errTooMuch = errors.New("answer is longer than any allowed")

// meter reads at most left bytes, which is set anew before each answer.
type meter struct {
	from io.Reader
	left int
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooMuch
	}
	n, err := m.from.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}
