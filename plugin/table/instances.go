package table

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
	"github.com/appmarket/operator/internal/transitions"
)

// withNamespace returns the columns of a list of objects, with the namespace if the list is of all
// namespaces.
func withNamespace(all bool, columns ...string) []string {
	if !all {
		return columns
	}
	return append([]string{"Namespace"}, columns...)
}

// addObjectRow adds the row of an object of a list.
func (t *table) addObjectRow(all bool, namespace string, cells ...string) {
	if all {
		cells = append([]string{namespace}, cells...)
	}
	t.addRow(cells...)
}

// Instances returns the table of instances. all specifies whether they are of all namespaces.
func Instances(instances []v1alpha1.AppInstance, all bool, now time.Time) *metav1.Table {
	t := newTable(withNamespace(all, "Name", "App", "Version", "State", "Update", "Age", "+Revision", "+Account", "+URL", "+Status")...)
	for i := range instances {
		instance := &instances[i]
		message := ""
		if c := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			message = c.Message
		}
		t.addObjectRow(all, instance.Namespace,
			instance.Name, instance.Spec.AppRef.Source+"/"+instance.Spec.AppRef.Name, instance.Status.Version,
			InstanceState(instance), instance.Status.AvailableUpdate, ageOf(instance.CreationTimestamp, now),
			fmt.Sprint(instance.Status.Revision), cmp.Or(instance.Spec.ServiceAccountName, "default"), firstURL(instance), message)
	}
	return &t.Table
}

// firstURL returns the URL of the first entrance that has one and is not hidden, "" if there is none.
func firstURL(instance *v1alpha1.AppInstance) string {
	for _, entrance := range instance.Status.Entrances {
		if entrance.URL != "" && !entrance.Hidden {
			return entrance.URL
		}
	}
	return ""
}

// InstanceState returns the state of an instance, with ",Suspended" while its reconciliation is
// suspended, as kubectl shows the state of a node.
func InstanceState(instance *v1alpha1.AppInstance) string {
	state := string(transitions.StateOf(instance))
	if suspend := instance.Spec.Suspend; suspend != nil && *suspend {
		state += ",Suspended"
	}
	return state
}

// Tasks returns the table of tasks, newest first. all specifies whether they are of all namespaces.
func Tasks(tasks []v1alpha1.AppInstallTask, all bool, now time.Time) *metav1.Table {
	t := newTable(withNamespace(all, "Name", "Action", "Instance", "Version", "State", "Age", "+Duration", "+Queue", "+Status")...)
	slices.SortStableFunc(tasks, func(a, b v1alpha1.AppInstallTask) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	for i := range tasks {
		task := &tasks[i]
		duration, message := "", ""
		if end := task.Status.CompletionTime; end != nil {
			duration = ageOf(task.CreationTimestamp, end.Time)
		}
		if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
			message = c.Message
		}
		t.addObjectRow(all, task.Namespace,
			task.Name, string(task.Spec.Action), task.Instance(), task.Status.Version, TaskState(task), ageOf(task.CreationTimestamp, now),
			duration, fmt.Sprint(task.Status.QueuePosition), message)
	}
	return &t.Table
}

// TaskState returns the state of a task in one word: Succeeded, the reason of its failure, or the
// reason why it waits.
func TaskState(task *v1alpha1.AppInstallTask) string {
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	if c == nil {
		return "Pending"
	}
	return c.Reason
}

// Sources returns the table of sources.
func Sources(sources []v1alpha1.MarketSource, now time.Time) *metav1.Table {
	t := newTable("Namespace", "Name", "Type", "Ready", "Apps", "Served", "Failed", "Age", "Status", "+Location", "+Repository")
	for i := range sources {
		source := &sources[i]
		counts := source.Status.Apps
		if counts == nil {
			counts = &v1alpha1.AppCounts{}
		}
		message := ""
		if c := meta.FindStatusCondition(source.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			message = c.Message
		}
		t.addRow(source.Namespace, source.Name, string(source.Spec.Type), conditionStatus(source.Status.Conditions, v1alpha1.ConditionReady),
			fmt.Sprint(counts.Total), fmt.Sprint(counts.Ready), fmt.Sprint(counts.Failed), ageOf(source.CreationTimestamp, now),
			cutCell(message), sourcebuilder.RequestFor(source).Location, source.Status.RepositoryURL)
	}
	return &t.Table
}
