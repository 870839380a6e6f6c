package pages

import (
	"context"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
)

// undoTimeout bounds the removal or restoration of a Secret after its task was rejected.
const undoTimeout = 5 * time.Second

// writeInputSecret writes confidential inputs to a Secret as the user: to a new one, or to the keys of the one that
// was created for the instance before. undo removes a Secret that was created, and restores the keys of an earlier
// one.
func writeInputSecret(r *request, namespace, instance string, values map[string]string) (undo func(), err error) {
	undo = func() {}
	if len(values) == 0 {
		return undo, nil
	}
	secret := taskbuilder.NewInputsSecret(namespace, instance, values)
	err = r.Writer.Create(r.Context(), secret)
	r.logWrite("create", secret, err)
	switch {
	case err == nil:
		return func() { removeSecret(r, secret) }, nil
	case apierrors.IsAlreadyExists(err):
		former := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secret.Name}}
		if err = changeInputSecret(r, former, instance, values); err == nil {
			return func() { restoreSecret(r, former, values) }, nil
		}
	}
	if apierrors.IsForbidden(err) {
		return undo, secretProblem(r, http.StatusForbidden, "problem.noPermission", r.Text("problem.cannotWriteSecret", "Name", secret.Name, "Namespace", namespace))
	}
	return undo, writeProblemOf(r, err, "create", kube.Tasks, namespace)
}

// secretProblem returns the problem of a form whose confidential inputs cannot be written.
func secretProblem(r *request, status int, title, text string) *problem {
	return &problem{Status: status, Title: r.Text(title), Text: text, BackURL: pagePath(r), Back: r.Text("form.back")}
}

// changeInputSecret changes keys of the Secret that was created for an instance before, and reads its former
// content. It does not change a Secret of another creator, or one that changes in the meantime.
func changeInputSecret(r *request, former *corev1.Secret, instance string, values map[string]string) error {
	// A patch without changes returns the Secret to a user who can patch it, and needs no permission to get it.
	if err := r.Writer.Patch(r.Context(), former, client.RawPatch(types.MergePatchType, []byte("{}"))); err != nil {
		return err
	}
	if !taskbuilder.IsInputsSecret(former, instance) {
		return secretProblem(r, http.StatusConflict, "inputSecret.foreign",
			r.Text("inputSecret.foreignText", "Name", former.Name, "Namespace", former.Namespace, "Instance", instance))
	}
	changed := former.DeepCopy()
	changed.StringData = values
	err := r.Writer.Patch(r.Context(), changed, client.MergeFromWithOptions(former, client.MergeFromWithOptimisticLock{}))
	r.logWrite("patch", changed, err)
	if err == nil {
		former.ResourceVersion = changed.ResourceVersion
	}
	return err
}

// isKeyOf returns a function that reports whether a key is one of the entered confidential inputs.
func isKeyOf(confidential map[string]string) func(key string) bool {
	return func(key string) bool {
		_, isEntered := confidential[key]
		return isEntered
	}
}

// removeSecret removes a Secret that was created for a task that the API server rejected.
func removeSecret(r *request, secret *corev1.Secret) {
	ctx, cancel := undoContext(r)
	defer cancel()
	err := r.Writer.Delete(ctx, secret, client.Preconditions{UID: &secret.UID})
	r.logWrite("delete", secret, err)
	logUndo(r, secret, err)
}

// restoreSecret restores the keys of a Secret that were changed for a task that the API server rejected. former is
// the Secret with its former content and its present resource version: a later change is kept.
func restoreSecret(r *request, former *corev1.Secret, values map[string]string) {
	ctx, cancel := undoContext(r)
	defer cancel()
	present := former.DeepCopy()
	for key, value := range values {
		if present.Data == nil {
			present.Data = map[string][]byte{}
		}
		present.Data[key] = []byte(value)
	}
	restored := former.DeepCopy()
	err := r.Writer.Patch(ctx, restored, client.MergeFromWithOptions(present, client.MergeFromWithOptimisticLock{}))
	r.logWrite("patch", restored, err)
	logUndo(r, former, err)
}

// undoContext returns a context for the undo of a write. The request may have been canceled.
func undoContext(r *request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), undoTimeout)
}

// logUndo logs that a Secret could not be restored.
func logUndo(r *request, secret *corev1.Secret, err error) {
	if err != nil && !apierrors.IsNotFound(err) {
		r.server.Log.Error(err, "Cannot restore the Secret of a rejected task", "namespace", secret.Namespace, "name", secret.Name)
	}
}
