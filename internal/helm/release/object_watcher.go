package release

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/resource"
)

// objectWatcher observes the state of one object. If every state matters, it watches the object,
// starting with the state in which it was created. Otherwise, or if the tenant may not watch the
// object, it reads the object repeatedly, with an increasing interval.
type objectWatcher struct {
	helper *resource.Helper
	info   *resource.Info
	to     goal
	watch  watch.Interface
	pause  wait.Backoff
}

// startFollowing watches an object that this operation has created, and reads any other object.
func (f *objectWatcher) startFollowing() (bool, error) {
	if f.startWatch() {
		return false, nil
	}
	return f.readObject()
}

// startWatch watches the object, starting with the last known state. It reports whether the watch was
// started.
func (f *objectWatcher) startWatch() bool {
	if !f.to.watched || f.info.ResourceVersion == "" {
		return false
	}
	started, err := f.helper.WatchSingle(f.info.Namespace, f.info.Name, f.info.ResourceVersion)
	if err != nil {
		f.to.watched = !apierrors.IsForbidden(err)
		return false
	}
	f.watch = started
	return true
}

func (f *objectWatcher) stopWatch() {
	if f.watch != nil {
		f.watch.Stop()
		f.watch = nil
	}
}

func (f *objectWatcher) watchEvents() <-chan watch.Event {
	if f.watch == nil {
		return nil
	}
	return f.watch.ResultChan()
}

// pollTimer returns a channel that fires when an object without a watch should be read again.
func (f *objectWatcher) pollTimer() <-chan time.Time {
	if f.watch != nil {
		return nil
	}
	return time.After(f.pause.Step())
}

// readObject reads the object and reports whether it has reached the goal.
func (f *objectWatcher) readObject() (bool, error) {
	found, err := f.helper.Get(f.info.Namespace, f.info.Name)
	switch {
	case apierrors.IsNotFound(err):
		return f.to.reached(f.info, nil)
	case err != nil && isTransient(err):
		return false, nil
	case err != nil:
		return false, err
	}
	reached, err := f.hasReachedGoal(found)
	if !reached && err == nil {
		f.startWatch()
	}
	return reached, err
}

// handleEvent reports whether the object has reached the goal after an event. If the object was deleted,
// its last state is checked before its absence.
func (f *objectWatcher) handleEvent(event watch.Event, open bool) (bool, error) {
	if !open || event.Type == watch.Error {
		f.stopWatch() // interrupted; from here on the object is read
		return false, nil
	}
	reached, err := f.hasReachedGoal(event.Object)
	if !reached && err == nil && event.Type == watch.Deleted {
		return f.to.reached(f.info, nil)
	}
	return reached, err
}

func (f *objectWatcher) hasReachedGoal(found runtime.Object) (bool, error) {
	live, ok := found.(*unstructured.Unstructured)
	if !ok {
		return false, fmt.Errorf("read %s: unexpected type %T", f.info.Name, found)
	}
	f.info.ResourceVersion = live.GetResourceVersion()
	return f.to.reached(f.info, live)
}
