package bench_test

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// cancelWhileBusy measures how long it takes until a task acknowledges its cancellation while a
// hundred other tasks run: for a queued task, and for a running one.
func (m *measure) cancelWhileBusy() {
	const namespaces, each = 20, 5
	version := m.small().Version
	var tasks []client.Object
	for _, namespace := range m.tenants("cancel", namespaces) {
		for i := range each {
			tasks = append(tasks, m.task(namespace, fmt.Sprint(smallApp, "-", i), version))
		}
	}
	for _, task := range tasks {
		m.Expect(m.cluster.Create(m.ctx, task)).To(Succeed())
	}
	for _, which := range []struct {
		what string
		task client.Object
	}{{"in line", tasks[len(tasks)-1]}, {"at work", m.atWork(tasks)}} {
		took := m.cancel(which.task)
		m.table.add(row{
			work:   fmt.Sprintf("cancel of a task %s while %d are carried out, to its answer", which.what, len(tasks)),
			figure: seconds(took), budget: "< 1 s",
		})
	}
	m.drain("cancel-")
}

// atWork returns a task whose Helm operation is running.
func (m *measure) atWork(tasks []client.Object) client.Object {
	m.b.Helper()
	ours := map[string]client.Object{}
	for _, task := range tasks {
		ours[task.GetNamespace()+"/"+task.GetName()] = task
	}
	var found client.Object
	m.until(m.follow(&v1alpha1.AppInstanceList{}), func(o client.Object) (bool, error) {
		if o.(*v1alpha1.AppInstance).Status.CurrentOperation != nil {
			found = ours[o.GetNamespace()+"/"+o.GetName()]
		}
		return found != nil, nil
	})
	return found
}

// cancel cancels a task and returns how long it took until its status showed the cancellation.
func (m *measure) cancel(task client.Object) time.Duration {
	m.b.Helper()
	all := m.follow(&v1alpha1.AppInstallTaskList{}, client.InNamespace(task.GetNamespace()))
	begin := time.Now()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"cancel":true}}`))
	m.Expect(m.cluster.Patch(m.ctx, &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: task.GetNamespace(), Name: task.GetName()},
	}, patch)).To(Succeed())
	m.until(all, func(o client.Object) (bool, error) {
		seen := o.(*v1alpha1.AppInstallTask)
		return seen.Name == task.GetName() && (seen.Status.Reverting != nil || seen.Finished()), nil
	})
	return time.Since(begin)
}

// drain waits until every task in the namespaces with the prefix has finished.
func (m *measure) drain(prefix string) {
	m.b.Helper()
	open := map[string]bool{}
	var list v1alpha1.AppInstallTaskList
	m.Expect(m.cluster.List(m.ctx, &list)).To(Succeed())
	for i := range list.Items {
		if t := &list.Items[i]; !t.Finished() && len(t.Namespace) > len(prefix) && t.Namespace[:len(prefix)] == prefix {
			open[t.Namespace+"/"+t.Name] = true
		}
	}
	if len(open) == 0 {
		return
	}
	m.until(m.follow(&v1alpha1.AppInstallTaskList{}), func(o client.Object) (bool, error) {
		if t := o.(*v1alpha1.AppInstallTask); t.Finished() {
			delete(open, t.Namespace+"/"+t.Name)
		}
		return len(open) == 0, nil
	})
}

// convergeAfterKill measures the time from the start of an operator until all tasks have succeeded
// that a killed operator left unfinished.
func (m *measure) convergeAfterKill() {
	const count = 20
	version := m.small().Version
	var tasks []client.Object
	for _, namespace := range m.tenants("kill", count) {
		tasks = append(tasks, m.task(namespace, smallApp, version))
	}
	for _, task := range tasks {
		m.Expect(m.cluster.Create(m.ctx, task)).To(Succeed())
	}
	m.atWork(tasks)
	m.Expect(m.operator.cmd.Process.Kill()).To(Succeed())
	m.Expect(m.operator.cmd.Wait()).To(HaveOccurred())
	cut := m.cutOff()
	begin := time.Now()
	m.launchOperator()
	pending := map[client.ObjectKey]bool{}
	for _, task := range tasks {
		pending[client.ObjectKeyFromObject(task)] = true
	}
	m.until(m.follow(&v1alpha1.AppInstallTaskList{}), func(o client.Object) (bool, error) {
		task := o.(*v1alpha1.AppInstallTask)
		if meta.IsStatusConditionTrue(task.Status.Conditions, v1alpha1.ConditionSucceeded) {
			delete(pending, client.ObjectKeyFromObject(o))
		}
		return len(pending) == 0, nil
	})
	m.table.add(row{
		work:   fmt.Sprintf("start after kill -9 in the middle of %d installs, %d of them cut off, to all Succeeded", count, cut),
		figure: seconds(time.Since(begin)),
	})
}

// cutOff returns the number of instances whose operation was interrupted.
func (m *measure) cutOff() int {
	m.b.Helper()
	var list v1alpha1.AppInstanceList
	m.Expect(m.cluster.List(m.ctx, &list)).To(Succeed())
	count := 0
	for i := range list.Items {
		if list.Items[i].Status.CurrentOperation != nil {
			count++
		}
	}
	return count
}

// rememberThousand measures the memory that a thousand finished tasks use.
func (m *measure) rememberThousand() {
	const namespaces, each = 20, 50
	version := m.small().Version
	before := m.resident("VmRSS")
	var tasks []client.Object
	for _, namespace := range m.tenants("thousand", namespaces) {
		for i := range each {
			tasks = append(tasks, m.task(namespace, fmt.Sprint(smallApp, "-", i), version))
		}
	}
	m.Expect(m.operator.forgetPeak()).To(Succeed())
	took := m.carryOut(tasks)
	m.table.add(row{
		work: fmt.Sprintf("memory after %d tasks in %d namespaces, carried out in %s", len(tasks), namespaces, seconds(took)),
		figure: fmt.Sprintf("%s resident, %s before, %s at most",
			mebibytes(m.resident("VmRSS")), mebibytes(before), mebibytes(m.resident("VmHWM"))),
	})
}
