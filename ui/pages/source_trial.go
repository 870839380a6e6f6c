package pages

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// isTrial reports whether the user tries a form: the API server checks the object in a dry run and writes nothing.
func isTrial(r *request) bool { return r.PostFormValue("try") != "" }

// trialResultOf returns the form after a dry run, with what the API server rejected.
func (v *sourceForm) trialResultOf(r *request, err error, verb string) (next string, again *view, failure error) {
	switch {
	case err == nil:
		v.Accepted = true
		again = v.view()
		again.status = http.StatusOK
		return "", again, nil
	case apierrors.IsAlreadyExists(err):
		v.addExistsError()
		return "", v.view(), nil
	}
	return v.resultOf(r, err, verb)
}

// FieldProblem returns the problem of a field, nil if there is none. Several problems are one.
func (v *sourceForm) FieldProblem(id string) *fieldError {
	var texts []string
	for _, problem := range v.Errors {
		if problem.ID == id {
			texts = append(texts, problem.Text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return &fieldError{ID: id, Text: strings.Join(texts, " ")}
}

// HasProblem reports whether one of the fields has a problem.
func (v *sourceForm) HasProblem(ids ...string) bool {
	return slices.ContainsFunc(v.Errors, func(problem fieldError) bool { return slices.Contains(ids, problem.ID) })
}

// Described returns the attributes of a field that name its hint, which can be empty, and its problem. Both are
// identifiers in templates.
func (v *sourceForm) Described(id, hint string) template.HTMLAttr {
	switch {
	case v.HasProblem(id):
		return template.HTMLAttr(fmt.Sprintf(`aria-describedby="%s" aria-invalid="true"`, strings.TrimSpace(hint+" "+id+"-problem")))
	case hint != "":
		return template.HTMLAttr(fmt.Sprintf(`aria-describedby="%s"`, hint))
	}
	return ""
}
