package release_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// createHookRevisions creates two revisions of rollbackHooks, and returns the UIDs of the hooks that have
// run.
func createHookRevisions(t testing.TB, c *helmtest.ChartClient, namespace string) []types.UID {
	t.Helper()
	g := NewWithT(t)
	s := helmtest.NewSpec(rollbackHooks)
	done := runInBackground(func() error { _, err := c.Install(t.Context(), s); return err })
	installed := []types.UID{
		helmtest.EndJob(t, namespace, "first", helmtest.Completed...), helmtest.EndJob(t, namespace, "second", helmtest.Completed...),
	}
	g.Eventually(done, "10s").Should(Receive(BeNil()))
	s.Values = map[string]any{"v": "two"}
	_, err := c.Upgrade(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	return installed
}

// waitForNewJob waits for a Job with an unknown UID.
func waitForNewJob(t testing.TB, namespace, name string, known ...types.UID) types.UID {
	t.Helper()
	var uid types.UID
	NewWithT(t).Eventually(func() (types.UID, error) {
		job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		uid = job.UID
		return uid, nil
	}, "10s").ShouldNot(BeElementOf(known))
	return uid
}

// endNewJob ends a Job with an unknown UID.
func endNewJob(
	t testing.TB, namespace, name string, how []batchv1.JobConditionType, known ...types.UID,
) types.UID {
	t.Helper()
	waitForNewJob(t, namespace, name, known...)
	return helmtest.EndJob(t, namespace, name, how...)
}

func TestRollbackRunsItsHooks(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	installed := createHookRevisions(t, c, namespace)

	done := runInBackground(func() error { _, err := c.Rollback(t.Context(), helmtest.NewRollback(1)); return err })
	first := endNewJob(t, namespace, "first", helmtest.Completed, installed...)
	endNewJob(t, namespace, "second", failed, installed...)
	var err error
	g.Eventually(done, "10s").Should(Receive(&err))
	g.Expect(err).To(MatchError(Equal("post-rollback Job/second failed: Played: by the test")))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonRollbackFailed))
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status, r.Interrupted}).To(Equal([]any{3, "failed", false}))

	again := helmtest.NewRollback(1)
	again.Resumed = true
	done = runInBackground(func() error { _, err := c.Rollback(t.Context(), again); return err })
	endNewJob(t, namespace, "first", helmtest.Completed, first)
	g.Eventually(func() bool {
		job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), "second", metav1.GetOptions{})
		return err == nil && len(job.Status.Conditions) == 0
	}, "10s").Should(BeTrue(), "another try is another run")
	helmtest.EndJob(t, namespace, "second", helmtest.Completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))
	g.Expect(apierrors.IsNotFound(jobExists(t, namespace, "never"))).To(BeTrue())
}

func TestKilledRollbackIsTakenUp(t *testing.T) {
	for _, one := range []struct {
		why string
		at  string // hook that is running when the process is killed
	}{
		{why: "during the first hook", at: "first"},
		{why: "during the second hook", at: "second"},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			known := createHookRevisions(t, c, namespace)
			m := helmtest.NewKillableClient(t, namespace, -1)
			done := runInBackground(func() error { _, err := m.Rollback(m.Ctx, helmtest.NewRollback(1)); return err })
			uids := map[string]types.UID{}
			if one.at == "second" {
				uids["first"] = endNewJob(t, namespace, "first", helmtest.Completed, known...)
			}
			uids[one.at] = waitForNewJob(t, namespace, one.at, known...)
			m.Kill()
			g.Eventually(done, "10s").Should(Receive(MatchError(context.Canceled)))
			r, err := c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r.Pending).To(BeTrue())

			g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
			again := helmtest.NewRollback(1)
			again.Resumed = true
			done = runInBackground(func() error { _, err := c.Rollback(t.Context(), again); return err })
			g.Expect(helmtest.EndJob(t, namespace, one.at, helmtest.Completed...)).To(Equal(uids[one.at]))
			if one.at == "first" {
				uids["second"] = endNewJob(t, namespace, "second", helmtest.Completed, known...)
			}
			g.Eventually(done, "10s").Should(Receive(BeNil()))
			for name, uid := range uids {
				job, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), name, metav1.GetOptions{})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(job.UID).To(Equal(uid), "hook "+name+" ran once")
			}
			r, err = c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Revision, r.Status}).To(Equal([]any{4, "deployed"}))
			g.Expect(r.Labels).To(HaveKeyWithValue("appmarket.io/run", "3.rollback-1"))
		})
	}
}

func TestCanceledRollbackIsSettled(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	installed := createHookRevisions(t, c, namespace)
	ctx, cancel := context.WithCancel(t.Context())
	done := runInBackground(func() error { _, err := c.Rollback(ctx, helmtest.NewRollback(1)); return err })
	endNewJob(t, namespace, "first", helmtest.Completed, installed...)
	waitForNewJob(t, namespace, "second", installed...)
	cancel()
	g.Eventually(done, "10s").Should(Receive(MatchError(context.Canceled)))
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{r.Revision, r.Status, r.Interrupted}).To(Equal([]any{3, "failed", true}))
}

// TestRollbackKilledAnywhere rolls back from an upgrade that failed.
func TestRollbackKilledAnywhere(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	helmtest.KillAtEachWrite(t, namespace, func(run int, m *helmtest.KillableClient) error {
		g := NewWithT(t)
		createTwoRevisions(t, c)
		_, err := c.Upgrade(t.Context(), helmtest.NewSpec(map[string]string{
			"cm.yaml": helmtest.ConfigMap, "new.yaml": replaceName(plainMap, "new"), "svc.yaml": badPort,
		}))
		g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonUpgradeFailed))
		_, killed := m.Rollback(m.Ctx, helmtest.NewRollback(1))

		g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
		again := helmtest.NewRollback(1)
		again.Resumed = true
		r, err := c.Rollback(t.Context(), again)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.Status).To(Equal("deployed"))
		g.Expect(configMaps(t, namespace)).To(Equal([]string{"blog"}), "killed before write %d", run)
		claim, err := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), "photos", metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(claim.DeletionTimestamp).To(BeNil())
		secrets, err := helmtest.Server.Admin.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "status=deployed"})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(secrets.Items).To(HaveLen(1), "one revision is deployed")
		g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
		g.Expect(helmtest.RecordsLeft(t, namespace)).To(BeEmpty())
		return killed
	})
}
