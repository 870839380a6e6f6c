package pages

import (
	"errors"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
)

const (
	// sessionCheckInterval and sessionCheckBurst limit the checks of a session that a page requests while the
	// user types.
	sessionCheckInterval, sessionCheckBurst = 2 * time.Second, 2
	// userCheckInterval and userCheckBurst limit all checks of a user in a namespace, whatever the number of
	// sessions.
	userCheckInterval, userCheckBurst = 2 * time.Second, 10
)

// isAutomaticCheck reports whether a page requests a check while the user types.
func isAutomaticCheck(r *request) bool { return r.PostFormValue("auto") != "" }

// limitCheck returns a problem if the user requests too many checks. A form with errors is not checked, and
// therefore not limited.
func (s *Server) limitCheck(r *request, check *checkRequest) error {
	now := time.Now()
	switch {
	case check.again != nil:
		return nil
	case isAutomaticCheck(r) && !s.sessionChecks.Allow(r.session.ID, now), !s.userChecks.Allow(r.session.User+"\x00"+check.task.Namespace, now):
		return &problem{Status: http.StatusTooManyRequests, Title: r.Text("check.tooMany"), Text: r.Text("check.tooManyText")}
	}
	return nil
}

// writeAutomaticCheck writes the result of a check while the user types, and removes the former check. A
// form with errors has no result: the fields show them.
func (s *Server) writeAutomaticCheck(w http.ResponseWriter, r *request, check *checkRequest, err error) {
	known := new(problem)
	switch {
	case errors.As(err, &known) && known.Status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "2")
		http.Error(w, known.Text, known.Status)
		return
	case err == nil && check.again != nil:
		w.WriteHeader(http.StatusNoContent)
		return
	case err == nil:
		removeFormerCheck(r, check.task)
	}
	s.writeCheck(w, r, check, err)
}

// removeFormerCheck deletes the dry run whose result the page shows, as the user. If this is not possible,
// the operator deletes it after some minutes.
func removeFormerCheck(r *request, current *v1alpha1.AppInstallTask) {
	namespace, name, _ := strings.Cut(r.PostFormValue("former"), "/")
	if name == "" || !namespaceForm.MatchString(namespace) || namespace == current.Namespace && name == current.Name {
		return
	}
	task := &v1alpha1.AppInstallTask{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: name}, task)
	if err == nil && (!task.IsDryRun() || !strings.HasPrefix(task.GenerateName, "check-")) {
		return
	}
	if err == nil {
		err = r.Writer.Delete(r.Context(), task, client.Preconditions{UID: &task.UID})
		r.logWrite("delete", task, err)
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		r.server.Log.Error(err, "Cannot delete a check", "kind", kube.Tasks, "namespace", namespace)
	}
}
