package release_test

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

const hookAccount = `apiVersion: v1
kind: ServiceAccount
metadata: {name: hook, annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"}}
`

// withDeletePolicy returns a hook with a deletion policy.
func withDeletePolicy(policy, text string) string {
	return strings.Replace(text, "    helm.sh/hook:", "    helm.sh/hook-delete-policy: "+policy+"\n    helm.sh/hook:", 1)
}

func deleteJob(t testing.TB, namespace, name string) {
	t.Helper()
	background := metav1.DeletePropagationBackground
	NewWithT(t).Eventually(func() error {
		return helmtest.Server.Admin.BatchV1().Jobs(namespace).Delete(context.Background(), name, metav1.DeleteOptions{PropagationPolicy: &background})
	}, "10s").Should(Succeed())
}

// TestHookThatIsGoneHasEnded deletes hooks while an operation waits for them, as the controller for
// finished Jobs does immediately if the Job requests it.
func TestHookThatIsGoneHasEnded(t *testing.T) {
	watchless := rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create", "get", "delete"}}
	records := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"*"}, Verbs: []string{"*"}}
	for _, one := range []struct {
		why    string
		rules  []rbacv1.PolicyRule
		before func(testing.TB, string)
		want   string
	}{
		{why: "after it was completed", before: func(t testing.TB, namespace string) { helmtest.EndJob(t, namespace, "init", helmtest.Completed...) }},
		{why: "and no reason is known", before: func(testing.TB, string) {}},
		{why: "after it has failed", before: func(t testing.TB, namespace string) { helmtest.EndJob(t, namespace, "init", failed...) },
			want: "pre-install Job/init failed: Played: by the test"},
		{why: "where the tenant may not watch it", rules: []rbacv1.PolicyRule{records, watchless}, before: func(testing.TB, string) {}},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			if one.rules != nil {
				helmtest.SetPermissions(t, namespace, one.rules...)
			}
			s := helmtest.NewSpec(map[string]string{"hook.yaml": hookJob("init", "pre-install"), "cm.yaml": helmtest.ConfigMap})
			done := runInBackground(func() error { _, err := c.Install(t.Context(), s); return err })
			g.Eventually(func() error { return jobExists(t, namespace, "init") }, "10s").Should(Succeed())
			one.before(t, namespace)
			deleteJob(t, namespace, "init")
			if one.want == "" {
				g.Eventually(done, "10s").Should(Receive(BeNil()))
			} else {
				g.Eventually(done, "10s").Should(Receive(MatchError(one.want)))
			}
		})
	}
}

// TestHooksThatWereLeftAreReplaced uses hooks whose deletion policy does not let Helm delete them
// before it creates them.
func TestHooksThatWereLeftAreReplaced(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	s := helmtest.NewSpec(map[string]string{
		"account.yaml": strings.Replace(hookAccount, "helm.sh/hook:", "helm.sh/hook-delete-policy: hook-failed, helm.sh/hook:", 1),
		"hook.yaml":    withDeletePolicy("hook-succeeded", hookJob("setup", "post-install")), "cm.yaml": helmtest.ConfigMap,
	})
	done := runInBackground(func() error { _, err := c.Install(t.Context(), s); return err })
	first := helmtest.EndJob(t, namespace, "setup", failed...)
	g.Eventually(done, "10s").Should(Receive(MatchError("post-install Job/setup failed: Played: by the test")))
	g.Expect(jobExists(t, namespace, "setup")).To(Succeed(), "a failed hook is kept for inspection")

	done = runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
	waitForNewJob(t, namespace, "setup", first)
	helmtest.EndJob(t, namespace, "setup", helmtest.Completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))

	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog"})).To(Succeed())
	_, err := helmtest.Server.Admin.CoreV1().ServiceAccounts(namespace).Get(t.Context(), "hook", metav1.GetOptions{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "a hook is removed with its release")
}

