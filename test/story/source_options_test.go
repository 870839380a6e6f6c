package story_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// createSource creates a source of a Helm repository.
func createSource(ctx context.Context, ns, name, url string, change ...func(*v1alpha1.MarketSourceSpec)) *v1alpha1.MarketSource {
	GinkgoHelper()
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: url}},
	}
	for _, c := range change {
		c(&source.Spec)
	}
	Expect(k8sClient.Create(ctx, source)).To(Succeed())
	return source
}

func shareWithAll(s *v1alpha1.MarketSourceSpec) {
	s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
}

func asOlares(s *v1alpha1.MarketSourceSpec) {
	s.Platform = &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares}
}

// withShortInterval sets the shortest allowed interval.
func withShortInterval(s *v1alpha1.MarketSourceSpec) { s.Interval = "10s" }

// withRequestTimeout sets a short timeout of requests.
func withRequestTimeout(s *v1alpha1.MarketSourceSpec) { s.Timeout = "2s" }
