package preflight

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/appmarket/operator/api/v1alpha1"
)

// maxFaults is the maximum number of faults that are reported for one object.
const maxFaults = 20

// formChecker finds the fields of an object that the API server cannot decode, such as a number in
// a string field, and invalid label values. The API server's decoding error, which Helm
// returns, contains neither the object nor the field.
type formChecker struct {
	// secret reports whether the values must not be quoted.
	secret bool
	faults []string
}

// faultsOf returns the faults of an object as sentences that begin with a field path. Only
// the metadata of kinds that are not built in is checked.
func faultsOf(o *object, content map[string]any) []string {
	f := &formChecker{secret: o.gvk.Kind == "Secret"}
	typed, err := scheme.Scheme.New(o.gvk)
	if err != nil {
		typed = &metav1.PartialObjectMetadata{}
	}
	f.checkValue(reflect.TypeOf(typed), content, "")
	return f.faults
}

var (
	unmarshaler   = reflect.TypeFor[json.Unmarshaler]()
	objectMeta    = reflect.TypeFor[metav1.ObjectMeta]()
	labelSelector = reflect.TypeFor[metav1.LabelSelector]()
)

// readableTypes describes the values that types with a custom decoder accept.
var readableTypes = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity]():  `a quantity such as 500m or 1Gi`,
	reflect.TypeFor[intstr.IntOrString](): "a number or a string",
	reflect.TypeFor[metav1.Time]():        "a time such as 2026-01-02T15:04:05Z",
	reflect.TypeFor[metav1.MicroTime]():   "a time such as 2026-01-02T15:04:05.000000Z",
	reflect.TypeFor[metav1.Duration]():    "a duration such as 10s",
}

// checkValue compares a value with the Go type that the API server decodes it to.
func (f *formChecker) checkValue(t reflect.Type, value any, path string) {
	if value == nil || len(f.faults) >= maxFaults {
		return
	}
	if t.Kind() == reflect.Pointer {
		f.checkValue(t.Elem(), value, path)
		return
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		f.checkReader(t, value, path)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		f.checkStruct(t, value, path)
	case reflect.Map:
		f.checkMap(t, value, path)
	case reflect.Slice:
		f.checkSlice(t, value, path)
	default:
		f.checkScalar(t, value, path)
	}
}

// checkReader decodes a value with the decoder of its type.
func (f *formChecker) checkReader(t reflect.Type, value any, path string) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, reflect.New(t).Interface())
	}
	if err == nil {
		return
	}
	want, ok := readableTypes[t]
	if !ok {
		want = "a " + t.Name()
	}
	f.addFault(path, want, value)
}

func (f *formChecker) checkStruct(t reflect.Type, value any, path string) {
	fields, ok := value.(map[string]any)
	if !ok {
		f.addFault(path, "a map", value)
		return
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && field.Anonymous:
			f.checkValue(field.Type, value, path)
		default:
			f.checkValue(field.Type, fields[name], joinPath(path, name))
		}
	}
	switch t {
	case objectMeta:
		f.checkLabels(fields["labels"], joinPath(path, "labels"))
		f.checkKeys(fields["annotations"], joinPath(path, "annotations"))
	case labelSelector:
		f.checkLabels(fields["matchLabels"], joinPath(path, "matchLabels"))
	}
}

func (f *formChecker) checkMap(t reflect.Type, value any, path string) {
	entries, ok := value.(map[string]any)
	if !ok {
		f.addFault(path, "a map", value)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		f.checkValue(t.Elem(), entries[key], keyPath(path, key))
	}
}

func (f *formChecker) checkSlice(t reflect.Type, value any, path string) {
	if t.Elem().Kind() == reflect.Uint8 {
		text, ok := value.(string)
		if _, err := base64.StdEncoding.DecodeString(text); !ok || err != nil {
			f.addFault(path, "a base64-encoded string", value)
		}
		return
	}
	items, ok := value.([]any)
	if !ok {
		f.addFault(path, "a list", value)
		return
	}
	for i, item := range items {
		f.checkValue(t.Elem(), item, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (f *formChecker) checkScalar(t reflect.Type, value any, path string) {
	switch t.Kind() {
	case reflect.String:
		if _, ok := value.(string); !ok {
			f.addFault(path, "a string", value)
		}
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			f.addFault(path, "true or false", value)
		}
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		number, ok := value.(int64)
		if ok && t.Kind() == reflect.Int32 && (number > math.MaxInt32 || number < math.MinInt32) {
			f.addFault(path, "a number of at most 32 bits", value)
		} else if !ok {
			f.addFault(path, "a number", value)
		}
	case reflect.Float32, reflect.Float64:
		_, whole := value.(int64)
		if _, ok := value.(float64); !ok && !whole {
			f.addFault(path, "a number", value)
		}
	}
}

// checkLabels reports label values that the API server rejects. Values that are not strings
// are reported elsewhere.
func (f *formChecker) checkLabels(value any, path string) {
	f.checkKeys(value, path)
	labels, _ := value.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		text, ok := labels[key].(string)
		if ok && len(validation.IsValidLabelValue(text)) > 0 {
			f.addFault(keyPath(path, key), `at most 63 alphanumeric characters, "-", "_" or ".", and must start and end with an alphanumeric character`, text)
		}
	}
}

func (f *formChecker) checkKeys(value any, path string) {
	entries, _ := value.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if len(validation.IsQualifiedName(strings.ToLower(key))) > 0 {
			f.faults = append(f.faults, fmt.Sprintf(`%s: Invalid value: %q: must be a qualified name such as "app" or "example.com/app"`, path, truncateText(key)))
		}
	}
}

// addFault reports a value that does not match its field. A number in a string field is not
// quoted, because it may be a password that consists of digits.
func (f *formChecker) addFault(path, want string, value any) {
	is := "map"
	switch given := value.(type) {
	case string:
		is = fmt.Sprintf("%q", truncateText(given))
		if f.secret {
			is = ""
		}
	case int64, float64:
		is = "number"
		if want != "a string" && !f.secret {
			is = fmt.Sprint(given)
		}
	case bool:
		is = fmt.Sprint(given)
	case []any:
		is = "list"
	}
	if is != "" {
		is += ": "
	}
	f.faults = append(f.faults, fmt.Sprintf("%s: Invalid value: %smust be %s", path, is, want))
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func keyPath(path, key string) string { return fmt.Sprintf("%s[%q]", path, key) }

// checkForm reports the objects with faults, one problem per distinct fault.
func (d *Requirements) checkForm(*Facts) []Problem {
	first, count := map[string]*object{}, map[string]int{}
	var order []string
	for i := range d.objects {
		o := &d.objects[i]
		if len(o.faults) == 0 {
			continue
		}
		fault := o.faults[0]
		if more := len(o.faults) - 1; more > 0 {
			fault += fmt.Sprintf(" (and %s)", formatCount(more, "more error"))
		}
		if first[fault] == nil {
			first[fault] = o
			order = append(order, fault)
		}
		count[fault]++
	}
	var problems []Problem
	for _, fault := range order {
		problems = append(problems, newFinalProblem(v1alpha1.ReasonInvalidObject, "%s%s: %s; correct the values or the chart",
			first[fault].kindAndName(), otherObjectsText(count[fault]), truncateText(fault)))
	}
	return problems
}

// formatCount returns a number with a noun in the singular or plural.
func formatCount(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}
