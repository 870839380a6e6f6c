package inputs

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

// schemaNode is a schema or a subschema as decoded JSON. A compiled schema does not keep
// the titles and descriptions that a form needs.
type schemaNode map[string]any

// valueType returns the type of the values that a schema describes. If there are several types,
// it returns the first one that is not null.
func (s schemaNode) valueType() string {
	types := s.stringListField("type")
	if kind, ok := s["type"].(string); ok {
		types = []string{kind}
	}
	for _, kind := range types {
		if kind != "null" {
			return kind
		}
	}
	switch {
	case s["properties"] != nil:
		return "object"
	case s["enum"] != nil || s["pattern"] != nil || s["format"] != nil:
		return "string"
	}
	return ""
}

func (s schemaNode) stringField(key string) string {
	text, _ := s[key].(string)
	return text
}

func (s schemaNode) stringListField(key string) []string {
	list, _ := s[key].([]any)
	var all []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

func (s schemaNode) numberField(key string) *float64 {
	number, ok := s[key].(json.Number)
	if !ok {
		return nil
	}
	value, err := strconv.ParseFloat(number.String(), 64)
	if err != nil {
		return nil
	}
	return &value
}

// refusesEmpty reports whether an empty string violates the schema. Charts use empty
// strings as placeholders for values that only the user knows.
func (s schemaNode) refusesEmpty() bool {
	if s.valueType() != "string" {
		return true
	}
	least := s.numberField("minLength")
	return least != nil && *least > 0 || s["pattern"] != nil || s["enum"] != nil || s["format"] != nil
}

// formats maps the format of a string to the type of an input.
var formats = map[string]string{
	"email": "email", "idn-email": "email",
	"uri": "url", "url": "url", "iri": "url",
	"hostname": "domain", "idn-hostname": "domain",
	"password": typePassword,
}

// toInput returns the input for the value at a path.
func (s schemaNode) toInput(path []string) Input {
	name := strings.Join(path, ".")
	in := Input{
		Name: name, Path: name, Type: "string", Editable: true,
		Title:       text.Printable(s.stringField("title"), MaxInputTitle),
		Description: text.Truncate(s.stringField("description"), MaxInputProse),
		Options:     s.toOptions(),
	}
	switch s.valueType() {
	case "boolean":
		in.Type = "bool"
	case "integer":
		in.Type, in.Range = "int", newBounds(s.numberField("minimum"), s.numberField("maximum"))
	case "number":
		in.Number, in.Range = true, newBounds(s.numberField("minimum"), s.numberField("maximum"))
	default:
		in.Type = s.textType(path[len(path)-1])
		in.Length = newBounds(s.numberField("minLength"), s.numberField("maxLength"))
		if pattern := s.stringField("pattern"); len(pattern) <= MaxPatternBytes {
			in.Pattern = pattern
		}
	}
	if own := scalarText(s["default"]); len(own) <= MaxInputBytes {
		in.Default = own
	}
	return in
}

// textType returns the type of a string value by its format. A key that ends with
// "password" is a password even if the schema does not mark it as one.
func (s schemaNode) textType(key string) string {
	switch kind := formats[s.stringField("format")]; {
	case s["writeOnly"] == true, strings.HasSuffix(strings.ToLower(key), typePassword):
		return typePassword
	case kind != "":
		return kind
	}
	return "string"
}

// toOptions returns the values of an enumeration. It returns nil if a value or the
// enumeration is too long; the validation of the values then checks it.
func (s schemaNode) toOptions() []Option {
	list, _ := s["enum"].([]any)
	if constant, ok := s["const"]; ok {
		list = []any{constant}
	}
	if len(list) > MaxInputOptions {
		return nil
	}
	var options []Option
	for _, item := range list {
		value := scalarText(item)
		if len(value) > MaxInputProse {
			return nil
		}
		if value != "" {
			options = append(options, Option{Title: text.Printable(value, MaxInputTitle), Value: value})
		}
	}
	return options
}

// scalarText returns a scalar of a schema as the text that a user would enter, or "" for a
// list or a map.
func scalarText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		return value.String()
	}
	return ""
}

// newBounds returns nil if there is no limit.
func newBounds(least, greatest *float64) *Bounds {
	if least == nil && greatest == nil {
		return nil
	}
	return &Bounds{Min: least, Max: greatest}
}
