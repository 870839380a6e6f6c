package helm_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm"
	"github.com/appmarket/operator/internal/outcome"
)

func TestResumedAndCompleteIsLeftAsItIs(t *testing.T) {
	c, namespace := newClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	s := newSpec(map[string]string{"cm.yaml": configMap, "hook.yaml": hookJob("init", "pre-install,pre-upgrade")})
	done := runInBackground(func() error { _, err := c.Install(ctx, s); return err })
	ran := endJob(t, namespace, "init", completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))

	resumed := s
	resumed.Resumed = true
	for why, again := range map[string]func() (*helm.Release, error){
		"an installation":             func() (*helm.Release, error) { return c.Install(ctx, resumed) },
		"one continued by an upgrade": func() (*helm.Release, error) { return c.Upgrade(ctx, resumed) },
		"in a process that is new to it": func() (*helm.Release, error) {
			m := newKillableClient(t, namespace, 0)
			return m.Upgrade(m.ctx, resumed)
		},
	} {
		r, err := again()
		g.Expect(err).NotTo(HaveOccurred(), why)
		g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{1, helm.StatusDeployed}), why)
	}

	done = runInBackground(func() error { _, err := c.Upgrade(ctx, s); return err })
	endNewJob(t, namespace, "init", completed, ran)
	g.Eventually(done, "10s").Should(Receive(BeNil()), "without the word it is another upgrade, with its hooks")
}

func TestResumedAndNotCompleteIsContinued(t *testing.T) {
	c, namespace := newClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	s := newSpec(map[string]string{"cm.yaml": configMap})
	_, err := c.Install(ctx, s)
	g.Expect(err).NotTo(HaveOccurred())

	other := s
	other.Resumed, other.Values = true, map[string]any{"v": "two"}
	r, err := c.Upgrade(ctx, other)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Revision).To(Equal(2), "other values are another request")

	stranger := other
	stranger.Labels = map[string]string{v1alpha1.InstanceLabel: "other"}
	_, err = c.Install(ctx, stranger)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInstallFailed), "the release is not the stranger's")

	broken := newSpec(map[string]string{"cm.yaml": configMap, "new.yaml": replaceName(plainMap, "new"), "svc.yaml": badPort})
	_, err = c.Upgrade(ctx, broken)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
	broken.Resumed = true
	_, err = c.Upgrade(ctx, broken)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed), "a failure is no completion")
	r, err = c.Upgrade(ctx, other)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{5, helm.StatusDeployed}), "what is deployed is not the newest")
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog"}))
}

// TestUpgradeKilledAnywhere upgrades after an upgrade that failed.
func TestUpgradeKilledAnywhere(t *testing.T) {
	c, namespace := newClient(t)
	killAtEachWrite(t, namespace, func(run int, m *killableClient) error {
		g := NewWithT(t)
		ctx := t.Context()
		createTwoRevisions(t, c)
		_, err := c.Upgrade(ctx, newSpec(map[string]string{
			"cm.yaml": configMap, "new.yaml": replaceName(plainMap, "new"), "svc.yaml": badPort,
		}))
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
		s := newSpec(map[string]string{"cm.yaml": configMap, "svc.yaml": service})
		_, killed := m.Upgrade(m.ctx, s)

		g.Expect(c.Unlock(ctx, "blog")).To(Succeed())
		s.Resumed = true
		r, err := c.Upgrade(ctx, s)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.Status).To(Equal(helm.StatusDeployed))
		if killed == nil {
			g.Expect(r.Revision).To(Equal(4))
		}
		g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog"}), "killed before write %d", run)
		g.Expect(c.Uninstall(ctx, helm.Removal{Name: "blog"})).To(Succeed())
		g.Expect(recordsLeft(t, namespace)).To(BeEmpty())
		return killed
	})
}
