package pages

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

const (
	// maxFormFields is the number of values that the fields of a form can have together.
	maxFormFields = 600
	// formKeyLength is the number of characters of a form key.
	formKeyLength = 5
)

// formFunc handles a submitted form. It returns the URL of the next page, or the view of the form
// with the errors in it, or with the result of a dry run.
type formFunc func(*request) (next string, again *view, err error)

// serveForm handles the forms of users who are signed in.
func (s *Server) serveForm(handle formFunc) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		allowReturn(w)
		if err := parseForm(r); err != nil {
			s.writeError(w, r, err)
			return
		}
		next, again, err := handle(r)
		switch {
		case err != nil:
			s.writeError(w, r, err)
		case again != nil:
			s.writeView(w, r, cmp.Or(again.status, http.StatusUnprocessableEntity), again)
		default:
			http.Redirect(w, r.Request, next, http.StatusSeeOther)
		}
	}
}

// parseForm reads a submitted form.
func parseForm(r *request) error {
	switch err := r.ParseForm(); {
	case err != nil:
		return invalidForm(r, "problem.formUnreadable")
	case countFormValues(r.PostForm) > maxFormFields:
		return invalidForm(r, "problem.formTooLong")
	}
	return nil
}

// countFormValues returns the number of values of all fields.
func countFormValues(form url.Values) int {
	count := 0
	for _, values := range form {
		count += len(values)
	}
	return count
}

// withForm calls serve with the view of a form that a user has sent. It does not change the cluster.
func (s *Server) withForm(load pageFunc, serve func(http.ResponseWriter, *request, *view)) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		err := parseForm(r)
		var v *view
		if err == nil {
			v, err = load(r)
		}
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		serve(w, r, v)
	}
}

// serveFormPage serves the page of a form.
func (s *Server) serveFormPage(load pageFunc) func(http.ResponseWriter, *request) {
	serve := s.servePage(load)
	return func(w http.ResponseWriter, r *request) {
		allowReturn(w)
		serve(w, r)
	}
}

// servePreview serves the preview of a form.
func (s *Server) servePreview(load pageFunc) func(http.ResponseWriter, *request) {
	return s.withForm(load, func(w http.ResponseWriter, r *request, v *view) {
		part, err := s.templates.render(r.lang, v.name+"-preview", v.data)
		if err != nil {
			s.failRendering(w, err)
			return
		}
		s.writeHTML(w, r.Request, http.StatusOK, part)
	})
}

// allowReturn lets the browser of the user keep a page with a form, so that its Back button returns
// to the entries and to the same form key, and does not ask to send the form again. The page contains
// no confidential input. Sign-out clears the cache.
func allowReturn(w http.ResponseWriter) { w.Header().Set("Cache-Control", "private, no-cache") }

// formKeyPattern matches a form key, which is the last part of the name of the task that a form
// creates. A form that is submitted twice therefore creates one task.
var formKeyPattern = regexp.MustCompile(fmt.Sprintf("^[a-z0-9]{%d}$", formKeyLength))

// newFormKey returns a form key.
func newFormKey() string { return rand.String(formKeyLength) }

// formKeyOf returns the form key of a submitted form, or a new one.
func formKeyOf(r *request) string {
	if key := r.PostFormValue("key"); formKeyPattern.MatchString(key) {
		return key
	}
	return newFormKey()
}

// createTask creates a task as the user and returns the URL of its page. If the same form was submitted
// before, the task of the first time is returned. A form that was changed after that, to which the Back
// button of the browser leads, or whose task has failed, creates another task.
func createTask(r *request, task *v1alpha1.AppInstallTask) (string, error) {
	err := r.Writer.Create(r.Context(), task)
	r.logWrite("create", task, err)
	if apierrors.IsAlreadyExists(err) {
		var isSame bool
		if isSame, err = isSubmittedAgain(r, task); err == nil && !isSame {
			task.Name = withNewKey(task.Name)
			err = r.Writer.Create(r.Context(), task)
			r.logWrite("create", task, err)
		}
	}
	if err != nil {
		return "", writeProblemOf(r, err, "create", kube.Tasks, task.Namespace)
	}
	return taskURL(task.Namespace, task.Name), nil
}

// isSubmittedAgain reports whether the existing task with the name of a task requests the same and has not failed. The
// API server sets the default values of both.
func isSubmittedAgain(r *request, task *v1alpha1.AppInstallTask) (bool, error) {
	existing, again := &v1alpha1.AppInstallTask{}, task.DeepCopy()
	if err := r.Get(r.Context(), client.ObjectKeyFromObject(task), existing); err != nil {
		return false, err
	}
	if existing.Finished() && meta.IsStatusConditionFalse(existing.Status.Conditions, v1alpha1.ConditionSucceeded) {
		return false, nil // A password that was corrected is not a part of the task.
	}
	again.Name = withNewKey(task.Name)
	if err := r.Writer.Create(r.Context(), again, client.DryRunAll); err != nil {
		return false, err
	}
	// A user can change these fields of a task.
	again.Spec.Cancel, again.Spec.Suspend = existing.Spec.Cancel, existing.Spec.Suspend
	return equality.Semantic.DeepEqual(again.Spec, existing.Spec), nil
}

// withNewKey returns the name of a task with another form key.
func withNewKey(name string) string { return name[:len(name)-formKeyLength] + newFormKey() }

// writeProblemOf returns the problem of a write that the API server rejected. Other errors are
// returned as they are.
func writeProblemOf(r *request, err error, verb, resource, namespace string) error {
	switch {
	case apierrors.IsForbidden(err):
		p := forbidden(r, verb, resource, namespace)
		p.Detail = statusMessage(err)
		return p
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return &problem{
			Status: http.StatusUnprocessableEntity, Title: r.Text("problem.rejected"), Text: statusMessage(err), BackURL: pagePath(r), Back: r.Text("form.back"),
		}
	}
	return asProblem(r, err, verb, resource, namespace)
}

// statusMessage returns the message of the API server.
func statusMessage(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}

// logWrite logs a write with the user and its result. Values of objects are not logged.
func (r *request) logWrite(verb string, object client.Object, err error) {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1alpha1.")
	kind = strings.TrimPrefix(kind, "*v1.")
	result := "Succeeded"
	if err != nil {
		result = string(apierrors.ReasonForError(err))
	}
	r.server.Log.Info("Sent a write to the API server", "user", r.session.User, "verb", verb, "kind", kind,
		"namespace", object.GetNamespace(), "name", object.GetName(), "result", result)
}
