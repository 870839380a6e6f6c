package pages

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxAccounts is the number of service accounts that a form proposes.
const maxAccounts = 100

// addAccounts adds the first service accounts in the namespace of the form, if the user can list them.
func (v *installView) addAccounts(r *request) {
	if !namespaceForm.MatchString(v.Namespace) {
		return
	}
	var found corev1.ServiceAccountList
	err := r.List(r.Context(), &found, client.InNamespace(v.Namespace), client.Limit(maxAccounts))
	if err != nil {
		if !apierrors.IsForbidden(err) { // Without proposals, the form is complete.
			r.server.Log.Error(err, "Cannot list service accounts", "namespace", v.Namespace)
		}
		return
	}
	for i := range found.Items {
		v.Accounts = append(v.Accounts, found.Items[i].Name)
	}
}
