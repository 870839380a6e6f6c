package health_test

import (
	"context"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/health"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

func TestWatchesOfANamespaceAreLimited(t *testing.T) {
	s := newFixture(t, allPermissions)
	config := s.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
	limited := health.NewWatcher(apiServer.config, apiServer.mapper, s.changes, health.WithLimit(3))
	t.Cleanup(limited.Close)
	track := func(account int) error {
		tenant := release.Tenant{Namespace: s.namespace, ServiceAccount: fmt.Sprintf("ghost-%d", account)}
		return limited.Track(context.Background(), s.instanceName(tenant.ServiceAccount), tenant, []v1alpha1.ObjectReference{config}, false)
	}
	for account := range 3 {
		s.Expect(track(account)).To(Succeed())
	}
	err := track(3)
	s.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonAllowanceExceeded))
	s.Expect(outcome.IsStalled(err)).To(BeFalse(), "other watches may end")
	s.Expect(track(0)).To(Succeed(), "an existing watch is shared")

	other := newFixture(t, allPermissions)
	elsewhere := other.applyYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}")
	s.Expect(limited.Track(context.Background(), other.instanceName("own"), other.tenant, []v1alpha1.ObjectReference{elsewhere}, false)).
		To(Succeed(), "other namespaces have their own limit")

	limited.Untrack(s.instanceName("ghost-1"))
	s.Expect(track(3)).To(Succeed())
}
