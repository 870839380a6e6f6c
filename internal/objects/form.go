package objects

import (
	"fmt"

	"github.com/appmarket/operator/internal/text"
)

// maxFormWarnings is the maximum number of warnings about the objects of one chart unit.
const maxFormWarnings = 10

// MaxWarningBytes is the maximum length of one warning.
const MaxWarningBytes = 253

// textMaps are the fields of built-in kinds whose values must be strings, at any depth.
// Kubernetes does not accept numbers or booleans as their values.
var textMaps = map[string]bool{
	"annotations": true, "labels": true, "matchLabels": true, "nodeSelector": true,
}

// formCheck finds values that became a number or a boolean because a template does not
// quote them. The API server rejects such an object, and its error does not name the field.
type formCheck struct {
	warnings []string
}

// checkObject adds the warnings about an object.
func (f *formCheck) checkObject(o Map) {
	f.checkTexts(o, "metadata.annotations", o.MapAt("metadata")["annotations"])
	f.checkTexts(o, "metadata.labels", o.MapAt("metadata")["labels"])
	switch {
	case o.Kind() == "ConfigMap" && o.Group() == "":
		f.checkTexts(o, "data", o["data"])
	case o.Kind() == "Secret" && o.Group() == "":
		f.checkTexts(o, "data", o["data"])
		f.checkTexts(o, "stringData", o["stringData"])
	case o.Kind() == "Service" && o.Group() == "":
		f.checkTexts(o, "spec.selector", o.MapAt("spec")["selector"])
	case o.IsWorkload():
		f.checkWithin(o, "spec", o["spec"], 0)
	}
}

// checkWithin checks the maps of strings and the container environment variables in a
// value.
func (f *formCheck) checkWithin(o Map, path string, value any, depth int) {
	if depth > MaxDepth || len(f.warnings) == maxFormWarnings {
		return
	}
	switch value := value.(type) {
	case Map:
		for _, key := range sortedKeys(value) {
			below := path + "." + key
			switch list, isList := value[key].([]any); {
			case textMaps[key]:
				f.checkTexts(o, below, value[key])
			case key == "env" && isList:
				f.checkVariables(o, below, list)
			default:
				f.checkWithin(o, below, value[key], depth+1)
			}
		}
	case []any:
		for i, item := range value {
			f.checkWithin(o, fmt.Sprintf("%s[%d]", path, i), item, depth+1)
		}
	}
}

// checkVariables checks the values of a container's environment variables.
func (f *formCheck) checkVariables(o Map, path string, list []any) {
	for i, item := range list {
		variable, _ := item.(Map)
		at := fmt.Sprintf("%s[%d]", path, i)
		if name := variable.TextAt("name"); name != "" {
			at = fmt.Sprintf("%s[name=%s]", path, name)
		}
		f.checkText(o, at+".value", variable["value"])
	}
}

// checkTexts checks the values of a map of strings.
func (f *formCheck) checkTexts(o Map, path string, value any) {
	texts, ok := value.(Map)
	if !ok {
		return
	}
	for _, key := range sortedKeys(texts) {
		f.checkText(o, fmt.Sprintf("%s[%q]", path, key), texts[key])
	}
}

// checkText adds a warning if a value is set and is not a string.
func (f *formCheck) checkText(o Map, path string, value any) {
	is := ""
	switch value.(type) {
	case nil, string:
		return
	case bool:
		is = "boolean"
	case int, int64, uint64, float64:
		is = "number"
	case Map:
		is = "map"
	case []any:
		is = "list"
	default:
		is = "unknown type"
	}
	if len(f.warnings) < maxFormWarnings {
		f.warnings = append(f.warnings, text.Printable(fmt.Sprintf("%s: %s: Invalid value: %s: must be a string; quote the value in the template", o.KindAndName(), path, is), MaxWarningBytes))
	}
}
