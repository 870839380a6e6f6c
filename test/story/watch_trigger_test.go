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

// A trigger is an event that a watch observes.
type trigger struct {
	// list is the kind to watch in the tenant's namespace, and matches selects the event.
	list    client.ObjectList
	matches func(o client.Object) bool
}

var (
	operationStarted = trigger{&v1alpha1.AppInstanceList{}, func(o client.Object) bool {
		return o.(*v1alpha1.AppInstance).Status.CurrentOperation != nil
	}}
	claimCreated = trigger{&corev1.PersistentVolumeClaimList{}, func(client.Object) bool { return true }}
)

func hookStarted(hook string) trigger {
	return trigger{&batchv1.JobList{}, func(o client.Object) bool { return strings.HasSuffix(o.GetName(), "-"+hook) }}
}

func hookCompleted(hook string) trigger {
	return trigger{&batchv1.JobList{}, func(o client.Object) bool {
		return strings.HasSuffix(o.GetName(), "-"+hook) && o.(*batchv1.Job).Status.Succeeded > 0
	}}
}

// runUntil calls do and returns as soon as the event is observed. It watches instead of polling, which
// would take CPU time from the operator.
func (t *tenant) runUntil(ctx context.Context, event trigger, do func()) {
	GinkgoHelper()
	watching, err := client.NewWithWatch(restConfig, client.Options{Scheme: k8sClient.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	list := event.list.DeepCopyObject().(client.ObjectList)
	events, err := watching.Watch(ctx, list, client.InNamespace(t.Namespace))
	Expect(err).NotTo(HaveOccurred())
	defer events.Stop()
	do()
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	for {
		select {
		case e, open := <-events.ResultChan():
			Expect(open).To(BeTrue(), "the watch does not end before the event")
			if o, ok := e.Object.(client.Object); ok && event.matches(o) {
				return
			}
		case <-ctx.Done():
			Fail("the event was not observed before the spec ended")
		case <-limit.C:
			Fail("the event was not observed within " + timeout.String())
		}
	}
}

// killOperatorAt calls do, kills the operator as soon as the event is observed, and starts it again.
func (t *tenant) killOperatorAt(ctx context.Context, event trigger, do func()) {
	GinkgoHelper()
	t.runUntil(ctx, event, do)
	defaultOperator.Kill()
	defaultOperator.Start()
}
