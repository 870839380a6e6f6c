package story_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// A moment is an event that a watch observes.
type moment struct {
	// list is the kind to watch in the tenant's namespace, and is matches the event.
	list client.ObjectList
	is   func(o client.Object) bool
}

var (
	operating = moment{&v1alpha1.AppInstanceList{}, func(o client.Object) bool {
		return o.(*v1alpha1.AppInstance).Status.CurrentOperation != nil
	}}
	claimMade = moment{&corev1.PersistentVolumeClaimList{}, func(client.Object) bool { return true }}
)

func hookBegan(hook string) moment {
	return moment{&batchv1.JobList{}, func(o client.Object) bool { return strings.HasSuffix(o.GetName(), "-"+hook) }}
}

func hookEnded(hook string) moment {
	return moment{&batchv1.JobList{}, func(o client.Object) bool {
		return strings.HasSuffix(o.GetName(), "-"+hook) && o.(*batchv1.Job).Status.Succeeded > 0
	}}
}

// at calls do and returns as soon as the moment is observed. It watches instead of polling, which
// would take CPU time from the operator.
func (t *tenant) at(ctx context.Context, m moment, do func()) {
	GinkgoHelper()
	watching, err := client.NewWithWatch(cfg, client.Options{Scheme: cluster.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	list := m.list.DeepCopyObject().(client.ObjectList)
	seen, err := watching.Watch(ctx, list, client.InNamespace(t.Namespace))
	Expect(err).NotTo(HaveOccurred())
	defer seen.Stop()
	do()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case e, open := <-seen.ResultChan():
			Expect(open).To(BeTrue(), "the watch ended before the moment was seen")
			if o, ok := e.Object.(client.Object); ok && m.is(o) {
				return
			}
		case <-ctx.Done():
			Fail("the moment was not seen before the spec ended")
		case <-limit.C:
			Fail("the moment was not seen within " + patience.String())
		}
	}
}

// killAt calls do, kills the operator as soon as the moment is observed, and starts it again.
func (t *tenant) killAt(ctx context.Context, m moment, do func()) {
	GinkgoHelper()
	t.at(ctx, m, do)
	market.Kill()
	market.Start()
}