func TestHooksOfOthersAreLeft(t *testing.T) {
	for _, one := range []struct {
		why, policy string
		marks       map[string]string
		want        string
	}{
		{why: "without an owner, and no policy to delete it", policy: "hook-succeeded",
			want: "pre-install Job/setup already exists and is not managed by Helm; delete it, or use another name for the instance"},
		{why: "of another release", policy: "hook-succeeded", marks: map[string]string{"meta.helm.sh/release-name": "shop"},
			want: `pre-install Job/setup already exists and is managed by Helm release "shop"; use another name for the instance, or uninstall that release first`},
		{why: "of another release, and a policy to delete it", policy: "before-hook-creation", marks: map[string]string{"meta.helm.sh/release-name": "shop"},
			want: `pre-install Job/setup already exists and is managed by Helm release "shop"; use another name for the instance, or uninstall that release first`},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "a", Image: "b"}},
			}}
			other, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Create(t.Context(), &batchv1.Job{
				ObjectMeta: metav1.ObjectMeta{Name: "setup", Annotations: one.marks}, Spec: batchv1.JobSpec{Template: template},
			}, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			_, err = c.Install(t.Context(), helmtest.NewSpec(map[string]string{
				"hook.yaml": withDeletePolicy(one.policy, hookJob("setup", "pre-install")), "cm.yaml": helmtest.ConfigMap,
			}))
			g.Expect(err).To(MatchError(one.want))
			g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog"})).To(Succeed())
			live, err := helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), "setup", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(live.UID).To(Equal(other.UID))
		})
	}
}

// TestDeleteHooksNeedACompleteRelease has a delete hook, and an installation that failed before it
// was complete.
func TestDeleteHooksNeedACompleteRelease(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	s := helmtest.NewSpec(map[string]string{
		"init.yaml": hookJob("init", "pre-install"), "bye.yaml": hookJob("bye", "pre-delete,post-delete"), "cm.yaml": helmtest.ConfigMap,
	})
	done := runInBackground(func() error { _, err := c.Install(t.Context(), s); return err })
	helmtest.EndJob(t, namespace, "init", failed...)
	g.Eventually(done, "10s").Should(Receive(HaveOccurred()))
	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: 10 * time.Second})).To(Succeed())
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
	g.Expect(jobExists(t, namespace, "init")).NotTo(Succeed())
	g.Expect(jobExists(t, namespace, "bye")).NotTo(Succeed())
}

func TestDeleteHooksCanBeSkipped(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"bye.yaml": hookJob("bye", "pre-delete"), "cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	done := runInBackground(func() error { return c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute}) })
	helmtest.EndJob(t, namespace, "bye", failed...)
	g.Eventually(done, "10s").Should(Receive(HaveOccurred()))
	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", SkipHooks: true, Timeout: 10 * time.Second})).To(Succeed())
	g.Expect(jobExists(t, namespace, "bye")).NotTo(Succeed(), "what it left is removed")
}

func TestHookWithoutItsAccountIsRefused(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: migrate}\n"
	job := strings.Replace(hookJob("init", "pre-install,pre-upgrade"), "restartPolicy", "serviceAccountName: migrate\n      restartPolicy", 1)
	s := helmtest.NewSpec(map[string]string{"account.yaml": account, "hook.yaml": job, "cm.yaml": helmtest.ConfigMap})
	_, err := c.Install(t.Context(), s)
	g.Expect(err).To(MatchError(`pre-install Job/init needs service account "migrate", which the chart creates only after this hook; ` +
		`create the service account first, or have the chart create it as a hook with a lower weight`))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInstallFailed))
	_, err = helmtest.Server.Admin.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Name: "migrate", Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"},
		Annotations: map[string]string{"meta.helm.sh/release-name": "blog", "meta.helm.sh/release-namespace": namespace},
	}}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	done := runInBackground(func() error { _, err := c.Upgrade(t.Context(), s); return err })
	helmtest.EndJob(t, namespace, "init", helmtest.Completed...)
	g.Eventually(done, "10s").Should(Receive(BeNil()))
}
