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

// cancelDuringTasks measures how long it takes until a task acknowledges its cancellation while a
// hundred other tasks run: for a queued task, and for a running one.
func (m *benchmark) cancelDuringTasks() {
	const namespaces, each = 20, 5
	version := m.smallVersion().Version
	var tasks []client.Object
	for _, namespace := range m.createTenants("cancel", namespaces) {
		for i := range each {
			tasks = append(tasks, m.newTask(namespace, fmt.Sprint(smallApp, "-", i), version))
		}
	}
	for _, task := range tasks {
		m.Expect(m.cluster.Create(m.ctx, task)).To(Succeed())
	}
	for _, which := range []struct {
		what string
		task client.Object
	}{{"queued", tasks[len(tasks)-1]}, {"running", m.waitForRunningTask(tasks)}} {
		took := m.cancelTask(which.task)
		m.table.addRow(resultRow{
			work:   fmt.Sprintf("cancel a %s task during %d tasks, until it is acknowledged", which.what, len(tasks)),
			figure: formatDuration(took), budget: "< 1 s",
		})
	}
	m.waitForTasks("cancel-")
}

// waitForRunningTask returns a task whose Helm operation is running.
func (m *benchmark) waitForRunningTask(tasks []client.Object) client.Object {
	m.b.Helper()
	tasksByName := map[string]client.Object{}
	for _, task := range tasks {
		tasksByName[task.GetNamespace()+"/"+task.GetName()] = task
	}
	var found client.Object
	m.waitUntil(m.watchObjects(&v1alpha1.AppInstanceList{}), func(o client.Object) (bool, error) {
		if o.(*v1alpha1.AppInstance).Status.CurrentOperation != nil {
			found = tasksByName[o.GetNamespace()+"/"+o.GetName()]
		}
		return found != nil, nil
	})
	return found
}

// cancelTask cancels a task and returns how long it took until its status showed the cancellation.
func (m *benchmark) cancelTask(task client.Object) time.Duration {
	m.b.Helper()
	all := m.watchObjects(&v1alpha1.AppInstallTaskList{}, client.InNamespace(task.GetNamespace()))
	begin := time.Now()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"cancel":true}}`))
	m.Expect(m.cluster.Patch(m.ctx, &v1alpha1.AppInstallTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: task.GetNamespace(), Name: task.GetName()},
	}, patch)).To(Succeed())
	m.waitUntil(all, func(o client.Object) (bool, error) {
		seen := o.(*v1alpha1.AppInstallTask)
		return seen.Name == task.GetName() && (seen.Status.Reverting != nil || seen.Finished()), nil
	})
	return time.Since(begin)
}

// waitForTasks waits until every task in the namespaces with the prefix has finished.
func (m *benchmark) waitForTasks(prefix string) {
	m.b.Helper()
	unfinished := map[string]bool{}
	var list v1alpha1.AppInstallTaskList
	m.Expect(m.cluster.List(m.ctx, &list)).To(Succeed())
	for i := range list.Items {
		if t := &list.Items[i]; !t.Finished() && len(t.Namespace) > len(prefix) && t.Namespace[:len(prefix)] == prefix {
			unfinished[t.Namespace+"/"+t.Name] = true
		}
	}
	if len(unfinished) == 0 {
		return
	}
	m.waitUntil(m.watchObjects(&v1alpha1.AppInstallTaskList{}), func(o client.Object) (bool, error) {
		if t := o.(*v1alpha1.AppInstallTask); t.Finished() {
			delete(unfinished, t.Namespace+"/"+t.Name)
		}
		return len(unfinished) == 0, nil
	})
}

// convergeAfterKill measures the time from the start of an operator until all tasks have succeeded
// that a killed operator left unfinished.
func (m *benchmark) convergeAfterKill() {
	const count = 20
	version := m.smallVersion().Version
	var tasks []client.Object
	for _, namespace := range m.createTenants("kill", count) {
		tasks = append(tasks, m.newTask(namespace, smallApp, version))
	}
	for _, task := range tasks {
		m.Expect(m.cluster.Create(m.ctx, task)).To(Succeed())
	}
	m.waitForRunningTask(tasks)
	m.Expect(m.operator.cmd.Process.Kill()).To(Succeed())
	m.Expect(m.operator.cmd.Wait()).To(HaveOccurred())
	interrupted := m.countInterrupted()
	begin := time.Now()
	m.launchOperator()
	pending := map[client.ObjectKey]bool{}
	for _, task := range tasks {
		pending[client.ObjectKeyFromObject(task)] = true
	}
	m.waitUntil(m.watchObjects(&v1alpha1.AppInstallTaskList{}), func(o client.Object) (bool, error) {
		task := o.(*v1alpha1.AppInstallTask)
		if meta.IsStatusConditionTrue(task.Status.Conditions, v1alpha1.ConditionSucceeded) {
			delete(pending, client.ObjectKeyFromObject(o))
		}
		return len(pending) == 0, nil
	})
	m.table.addRow(resultRow{
		work:   fmt.Sprintf("start after kill -9 during %d installations, %d of them interrupted, until all have succeeded", count, interrupted),
		figure: formatDuration(time.Since(begin)),
	})
}

// countInterrupted returns the number of instances whose operation was interrupted.
func (m *benchmark) countInterrupted() int {
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

// retainThousandTasks measures the memory that a thousand finished tasks use.
func (m *benchmark) retainThousandTasks() {
	const namespaces, each = 20, 50
	version := m.smallVersion().Version
	before := m.residentMemory("VmRSS")
	var tasks []client.Object
	for _, namespace := range m.createTenants("thousand", namespaces) {
		for i := range each {
			tasks = append(tasks, m.newTask(namespace, fmt.Sprint(smallApp, "-", i), version))
		}
	}
	m.Expect(m.operator.resetPeak()).To(Succeed())
	took := m.runTasks(tasks)
	m.table.addRow(resultRow{
		work: fmt.Sprintf("memory after %d tasks in %d namespaces, run in %s", len(tasks), namespaces, formatDuration(took)),
		figure: fmt.Sprintf("%s resident, %s before, %s maximum",
			formatMemory(m.residentMemory("VmRSS")), formatMemory(before), formatMemory(m.residentMemory("VmHWM"))),
	})
}
