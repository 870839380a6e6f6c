package crdcheck_test

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"github.com/appmarket/operator/internal/crdcheck"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// newCheck returns a function that compares the current CRDs of the server.
func newCheck(t *testing.T) func() error {
	client, err := discovery.NewDiscoveryClientForConfig(testenv.Start(t).Config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return func() error { return crdcheck.Wait(t.Context(), client.OpenAPIV3(), 0) }
}

func TestGeneratedCRDsPass(t *testing.T) {
	NewWithT(t).Eventually(newCheck(t)).WithTimeout(20 * time.Second).Should(Succeed())
}

// TestOlderCRDs removes fields and values from the CRD of tasks, as in an older version.
func TestOlderCRDs(t *testing.T) {
	for _, c := range []struct {
		why, says string
		change    func(*apiextensionsv1.JSONSchemaProps)
	}{
		{"a field of the spec", "lack AppInstallTask: spec.startDeadline; apply crds.yaml", func(s *apiextensionsv1.JSONSchemaProps) { delete(s.Properties["spec"].Properties, "startDeadline") }},
		{"a field in a list", "lack AppInstallTask: status.preflight[].remedy; apply crds.yaml", func(s *apiextensionsv1.JSONSchemaProps) {
			delete(s.Properties["status"].Properties["preflight"].Items.Schema.Properties, "remedy")
		}},
		{"a value", "lack AppInstallTask: spec.action: Adopt; apply crds.yaml", func(s *apiextensionsv1.JSONSchemaProps) {
			action := s.Properties["spec"].Properties["action"]
			for i, value := range action.Enum {
				if string(value.Raw) == `"Adopt"` {
					action.Enum = append(action.Enum[:i:i], action.Enum[i+1:]...)
					break
				}
			}
			s.Properties["spec"].Properties["action"] = action
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			changeCRD(t, c.change)
			g.Eventually(newCheck(t)).WithTimeout(20 * time.Second).Should(MatchError(ContainSubstring(c.says)))
		})
	}
	NewWithT(t).Eventually(newCheck(t)).WithTimeout(20 * time.Second).Should(Succeed())
}

// changeCRD changes the CRD of tasks until the test ends.
func changeCRD(t *testing.T, how func(*apiextensionsv1.JSONSchemaProps)) {
	t.Helper()
	g := NewWithT(t)
	client, err := apiextensions.NewForConfig(testenv.Start(t).Config)
	g.Expect(err).NotTo(HaveOccurred())
	const name = "appinstalltasks.appmarket.io"
	write := func(how func(*apiextensionsv1.CustomResourceDefinition)) {
		crd, err := client.CustomResourceDefinitions().Get(context.Background(), name, metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		how(crd)
		_, err = client.CustomResourceDefinitions().Update(context.Background(), crd, metav1.UpdateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	var before apiextensionsv1.CustomResourceDefinitionSpec
	write(func(crd *apiextensionsv1.CustomResourceDefinition) {
		before = *crd.Spec.DeepCopy()
		how(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	})
	t.Cleanup(func() {
		write(func(crd *apiextensionsv1.CustomResourceDefinition) { crd.Spec = before })
	})
}

// TestMissingCRDs deletes all CRDs, and waits for them while they are applied again.
func TestMissingCRDs(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	client, err := apiextensions.NewForConfig(server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	all, err := client.CustomResourceDefinitions().List(t.Context(), metav1.ListOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(all.Items).To(HaveLen(4))
	// If all are deleted at the same time, the API server sometimes keeps the schema of one.
	for i, crd := range all.Items {
		g.Expect(client.CustomResourceDefinitions().Delete(t.Context(), crd.Name, metav1.DeleteOptions{})).To(Succeed())
		says := crd.Spec.Names.Kind
		if i == len(all.Items)-1 {
			says = "the CustomResourceDefinitions of AppMarket are not installed; apply crds.yaml of this version"
		}
		g.Eventually(newCheck(t)).WithTimeout(20 * time.Second).Should(MatchError(ContainSubstring(says)))
	}

	waited := make(chan error, 1)
	openAPI, err := discovery.NewDiscoveryClientForConfig(server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	go func() { waited <- crdcheck.Wait(t.Context(), openAPI.OpenAPIV3(), time.Minute) }()
	for _, crd := range all.Items {
		crd.ObjectMeta = metav1.ObjectMeta{Name: crd.Name, Annotations: crd.Annotations}
		crd.Status = apiextensionsv1.CustomResourceDefinitionStatus{}
		g.Eventually(func() error {
			_, err := client.CustomResourceDefinitions().Create(t.Context(), &crd, metav1.CreateOptions{})
			return err
		}).WithTimeout(20 * time.Second).Should(Succeed())
	}
	g.Eventually(waited).WithTimeout(time.Minute).Should(Receive(BeNil()))
}
