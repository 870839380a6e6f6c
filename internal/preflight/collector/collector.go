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
	"k8s.io/client-go/dynamic"
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
	// maxConcurrentRequests bounds the concurrent requests of one check.
	maxConcurrentRequests = 8
	// maxKinds and maxRoles bound the objects that are read for one app.
	maxKinds = 200
	maxRoles = 100
)

// Collector collects the state of the cluster. It is safe for concurrent use.
type Collector struct {
	config        *rest.Config
	operator      kubernetes.Interface
	objects       dynamic.Interface
	mapper        meta.RESTMapper
	nodesOnDemand NodesOnDemand

	inFlight        singleflight.Group
	mu              sync.Mutex
	snapshot        *clusterSnapshot
	snapshotExpires time.Time

	unrecorded unrecordedReleases
}

// Option configures a Collector.
type Option func(*Collector)

// WithNodesOnDemand specifies whether nodes are created on demand. Defaults to NodesOnDemandAuto.
func WithNodesOnDemand(mode NodesOnDemand) Option {
	return func(c *Collector) { c.nodesOnDemand = mode }
}

// New returns a Collector for the cluster of cfg, which needs permission to impersonate the
// service accounts of tenants. The mapper must discover new kinds, as the mapper of a manager
// of controller-runtime does.
func New(cfg *rest.Config, mapper meta.RESTMapper, options ...Option) (*Collector, error) {
	own := rest.CopyConfig(cfg)
	own.QPS = -1
	// Lists of pods are large. Protobuf needs a fraction of the time and memory of JSON.
	own.ContentType, own.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	operator, err := kubernetes.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	objects, err := dynamic.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("create dynamic client: %w", err)
	}
	c := &Collector{config: cfg, operator: operator, objects: objects, mapper: mapper, nodesOnDemand: NodesOnDemandAuto}
	for _, option := range options {
		option(c)
	}
	return c, nil
}

// Check returns all problems that prevent an operation, see package preflight. The dependencies
// of the app should be installed. An error means that the cluster could not be read, or has the
// reason RenderFailed or LimitExceeded and is Stalled if the documents of the app cannot be
// read.
func (c *Collector) Check(ctx context.Context, request preflight.Request) ([]preflight.Problem, error) {
	requirements, err := preflight.ParseRequest(request)
	if err != nil {
		return nil, err
	}
	facts, account, err := c.collectIndependent(ctx, request, requirements)
	if err != nil {
		return nil, err
	}
	if facts == nil {
		return []preflight.Problem{preflight.ImpersonationProblem(request.Tenant)}, nil
	}
	if facts.CRDs, err = c.existingCRDs(requirements.CRDs()); err != nil {
		return nil, err
	}
	if facts.Roles, err = c.readRoles(ctx, requirements.Roles(facts)); err != nil {
		return nil, err
	}
	if facts.Rights, err = c.Rights(ctx, request.Tenant, requirements.Needs(facts)); err != nil {
		return nil, err
	}
	// Permissions can be bound to all accounts of a namespace, including accounts that do not exist.
	switch {
	case apierrors.IsForbidden(account.err) && len(facts.Missing) == 0: // The operator may not read accounts.
	case account.err != nil:
		return nil, account.err
	default:
		facts.AccountMissing = !account.exists
	}
	if err := c.addNames(ctx, request.Tenant, requirements, facts); err != nil {
		return nil, err
	}
	c.rememberUnrecorded(request.Tenant, requirements.Releases(), facts.Records)
	return requirements.Check(facts), nil
}

// accountState reports whether the service account of a tenant exists, if the operator may read it.
type accountState struct {
	exists bool
	err    error
}

// collectIndependent collects the state that does not depend on other results, concurrently. It
// returns nil if the operator may not impersonate the tenant.
func (c *Collector) collectIndependent(
	ctx context.Context, request preflight.Request, requirements *preflight.Requirements,
) (*preflight.Facts, accountState, error) {
	var facts *preflight.Facts
	var known map[schema.GroupVersionKind]preflight.Kind
	var allowed bool
	var of accountState
	var factsErr, kindsErr error
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(outcome.Guarded(func() (err error) {
		allowed, err = c.mayImpersonate(groupCtx, request.Tenant)
		return err
	}))
	// Errors of the following requests are ignored if the operator may not impersonate the tenant.
	group.Go(outcome.Guarded(func() error {
		facts, factsErr = c.collectState(groupCtx, request, requirements)
		return nil
	}))
	group.Go(outcome.Guarded(func() error {
		if kindsErr = c.refreshKinds(groupCtx); kindsErr == nil {
			known, kindsErr = c.resolveKinds(requirements.Kinds())
		}
		return nil
	}))
	group.Go(outcome.Guarded(func() error {
		var existing map[string]bool
		existing, of.err = c.existingAccounts(groupCtx, request.Tenant.Namespace, []string{request.Tenant.ServiceAccount})
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

// collectState collects the state of the cluster, the namespace and the releases.
func (c *Collector) collectState(ctx context.Context, request preflight.Request, requirements *preflight.Requirements) (*preflight.Facts, error) {
	// Each function sets different fields.
	facts := &preflight.Facts{}
	group, asking := errgroup.WithContext(ctx)
	if !request.RightsOnly {
		group.Go(outcome.Guarded(func() error { return c.addSnapshot(asking, facts) }))
		group.Go(outcome.Guarded(func() error { return c.addTenant(asking, request.Tenant, facts) }))
	}
	group.Go(outcome.Guarded(func() (err error) {
		facts.Records, err = c.newestRecords(asking, request.Tenant, requirements.Releases())
		return err
	}))
	return facts, group.Wait()
}

// addNames adds which object names are taken, and which required service accounts and image pull Secrets exist.
func (c *Collector) addNames(ctx context.Context, of release.Tenant, requirements *preflight.Requirements, facts *preflight.Facts) (err error) {
	if facts.Accounts, err = c.existingAccounts(ctx, of.Namespace, requirements.Accounts(facts)); err != nil {
		return err
	}
	if err := c.addPullSecrets(ctx, of, requirements, facts); err != nil {
		return err
	}
	facts.Answers, err = c.tryObjects(ctx, of, requirements.Attempts(facts), facts.Kinds)
	return err
}

// existingAccounts returns which service accounts of a namespace exist.
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
