package collector

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
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
func (c *Collector) Check(ctx context.Context, wish preflight.Wish) ([]preflight.Problem, error) {
	demand, err := preflight.Read(wish)
	if err != nil {
		return nil, err
	}
	facts, account, err := c.collectIndependent(ctx, wish, demand)
	if err != nil {
		return nil, err
	}
	if facts == nil {
		return []preflight.Problem{preflight.ImpersonationDenied(wish.Tenant)}, nil
	}
	if facts.CRDs, err = c.existingCRDs(demand.CRDs()); err != nil {
		return nil, err
	}
	if facts.Roles, err = c.readRoles(ctx, demand.Roles(facts)); err != nil {
		return nil, err
	}
	if facts.Rights, err = c.Rights(ctx, wish.Tenant, demand.Needs(facts)); err != nil {
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
	if err := c.addNames(ctx, wish.Tenant, demand, facts); err != nil {
		return nil, err
	}
	c.rememberUnrecorded(wish.Tenant, demand.Releases(), facts.Records)
	return demand.Check(facts), nil
}

// account is whether the service account of a tenant exists, as far as the operator may know.
type accountState struct {
	exists bool
	err    error
}

// gather asks for everything that does not depend on another answer, all at once. The facts
// are nil if the operator may not act as the tenant.
func (c *Collector) collectIndependent(ctx context.Context, wish preflight.Wish, demand *preflight.Demand) (*preflight.Facts, accountState, error) {
	var facts *preflight.Facts
	var known map[schema.GroupVersionKind]preflight.Kind
	var allowed bool
	var of accountState
	var factsErr, kindsErr error
	group, asking := errgroup.WithContext(ctx)
	group.Go(outcome.Guarded(func() (err error) {
		allowed, err = c.mayImpersonate(asking, wish.Tenant)
		return err
	}))
	// What these come to is of no interest where the operator may not act as the tenant.
	group.Go(outcome.Guarded(func() error {
		facts, factsErr = c.collectState(asking, wish, demand)
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
		existing, of.err = c.existingAccounts(asking, wish.Tenant.Namespace, []string{wish.Tenant.ServiceAccount})
		of.exists = existing[wish.Tenant.ServiceAccount]
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

// kindsAge is how long the kinds of an app may lag behind the cluster, as when it is rendered.
const kindsAge = time.Second

// refreshKinds has the mapper know of the kinds that the cluster serves by now.
func (c *Collector) refreshKinds(ctx context.Context) error {
	if mapper, ok := c.mapper.(interface {
		Refresh(ctx context.Context, maxAge time.Duration) error
	}); ok {
		return mapper.Refresh(ctx, kindsAge)
	}
	meta.MaybeResetRESTMapper(c.mapper)
	return nil
}

// facts are what is known of cluster, namespace and releases, without a look at the
// kinds and the rights that the app needs.
func (c *Collector) collectState(ctx context.Context, wish preflight.Wish, demand *preflight.Demand) (*preflight.Facts, error) {
	// Each sets fields of its own.
	facts := &preflight.Facts{}
	group, asking := errgroup.WithContext(ctx)
	if !wish.RightsOnly {
		group.Go(outcome.Guarded(func() error { return c.addSnapshot(asking, facts) }))
		group.Go(outcome.Guarded(func() error { return c.addTenant(asking, wish.Tenant, facts) }))
	}
	group.Go(outcome.Guarded(func() (err error) {
		facts.Records, err = c.newestRecords(asking, wish.Tenant, demand.Releases())
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

// kinds looks up how kinds are served; those that are not are left out.
func (c *Collector) resolveKinds(all []schema.GroupVersionKind) (map[schema.GroupVersionKind]preflight.Kind, error) {
	if len(all) > maxKinds {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("%d different kinds of objects, at most %d are allowed", len(all), maxKinds))
	}
	known := map[schema.GroupVersionKind]preflight.Kind{}
	served := servedKinds{discovery: c.operator.Discovery(), versions: map[schema.GroupVersion][]metav1.APIResource{}}
	for _, gvk := range all {
		if !scheme.Scheme.IsGroupRegistered(gvk.Group) {
			kind, found, err := served.findKind(gvk)
			if err != nil {
				return nil, err
			}
			if found {
				known[gvk] = kind
			}
			continue
		}
		mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find resource of kind %s: %w", gvk.Kind, err)
		}
		known[gvk] = preflight.Kind{Resource: mapping.Resource.Resource, Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace}
	}
	return known, nil
}

// definitions reports which kinds of CRDs the cluster has, in whatever version.
func (c *Collector) existingCRDs(all []schema.GroupKind) (map[schema.GroupKind]bool, error) {
	known := map[schema.GroupKind]bool{}
	served := servedKinds{discovery: c.operator.Discovery(), versions: map[schema.GroupVersion][]metav1.APIResource{}}
	for _, kind := range limitSlice(all, maxKinds) {
		mapping, err := c.mapper.RESTMapping(kind)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find resource of kind %s: %w", kind.Kind, err)
		}
		if _, known[kind], err = served.findKind(mapping.GroupVersionKind); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// servedKinds asks which kinds the API server serves at this moment. The mapper never
// forgets a kind whose CRD has been deleted.
type servedKinds struct {
	discovery discovery.ServerResourcesInterface
	versions  map[schema.GroupVersion][]metav1.APIResource
}

func (s *servedKinds) findKind(gvk schema.GroupVersionKind) (preflight.Kind, bool, error) {
	version := gvk.GroupVersion()
	if _, asked := s.versions[version]; !asked {
		list, err := s.discovery.ServerResourcesForGroupVersion(version.String())
		if err != nil && !apierrors.IsNotFound(err) {
			return preflight.Kind{}, false, fmt.Errorf("list resources of %s: %w", version, err)
		}
		s.versions[version] = nil
		if err == nil {
			s.versions[version] = list.APIResources
		}
	}
	for _, one := range s.versions[version] {
		if one.Kind == gvk.Kind && !strings.Contains(one.Name, "/") {
			return preflight.Kind{Resource: one.Name, Namespaced: one.Namespaced}, true, nil
		}
	}
	return preflight.Kind{}, false, nil
}

// roles reads the rules of roles; those that are not there are left out.
func (c *Collector) readRoles(ctx context.Context, refs []preflight.RoleRef) (map[preflight.RoleRef][]rbacv1.PolicyRule, error) {
	refs = limitSlice(refs, maxRoles)
	rules := make([][]rbacv1.PolicyRule, len(refs))
	there := make([]bool, len(refs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentRequests)
	for i, ref := range refs {
		group.Go(outcome.Guarded(func() error {
			found, err := c.readRole(ctx, ref)
			if apierrors.IsNotFound(err) {
				return nil
			}
			rules[i], there[i] = found, err == nil
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	known := map[preflight.RoleRef][]rbacv1.PolicyRule{}
	for i, ref := range refs {
		if there[i] {
			known[ref] = rules[i]
		}
	}
	return known, nil
}

func (c *Collector) readRole(ctx context.Context, ref preflight.RoleRef) ([]rbacv1.PolicyRule, error) {
	if ref.Namespace == "" {
		role, err := c.operator.RbacV1().ClusterRoles().Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return role.Rules, nil
	}
	role, err := c.operator.RbacV1().Roles(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return role.Rules, nil
}
