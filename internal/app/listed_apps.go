package app

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/chartrepo"
)

// listedApps watches which versions of apps are in the indexes of the repository. A version of a
// source that requires a review is not in the indexes until its app is known to be listed.
type listedApps struct {
	// refresh is called for a source whose index has changed. It is called without locks held.
	refresh func(hydrate.Owner)

	mu      sync.RWMutex
	sources map[hydrate.Owner]*v1alpha1.MarketSource
	apps    map[hydrate.Owner]map[string]*v1alpha1.AppInfo
}

// watchObjects begins to watch sources and apps, and returns functions that report whether they have
// been listed.
func (l *listedApps) watchObjects(sources, apps eventSource) (synced []func() bool, err error) {
	for _, watch := range []struct {
		from   eventSource
		update func(before, after any)
	}{{sources, l.updateSource}, {apps, l.updateApp}} {
		registration, err := watch.from.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { watch.update(nil, o) },
			UpdateFunc: watch.update,
			DeleteFunc: func(o any) {
				if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
					o = last.Obj
				}
				watch.update(o, nil)
			},
		})
		if err != nil {
			return nil, fmt.Errorf("watch listed apps: %w", err)
		}
		synced = append(synced, registration.HasSynced)
	}
	return synced, nil
}

// isIndexed reports whether a version is in the indexes.
func (l *listedApps) isIndexed(owner hydrate.Owner, app, version string) bool {
	l.mu.RLock()
	source, info := l.sources[owner], l.apps[owner][app]
	l.mu.RUnlock()
	if info == nil {
		return !catalog.RequiresReview(source)
	}
	if !catalog.IsIndexed(catalog.EffectiveListing(source, info)) {
		return false
	}
	return !catalog.RequiresReview(source) || slices.ContainsFunc(info.Status.Versions, func(v v1alpha1.PublishedVersion) bool {
		return v.Version == version && !catalog.IsWithheld(source, &v)
	})
}

func (l *listedApps) updateSource(o, n any) {
	before, _ := o.(*v1alpha1.MarketSource)
	after, _ := n.(*v1alpha1.MarketSource)
	either := after
	if either == nil {
		either = before
	}
	if either == nil {
		return
	}
	owner := hydrate.Owner{Namespace: either.Namespace, Source: either.Name}
	l.mu.Lock()
	if l.sources == nil {
		l.sources = map[hydrate.Owner]*v1alpha1.MarketSource{}
	}
	if l.sources[owner] = after; after == nil {
		delete(l.sources, owner)
	}
	l.mu.Unlock()
	if catalog.RequiresReview(before) != catalog.RequiresReview(after) {
		l.refresh(owner)
	}
}

func (l *listedApps) updateApp(o, n any) {
	before, _ := o.(*v1alpha1.AppInfo)
	after, _ := n.(*v1alpha1.AppInfo)
	either := after
	if either == nil {
		either = before
	}
	if either == nil {
		return
	}
	owner := hydrate.Owner{Namespace: either.Namespace, Source: either.Spec.SourceRef.Name}
	l.mu.Lock()
	if l.apps == nil {
		l.apps = map[hydrate.Owner]map[string]*v1alpha1.AppInfo{}
	}
	if l.apps[owner] == nil {
		l.apps[owner] = map[string]*v1alpha1.AppInfo{}
	}
	if l.apps[owner][either.Spec.App] = after; after == nil {
		delete(l.apps[owner], either.Spec.App)
	}
	l.mu.Unlock()
	if before == nil || after == nil || catalog.HasListingChanged(before, after) || !equality.Semantic.DeepEqual(before.Status.Versions, after.Status.Versions) {
		l.refresh(owner)
	}
}

// reviewAccess returns the Review of the repository: versions that are not in the indexes are
// readable by accounts that can review the AppInfo.
func reviewAccess(reviewer *access.Reviewer, log logr.Logger) chartrepo.Review {
	logged := rate.Sometimes{Interval: time.Minute}
	return func(ctx context.Context, token string, owner hydrate.Owner, app string) (access.Decision, error) {
		decision, err := reviewer.Review(ctx, token, access.Right{
			Verb: admission.ReviewVerb, Group: v1alpha1.GroupVersion.Group, Resource: "appinfos", Namespace: owner.Namespace, Name: owner.Source + "." + app,
		})
		if err != nil && ctx.Err() == nil {
			logged.Do(func() { log.Error(err, "Failed to review access to an app that is not listed") })
		}
		return decision, err
	}
}
