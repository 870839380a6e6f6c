package pages

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

// maxTaskEvents is the number of events that the page of a task reads and shows.
const maxTaskEvents = 50

// subtaskRow is a subtask with its state. The state is empty if the user cannot list tasks in its namespace, and
// IsGone reports that the user can, and that the subtask does not exist.
type subtaskRow struct {
	v1alpha1.Subtask

	State   badge
	Message string
	IsGone  bool
}

// addSubtasks adds the subtasks with their states, from the cached tasks of the namespaces in which the user can list
// tasks.
func (v *taskView) addSubtasks(r *request) error {
	known := map[string]*v1alpha1.AppInstallTask{}
	listed := map[string]bool{}
	for _, subtask := range v.Task.Status.Subtasks {
		namespace := cmp.Or(subtask.Namespace, v.Task.Namespace)
		if _, isRead := listed[namespace]; !isRead {
			allowed, err := r.Allows(r.Context(), "list", kube.Tasks, namespace, "")
			if err != nil {
				return err
			}
			if listed[namespace] = allowed; allowed {
				all, err := r.server.Cluster.ListTasks(r.Context(), kube.Scope{Namespaces: []string{namespace}})
				if err != nil {
					return err
				}
				for i := range all {
					known[namespace+"/"+all[i].Name] = &all[i]
				}
			}
		}
		row := subtaskRow{Subtask: subtask}
		row.Namespace = namespace
		if task := known[namespace+"/"+subtask.Task]; task != nil {
			row.State = taskBadge(r.lang, task)
			if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil && row.State.Class != "ok" {
				row.Message = text.Shorten(c.Message, maxCellBytes)
			}
		} else {
			row.IsGone = listed[namespace]
		}
		v.Subtasks = append(v.Subtasks, row)
	}
	return nil
}

// topics returns what the page follows: the task, its subtasks, and until its end the tasks of its namespace, because
// it can create further subtasks.
func (v *taskView) topics() []live.Topic {
	topics := []live.Topic{{Resource: kube.Tasks, Namespace: v.Task.Namespace, Name: v.Task.Name}}
	if !v.Task.Finished() {
		topics = append(topics, live.Topic{Resource: kube.Tasks, Namespace: v.Task.Namespace})
	}
	for _, row := range v.Subtasks {
		topics = append(topics, live.Topic{Resource: kube.Tasks, Namespace: row.Namespace, Name: row.Task})
	}
	return topics
}

// addEvents adds the events of the task, newest first.
func (v *taskView) addEvents(r *request) error {
	var found corev1.EventList
	err := r.List(r.Context(), &found, client.InNamespace(v.Task.Namespace), client.Limit(maxTaskEvents),
		client.MatchingFields{"involvedObject.kind": "AppInstallTask", "involvedObject.name": v.Task.Name})
	if apierrors.IsForbidden(err) {
		v.NoEvents = r.Text("object.noEvents", "Namespace", v.Task.Namespace)
		return nil
	}
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	for i := range found.Items {
		// An earlier task can have had the same name.
		if uid := found.Items[i].InvolvedObject.UID; uid == "" || uid == v.Task.UID {
			v.Events = append(v.Events, newEventRow(&found.Items[i]))
		}
	}
	slices.SortStableFunc(v.Events, func(a, b eventRow) int { return b.At.Compare(a.At) })
	return nil
}
