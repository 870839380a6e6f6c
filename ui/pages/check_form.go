package pages

import (
	"errors"
	"html/template"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/locale"
)

// checkRequest is the check of the entries of a form: a dry run, or the errors that must be corrected
// before, with the form that shows them.
type checkRequest struct {
	task   *v1alpha1.AppInstallTask
	again  *view
	errors []fieldError
}

// checkFunc returns the check of a submitted form.
type checkFunc func(*request) (*checkRequest, error)

// newCheckRequest returns the check of a task without its confidential inputs, which are only written
// when the operation is requested.
func newCheckRequest(task *v1alpha1.AppInstallTask, confidential map[string]string) *checkRequest {
	return &checkRequest{task: taskbuilder.NewCheck(task, isKeyOf(confidential))}
}

// create creates the dry run as the user, unless there are errors.
func (c *checkRequest) create(r *request) error {
	if c.again != nil {
		return nil
	}
	err := r.Writer.Create(r.Context(), c.task)
	r.logWrite("create", c.task, err)
	return writeProblemOf(r, err, "create", kube.Tasks, c.task.Namespace)
}

// serveCheck creates the dry run of a form. The result is a part of the page of the form if a script
// requests it. Otherwise, the answer is the form with the entries that are part of the dry run, and with
// its result.
func (s *Server) serveCheck(build checkFunc) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		allowReturn(w)
		var check *checkRequest
		err := parseForm(r)
		if err == nil {
			check, err = build(r)
		}
		if err == nil {
			err = s.limitCheck(r, check)
		}
		if err == nil {
			err = check.create(r)
		}
		form := strings.TrimSuffix(pagePath(r), "/check")
		switch {
		case isAutomaticCheck(r):
			s.writeAutomaticCheck(w, r, check, err)
		case r.Header.Get("HX-Request") != "":
			s.writeCheck(w, r, check, err)
		case err != nil:
			if known := new(problem); errors.As(err, &known) {
				known.BackURL, known.Back = form, r.Text("form.back")
			}
			s.writeError(w, r, err)
		case check.again != nil:
			s.writeView(w, r, http.StatusUnprocessableEntity, check.again)
		default:
			http.Redirect(w, r.Request, filledURL(form, check.task), http.StatusSeeOther)
		}
	}
}

// writeCheck writes the result of a check, or why there is none, as a part of a page.
func (s *Server) writeCheck(w http.ResponseWriter, r *request, check *checkRequest, err error) {
	var part template.HTML
	var known *problem
	switch {
	case errors.As(err, &known):
		part, err = s.templates.render(r.lang, "check-refused", known)
	case err != nil:
		s.writeError(w, r, err)
		return
	case check.again != nil:
		part, err = s.templates.render(r.lang, "check-errors", check.errors)
	default:
		part, err = s.templates.render(r.lang, "check", newCheckView(r.lang, check.task))
	}
	if err != nil {
		s.failRendering(w, err)
		return
	}
	writePart(w, r, part)
}

// serveCheckPart serves the result of a dry run.
func (s *Server) serveCheckPart(w http.ResponseWriter, r *request) {
	namespace := r.PathValue("namespace")
	task := &v1alpha1.AppInstallTask{}
	err := asProblem(r, r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: r.PathValue("name")}, task), "get", kube.Tasks, namespace)
	if err == nil && !task.IsDryRun() {
		err = notFound(r, "problem.notACheck", "/tasks", "problem.showTasks")
	}
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	part, err := s.templates.render(r.lang, "check", newCheckView(r.lang, task))
	if err != nil {
		s.failRendering(w, err)
		return
	}
	writePart(w, r, part)
}

// checkOf returns the result of the check with whose entries a form begins, nil if it begins with others.
func checkOf(l *locale.Language, task *v1alpha1.AppInstallTask) *checkView {
	if task == nil || !task.IsDryRun() {
		return nil
	}
	return newCheckView(l, task)
}
