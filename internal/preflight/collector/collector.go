package collector

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// +kubebuilder:rbac:groups="",resources=nodes;persistentvolumes;pods,verbs=list
// +kubebuilder:rbac:groups="",resources=namespaces;serviceaccounts,verbs=get
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=list
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles;roles,verbs=get

const (
	// sideBySide is how many questions are asked at the same time.
	maxConcurrentRequests = 8
	// maxKinds and maxRoles bound what is looked up for one app.
	maxKinds = 200
	maxRoles = 100
)

// Cluster asks the API server. Its methods may be called side by side.
type Collector struct {
	config       *rest.Config
	operator     kubernetes.Interface
	mapper       meta.RESTMapper
	elasticNodes bool

	inFlight        singleflight.Group
	mu              sync.Mutex
	snapshot        *clusterSnapshot
	snapshotExpires time.Time

	unrecorded unrecordedReleases
}

// Option changes what a Cluster says.
type Option func(*Collector)

// WithElasticNodes says that nodes are made when pods want them, so that nothing is
// said about those there are now. Where Karpenter is installed, that is known without.
func WithElasticNodes() Option {
	return func(c *Collector) { c.elasticNodes = true }
}

// New makes a Cluster that is reached with cfg, which must be allowed to impersonate
// the service accounts of tenants. The mapper knows the kinds of the cluster and
// learns of new ones by itself, as that of a manager of controller-runtime does.
func New(cfg *rest.Config, mapper meta.RESTMapper, options ...Option) (*Collector, error) {
	own := rest.CopyConfig(cfg)
	own.QPS = -1
	// Lists of pods are large, and this takes a fraction of the time and memory.
	own.ContentType, own.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	operator, err := kubernetes.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	c := &Collector{config: cfg, operator: operator, mapper: mapper}
	for _, option := range options {
		option(c)
	}
	return c, nil
}

// Check returns everything that stands in the way of an app, see preflight. The
// apps that it depends on should be there already, with the kinds that they bring. An
// error means that the cluster could not be asked, or is stalled with RenderFailed or
// LimitExceeded where the app's documents cannot be read.
func (c *Collector) Check(ctx context.Context, request preflight.Wish) ([]preflight.Problem, error) {
	demand, err := preflight.Read(request)
	if err != nil {
		return nil, err
	}
	facts, account, err := c.collectIndependent(ctx, request, demand)
	if err != nil {
		return nil, err
	}
	if facts == nil {
		return []preflight.Problem{preflight.ImpersonationDenied(request.Tenant)}, nil
	}
	if facts.CRDs, err = c.existingCRDs(demand.CRDs()); err != nil {
		return nil, err
	}
	if facts.Roles, err = c.readRoles(ctx, demand.Roles(facts)); err != nil {
		return nil, err
	}
	if facts.Rights, err = c.Rights(ctx, request.Tenant, demand.Needs(facts)); err != nil {
		return nil, err
	}
	// Rights that are bound to all accounts of a namespace count for those that do not exist, too.
	switch {
	case apierrors.IsForbidden(account.err) && len(facts.Missing) == 0: // The operator may not know.
	case account.err != nil:
		return nil, account.err
	default:
		facts.AccountMissing = !account.exists
	}
	if err := c.addNames(ctx, request.Tenant, demand, facts); err != nil {
		return nil, err
	}
	c.rememberUnrecorded(request.Tenant, demand.Releases(), facts.Records)
	return demand.Check(facts), nil
}

// account is whether the service account of a tenant exists, as far as the operator may know.
type accountState struct {
	exists bool
	err    error
}

// gather asks for everything that does not depend on another answer, all at once. The facts
// are nil if the operator may not act as the tenant.
func (c *Collector) collectIndependent(ctx context.Context, request preflight.Wish, demand *preflight.Demand) (*preflight.Facts, accountState, error) {
	var facts *preflight.Facts
	var known map[schema.GroupVersionKind]preflight.Kind
	var allowed bool
	var of accountState
	var factsErr, kindsErr error
	group, asking := errgroup.WithContext(ctx)
	group.Go(outcome.Guarded(func() (err error) {
		allowed, err = c.mayImpersonate(asking, request.Tenant)
		return err
	}))
	// What these come to is of no interest where the operator may not act as the tenant.
	group.Go(outcome.Guarded(func() error {
		facts, factsErr = c.collectState(asking, request, demand)
		return nil
	}))
	group.Go(outcome.Guarded(func() error {
		if kindsErr = c.refreshKinds(asking); kindsErr == nil {
			known, kindsErr = c.resolveKinds(demand.Kinds())
		}
		return nil
	}))
	group.Go(outcome.Guarded(func() error {
		var existing map[string]bool
		existing, of.err = c.existingAccounts(asking, request.Tenant.Namespace, []string{request.Tenant.ServiceAccount})
		of.exists = existing[request.Tenant.ServiceAccount]
		return nil
	}))
	switch err := group.Wait(); {
	case err != nil:
		return nil, of, err
	case !allowed:
		return nil, of, nil
	}
	if err := cmp.Or(factsErr, kindsErr); err != nil {
		return nil, of, err
	}
	facts.Kinds = known
	return facts, of, nil
}

// facts are what is known of cluster, namespace and releases, without a look at the
// kinds and the rights that the app needs.
func (c *Collector) collectState(ctx context.Context, request preflight.Wish, demand *preflight.Demand) (*preflight.Facts, error) {
	// Each sets fields of its own.
	facts := &preflight.Facts{}
	group, asking := errgroup.WithContext(ctx)
	if !request.RightsOnly {
		group.Go(outcome.Guarded(func() error { return c.addSnapshot(asking, facts) }))
		group.Go(outcome.Guarded(func() error { return c.addTenant(asking, request.Tenant, facts) }))
	}
	group.Go(outcome.Guarded(func() (err error) {
		facts.Records, err = c.newestRecords(asking, request.Tenant, demand.Releases())
		return err
	}))
	return facts, group.Wait()
}

// addNames adds which names the app needs are taken, and which it needs exist.
func (c *Collector) addNames(ctx context.Context, of release.Tenant, demand *preflight.Demand, facts *preflight.Facts) (err error) {
	if facts.Accounts, err = c.existingAccounts(ctx, of.Namespace, demand.Accounts(facts)); err != nil {
		return err
	}
	facts.Answers, err = c.tryObjects(ctx, of, demand.Attempts(facts), facts.Kinds)
	return err
}

// accounts returns which service accounts of a namespace exist.
func (c *Collector) existingAccounts(ctx context.Context, namespace string, names []string) (map[string]bool, error) {
	existing := map[string]bool{}
	for _, name := range limitSlice(names, maxRoles) {
		_, err := c.operator.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get service account %s/%s: %w", namespace, name, err)
		}
		existing[name] = err == nil
	}
	return existing, nil
}
