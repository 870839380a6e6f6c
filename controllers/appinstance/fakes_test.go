package appinstance_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

// fakeHelmClient is a Helm client with functions that replace some of its methods.
type fakeHelmClient struct {
	release.Client
	stop, resume, restart, upgrade, settle, get, rollback func() error
	abandoned                                             *[]string
}

// stalledError returns a terminal error.
func stalledError(reason string) error { return outcome.Stalled(reason, errors.New("refused")) }

// setFakeHelmClient replaces the Helm client of the reconciler. Without arguments it restores the real
// one.
func (b *instanceFixture) setFakeHelmClient(change ...func(*fakeHelmClient)) {
	b.reconciler.Clients = func(t release.Tenant, known release.Records) release.Client {
		f := &fakeHelmClient{Client: clients.For(t, known)}
		for _, c := range change {
			c(f)
		}
		return f
	}
}

func (f fakeHelmClient) Stop(ctx context.Context, name string) error {
	return f.callFault(f.Client.Stop(ctx, name), f.stop)
}

func (f fakeHelmClient) Resume(ctx context.Context, name string) error {
	return f.callFault(f.Client.Resume(ctx, name), f.resume)
}

func (f fakeHelmClient) Restart(ctx context.Context, name string, at *metav1.Time) error {
	return f.callFault(f.Client.Restart(ctx, name, at), f.restart)
}

func (f fakeHelmClient) Upgrade(ctx context.Context, spec release.Spec) (*release.Release, error) {
	if f.upgrade != nil {
		return nil, f.upgrade()
	}
	return f.Client.Upgrade(ctx, spec)
}

func (f fakeHelmClient) Get(ctx context.Context, name string) (*release.Release, error) {
	if f.get != nil {
		return nil, f.get()
	}
	return f.Client.Get(ctx, name)
}

func (f fakeHelmClient) Rollback(ctx context.Context, back release.Rollback) (*release.Release, error) {
	if f.rollback != nil {
		return nil, f.rollback()
	}
	return f.Client.Rollback(ctx, back)
}

func (f fakeHelmClient) Unlock(ctx context.Context, name string) error {
	if f.settle != nil {
		return f.settle()
	}
	return f.Client.Unlock(ctx, name)
}

func (f fakeHelmClient) CancelRelease(ctx context.Context, name string) error {
	if f.abandoned != nil {
		*f.abandoned = append(*f.abandoned, name)
	}
	return f.Client.CancelRelease(ctx, name)
}

func (f fakeHelmClient) callFault(err error, fault func() error) error {
	if err == nil && fault != nil {
		return fault()
	}
	return err
}

// failingMonitor is a monitor whose first refreshes fail.
type failingMonitor struct {
	release.Monitor
	fails, asked int
}

func (m *failingMonitor) Refresh(ctx context.Context, instance types.NamespacedName) error {
	m.asked++
	if m.asked <= m.fails {
		return errors.New("connection refused")
	}
	return m.Monitor.Refresh(ctx, instance)
}

// untrackedMonitor is a monitor that cannot track objects while it fails.
type untrackedMonitor struct {
	release.Monitor
	fails int
}

func (m *untrackedMonitor) Track(ctx context.Context, instance types.NamespacedName, tenant release.Tenant, objects []v1alpha1.ObjectReference, closely bool) error {
	if m.fails > 0 {
		m.fails--
		return errors.New("connection refused")
	}
	return m.Monitor.Track(ctx, instance, tenant, objects, closely)
}

var _ = Describe("A fault in passing", func() {
	var b *instanceFixture
	BeforeEach(func() {
		b = newInstanceFixture()
		b.PublishVersion("1.0.0", configMapFiles())
		b.createInstance()
	})

	It("does not make what was seen before an operation count", func() {
		monitor := &failingMonitor{Monitor: b.reconciler.Monitor, fails: 2}
		b.reconciler.Monitor = monitor
		for range 2 {
			_, err := b.reconcileInstance()
			Expect(err).To(HaveOccurred())
			Expect(b.conditionStatus(v1alpha1.ConditionReady)).NotTo(Equal("True Ready"))
		}
		b.expectReady("1.0.0", 1)
		Expect(monitor.asked).To(Equal(3), "until it has taken note, and not once more")
	})

	It("leaves nothing at work that the next operation does not want", func() {
		b.expectReady("1.0.0", 1)
		var abandoned []string
		b.setFakeHelmClient(func(f *fakeHelmClient) {
			f.abandoned, f.upgrade = &abandoned, func() error { return errors.New("connection refused") }
		})
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("red") })
		for range 2 {
			_, err := b.reconcileInstance()
			Expect(err).To(HaveOccurred())
		}
		Expect(b.historySummary()[:2]).To(Equal([]string{"Upgrade 1.0.0 Interrupted Interrupted", "Install 1.0.0 Succeeded"}))
		Expect(b.instance.Status.History[0].Count).To(Equal(int32(2)), "retries are one entry")
		Expect(abandoned).To(BeEmpty(), "the same goes on from there")

		b.setFakeHelmClient(func(f *fakeHelmClient) { f.abandoned = &abandoned })
		b.editInstance(func(i *v1alpha1.AppInstance) { i.Spec.Values = valuesWithColor("blue") })
		b.expectReady("1.0.0", 2)
		Expect(abandoned).To(Equal([]string{"mine"}))
	})
})
