package chartrepo_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/outcome"
)

func TestNamespaceLimitIsEnforced(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := NewWithT(t)
		other := hydrate.Owner{Namespace: main.Namespace, Source: "other"}
		elsewhere := hydrate.Owner{Namespace: "elsewhere", Source: "main"}
		archive := make([]byte, 1000)
		dir := t.TempDir()
		store := in.openStoreWith(t, dir, chartrepo.Options{NamespaceBytes: 3500})
		of := func(owner hydrate.Owner, app, version string) hydrate.PublishRequest {
			p := newPublicationWith(t, owner, app, version, archive)
			p.Reports = nil
			return p
		}
		publishAll(t, store, of(main, "web", "1.0.0"), of(main, "web", "1.1.0"), of(other, "app", "1.0.0"))

		_, err := store.Publish(t.Context(), of(main, "web", "1.2.0"))
		g.Expect(outcome.IsStalled(err)).To(BeTrue())
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonAllowanceExceeded))
		g.Expect(store.Entries()).To(HaveLen(3))
		publishAll(t, store, of(main, "web", "1.1.0"), of(elsewhere, "web", "1.0.0"))

		g.Expect(store.Remove(main, "web", "1.1.0")).To(Succeed())
		publishAll(t, store, of(main, "web", "1.2.0"))

		again := in.openStoreWith(t, dir, chartrepo.Options{NamespaceBytes: 3500})
		_, err = again.Publish(t.Context(), of(main, "web", "1.3.0"))
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonAllowanceExceeded), "previously published versions count")
	})
}
