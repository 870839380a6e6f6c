package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/internal/uploads/server"
)

const (
	// uploadsFolder is the folder of uploaded charts in --store-dir.
	uploadsFolder = "uploads"
	// sweepInterval is the interval at which unfinished uploads and the charts of deleted sources are
	// looked for.
	sweepInterval = 10 * time.Minute
)

// uploadStore adapts the store of uploads to package source.
type uploadStore struct{ *uploads.Store }

var _ source.UploadStore = uploadStore{}

// ListUploads lists the charts of a source, the damaged ones included.
func (s uploadStore) ListUploads(owner hydrate.Owner) ([]source.UploadedChart, error) {
	charts, damaged, err := s.List(owner)
	if err != nil {
		return nil, err
	}
	var all []source.UploadedChart
	for _, c := range charts {
		all = append(all, source.UploadedChart{
			App: c.App, Version: c.Version, AppVersion: c.AppVersion, Deprecated: c.Deprecated,
			File: c.FileName(), Digest: c.Archive.Digest, Created: c.Created,
		})
	}
	for _, d := range damaged {
		all = append(all, source.UploadedChart{App: d.App, Err: d.Err})
	}
	return all, nil
}

// withUploads adds the paths for uploads to the handler of the repository if uploads are received.
func (p *components) withUploads(mgr ctrl.Manager, isReady func() bool, repository http.Handler) http.Handler {
	if p.uploads == nil {
		return repository
	}
	objects := uploadObjects{cached: mgr.GetClient(), writer: p.writer}
	return server.Handler(server.Options{
		Store: p.uploads, Review: p.reviewer.Review, Ready: isReady, Log: mgr.GetLogger(),
		Source: objects.limitsOf, Users: objects.listUsers, Changed: objects.reportChange,
	}, repository)
}

// addUploadSweep adds the removal of uploads that are not needed.
func (p *components) addUploadSweep(mgr ctrl.Manager) error {
	if p.uploads == nil {
		return nil
	}
	return mgr.Add(&uploadSweep{store: p.uploads, objects: mgr.GetClient(), log: mgr.GetLogger()})
}

// uploadObjects reads and writes the objects that uploads concern.
type uploadObjects struct {
	cached client.Reader
	// writer writes objects without the leader fence.
	writer client.Client
}

// limitsOf returns the limits of a source, and whether a source of type Upload exists.
func (u uploadObjects) limitsOf(ctx context.Context, owner hydrate.Owner) (uploads.Limits, bool, error) {
	found := &v1alpha1.MarketSource{}
	err := u.cached.Get(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Source}, found)
	if apierrors.IsNotFound(err) {
		return uploads.Limits{}, false, nil
	}
	if err != nil {
		return uploads.Limits{}, false, fmt.Errorf("get source: %w", err)
	}
	spec := found.Spec.Upload
	if spec == nil || !found.DeletionTimestamp.IsZero() {
		return uploads.Limits{}, false, nil
	}
	limits := uploads.Limits{AllowOverwrite: ptr.Deref(spec.AllowOverwrite, false), Charts: int(spec.MaxCharts)}
	if spec.MaxSize != nil {
		limits.Bytes = spec.MaxSize.Value()
	}
	return limits, true, nil
}

// listUsers returns the instances that have installed a version, or that are installing it.
func (u uploadObjects) listUsers(ctx context.Context, owner hydrate.Owner, app, version string) ([]types.NamespacedName, error) {
	var list v1alpha1.AppInstanceList
	key := catalog.AppKey(v1alpha1.AppReference{Source: owner.Source, Name: app}, owner.Namespace)
	if err := u.cached.List(ctx, &list, client.MatchingFields{catalog.InstancesByApp: key}); err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	var users []types.NamespacedName
	for i := range list.Items {
		one := &list.Items[i]
		operation := one.Status.CurrentOperation
		if catalog.UsesChart(one) && (one.Status.Version == version || operation != nil && operation.Version == version) {
			users = append(users, client.ObjectKeyFromObject(one))
		}
	}
	return users, nil
}

// reportChange requests the sync of a source whose charts have changed.
func (u uploadObjects) reportChange(ctx context.Context, owner hydrate.Owner) error {
	return requestSync(ctx, u.writer, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Source}, time.Now())
}

// uploadSweep removes unfinished uploads and the charts of deleted sources. It implements Runnable of
// controller-runtime's manager, for the leader.
type uploadSweep struct {
	store   *uploads.Store
	objects client.Reader
	log     logr.Logger
}

// Start sweeps until the context is done. A run that fails or panics is logged, and repeated after the
// interval.
func (s *uploadSweep) Start(ctx context.Context) error {
	wait.JitterUntilWithContext(ctx, func(ctx context.Context) {
		if err := s.runOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Error(err, "Failed to remove unfinished uploads and the charts of deleted sources")
		}
	}, sweepInterval, 0.1, true)
	return nil
}

func (s *uploadSweep) runOnce(ctx context.Context) (err error) {
	defer outcome.Recover(&err)
	return s.store.Sweep(ctx, s.stateOf)
}

// stateOf returns whether a source and its namespace exist.
func (s *uploadSweep) stateOf(ctx context.Context, owner hydrate.Owner) (uploads.SourceState, error) {
	err := s.objects.Get(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Source}, &v1alpha1.MarketSource{})
	if !apierrors.IsNotFound(err) {
		return uploads.SourceExists, err
	}
	err = s.objects.Get(ctx, types.NamespacedName{Name: owner.Namespace}, &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		return uploads.NamespaceDeleted, nil
	}
	return uploads.SourceDeleted, err
}
