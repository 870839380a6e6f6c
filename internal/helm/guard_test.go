package helm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm"
	"github.com/appmarket/operator/internal/outcome"
)

func TestGuardStopsEndlessTemplates(t *testing.T) {
	needAPIServer(t)
	g := NewWithT(t)
	tenant := inNamespace(t, everything)
	s := sandbox(t, func(s *helm.Sandbox) { s.Time = 500 * time.Millisecond })
	clients, err := helm.NewClients(apiServer.config, apiServer.mapper, helm.WithGuard(s))
	g.Expect(err).NotTo(HaveOccurred())
	endless := spec(map[string]string{
		"a.yaml": "{{ range until (int .Values.n) }}{{ range until (int $.Values.n) }}{{ end }}{{ end }}",
	})
	endless.Values = map[string]any{"n": 100000}
	_, err = clients.For(tenant).Install(t.Context(), endless)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
	g.Expect(outcome.IsStalled(err)).To(BeTrue())
}

// told keeps what a guard was asked, and answers with an error.
type told struct {
	inputs []hydrate.RenderInput
	err    error
}

func (g *told) Render(_ context.Context, in hydrate.RenderInput) (hydrate.Rendered, error) {
	g.inputs = append(g.inputs, in)
	return hydrate.Rendered{}, g.err
}

func TestGuardRendersAsTheOperationDoes(t *testing.T) {
	needAPIServer(t)
	g := NewWithT(t)
	tenant := inNamespace(t, everything)
	guard := &told{err: outcome.Stalled(v1alpha1.ReasonRenderFailed, errors.New("lookup finds nothing"))}
	clients, err := helm.NewClients(apiServer.config, apiServer.mapper, helm.WithGuard(guard))
	g.Expect(err).NotTo(HaveOccurred())
	c, s := clients.For(tenant), spec(map[string]string{"cm.yaml": configMap})
	g.Eventually(func() error { _, err := c.Install(t.Context(), s); return err }).Should(Succeed())
	installed := guard.inputs[len(guard.inputs)-1]
	g.Expect([]any{installed.Upgrade, installed.Revision}).To(Equal([]any{false, 0}))
	g.Expect(installed.Cluster.KubeVersion).To(HavePrefix("v1."))
	g.Expect(installed.Cluster.APIVersions).To(ContainElements("apps/v1", "apps/v1/Deployment"))
	_, err = c.Upgrade(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	upgraded := guard.inputs[len(guard.inputs)-1]
	g.Expect([]any{upgraded.Upgrade, upgraded.Revision}).To(Equal([]any{true, 2}))

	guard.err = errors.New("start render worker: no such file")
	_, err = c.Upgrade(t.Context(), s)
	g.Expect(err).To(MatchError(ContainSubstring("start render worker")), "nothing is rendered unguarded")
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
}
