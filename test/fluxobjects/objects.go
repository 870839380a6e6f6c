// Package fluxobjects creates objects of Flux and their CRDs on an API server, for tests of sources of
// type Artifact.
//
// The CRDs are written for these tests: they have the group, kinds and status subresource of the source
// controller of Flux, and accept any field.
package fluxobjects

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/test/testenv"
)

const (
	group   = "source.toolkit.fluxcd.io"
	version = "v1"
)

// plurals are the resources of the kinds.
var plurals = map[string]string{
	"GitRepository": "gitrepositories", "OCIRepository": "ocirepositories", "Bucket": "buckets", "HelmChart": "helmcharts",
}

// InstallKind creates the CRD of a kind, and waits until the API server serves it.
func InstallKind(t testing.TB, server *testenv.Env, kind string) {
	t.Helper()
	g := NewWithT(t)
	plural := plurals[kind]
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names": map[string]any{"kind": kind, "listKind": kind + "List", "plural": plural, "singular": strings.ToLower(kind)},
			"versions": []any{map[string]any{
				"name": version, "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
	if err := server.Client.Create(t.Context(), crd); !apierrors.IsAlreadyExists(err) {
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Eventually(func() error {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(group + "/" + version)
		list.SetKind(kind + "List")
		return server.Client.List(t.Context(), list, client.InNamespace("default"))
	}, "30s", "100ms").Should(Succeed())
}

// CreateObject creates an object without a status.
func CreateObject(t testing.TB, server *testenv.Env, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"interval": "10m"}}}
	object.SetAPIVersion(group + "/" + version)
	object.SetKind(kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	NewWithT(t).Expect(server.Client.Create(t.Context(), object)).To(Succeed())
	return object
}

// SetStatus replaces the status of an object. The observed generation is the current one unless the status
// has another.
func SetStatus(t testing.TB, server *testenv.Env, object *unstructured.Unstructured, status map[string]any) {
	t.Helper()
	if _, ok := status["observedGeneration"]; !ok {
		status["observedGeneration"] = object.GetGeneration()
	}
	object.Object["status"] = status
	NewWithT(t).Expect(server.Client.Status().Update(t.Context(), object)).To(Succeed())
}

// ReadyStatus returns the status of an object with an artifact.
func ReadyStatus(url, digest string) map[string]any {
	return map[string]any{
		"artifact":   map[string]any{"url": url, "digest": digest, "revision": "main@sha1:0123456789"},
		"conditions": []any{NewCondition("True", "Succeeded")},
	}
}

// NewCondition returns the condition Ready.
func NewCondition(status, reason string) map[string]any {
	return map[string]any{"type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-11-30T12:00:00Z"}
}
