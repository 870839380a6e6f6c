package story_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// A moment is something that a watch sees happen.
type moment struct {
	// what is seen in the namespace of a tenant.
	list client.ObjectList
	is   func(o client.Object) bool
}

var (
	operating = moment{&v1alpha1.AppInstanceList{}, func(o client.Object) bool {
		return o.(*v1alpha1.AppInstance).Status.Operation != nil
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

// killAt does something that the operator acts upon, and kills it as soon as the
// moment is seen. Then the operator is started again.
func (t *tenant) killAt(ctx context.Context, m moment, do func()) {
	GinkgoHelper()
	watching, err := client.NewWithWatch(cfg, client.Options{Scheme: cluster.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	list := m.list.DeepCopyObject().(client.ObjectList)
	watch, err := watching.Watch(ctx, list, client.InNamespace(t.Namespace))
	Expect(err).NotTo(HaveOccurred())
	defer watch.Stop()
	do()
	Eventually(func(g Gomega) {
		select {
		case e := <-watch.ResultChan():
			o, ok := e.Object.(client.Object)
			g.Expect(ok).To(BeTrue())
			g.Expect(m.is(o)).To(BeTrue())
		default:
			g.Expect("nothing").To(BeEmpty())
		}
	}).WithContext(ctx).WithPolling(1).Should(Succeed())
	market.Kill()
	market.Start()
}
