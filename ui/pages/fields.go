package pages

import (
	"net/http"
)

// fieldStates are the states of the fields of a form while the user changes them.
type fieldStates struct {
	// Problems are the problems of fields, and Hidden are the IDs of the fields that other fields make useless.
	Problems []fieldError
	Hidden   []string
}

// judgedForm is the view of a form whose fields are judged while the user changes them.
type judgedForm interface {
	judgeFields(r *request) fieldStates
}

// serveFields judges the fields of a form, without a change of the cluster. A script shows the problems of
// the fields that the user has changed.
func (s *Server) serveFields(load pageFunc) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		if err := parseForm(r); err != nil {
			s.writeError(w, r, err)
			return
		}
		v, err := load(r)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		form, ok := v.data.(judgedForm)
		if !ok {
			s.writeError(w, r, notFound(r, "problem.noPage", "/apps", "problem.showApps"))
			return
		}
		part, err := s.templates.render(r.lang, "field-states", form.judgeFields(r))
		if err != nil {
			s.failRendering(w, err)
			return
		}
		writePart(w, r, part)
	}
}

// judgeFields returns the states of the fields of an installation.
func (v *installView) judgeFields(*request) fieldStates {
	v.checkFields()
	return fieldStates{append(v.Errors, v.Inputs.Errors...), v.Inputs.hiddenIDs()}
}

// judgeFields returns the states of the fields of an action.
func (v *actionView) judgeFields(*request) fieldStates {
	states := fieldStates{Problems: v.Errors}
	if v.Problem != "" {
		states.Problems = append(states.Problems, fieldError{"choice", v.ChoiceLabel, v.Problem})
	}
	if v.Configuration != nil {
		states.Hidden = v.Configuration.Inputs.hiddenIDs()
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
