package pages

import (
	"cmp"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/ui/locale"
)

// sourceFields are the fields of the form by the paths in the spec, in the order of the form. Their labels are
// messages.
var sourceFields = []struct{ path, id, label string }{
	{"metadata.namespace", "to", "form.namespace"},
	{"metadata.name", "name", "form.name"},
	{"spec.helm.url", "location", "sourceForm.address"},
	{"spec.oci.url", "location", "sourceForm.address"},
	{"spec.directory.path", "location", "sourceForm.address"},
	{"spec.git", "proxy-secret", "sourceForm.proxySecret"},
	{"spec.git.url", "location", "sourceForm.address"},
	{"spec.git.ref", "ref", "sourceForm.ref"},
	{"spec.git.path", "path", "sourceForm.path"},
	{"spec.oci.charts", "charts", "sourceForm.charts"},
	{"spec.helm.secretRef", "secret", "sourceForm.secret"},
	{"spec.oci.secretRef", "secret", "sourceForm.secret"},
	{"spec.helm.certSecretRef", "cert-secret", "sourceForm.certSecret"},
	{"spec.oci.certSecretRef", "cert-secret", "sourceForm.certSecret"},
	{"spec.git.secretRef", "secret", "sourceForm.secret"},
	{"spec.git.certSecretRef", "cert-secret", "sourceForm.certSecret"},
	{"spec.helm.proxySecretRef", "proxy-secret", "sourceForm.proxySecret"},
	{"spec.oci.proxySecretRef", "proxy-secret", "sourceForm.proxySecret"},
	{"spec.git.proxySecretRef", "proxy-secret", "sourceForm.proxySecret"},
	{"spec.olares.url", "location", "sourceForm.address"},
	{"spec.olares.secretRef", "secret", "sourceForm.secret"},
	{"spec.olares.certSecretRef", "cert-secret", "sourceForm.certSecret"},
	{"spec.olares.proxySecretRef", "proxy-secret", "sourceForm.proxySecret"},
	{"spec.receiver.secretRef", "receiver-secret", "sourceForm.receiverSecret"},
	{"spec.verify", "trust-root", "sourceForm.trustRoot"},
	{"spec.registrySecretRef", "registry-secret", "sourceForm.registrySecret"},
	{"spec.filter.include", "include", "sourceForm.include"},
	{"spec.filter.exclude", "exclude", "sourceForm.exclude"},
	{"spec.filter.maxVersions", "max-versions", "sourceForm.maxVersions"},
	{"spec.allowedNamespaces", "selector", "sourceForm.selector"},
	{"spec.interval", "interval", "sourceForm.interval"},
}

// sourceErrorsOf returns what the API server rejected, by the fields of the form. What is about no field is a problem of
// the form.
func sourceErrorsOf(l *locale.Language, err error) []fieldError {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return []fieldError{{"form", l.Text("sourceForm.source"), statusMessage(err)}}
	}
	var problems []fieldError
	for _, cause := range status.Status().Details.Causes {
		problem := fieldError{"form", cmp.Or(cause.Field, l.Text("sourceForm.source")), rejectionOf(cause)}
		for _, field := range sourceFields {
			if strings.HasPrefix(cause.Field, field.path) {
				problem.ID, problem.Label = field.id, l.Text(field.label)
			}
		}
		if cause.Field == "spec" && strings.Contains(cause.Message, "verify.provider") {
			problem.ID, problem.Label = "verify", l.Text("sourceForm.verify")
		}
		problems = append(problems, problem)
	}
	return problems
}

// rejectionOf returns the message of the API server without the rejected value.
func rejectionOf(cause metav1.StatusCause) string {
	_, after, found := strings.Cut(cause.Message, `": `)
	if found {
		return after
	}
	return cause.Message
}
