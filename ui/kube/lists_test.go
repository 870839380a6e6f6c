package kube

import (
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// TestCacheContainsRowsOfApps changes and deletes an app while the cache watches it.
func TestCacheContainsRowsOfApps(t *testing.T) {
	g := NewWithT(t)
	env := testenv.Start(t)
	namespace := env.Namespace(t, nil)
	app := &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop.web"},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "shop"}, App: "web", Featured: ptr.To[int32](3)},
	}
	g.Expect(env.Client.Create(t.Context(), app)).To(Succeed())

	changes := make(chan Change, 100)
	c, err := New(env.Config, func(change Change) { changes <- change })
	g.Expect(err).NotTo(HaveOccurred())
	done := make(chan error, 1)
	go func() { done <- c.Start(t.Context()) }()
	g.Expect(c.WaitForSync(t.Context())).To(BeTrue())
	g.Eventually(changes).Should(Receive(Equal(Change{Resource: Apps, Namespace: namespace, Name: "shop.web"})))
	g.Expect(c.FindApp(namespace, "shop.web").Title).To(Equal("web"), "an app that exists before the cache")

	digest := "sha256:" + strings.Repeat("0", 64)
	published := metav1.NewTime(time.Now().Truncate(time.Second))
	app.Status = v1alpha1.AppInfoStatus{
		SelectedVersion: "1.2.0", Placement: &v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementNo},
		Versions:   []v1alpha1.PublishedVersion{{Version: "1.2.0", Digest: digest, PublishedAt: &published}, {Version: "1.1.0", Digest: digest}},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", Reason: v1alpha1.ReasonServingPrevious, LastTransitionTime: published}},
		Summary: &v1alpha1.AppSummary{
			Title: "Web Shop", Description: "Sells things", Developer: "Samples", AppVersion: "7", Type: "app", Icon: "https://example.com/icon.png",
			Categories: []string{"Trade"}, Architectures: []string{"arm64"}, Keywords: []string{"Basket"}, Purchase: &v1alpha1.PurchaseTerms{Product: "web", Issuer: "samples"},
			Translations: []v1alpha1.AppTranslation{{Locale: "zh-CN", Title: "商店"}},
		},
	}
	g.Expect(env.Client.Status().Update(t.Context(), app)).To(Succeed())
	g.Eventually(changes, "10s").Should(Receive())
	row := *c.FindApp(namespace, "shop.web")
	g.Expect(row.PublishedAt.Equal(published.Time)).To(BeTrue())
	g.Expect(row.Matches([]string{"sells", "basket", "商店"})).To(BeTrue())
	row.PublishedAt, row.text, row.sortKey = time.Time{}, "", ""
	g.Expect(row).To(Equal(AppRow{
		Namespace: namespace, Name: "shop.web", Source: "shop", App: "web", Title: "Web Shop", Description: "Sells things", Developer: "Samples",
		Version: "1.2.0", AppVersion: "7", Type: "app", Icon: "https://example.com/icon.png", Categories: []string{"Trade"}, Architectures: []string{"arm64"},
		Featured: 3, Ready: true, ServingPrevious: true, Purchase: true, Listing: v1alpha1.ListingListed, Placement: v1alpha1.PlacementNo,
		Translations: []v1alpha1.AppTranslation{{Locale: "zh-CN", Title: "商店"}},
	}))

	g.Expect(env.Client.Delete(t.Context(), app)).To(Succeed())
	g.Eventually(changes, "10s").Should(Receive())
	g.Expect(c.FindApp(namespace, "shop.web")).To(BeNil())
	g.Expect(c.ListApps(Scope{All: true})).To(BeEmpty())
}

// TestTrimmedObjects trims objects, also objects that are trimmed already.
func TestTrimmedObjects(t *testing.T) {
	g := NewWithT(t)
	trim := func(object any) any {
		trimmed, err := trimObject(object)
		g.Expect(err).NotTo(HaveOccurred())
		again, err := trimObject(trimmed)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(again).To(BeIdenticalTo(trimmed))
		return again
	}
	name := metav1.ObjectMeta{
		Namespace: "demo", Name: "wiki", ResourceVersion: "7", Annotations: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x"}},
	}
	kept := metav1.ObjectMeta{Namespace: "demo", Name: "wiki", ResourceVersion: "7"}
	app := trim(&v1alpha1.AppInfo{ObjectMeta: name, Spec: v1alpha1.AppInfoSpec{App: "wiki"}}).(*cachedApp)
	g.Expect(app.ObjectMeta).To(Equal(kept))
	g.Expect(app.row.Title).To(Equal("wiki"))
	instance := trim(&v1alpha1.AppInstance{
		ObjectMeta: name, Spec: v1alpha1.AppInstanceSpec{Version: "1.0.0"}, Status: v1alpha1.AppInstanceStatus{Version: "1.0.0", Claims: []v1alpha1.VolumeClaim{{}}},
	})
	g.Expect(instance).To(Equal(&v1alpha1.AppInstance{
		ObjectMeta: kept, Spec: v1alpha1.AppInstanceSpec{Version: "1.0.0"}, Status: v1alpha1.AppInstanceStatus{Version: "1.0.0"},
	}))
}
