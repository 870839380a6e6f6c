package release_test

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// makePod creates a Pod for a Job with the given status, like the controllers of the cluster.
func makePod(t testing.TB, job *batchv1.Job, status corev1.PodStatus) {
	t.Helper()
	g := NewWithT(t)
	pods := helmtest.Server.Admin.CoreV1().Pods(job.Namespace)
	pod, err := pods.Create(context.Background(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: job.Name + "-x", Labels: job.Spec.Template.Labels}, Spec: job.Spec.Template.Spec,
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	pod.Status = status
	_, err = pods.UpdateStatus(context.Background(), pod, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
}

// makeEvent creates a warning event for a Job, like the Job controller when it cannot create a Pod.
func makeEvent(t testing.TB, job *batchv1.Job, message string) {
	t.Helper()
	_, err := helmtest.Server.Admin.CoreV1().Events(job.Namespace).Create(context.Background(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: job.Name},
		InvolvedObject: corev1.ObjectReference{Kind: "Job", Namespace: job.Namespace, Name: job.Name, UID: job.UID},
		Type:           corev1.EventTypeWarning, Reason: "FailedCreate", Message: message, LastTimestamp: metav1.Now(),
	}, metav1.CreateOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// TestTimeoutNamesWhatWasWaitedFor checks the errors of operations whose deadline passes.
func TestTimeoutNamesWhatWasWaitedFor(t *testing.T) {
	pulling := corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "a", Image: "registry.example/app:9", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}},
	}}}
	for _, one := range []struct {
		why, job string
		begun    func(testing.TB, *batchv1.Job)
		want     string
	}{
		{why: "an image that cannot be pulled", begun: func(t testing.TB, job *batchv1.Job) { makePod(t, job, pulling) },
			want: "container a: ImagePullBackOff: image registry.example/app:9"},
		{why: "a pod that takes long", begun: func(t testing.TB, job *batchv1.Job) { makePod(t, job, corev1.PodStatus{Phase: corev1.PodRunning}) },
			want: "its pod is running"},
		{why: "a service account that does not exist", job: "serviceAccountName: absent\n      ",
			want: `service account "absent" does not exist in namespace NAMESPACE`},
		{why: "pods that are refused", begun: func(t testing.TB, job *batchv1.Job) {
			makeEvent(t, job, `Error creating: pods "init-4k2jd" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0`)
		}, want: "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0"},
		{why: "nothing that is known", want: "no pod was created yet"},
	} {
		t.Run(one.why, func(t *testing.T) {
			c, namespace := helmtest.NewClient(t)
			g := NewWithT(t)
			text := strings.Replace(hookJob("init", "pre-install"), "restartPolicy", one.job+"restartPolicy", 1)
			ctx, seen := observeAll(t.Context())
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			late := &deadline{Context: ctx, passed: make(chan struct{})}
			done := runInBackground(func() error {
				_, err := c.Install(late, helmtest.NewSpec(map[string]string{"hook.yaml": text, "cm.yaml": helmtest.ConfigMap}))
				return err
			})
			var job *batchv1.Job
			g.Eventually(func() (err error) {
				job, err = helmtest.Server.Admin.BatchV1().Jobs(namespace).Get(t.Context(), "init", metav1.GetOptions{})
				return err
			}, "10s").Should(Succeed())
			if one.begun != nil {
				one.begun(t, job)
			}
			want := "waiting for pre-install Job/init to end: " + strings.ReplaceAll(one.want, "NAMESPACE", namespace)
			g.Eventually(seen.waitingMessages, "10s").Should(ContainElement(want), "it is said while it waits")
			late.passDeadline()
			var err error
			g.Eventually(done, "10s").Should(Receive(&err))
			g.Expect(err).To(MatchError(want))
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonTimedOut))
			r, err := c.Get(t.Context(), "blog")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]any{r.Pending, r.Interrupted}).To(Equal([]any{false, true}))
			g.Expect(c.CancelRelease(t.Context(), "blog")).To(Succeed())
			g.Expect(jobExists(t, namespace, "init")).NotTo(Succeed(), "the operation does not wait for it")
		})
	}
}

// deadline is a context whose deadline passes when the test calls pass.
type deadline struct {
	context.Context
	passed chan struct{}
}

func (d *deadline) passDeadline()         { close(d.passed) }
func (d *deadline) Done() <-chan struct{} { return d.passed }
func (d *deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestFinalizerThatHoldsARemovalIsNamed has an object with a finalizer, which is removed later.
func TestFinalizerThatHoldsARemovalIsNamed(t *testing.T) {
	held := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stuck, finalizers: [test.example/never]}\n"
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"held.yaml": held, "cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	ctx, seen := observeAll(t.Context())
	err = c.Uninstall(ctx, plain.Removal{Name: "blog", Timeout: 4 * time.Second})
	want := "waiting for ConfigMap/stuck to be deleted: held by finalizer test.example/never; " +
		"if the controller that removes it does not exist any more, remove it from metadata.finalizers"
	g.Expect(err).To(MatchError(want))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonTimedOut))
	g.Expect(seen.waitingMessages()).To(ContainElement(want), "on a busy machine, the first message can precede the deletion")
	r, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r).NotTo(BeNil(), "the release is known as long as it has objects")

	_, err = helmtest.Server.Admin.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "stuck", types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog"})).To(Succeed())
	g.Expect(c.Get(t.Context(), "blog")).To(BeNil())
}

// TestRemovalThatIsTooLateEndsItsHooks has a delete hook that does not end.
func TestRemovalThatIsTooLateEndsItsHooks(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewSpec(map[string]string{"bye.yaml": hookJob("bye", "pre-delete"), "cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	err = c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: 500 * time.Millisecond})
	g.Expect(err).To(MatchError(HavePrefix("waiting for pre-delete Job/bye to end: no pod was created yet; correct the cause and remove the app again, or ")))
	g.Expect(jobExists(t, namespace, "bye")).To(Succeed())
	g.Expect(c.CancelRelease(t.Context(), "blog")).To(Succeed())
	g.Expect(jobExists(t, namespace, "bye")).NotTo(Succeed())
}
