package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/plugin/follow"
)

const (
	// redrawDelay limits how often a tree is drawn.
	redrawDelay = 200 * time.Millisecond
	// agingInterval is the interval at which a tree is drawn if nothing changes, because it shows ages.
	agingInterval = time.Second
)

// watchState contains the objects that are watched, and their changes that were not shown yet.
type watchState struct {
	mu               sync.Mutex
	target           watchTarget
	instances, tasks *watchedKind
	changes          []watchChange
	// changed receives a value after a change.
	changed chan struct{}
}

// watchChange is a new state of an object, or its removal.
type watchChange struct {
	object  client.Object
	removed bool
	// first specifies whether the object was there at the start of the watch.
	first bool
}

// watchedKind contains the objects of a kind.
type watchedKind struct {
	state    *watchState
	objects  map[client.ObjectKey]client.Object
	isListed bool
}

var _ follow.Collection = &watchedKind{}

func newWatchState(target watchTarget) *watchState {
	s := &watchState{target: target, changed: make(chan struct{}, 1)}
	s.instances = &watchedKind{state: s, objects: map[client.ObjectKey]client.Object{}}
	s.tasks = &watchedKind{state: s, objects: map[client.ObjectKey]client.Object{}}
	return s
}

// Replace implements follow.Collection.
func (w *watchedKind) Replace(objects []client.Object) {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	present := map[client.ObjectKey]bool{}
	for _, o := range objects {
		present[client.ObjectKeyFromObject(o)] = true
		w.set(o)
	}
	for key, o := range w.objects {
		if !present[key] {
			w.remove(o)
		}
	}
	w.isListed = true
	w.state.signal()
}

// Set implements follow.Collection.
func (w *watchedKind) Set(object client.Object) {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	w.set(object)
	w.state.signal()
}

// Remove implements follow.Collection.
func (w *watchedKind) Remove(object client.Object) {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	w.remove(object)
	w.state.signal()
}

func (w *watchedKind) set(object client.Object) {
	key := client.ObjectKeyFromObject(object)
	known, exists := w.objects[key]
	if !w.state.target.selects(object) || exists && known.GetResourceVersion() == object.GetResourceVersion() {
		return
	}
	w.objects[key] = object
	w.state.changes = append(w.state.changes, watchChange{object: object, first: !w.isListed})
}

func (w *watchedKind) remove(object client.Object) {
	if _, exists := w.objects[client.ObjectKeyFromObject(object)]; exists {
		delete(w.objects, client.ObjectKeyFromObject(object))
		w.state.changes = append(w.state.changes, watchChange{object: object, removed: true})
	}
}

// selects reports whether an object is watched. Dry runs are not.
func (t watchTarget) selects(object client.Object) bool {
	task, isTask := object.(*v1alpha1.AppInstallTask)
	return !isTask || !task.IsDryRun() && (t.instance == "" || task.Instance() == t.instance)
}

func (s *watchState) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// take returns the changes since the last call, and groups of all objects. It returns false until all
// objects are listed.
func (s *watchState) take() ([]watchChange, []watchGroup, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.instances.isListed || !s.tasks.isListed {
		return nil, nil, false
	}
	changes := s.changes
	s.changes = nil
	slices.SortStableFunc(changes, compareChanges)
	return changes, s.groups(), true
}

// compareChanges orders the objects that were there at the start: they come first, instances before tasks, by
// name. Later changes are kept in order.
func compareChanges(a, b watchChange) int {
	if !a.first || !b.first {
		return cmp.Compare(a.rank(), b.rank())
	}
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), strings.Compare(a.object.GetNamespace()+"/"+a.object.GetName(), b.object.GetNamespace()+"/"+b.object.GetName()))
}

// rank returns 0 for an instance that was there at the start, 1 for such a task, and 2 for a later change.
func (c watchChange) rank() int {
	if !c.first {
		return 2
	}
	if _, isInstance := c.object.(*v1alpha1.AppInstance); isInstance {
		return 0
	}
	return 1
}

// watchGroup is an instance, nil if it does not exist, with its tasks, newest first.
type watchGroup struct {
	namespace, name string
	instance        *v1alpha1.AppInstance
	tasks           []v1alpha1.AppInstallTask
}

// groups returns the instances and their tasks, sorted by name.
func (s *watchState) groups() []watchGroup {
	found := map[client.ObjectKey]*watchGroup{}
	groupOf := func(namespace, name string) *watchGroup {
		key := client.ObjectKey{Namespace: namespace, Name: name}
		if found[key] == nil {
			found[key] = &watchGroup{namespace: namespace, name: name}
		}
		return found[key]
	}
	for key, o := range s.instances.objects {
		if instance, ok := o.(*v1alpha1.AppInstance); ok {
			groupOf(key.Namespace, key.Name).instance = instance
		}
	}
	for _, o := range s.tasks.objects {
		if task, ok := o.(*v1alpha1.AppInstallTask); ok {
			group := groupOf(task.Namespace, task.Instance())
			group.tasks = append(group.tasks, *task)
		}
	}
	var groups []watchGroup
	for _, group := range found {
		slices.SortFunc(group.tasks, func(a, b v1alpha1.AppInstallTask) int {
			if newer := b.CreationTimestamp.Compare(a.CreationTimestamp.Time); newer != 0 {
				return newer
			}
			return strings.Compare(a.Name, b.Name)
		})
		groups = append(groups, *group)
	}
	slices.SortFunc(groups, func(a, b watchGroup) int { return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name) })
	return groups
}

// show shows the objects until the context ends or the goal is reached.
func (s *watchState) show(ctx context.Context, view watchView, goal *watchGoal) error {
	aging := time.NewTicker(agingInterval)
	defer aging.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.changed:
		case <-aging.C:
		}
		changes, groups, ok := s.take()
		if !ok {
			continue
		}
		if err := view.show(changes, groups); err != nil {
			return err
		}
		if goal.isReached(s.target, groups) {
			return errConditionMet
		}
		if !view.isTree() {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(redrawDelay):
		}
	}
}

// watchGoal is the condition of --for.
type watchGoal struct {
	deleted           bool
	condition, status string
}

// parseWatchGoal parses the value of --for. It returns nil for an empty value.
func parseWatchGoal(value string) (*watchGoal, error) {
	if value == "" {
		return nil, nil
	}
	if value == "delete" {
		return &watchGoal{deleted: true}, nil
	}
	text, found := strings.CutPrefix(value, "condition=")
	name, status, hasStatus := strings.Cut(text, "=")
	if !hasStatus {
		status = string(metav1.ConditionTrue)
	}
	if !found || name == "" || status == "" {
		return nil, fmt.Errorf("%q must be delete, condition=NAME or condition=NAME=STATUS", value)
	}
	return &watchGoal{condition: name, status: status}, nil
}

// isReached reports whether the object of the target has the condition for its present spec, or was deleted.
func (g *watchGoal) isReached(target watchTarget, groups []watchGroup) bool {
	if g == nil {
		return false
	}
	var object client.Object
	var conditions []metav1.Condition
	for _, group := range groups {
		switch {
		case target.task != "":
			for i := range group.tasks {
				object, conditions = &group.tasks[i], group.tasks[i].Status.Conditions
			}
		case group.instance != nil:
			object, conditions = group.instance, group.instance.Status.Conditions
		}
	}
	if object == nil || g.deleted {
		return object == nil && g.deleted
	}
	c := meta.FindStatusCondition(conditions, g.condition)
	return c != nil && strings.EqualFold(string(c.Status), g.status) && c.ObservedGeneration >= object.GetGeneration()
}
