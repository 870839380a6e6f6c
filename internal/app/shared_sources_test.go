package app

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/test/testenv"
)

func sourceShared(namespace, name string, sharing *v1alpha1.AllowedNamespaces) *v1alpha1.MarketSource {
	return &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example"}, AllowedNamespaces: sharing,
		},
	}
}

func TestSharedSourcesReflectTheCluster(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	all, same := &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}, &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}
	labeled := &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{}}
	server.Create(t,
		sourceShared(namespace, "all", all), sourceShared(namespace, "unset", nil),
		sourceShared(namespace, "same", same), sourceShared(namespace, "labeled", labeled))

	objects, err := cache.New(server.Config, cache.Options{Scheme: server.Scheme, Mapper: server.Mapper})
	g.Expect(err).NotTo(HaveOccurred())
	informer, err := objects.GetInformer(t.Context(), &v1alpha1.MarketSource{}, cache.BlockUntilSynced(false))
	g.Expect(err).NotTo(HaveOccurred())
	shared, err := newSharedSources(informer, isSharedWithAll([]string{namespace}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(shared.isKnown()).To(BeFalse(), "before the cache is synced")
	g.Expect(shared.hasOwner(hydrate.Owner{Namespace: namespace, Source: "all"})).To(BeFalse())
	go func() { _ = objects.Start(t.Context()) }()
	g.Eventually(shared.isKnown).WithTimeout(20 * time.Second).Should(BeTrue())

	names := func() []string {
		found := []string{}
		for _, name := range []string{"all", "unset", "same", "labeled"} {
			if shared.hasOwner(hydrate.Owner{Namespace: namespace, Source: name}) {
				found = append(found, name)
			}
		}
		return found
	}
	g.Expect(names()).To(ConsistOf("all"))
	g.Expect(shared.hasOwner(hydrate.Owner{Namespace: "another", Source: "all"})).To(BeFalse())

	source := sourceShared(namespace, "same", nil)
	g.Expect(server.Client.Get(t.Context(), client.ObjectKeyFromObject(source), source)).To(Succeed())
	source.Spec.AllowedNamespaces = all
	g.Expect(server.Client.Update(t.Context(), source)).To(Succeed())
	g.Eventually(names).Should(ConsistOf("all", "same"))
	source.Spec.AllowedNamespaces = labeled
	g.Expect(server.Client.Update(t.Context(), source)).To(Succeed())
	g.Eventually(names).Should(ConsistOf("all"))
	g.Expect(server.Client.Delete(t.Context(), sourceShared(namespace, "all", nil))).To(Succeed())
	g.Eventually(names).Should(BeEmpty())
}

func TestSharedSourcesAreReadWithoutAllocation(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	objects, err := cache.New(server.Config, cache.Options{Scheme: server.Scheme, Mapper: server.Mapper})
	g.Expect(err).NotTo(HaveOccurred())
	informer, err := objects.GetInformer(t.Context(), &v1alpha1.MarketSource{}, cache.BlockUntilSynced(false))
	g.Expect(err).NotTo(HaveOccurred())
	shared, err := newSharedSources(informer, isSharedWithAll([]string{"market"}))
	g.Expect(err).NotTo(HaveOccurred())
	shared.updateSource(sourceShared("market", "all", &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}), false)
	owner := hydrate.Owner{Namespace: "market", Source: "all"}
	g.Expect(shared.hasOwner(owner)).To(BeTrue())
	g.Expect(testing.AllocsPerRun(100, func() { shared.hasOwner(owner) })).To(BeZero())
}
