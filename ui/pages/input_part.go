package pages

import (
	"net/http"
)

// inputsHolder is the view of a form with the inputs of an app.
type inputsHolder interface {
	// inputForm returns the inputs, nil if the form has none.
	inputForm() *inputForm
}

func (v *installView) inputForm() *inputForm { return v.Inputs }

func (v *actionView) inputForm() *inputForm {
	if v.Configuration == nil {
		return nil
	}
	return v.Configuration.Inputs
}

// serveInputs serves the inputs of a form again after another version is selected, without a change of the
// cluster. A script replaces the part of the form with the inputs, and keeps the entries. Without a script,
// the answer is the form.
func (s *Server) serveInputs(load pageFunc) func(http.ResponseWriter, *request) {
	return s.withForm(load, func(w http.ResponseWriter, r *request, v *view) {
		allowReturn(w)
		holder, ok := v.data.(inputsHolder)
		if !ok || holder.inputForm() == nil {
			s.writeError(w, r, notFound(r, "problem.noPage", "/apps", "problem.showApps"))
			return
		}
		if r.Header.Get("HX-Request") == "" {
			s.writeView(w, r, http.StatusOK, v)
			return
		}
		part, err := s.templates.render(r.lang, "input-fields", holder.inputForm())
		if err != nil {
			s.failRendering(w, err)
			return
		}
		writePart(w, r, part)
	})
}
