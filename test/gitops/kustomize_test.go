package gitops_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/test/testenv"
)

// TestArgoComponent adds the customizations to a ConfigMap of Argo CD that contains others.
func TestArgoComponent(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	component, err := filepath.Rel(folder, modulePath(g, "config", "argocd"))
	g.Expect(err).NotTo(HaveOccurred())
	put := func(name, content string) {
		g.Expect(os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600)).To(Succeed())
	}
	put("kustomization.yaml", "resources: [argocd-cm.yaml]\ncomponents: ["+component+"]\n")
	put("argocd-cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {url: https://argocd.example}\n")
	made := buildKustomization(t, folder)
	g.Expect(made).To(HaveLen(1))
	data, _, err := unstructured.NestedStringMap(made[0].Object, "data")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(data).To(HaveLen(2*len(kinds) + 1))
	g.Expect(data).To(HaveKeyWithValue("url", "https://argocd.example"))
	for _, kind := range kinds {
		g.Expect(data).To(HaveKeyWithValue("resource.customizations.health.appmarket.io_"+kind, readText(g, scriptPath(g, kind, "health.lua"))))
		g.Expect(data).To(HaveKeyWithValue("resource.customizations.actions.appmarket.io_"+kind, actionsEntry(g, kind)))
	}
}

// TestFluxComponent checks that each Kustomization of the sample gets the health checks.
func TestFluxComponent(t *testing.T) {
	g := NewWithT(t)
	want, _, err := unstructured.NestedSlice(readObject(g, modulePath(g, "config", "flux", "health-checks.yaml")).Object, "spec", "healthCheckExprs")
	g.Expect(err).NotTo(HaveOccurred())
	made := buildKustomization(t, modulePath(g, "config", "samples", "gitops", "flux"))
	g.Expect(made).To(HaveLen(3))
	for _, o := range made {
		g.Expect(o.GetName()).To(BeElementOf("market", "notes", "demo"))
		g.Expect(o.Object["spec"]).To(And(HaveKeyWithValue("healthCheckExprs", want), HaveKey("sourceRef")))
	}
}

// buildKustomization returns the objects that kubectl builds from a kustomization.
func buildKustomization(t *testing.T, folder string) []*unstructured.Unstructured {
	g := NewWithT(t)
	testenv.Start(t) // skips the test if the programs are missing
	var failure bytes.Buffer
	command := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", folder)
	command.Stderr = &failure
	made, err := command.Output()
	g.Expect(err).NotTo(HaveOccurred(), failure.String())
	return parseDocuments(g, string(made))
}
