package argohealth

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/settings"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

// root is the folder of the checkout.
const root = "../../.."

// kinds are all kinds of AppMarket.
var kinds = []string{"MarketSource", "AppInfo", "AppInstance", "AppInstallTask"}

// overrides returns the customizations as Argo CD reads them from its ConfigMap.
func overrides(t *testing.T) map[string]v1alpha1.ResourceOverride {
	g := NewWithT(t)
	patch := read[corev1.ConfigMap](g, filepath.Join(root, "config", "argocd", "argocd-cm.yaml"))
	belongs := map[string]string{"app.kubernetes.io/part-of": "argocd"}
	patch.Namespace, patch.Labels = "argocd", belongs
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "argocd-secret", Namespace: "argocd", Labels: belongs}}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	all, err := settings.NewSettingsManager(ctx, fake.NewClientset(&patch, secret), "argocd").GetResourceOverrides()
	g.Expect(err).NotTo(HaveOccurred())
	for _, kind := range kinds {
		g.Expect(all).To(HaveKey("appmarket.io/" + kind))
		g.Expect(all["appmarket.io/"+kind].UseOpenLibs).To(BeFalse(), "the scripts need no library")
	}
	return all
}

func read[T any](g Gomega, path string) T {
	content, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	var into T
	g.Expect(yaml.UnmarshalStrict(content, &into)).To(Succeed(), path)
	return into
}

// scripts returns the path of a file in Argo CD's customizations of a kind.
func scripts(kind string, elements ...string) string {
	return filepath.Join(append([]string{root, "config", "argocd", "resource_customizations", "appmarket.io", kind}, elements...)...)
}

// objects returns the objects in a YAML file.
func objects(g Gomega, path string) []*unstructured.Unstructured {
	content, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	var all []*unstructured.Unstructured
	for part := range strings.SplitSeq(string(content), "\n---\n") {
		plain, err := yaml.YAMLToJSON([]byte(part))
		g.Expect(err).NotTo(HaveOccurred())
		o := &unstructured.Unstructured{}
		g.Expect(o.UnmarshalJSON(plain)).To(Succeed(), path)
		all = append(all, o)
	}
	return all
}

func object(g Gomega, path string) *unstructured.Unstructured {
	all := objects(g, path)
	g.Expect(all).To(HaveLen(1), path)
	return all[0]
}
