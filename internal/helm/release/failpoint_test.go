//go:build faults

package release_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/helm/helmtest"
	plain "github.com/appmarket/operator/internal/release"
)

// killedAt arms a failpoint for the next process that is started in the namespace.
func armFailpoint(t *testing.T, point, namespace string) {
	t.Helper()
	t.Setenv("APPMARKET_FAULT", point+"@"+namespace+"/blog")
	t.Setenv("APPMARKET_FAULT_ONCE", filepath.Join(t.TempDir(), "once"))
}

// expectKill waits until a process has killed itself.
func expectKill(t *testing.T, operator *exec.Cmd) {
	t.Helper()
	g := NewWithT(t)
	exit, ok := errors.AsType[*exec.ExitError](operator.Wait())
	g.Expect(ok).To(BeTrue(), "it came to its end")
	status, ok := exit.Sys().(syscall.WaitStatus)
	g.Expect(ok && status.Signaled() && status.Signal() == syscall.SIGKILL).To(BeTrue(), "%v", exit)
}

func TestInstallationIsKilledAtEachPoint(t *testing.T) {
	charts := map[string]string{"a.yaml": hookJob("first", "pre-install,pre-upgrade"), "cm.yaml": helmtest.ConfigMap}
	for _, one := range []struct {
		point            string
		created, applied bool // what the process has done before
		status           string
	}{
		{point: failpoint.HelmRecordPending, status: "pending-install"},
		{point: failpoint.HelmHookCreated, created: true, status: "pending-install"},
		{point: failpoint.HelmHookEnded, created: true, status: "pending-install"},
		{point: failpoint.HelmObjectsApplied, created: true, applied: true, status: "pending-install"},
		{point: failpoint.HelmRecordFinal, created: true, applied: true, status: "deployed"},
	} {
		t.Run(one.point, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			armFailpoint(t, one.point, namespace)
			operator := startOperator(t, namespace, charts)
			ended := one.created && one.point != failpoint.HelmHookCreated
			if ended {
				helmtest.EndJob(t, namespace, "first", helmtest.Completed...)
			}
			expectKill(t, operator)
			g.Expect(jobExists(t, namespace, "first") == nil).To(Equal(one.created))
			_, err := helmtest.GetConfigMap(t, namespace, "blog")
			g.Expect(err == nil).To(Equal(one.applied))
			r, err := c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r.Status).To(Equal(one.status))

			g.Expect(c.Unlock(t.Context(), "blog")).To(Succeed())
			s := helmtest.NewSpec(charts)
			s.Resumed = true
			done := runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
			if !ended {
				helmtest.EndJob(t, namespace, "first", helmtest.Completed...)
			}
			g.Eventually(done, "10s").Should(Receive(BeNil()), "the hook is not run again")
		})
	}
}

func TestRemovalIsKilledAtEachPoint(t *testing.T) {
	for _, one := range []struct {
		point    string
		recorded bool
	}{
		{point: failpoint.HelmObjectsDeleted, recorded: true},
		{point: failpoint.HelmRecordFinal},
	} {
		t.Run(one.point, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
			g.Expect(err).NotTo(HaveOccurred())
			armFailpoint(t, one.point, namespace)
			expectKill(t, startOperator(t, namespace, nil))
			_, err = helmtest.GetConfigMap(t, namespace, "blog")
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
			r, err := c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r != nil).To(Equal(one.recorded))

			g.Expect(startOperator(t, namespace, nil).Wait()).To(Succeed(), "the same process lives on the second time")
			g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
			g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
		})
	}
}
