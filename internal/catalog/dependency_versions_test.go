package catalog_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/testenv"
)

// publishWeb sets the published versions of the app web of a source.
func publishWeb(t *testing.T, server *testenv.Env, namespace, source string, change func(app *v1alpha1.AppInfo)) {
	t.Helper()
	g, app := NewWithT(t), &v1alpha1.AppInfo{}
	g.Expect(server.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: source + ".web"}, app)).To(Succeed())
	before := client.MergeFrom(app.DeepCopy())
	change(app)
	g.Expect(server.Client.Patch(t.Context(), app.DeepCopy(), before)).To(Succeed())
	app.Status.Versions = []v1alpha1.PublishedVersion{
		{Version: "2.0.0", Digest: "sha256:2", Purchase: &v1alpha1.PurchaseTerms{Issuer: "did:example:developer", Product: "web"}},
		{Version: "1.0.0", Digest: "sha256:1"},
	}
	g.Expect(server.Client.Status().Patch(t.Context(), app, before)).To(Succeed())
}

// TestDependencyVersions expects that a chart is added to the charts of a source only if all users of that source can
// read it anyway, and that the error does not reveal why it is not.
func TestDependencyVersions(t *testing.T) {
	server := testenv.Start(t)
	first, second := server.Namespace(t, nil), server.Namespace(t, nil)
	red, blue := server.Namespace(t, map[string]string{"team": "red"}), server.Namespace(t, map[string]string{"team": "blue"})
	all := &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
	onlyRed := &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}}
	unchanged := func(*v1alpha1.AppInfo) {}
	for _, source := range []struct {
		namespace, name string
		sharing         *v1alpha1.AllowedNamespaces
		change          func(app *v1alpha1.AppInfo)
	}{
		{first, "all", all, unchanged}, {first, "red", onlyRed, unchanged}, {first, "same", nil, unchanged}, {blue, "own", all, unchanged},
		{first, "suspended", all, func(app *v1alpha1.AppInfo) { app.Spec.Listing = v1alpha1.ListingSuspended }},
		{first, "draft", all, func(app *v1alpha1.AppInfo) { app.Spec.Listing = v1alpha1.ListingDraft }},
	} {
		createSource(t, server, source.namespace, source.name, source.sharing)
		publishWeb(t, server, source.namespace, source.name, source.change)
	}
	lookup := &catalog.Catalog{Objects: server.Client, Markets: market.Namespaces{first, second}}
	for _, row := range []struct {
		why       string
		dependent string
		sharing   *v1alpha1.AllowedNamespaces
		from      string
		found     bool
	}{
		{"shared with all, for a source that is shared with all", second, all, first + "/all", true},
		{"shared with all, for a source of a tenant", blue, nil, first + "/all", true},
		{"the same namespace only, for a source of it", first, nil, first + "/same", true},
		{"the same namespace only, for a source that is shared", first, all, first + "/same", false},
		{"the same namespace only, for a source that is shared with a selector", first, onlyRed, first + "/same", false},
		{"the same namespace only, for a source of another namespace", second, nil, first + "/same", false},
		{"shared with a selector, for a tenant that it selects", red, nil, first + "/red", true},
		{"shared with a selector, for a tenant that it does not select", blue, nil, first + "/red", false},
		{"shared with a selector, for a source that is shared with the same", second, onlyRed, first + "/red", false},
		{"a source outside of a market, for another namespace", red, nil, blue + "/own", false},
		{"a source outside of a market, for its namespace, although it asks to be shared", blue, all, blue + "/own", true},
		{"not listed any more", second, nil, first + "/suspended", false},
		{"a draft", first, nil, first + "/draft", false},
		{"a source that does not exist", second, nil, first + "/none", false},
		{"a namespace that does not exist", second, nil, "none/all", false},
	} {
		t.Run(row.why, func(t *testing.T) {
			g := NewWithT(t)
			dependent := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: row.dependent, Name: "dependent"}}
			dependent.Spec.AllowedNamespaces = row.sharing
			namespace, source, _ := strings.Cut(row.from, "/")
			versions, err := lookup.DependencyVersions(t.Context(), dependent, v1alpha1.AppReference{Namespace: namespace, Source: source, Name: "web"})
			if row.found {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(versions).To(ConsistOf(HaveField("Version", "1.0.0")), "a version that must be bought is not a part of others")
				return
			}
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonNotFound), "%v", err)
			g.Expect(outcome.IsStalled(err)).To(BeFalse())
			g.Expect(err).To(MatchError(`source "` + source + `" in namespace "` + namespace +
				`" has no listed chart with this name, or is not shared with all namespaces that can use source "dependent"`))
		})
	}
}
