package helm

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// What a worker process and its Sandbox say to each other, in gob: settings
// once, then one order and one answer at a time.
type (
	settings struct {
		Engine Engine
		// Memory bounds the worker's data in bytes.
		Memory int64
	}
	order struct {
		Input hydrate.RenderInput
	}
	answer struct {
		Rendered hydrate.Rendered
		// Reason and Failure tell of a stalled render; both are empty otherwise.
		Reason  string
		Failure string
		// Values and Lookup say that the failure is a hydrate.ValuesError.
		Values bool
		Lookup bool
	}
)

// failed is the answer that tells of an error of the engine.
func failed(err error) answer {
	a := answer{Reason: outcome.Reason(err, ""), Failure: err.Error()}
	if of, ok := errors.AsType[*hydrate.ValuesError](err); ok {
		a.Values, a.Lookup = true, of.Lookup
	}
	return a
}

// failure is the error that an answer tells of, nil if there is none.
func (a answer) failure() error {
	if a.Failure == "" {
		return nil
	}
	err := errors.New(a.Failure)
	if a.Values {
		err = &hydrate.ValuesError{Err: err, Lookup: a.Lookup}
	}
	return outcome.Stalled(a.Reason, err)
}

// maxAnswerBytes bounds what is read of one answer: the rendered text, and as
// much again at most for the paths of many small documents.
const maxAnswerBytes = 2*hydrate.MaxRenderedBytes + 1<<20

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

// packValues packs the values of one order.
func packValues(values map[string]any) (map[string]any, error) {
	packed, err := pack(values)
	if err != nil {
		return nil, fmt.Errorf("carry values to the renderer: %w", err)
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
