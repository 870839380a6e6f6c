package pages

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/ui/kube"
)

// undoTimeout bounds the removal of a Secret after its task was rejected.
const undoTimeout = 5 * time.Second

// writeInputSecret writes confidential inputs to a Secret as the user: to a new one, or to the keys
// of an existing one. undo removes a Secret that was created; keys that were changed in an existing
// Secret are kept.
func writeInputSecret(r *request, namespace, instance string, values map[string]string) (undo func(), err error) {
	undo = func() {}
	if len(values) == 0 {
		return undo, nil
	}
	secret := taskbuilder.NewInputsSecret(namespace, instance, kube.FieldOwner, values)
	err = r.Writer.Create(r.Context(), secret)
	r.logWrite("create", secret, err)
	if err == nil {
		return func() { removeSecret(r, secret) }, nil
	}
	if apierrors.IsAlreadyExists(err) {
		patch, marshalErr := json.Marshal(map[string]any{"stringData": values})
		if marshalErr != nil {
			return undo, marshalErr
		}
		err = r.Writer.Patch(r.Context(), secret, client.RawPatch(types.MergePatchType, patch))
		r.logWrite("patch", secret, err)
	}
	if apierrors.IsForbidden(err) {
		return undo, &problem{
			Status: http.StatusForbidden, Title: r.Text("problem.noPermission"),
			Text:    r.Text("problem.cannotWriteSecret", "Name", secret.Name, "Namespace", namespace),
			BackURL: pagePath(r), Back: r.Text("form.back"),
		}
	}
	if err != nil {
		return undo, writeProblemOf(r, err, "create", kube.Tasks, namespace)
	}
	return undo, nil
}

// isKeyOf returns a function that reports whether a key is one of the entered confidential inputs.
func isKeyOf(confidential map[string]string) func(key string) bool {
	return func(key string) bool {
		_, isEntered := confidential[key]
		return isEntered
	}
}

// maskedSecret returns the Secret with the confidential inputs of a task as a form shows it, nothing if
// there are none.
func maskedSecret(task *v1alpha1.AppInstallTask, confidential map[string]string) []runtime.Object {
	if len(confidential) == 0 {
		return nil
	}
	masked := map[string]string{}
	for key := range confidential {
		masked[key] = "<from the form>"
	}
	return []runtime.Object{taskbuilder.NewInputsSecret(task.Namespace, task.Instance(), kube.FieldOwner, masked)}
}

// removeSecret removes a Secret that was created for a task that the API server rejected.
func removeSecret(r *request, secret *corev1.Secret) {
	// The request may have been canceled.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), undoTimeout)
	defer cancel()
	err := r.Writer.Delete(ctx, secret, client.Preconditions{UID: &secret.UID})
	r.logWrite("delete", secret, err)
	if err != nil && !apierrors.IsNotFound(err) {
		r.server.Log.Error(err, "Cannot remove the Secret of a rejected task", "namespace", secret.Namespace, "name", secret.Name, "keys", slices.Sorted(maps.Keys(secret.StringData)))
	}
}
