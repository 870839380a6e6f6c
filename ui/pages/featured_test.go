package pages_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestFeaturedAppsComeFirstAndHiddenAppsAreNotListed(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	last := w.addApp(t, w.market, "samples", "zebra", v1alpha1.AppSummary{Title: "Zebra"})
	engine := w.addApp(t, w.market, "samples", "engine", v1alpha1.AppSummary{Title: "Engine"})
	shows(t, b, "/apps", "Zebra", "Engine")
	ten, yes := int32(10), true
	last.Spec.Featured, engine.Spec.Hidden = &ten, &yes
	g.Expect(w.Client.Update(t.Context(), last)).To(Succeed())
	g.Expect(w.Client.Update(t.Context(), engine)).To(Succeed())
	isBefore := func(text, first, second string) bool {
		at := strings.Index(text, first)
		return at >= 0 && at < strings.Index(text, second)
	}
	g.Eventually(func() bool {
		text := b.get(t, "/apps").text
		return isBefore(text, "Zebra", "Wiki") && !strings.Contains(text, "Engine")
	}).WithTimeout(15 * time.Second).WithPolling(200 * time.Millisecond).Should(BeTrue())
	g.Expect(b.get(t, "/apps/"+w.market+"/samples/engine").text).To(ContainSubstring("Engine"))
}
