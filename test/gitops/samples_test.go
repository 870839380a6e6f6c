package gitops_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/testenv"
)

// Annotations that control the order in which Argo CD applies objects.
const (
	waveAnnotation   = "argocd.argoproj.io/sync-wave"
	hookAnnotation   = "argocd.argoproj.io/hook"
	policyAnnotation = "argocd.argoproj.io/hook-delete-policy"
)

// sample is an object of config/samples/gitops with its folder.
type sample struct {
	folder string
	object *unstructured.Unstructured
}

// readSamples returns all objects of the samples, in the order of their files.
func readSamples(g Gomega) []sample {
	root := modulePath(g, "config", "samples", "gitops")
	var all []sample
	g.Expect(filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, o := range parseDocuments(g, readText(g, path)) {
			all = append(all, sample{folder, o})
		}
		return err
	})).To(Succeed())
	g.Expect(all).NotTo(BeEmpty())
	return all
}

func parseDocuments(g Gomega, text string) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for part := range strings.SplitSeq(text, "\n---\n") {
		plain, err := yaml.ToJSON([]byte(part))
		g.Expect(err).NotTo(HaveOccurred())
		o := &unstructured.Unstructured{}
		g.Expect(o.UnmarshalJSON(plain)).To(Succeed(), part)
		all = append(all, o)
	}
	return all
}

// gitopsGroups are the API groups of the GitOps tools, which the API server of the test does not have.
var gitopsGroups = []string{"argoproj.io", "kustomize.toolkit.fluxcd.io", "kustomize.config.k8s.io"}

// TestSamplesAreValid applies each sample to a real API server as a dry run.
func TestSamplesAreValid(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	all := readSamples(g)
	for _, s := range all {
		if s.object.GetKind() == "Namespace" {
			server.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.object.GetName()}})
		}
	}
	var applied []string
	for _, s := range all {
		if slices.Contains(gitopsGroups, s.object.GroupVersionKind().Group) {
			continue
		}
		applied = append(applied, s.object.GetKind())
		t.Run(s.folder+"/"+s.object.GetKind()+"/"+s.object.GetName(), func(t *testing.T) {
			NewWithT(t).Expect(server.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(s.object),
				client.DryRunAll, client.FieldOwner("argocd-controller"), client.ForceOwnership)).To(Succeed())
		})
	}
	g.Expect(applied).To(ContainElements("Namespace", "ServiceAccount", "RoleBinding", "MarketSource", "AppInstance", "AppInstallTask"))
}

// TestWaves checks that Argo CD applies dependencies first.
func TestWaves(t *testing.T) {
	g := NewWithT(t)
	want := map[string]string{
		"Namespace/market": "-2", "MarketSource/samples": "-2",
		"Namespace/demo": "-1", "ServiceAccount/appmarket-tenant": "-1", "RoleBinding/appmarket-tenant": "-1",
		"AppInstance/blog": "0", "AppInstance/board": "1",
	}
	found := map[string]string{}
	for _, s := range readSamples(g) {
		if wave, ok := s.object.GetAnnotations()[waveAnnotation]; ok {
			found[s.object.GetKind()+"/"+s.object.GetName()] = wave
		}
	}
	g.Expect(found).To(Equal(want))
}

// TestHooks checks that every task that Argo CD applies is a hook that finishes and has a hook
// deletion policy, and that every installed instance is uninstalled by a task.
func TestHooks(t *testing.T) {
	g := NewWithT(t)
	hooks := map[string][]string{}
	installed, removed := []string{}, []string{}
	for _, s := range readSamples(g) {
		annotations := s.object.GetAnnotations()
		if s.object.GetKind() != "AppInstallTask" || !strings.HasPrefix(s.folder, "argocd") {
			g.Expect(annotations).NotTo(HaveKey(hookAnnotation), "%s: an instance as a hook would be removed with every sync", s.object.GetName())
			continue
		}
		task := toTyped[v1alpha1.AppInstallTask](g, s.object)
		hooks[annotations[hookAnnotation]] = append(hooks[annotations[hookAnnotation]], task.Name)
		g.Expect(annotations[policyAnnotation]).To(BeElementOf("BeforeHookCreation", "HookSucceeded"), task.Name)
		g.Expect(task.Spec.RunID).NotTo(BeEmpty(), task.Name)
		if task.Spec.Action == v1alpha1.ActionUninstall {
			removed = append(removed, task.Instance())
			continue
		}
		installed = append(installed, task.Instance())
		g.Expect(task.Spec.OnMissingInput).To(Equal(v1alpha1.MissingInputFail), "a sync cannot provide inputs")
		g.Expect(task.Spec.StartDeadline).NotTo(BeEmpty(), "Argo CD waits without limit")
	}
	g.Expect(hooks).To(Equal(map[string][]string{
		"PreSync": {"install-notes"}, "PostSync": {"install-hello"},
		"PreDelete": {"uninstall-hello"}, "PostDelete": {"uninstall-notes"},
	}))
	g.Expect(removed).To(ConsistOf(installed))
}

// TestFluxOrder checks that each Kustomization waits for the health of its objects, and that the
// folders to apply exist.
func TestFluxOrder(t *testing.T) {
	g := NewWithT(t)
	after := map[string]string{}
	for _, s := range readSamples(g) {
		if s.object.GroupVersionKind().Group != "kustomize.toolkit.fluxcd.io" {
			continue
		}
		g.Expect(s.object.Object["spec"]).To(HaveKeyWithValue("wait", true), s.object.GetName())
		path, _, err := unstructured.NestedString(s.object.Object, "spec", "path")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(modulePath(g, "config", "samples", "gitops", path)).To(BeADirectory())
		after[s.object.GetName()] = ""
		before, _, err := unstructured.NestedSlice(s.object.Object, "spec", "dependsOn")
		g.Expect(err).NotTo(HaveOccurred())
		for _, b := range before {
			after[s.object.GetName()] += b.(map[string]any)["name"].(string)
		}
	}
	g.Expect(after).To(Equal(map[string]string{"market": "", "notes": "market", "demo": "notes"}))
}

// toTyped converts an object to its Go type.
func toTyped[T any](g Gomega, o *unstructured.Unstructured) *T {
	into := new(T)
	g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into)).To(Succeed())
	return into
}
