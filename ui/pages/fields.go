package pages

import (
	"net/http"
	"slices"

	"github.com/appmarket/operator/internal/values"
)

// fieldStates are the states of the fields of a form while the user changes them.
type fieldStates struct {
	// Problems are the problems of fields, and Hidden are the IDs of the fields that other fields make useless.
	Problems []fieldError
	Hidden   []string
	// Notices are about the entered values.
	Notices []values.Notice
}

// addNotices adds the notices about the values of a form. An error in the YAML is the problem of the field.
func (f *fieldStates) addNotices(r *request, form valuesForm) {
	for _, notice := range valueNotices(r, form) {
		if notice.Kind != values.NoticeSyntax {
			f.Notices = append(f.Notices, notice)
			continue
		}
		f.Problems = slices.DeleteFunc(f.Problems, func(problem fieldError) bool { return problem.ID == "values" })
		text := notice.Text
		if notice.Line > 0 {
			text = r.Text("enteredValues.syntax", "Line", notice.Line, "Column", notice.Column, "Problem", notice.Text)
		}
		f.Problems = append(f.Problems, fieldError{"values", r.Text("form.values"), text})
	}
}

// validatedForm is the view of a form whose fields are checked while the user changes them.
type validatedForm interface {
	validateFields(r *request) fieldStates
}

// serveFields checks the fields of a form, without a change of the cluster. A script shows the problems of
// the fields that the user has changed.
func (s *Server) serveFields(load pageFunc) func(http.ResponseWriter, *request) {
	return s.withForm(load, func(w http.ResponseWriter, r *request, v *view) {
		form, ok := v.data.(validatedForm)
		if !ok {
			s.writeError(w, r, notFound(r, "problem.noPage", "/apps", "problem.showApps"))
			return
		}
		part, err := s.templates.render(r.lang, "field-states", form.validateFields(r))
		if err != nil {
			s.failRendering(w, err)
			return
		}
		writePart(w, r, part)
	})
}

// validateFields returns the states of the fields of an installation.
func (v *installView) validateFields(r *request) fieldStates {
	v.checkFields()
	states := fieldStates{Problems: append(v.Errors, v.Inputs.Errors...), Hidden: v.Inputs.hiddenIDs()}
	states.addNotices(r, v)
	return states
}

// validateFields returns the states of the fields of an action.
func (v *actionView) validateFields(r *request) fieldStates {
	states := fieldStates{Problems: v.Errors}
	if v.Problem != "" {
		states.Problems = append(states.Problems, fieldError{"choice", v.ChoiceLabel, v.Problem})
	}
	if v.Configuration != nil {
		states.Hidden = v.Configuration.Inputs.hiddenIDs()
		states.addNotices(r, v)
	}
	return states
}

// hiddenIDs returns the IDs of the fields that other inputs make useless.
func (f *inputForm) hiddenIDs() []string {
	var ids []string
	hidden := f.hidden()
	for _, field := range f.all() {
		if hidden[field.Name] {
			ids = append(ids, field.ID)
		}
	}
	return ids
}
