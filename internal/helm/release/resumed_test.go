package release_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

func TestResumedAndCompleteIsLeftAsItIs(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	s := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "hook.yaml": hookJob("init", "pre-install,pre-upgrade")})
	done := runInBackground(func() error { _, err := c.Install(ctx, s); return err })
	ran := helmtest.EndJob(t, namespace, "init", helmtest.Completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))

	resumed := s
	resumed.Resumed = true
	for why, again := range map[string]func() (*plain.Release, error){
		"an installation":             func() (*plain.Release, error) { return c.Install(ctx, resumed) },
		"one continued by an upgrade": func() (*plain.Release, error) { return c.Upgrade(ctx, resumed) },
		"in a process that is new to it": func() (*plain.Release, error) {
			m := helmtest.NewKillableClient(t, namespace, 0)
			return m.Upgrade(m.Ctx, resumed)
		},
	} {
		r, err := again()
		g.Expect(err).NotTo(HaveOccurred(), why)
		g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{1, "deployed"}), why)
	}

	done = runInBackground(func() error { _, err := c.Upgrade(ctx, s); return err })
	endNewJob(t, namespace, "init", helmtest.Completed, ran)
	g.Eventually(done, "10s").Should(Receive(BeNil()), "without the word it is another upgrade, with its hooks")
}

func TestResumedAndNotCompleteIsContinued(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	s := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
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

	broken := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "new.yaml": replaceName(plainMap, "new"), "svc.yaml": badPort})
	_, err = c.Upgrade(ctx, broken)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
	broken.Resumed = true
	_, err = c.Upgrade(ctx, broken)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed), "a failure is no completion")
	r, err = c.Upgrade(ctx, other)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{5, "deployed"}), "what is deployed is not the newest")
	g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog"}))
}

// TestUpgradeKilledAnywhere upgrades after an upgrade that failed.
func TestUpgradeKilledAnywhere(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	helmtest.KillAtEachWrite(t, namespace, func(run int, m *helmtest.KillableClient) error {
		g := NewWithT(t)
		ctx := t.Context()
		createTwoRevisions(t, c)
		_, err := c.Upgrade(ctx, helmtest.NewSpec(map[string]string{
			"cm.yaml": helmtest.ConfigMap, "new.yaml": replaceName(plainMap, "new"), "svc.yaml": badPort,
		}))
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
		s := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "svc.yaml": helmtest.Service})
		_, killed := m.Upgrade(m.Ctx, s)

		g.Expect(c.Unlock(ctx, "blog")).To(Succeed())
		s.Resumed = true
		r, err := c.Upgrade(ctx, s)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.Status).To(Equal("deployed"))
		if killed == nil {
			g.Expect(r.Revision).To(Equal(4))
		}
		g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog"}), "killed before write %d", run)
		g.Expect(c.Uninstall(ctx, plain.Removal{Name: "blog"})).To(Succeed())
		g.Expect(helmtest.RecordsLeft(t, namespace)).To(BeEmpty())
		return killed
	})
}
