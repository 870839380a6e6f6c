package catalog_test

import (
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// createSource creates a source with the given sharing and the app web.
func createSource(t *testing.T, server *testenv.Env, namespace, name string, sharing *v1alpha1.AllowedNamespaces) {
	t.Helper()
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: "/charts"}, AllowedNamespaces: sharing},
	}
	server.Create(t, source, &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + ".web"},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: name}, App: "web"},
	})
	markSynced(t, server, source, time.Now().Add(-time.Minute))
}

// markSynced updates the status of a source as the controller does after a sync.
func markSynced(t *testing.T, server *testenv.Env, source *v1alpha1.MarketSource, at time.Time, conditions ...metav1.Condition) {
	t.Helper()
	before := client.MergeFrom(source.DeepCopy())
	source.Status.LastSyncTime, source.Status.ObservedGeneration, source.Status.Conditions = new(metav1.NewTime(at)), source.Generation, conditions
	NewWithT(t).Expect(server.Client.Status().Patch(t.Context(), source, before)).To(Succeed())
}

func TestFindInASourceThatIsRead(t *testing.T) {
	server := testenv.Start(t)
	market := server.Namespace(t, nil)
	source := &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: market, Name: "new"},
		Spec:       v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: "/charts"}},
	}
	server.Create(t, source)
	lookup := &catalog.Catalog{Objects: server.Client}
	find := func(want string, isFinal bool, says string) {
		t.Helper()
		g := NewWithT(t)
		_, err := lookup.Find(t.Context(), v1alpha1.AppReference{Source: "new", Name: "web"}, market)
		g.Expect(outcome.Reason(err, "")).To(Equal(want), "%v", err)
		g.Expect(outcome.IsStalled(err)).To(Equal(isFinal))
		g.Expect(err).To(MatchError(ContainSubstring(says)))
	}
	condition := func(kind, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "FetchFailed", Message: message, ObservedGeneration: source.Generation, LastTransitionTime: metav1.Now()}
	}
	find(v1alpha1.ReasonWaitingForSource, false, "to list its apps: the first sync has not started")
	markSynced(t, server, source, time.Now())
	find(v1alpha1.ReasonWaitingForSource, false, `" yet; waiting for the result of the last sync`)
	markSynced(t, server, source, time.Now().Add(-time.Minute))
	find(v1alpha1.ReasonNotFound, true, `; correct spec.appRef.name, or list the apps with kubectl get appinfos`)
	markSynced(t, server, source, time.Now().Add(-time.Minute), condition("Stalled", "folder not found"))
	find(v1alpha1.ReasonNotFound, true, `because the source cannot be read: folder not found`)
	before := client.MergeFrom(source.DeepCopy())
	source.Spec.Directory.Path = "/others"
	NewWithT(t).Expect(server.Client.Patch(t.Context(), source, before)).To(Succeed())
	find(v1alpha1.ReasonWaitingForSource, false, "to list its apps: ")
}

