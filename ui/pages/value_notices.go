package pages

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/values"
	"github.com/appmarket/operator/ui/reports"
)

const (
	// maxDefaults is the number of default values next to a form, and maxDefaultBytes the length of one.
	maxDefaults, maxDefaultBytes = 200, 200
	// maxDefaultsBytes is the size of the largest values.yaml that is parsed for a form.
	maxDefaultsBytes = 512 << 10
)

// enteredValues are the values that a user enters for a version of an app.
type enteredValues struct {
	app     *v1alpha1.AppInfo
	version string
	text    string
}

// valuesForm is the view of a form with values.
type valuesForm interface {
	enteredValues() enteredValues
}

func (v *installView) enteredValues() enteredValues {
	return enteredValues{v.App, cmp.Or(v.version, v.App.Status.SelectedVersion), v.Values}
}

func (v *actionView) enteredValues() enteredValues {
	if v.Configuration == nil {
		return enteredValues{}
	}
	return enteredValues{v.app, cmp.Or(v.request.Version, v.Instance.Status.Version), v.Configuration.Values}
}

// chart returns what the reports of the version say about its values. Nothing is known about a version that
// is not published.
func (e enteredValues) chart(r *request) values.Chart {
	var known values.Chart
	if e.app == nil {
		return known
	}
	version := publishedVersion(e.app, e.version)
	if version == nil {
		return known
	}
	// A report that cannot be fetched is a notice less: the task checks the values again.
	known.Defaults, _ = fetchReport(r, version, reports.Values)
	known.Schema, _ = fetchReport(r, version, reports.Schema)
	if len(known.Defaults) > maxDefaultsBytes {
		known.Defaults = nil
	}
	if e.app.Status.Summary != nil {
		for _, input := range e.app.Status.Summary.Inputs {
			known.Inputs = append(known.Inputs, input.Name, inputs.EnvValues+"."+input.Name)
		}
	}
	return known
}

// valueNotices returns notices about the values that a user enters.
func valueNotices(r *request, form valuesForm) []values.Notice {
	entered := form.enteredValues()
	if strings.TrimSpace(entered.text) == "" || len(entered.text) > maxValuesBytes || !r.server.acquireAnalysis(r.Context()) {
		return nil
	}
	defer r.server.releaseAnalysis()
	return entered.chart(r).Check([]byte(entered.text))
}

// defaultList are the default values next to a form.
type defaultList struct {
	Values  []defaultValue
	Total   int
	Problem string
}

// defaultValue is a default value. Keys are the keys of its path as JSON.
type defaultValue struct{ Path, Keys, Text string }

// serveDefaults serves the default values of the version that a form selects.
func (s *Server) serveDefaults(load pageFunc) func(http.ResponseWriter, *request) {
	return s.serveValues(load, func(w http.ResponseWriter, r *request, entered enteredValues) {
		part, err := s.templates.render(r.lang, "default-list", newDefaultList(r, entered.chart(r).Defaults))
		if err != nil {
			s.failRendering(w, err)
			return
		}
		writePart(w, r, part)
	})
}

func newDefaultList(r *request, report []byte) (list defaultList) {
	decoded, err := values.DecodeFirst(report)
	switch {
	case err != nil:
		return defaultList{Problem: r.Text("enteredValues.unreadable", "Cause", text.OneLine(err.Error(), maxDefaultBytes))}
	case len(decoded) == 0:
		return defaultList{Problem: r.Text("enteredValues.unknown")}
	}
	paths := values.ListPaths(decoded)
	list.Total = len(paths)
	for _, keys := range paths[:min(len(paths), maxDefaults)] {
		value, _ := lookUp(decoded, keys)
		shown, err := json.Marshal(value)
		encoded, keysErr := json.Marshal(keys)
		if err != nil || keysErr != nil {
			continue // Decoded values can always be encoded.
		}
		path := text.OneLine(strings.Join(keys, "."), maxDefaultBytes)
		list.Values = append(list.Values, defaultValue{path, string(encoded), text.OneLine(string(shown), maxDefaultBytes)})
	}
	return list
}

// lookUp returns the value at a path of keys.
func lookUp(decoded map[string]any, keys []string) (any, bool) {
	if len(keys) == 0 {
		return nil, false
	}
	value, ok := decoded[keys[0]]
	if len(keys) == 1 || !ok {
		return value, ok
	}
	below, _ := value.(map[string]any)
	return lookUp(below, keys[1:])
}

// serveCopiedValue serves the entered values with one default value added, as text.
func (s *Server) serveCopiedValue(load pageFunc) func(http.ResponseWriter, *request) {
	return s.serveValues(load, func(w http.ResponseWriter, r *request, entered enteredValues) {
		var keys []string
		decoded, err := values.DecodeFirst(entered.chart(r).Defaults)
		if err == nil {
			err = json.Unmarshal([]byte(r.PostFormValue("keys")), &keys)
		}
		value, isKnown := lookUp(decoded, keys)
		if err != nil || !isKnown {
			http.Error(w, r.Text("enteredValues.noValue"), http.StatusNotFound)
			return
		}
		merged, err := addValue([]byte(entered.text), keys, value)
		if err != nil {
			http.Error(w, r.Text("enteredValues.wrong", "Problem", text.OneLine(err.Error(), maxDefaultBytes)), http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(merged) // The client is gone if it fails.
	})
}

// addValue adds a value to a text, and keeps its comments.
func addValue(entered []byte, keys []string, value any) ([]byte, error) {
	for i := len(keys) - 1; i >= 0; i-- {
		value = map[string]any{keys[i]: value}
	}
	added, _ := value.(map[string]any)
	if len(strings.TrimSpace(string(entered))) == 0 {
		return yaml.Marshal(added)
	}
	return values.MergeText(entered, added)
}

// serveValues handles a form with values, one of few at a time.
func (s *Server) serveValues(load pageFunc, serve func(http.ResponseWriter, *request, enteredValues)) func(http.ResponseWriter, *request) {
	return s.withForm(load, func(w http.ResponseWriter, r *request, v *view) {
		form, ok := v.data.(valuesForm)
		if !ok || form.enteredValues().app == nil || len(form.enteredValues().text) > maxValuesBytes {
			http.Error(w, "the form has no values", http.StatusNotFound)
			return
		}
		if !s.acquireAnalysis(r.Context()) {
			w.Header().Set("Retry-After", "5")
			http.Error(w, r.Text("enteredValues.busy"), http.StatusServiceUnavailable)
			return
		}
		defer s.releaseAnalysis()
		serve(w, r, form.enteredValues())
	})
}
