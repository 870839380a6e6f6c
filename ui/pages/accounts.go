package pages

import (
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxAccounts is the number of service accounts that a form proposes.
const maxAccounts = 100

// addAccount adds the field for the service account of an instance. Only another account becomes part of the task.
func (v *actionView) addAccount(r *request) {
	v.AsksAccount, v.Account = true, strings.TrimSpace(enteredOr(r, "account", v.Instance.Spec.ServiceAccountName))
	v.Accounts = listAccounts(r, v.Instance.Namespace)
	if v.Account != v.Instance.Spec.ServiceAccountName {
		v.request.ServiceAccountName = v.Account
	}
	if r.Method == http.MethodPost && v.Account != "" && !accountNamePattern.MatchString(v.Account) {
		v.Errors = append(v.Errors, fieldError{"account", r.Text("form.account"), r.Text("fieldProblem.account")})
	}
}

// listAccounts returns the first service accounts in a namespace, none if the user cannot list them.
func listAccounts(r *request, namespace string) []string {
	if !namespaceForm.MatchString(namespace) {
		return nil
	}
	var found corev1.ServiceAccountList
	err := r.List(r.Context(), &found, client.InNamespace(namespace), client.Limit(maxAccounts))
	if err != nil {
		logProposalError(r, err, "service accounts")
		return nil
	}
	var names []string
	for i := range found.Items {
		names = append(names, found.Items[i].Name)
	}
	return names
}

// logProposalError logs that the proposals for a field cannot be read. Without them, the form is complete, and a user
// need not have the permission to list them.
func logProposalError(r *request, err error, what string) {
	if !apierrors.IsForbidden(err) {
		r.server.Log.Error(err, "Cannot list the proposals for a field", "proposals", what)
	}
}