func TestFind(t *testing.T) {
	server := testenv.Start(t)
	market := server.Namespace(t, nil)
	red, blue := server.Namespace(t, map[string]string{"team": "red"}), server.Namespace(t, map[string]string{"team": "blue"})
	selector := func(s *metav1.LabelSelector) *v1alpha1.AllowedNamespaces {
		return &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: s}
	}
	createSource(t, server, market, "unset", nil)
	createSource(t, server, market, "same", &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame})
	createSource(t, server, market, "all", &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll})
	createSource(t, server, market, "red", selector(&metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}))
	createSource(t, server, market, "any", selector(&metav1.LabelSelector{}))
	createSource(t, server, market, "wrong", selector(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}}}))
	lookup := &catalog.Catalog{Objects: server.Client, Markets: []string{market}}

	for _, c := range []struct {
		why       string
		ref       v1alpha1.AppReference
		namespace string
		reason    string
	}{
		{"in its own namespace, not shared", v1alpha1.AppReference{Source: "unset", Name: "web"}, market, ""},
		{"in its own namespace, named", v1alpha1.AppReference{Source: "same", Name: "web", Namespace: market}, market, ""},
		{"in its own namespace, a selector that is wrong", v1alpha1.AppReference{Source: "wrong", Name: "web"}, market, ""},
		{"shared with no namespace", v1alpha1.AppReference{Source: "unset", Name: "web", Namespace: market}, red, v1alpha1.ReasonRefNotPermitted},
		{"shared with its own", v1alpha1.AppReference{Source: "same", Name: "web", Namespace: market}, red, v1alpha1.ReasonRefNotPermitted},
		{"shared with all", v1alpha1.AppReference{Source: "all", Name: "web", Namespace: market}, blue, ""},
		{"shared with a label", v1alpha1.AppReference{Source: "red", Name: "web", Namespace: market}, red, ""},
		{"shared with another label", v1alpha1.AppReference{Source: "red", Name: "web", Namespace: market}, blue, v1alpha1.ReasonRefNotPermitted},
		{"shared with any label", v1alpha1.AppReference{Source: "any", Name: "web", Namespace: market}, blue, ""},
		{"shared by a selector that is wrong", v1alpha1.AppReference{Source: "wrong", Name: "web", Namespace: market}, red, v1alpha1.ReasonRefNotPermitted},
		{"a namespace that is not named is one's own", v1alpha1.AppReference{Source: "all", Name: "web"}, red, v1alpha1.ReasonRefNotPermitted},
		{"no such source", v1alpha1.AppReference{Source: "none", Name: "web", Namespace: market}, red, v1alpha1.ReasonRefNotPermitted},
		{"no such namespace", v1alpha1.AppReference{Source: "all", Name: "web", Namespace: "nowhere"}, red, v1alpha1.ReasonRefNotPermitted},
		{"no such app", v1alpha1.AppReference{Source: "all", Name: "blog", Namespace: market}, red, v1alpha1.ReasonNotFound},
		{"no such app of what is not shared", v1alpha1.AppReference{Source: "same", Name: "blog", Namespace: market}, red, v1alpha1.ReasonRefNotPermitted},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			app, err := lookup.Find(t.Context(), c.ref, c.namespace)
			if c.reason != "" {
				g.Expect(app).To(BeNil())
				g.Expect(outcome.IsStalled(err)).To(BeTrue(), "%v", err)
				g.Expect(outcome.Reason(err, "")).To(Equal(c.reason), "%v", err)
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(app.Source.Name).To(Equal(c.ref.Source))
			g.Expect(app.Info.Name).To(Equal(c.ref.Source + ".web"))
		})
	}
}

// TestFindOutsideOfMarkets covers sources with sharing in a namespace that is not a market.
func TestFindOutsideOfMarkets(t *testing.T) {
	server := testenv.Start(t)
	team, other, market := server.Namespace(t, nil), server.Namespace(t, map[string]string{"team": "red"}), server.Namespace(t, nil)
	createSource(t, server, team, "all", &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll})
	createSource(t, server, team, "any", &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{}})
	for why, markets := range map[string][]string{"no market": nil, "another market": {market, other}} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			lookup := &catalog.Catalog{Objects: server.Client, Markets: markets}
			for _, source := range []string{"all", "any"} {
				ref := v1alpha1.AppReference{Source: source, Name: "web", Namespace: team}
				_, err := lookup.Find(t.Context(), ref, other)
				g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRefNotPermitted))
				_, err = lookup.Find(t.Context(), ref, team)
				g.Expect(err).NotTo(HaveOccurred(), "its own namespace may use it")
			}
		})
	}
}

// TestFindTellsNothing compares the errors for a source that is not shared and a source
// that does not exist.
func TestFindTellsNothing(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	market, team := server.Namespace(t, nil), server.Namespace(t, nil)
	createSource(t, server, market, "hidden", nil)
	lookup := &catalog.Catalog{Objects: server.Client, Markets: []string{market}}
	said := func(source, app string) string {
		_, err := lookup.Find(t.Context(), v1alpha1.AppReference{Source: source, Name: app, Namespace: market}, team)
		g.Expect(err).To(HaveOccurred())
		return strings.ReplaceAll(err.Error(), source, "X")
	}
	g.Expect(said("hidden", "web")).To(Equal(said("absent", "web")))
	g.Expect(said("hidden", "web")).To(Equal(said("hidden", "blog")))
}

func TestFindOverABrokenServer(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	market := server.Namespace(t, nil)
	createSource(t, server, market, "red", &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{}})
	_, err := (&catalog.Catalog{Objects: server.Client, Markets: []string{market}}).Find(t.Context(), v1alpha1.AppReference{Source: "red", Name: "web", Namespace: market}, "nowhere")
	g.Expect(err).To(HaveOccurred(), "a namespace that is not there cannot be looked up")
	g.Expect(outcome.IsStalled(err)).To(BeFalse(), "it is tried again")
}
