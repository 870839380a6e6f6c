package pages

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sourceFields are the fields of the form by the paths in the spec, in the order of the form.
var sourceFields = []struct{ path, id, label string }{
	{"metadata.namespace", "to", "Namespace"},
	{"metadata.name", "name", "Name"},
	{"spec.helm.url", "location", "URL or path"},
	{"spec.oci.url", "location", "URL or path"},
	{"spec.directory.path", "location", "URL or path"},
	{"spec.git.url", "location", "URL or path"},
	{"spec.git.ref", "ref", "Commit"},
	{"spec.git.path", "path", "Directory"},
	{"spec.oci.charts", "charts", "Charts"},
	{"spec.helm.secretRef", "secret", "Secret with credentials"},
	{"spec.oci.secretRef", "secret", "Secret with credentials"},
	{"spec.helm.certSecretRef", "cert-secret", "Secret with CA certificates"},
	{"spec.oci.certSecretRef", "cert-secret", "Secret with CA certificates"},
	{"spec.git.secretRef", "secret", "Secret with credentials"},
	{"spec.git.certSecretRef", "cert-secret", "Secret with CA certificates"},
	{"spec.registrySecretRef", "registry-secret", "Secret for image registries"},
	{"spec.filter.include", "include", "Include"},
	{"spec.filter.exclude", "exclude", "Exclude"},
	{"spec.filter.maxVersions", "max-versions", "Versions of each app"},
	{"spec.allowedNamespaces", "selector", "Label selector"},
	{"spec.interval", "interval", "Interval"},
}

// sourceErrorsOf returns what the API server rejected, by the fields of the form.
func sourceErrorsOf(err error) []fieldError {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return []fieldError{{"name", "Source", statusMessage(err)}}
	}
	var problems []fieldError
	for _, cause := range status.Status().Details.Causes {
		problem := fieldError{"name", cause.Field, rejectionOf(cause)}
		for _, field := range sourceFields {
			if strings.HasPrefix(cause.Field, field.path) {
				problem.ID, problem.Label = field.id, field.label
			}
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
