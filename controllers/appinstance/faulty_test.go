package appinstance_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

// faulty is a Helm client with functions that replace some of its methods.
type faulty struct {
	release.Client
	stop, resume, upgrade, settle, get, rollback func() error
	abandoned                                    *[]string
}

// stalledBy returns a terminal error.
func stalledBy(reason string) error { return outcome.Stalled(reason, errors.New("refused")) }

// meddle replaces the Helm client of the reconciler. Without arguments it restores the real
// one.
func (b *bench) meddle(change ...func(*faulty)) {
	b.reconciler.Clients = func(t release.Tenant, known release.Records) release.Client {
		f := &faulty{Client: clients.For(t, known)}
		for _, c := range change {
			c(f)
		}
		return f
	}
}

func (f faulty) Stop(ctx context.Context, name string) error {
	return f.after(f.Client.Stop(ctx, name), f.stop)
}

func (f faulty) Resume(ctx context.Context, name string) error {
	return f.after(f.Client.Resume(ctx, name), f.resume)
}

func (f faulty) Upgrade(ctx context.Context, spec release.Spec) (*release.Release, error) {
	if f.upgrade != nil {
		return nil, f.upgrade()
	}
	return f.Client.Upgrade(ctx, spec)
}

func (f faulty) Get(ctx context.Context, name string) (*release.Release, error) {
	if f.get != nil {
		return nil, f.get()
	}
	return f.Client.Get(ctx, name)
}

func (f faulty) Rollback(ctx context.Context, back release.Rollback) (*release.Release, error) {
	if f.rollback != nil {
		return nil, f.rollback()
	}
	return f.Client.Rollback(ctx, back)
}

func (f faulty) Settle(ctx context.Context, name string) error {
	if f.settle != nil {
		return f.settle()
	}
	return f.Client.Settle(ctx, name)
}

func (f faulty) Abandon(ctx context.Context, name string) error {
	if f.abandoned != nil {
		*f.abandoned = append(*f.abandoned, name)
	}
	return f.Client.Abandon(ctx, name)
}

func (f faulty) after(err error, fault func() error) error {
	if err == nil && fault != nil {
		return fault()
	}
	return err
}

// forgetful is a monitor whose first refreshes fail.
type forgetful struct {
	release.Monitor
	fails, asked int
}

func (m *forgetful) Refresh(ctx context.Context, instance types.NamespacedName) error {
	m.asked++
	if m.asked <= m.fails {
		return errors.New("connection refused")
	}
	return m.Monitor.Refresh(ctx, instance)
}

var _ = Describe("A fault in passing", func() {
	var b *bench
	BeforeEach(func() {
		b = newBench()
		b.publish("1.0.0", pages())
		b.create()
	})

	It("does not make what was seen before an operation count", func() {
		monitor := &forgetful{Monitor: b.reconciler.Monitor, fails: 2}
		b.reconciler.Monitor = monitor
		for range 2 {
			_, err := b.reconcile()
			Expect(err).To(HaveOccurred())
			Expect(b.condition(v1alpha1.ConditionReady)).NotTo(Equal("True Ready"))
		}
		b.runs("1.0.0", 1)
		Expect(monitor.asked).To(Equal(3), "until it has taken note, and not once more")
	})

	It("leaves nothing at work that the next operation does not want", func() {
		b.runs("1.0.0", 1)
		var abandoned []string
		b.meddle(func(f *faulty) {
			f.abandoned, f.upgrade = &abandoned, func() error { return errors.New("connection refused") }
		})
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Values = painted("red") })
		for range 2 {
			_, err := b.reconcile()
			Expect(err).To(HaveOccurred())
		}
		Expect(b.outcomes()[:2]).To(Equal([]string{"Upgrade 1.0.0 Interrupted Interrupted", "Install 1.0.0 Succeeded"}))
		Expect(b.instance.Status.History[0].Count).To(Equal(int32(2)), "retries are one entry")
		Expect(abandoned).To(BeEmpty(), "the same goes on from there")

		b.meddle(func(f *faulty) { f.abandoned = &abandoned })
		b.edit(func(i *v1alpha1.AppInstance) { i.Spec.Values = painted("blue") })
		b.runs("1.0.0", 2)
		Expect(abandoned).To(Equal([]string{"mine"}))
	})
})
