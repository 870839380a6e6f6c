package release

import (
	"context"
	"errors"
	"fmt"
	"io"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	helmstorage "helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubectl/pkg/validation"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/helm/storage"
)

// operation is one use of the SDK. It ends when ctx ends.
type operation struct {
	*cluster.Client
	client  *Client
	ctx     context.Context
	cluster *kubeClient
	records *storage.Driver
	store   *helmstorage.Storage
	action  *action.Configuration
	// release identifies the release of the operation, and instance the AppInstance that owns the
	// release, if they are known.
	release  *release.Release
	instance string
}

// newOperation creates an operation. It sends no requests.
func (c *Client) newOperation(ctx context.Context) (*operation, error) {
	cfg := c.clients.restConfigFor(contextTransport{ctx: ctx, next: c.transport})
	secrets, err := corev1.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	o := &operation{Client: &cluster.Client{Mapper: c.clients.kinds, Config: cfg}, client: c, ctx: ctx}
	o.records = storage.NewDriver(ctx, secrets.Secrets(c.tenant.Namespace), c.known, c.clients.ChunkSizes)
	o.store = helmstorage.Init(o.records)
	o.cluster = &kubeClient{
		Client:    &kube.Client{Factory: factory{o}, Log: noopLog, Namespace: c.tenant.Namespace},
		ctx:       ctx,
		records:   o.records,
		store:     o.store,
		operation: o,
		mapper:    c.clients.kinds,
	}
	o.action = &action.Configuration{
		RESTClientGetter: factory{o},
		Releases:         o.store,
		KubeClient:       yieldingClient{o.cluster},
		Log:              noopLog,
		HookOutputFunc:   func(_, _, _ string) io.Writer { return io.Discard },
	}
	return o, nil
}

// newOperationFor creates an operation on a release.
func (c *Client) newOperationFor(ctx context.Context, name string) (*operation, error) {
	o, err := c.newOperation(ctx)
	if err != nil {
		return nil, err
	}
	o.release = &release.Release{Name: name, Namespace: c.tenant.Namespace}
	return o, nil
}

func noopLog(string, ...any) {}

// The field manager is always "helm", independent of the name of the executable, so that the helm
// command manages the same fields.
func init() { kube.ManagedFieldsManager = "helm" }

// readHistory returns the revisions of a release, starting with the oldest. It returns no error if
// there are none.
func (o *operation) readHistory(name string) ([]*release.Release, error) {
	revisions, err := o.store.History(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read release %q: %w", name, err)
	}
	releaseutil.SortByRevision(revisions)
	if o.release != nil && o.release.Name == name {
		o.instance = revisions[len(revisions)-1].Labels[v1alpha1.InstanceLabel]
	}
	return revisions, nil
}

// factory creates the clients for Helm. All operations share the cache of kinds, and all requests
// are sent as the tenant.
type factory struct{ *operation }

func (f factory) ToRESTConfig() (*rest.Config, error)       { return rest.CopyConfig(f.Config), nil }
func (f factory) ToRESTMapper() (meta.RESTMapper, error)    { return f.client.clients.kinds, nil }
func (f factory) NewBuilder() *resource.Builder             { return resource.NewBuilder(f) }
func (f factory) DynamicClient() (dynamic.Interface, error) { return dynamic.NewForConfig(f.Config) }
func (f factory) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: f.client.tenant.Namespace}}
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)
}

// ToDiscoveryClient returns a client with fresh data: Helm requests the capabilities again after it
// has created the CRDs of a chart.
func (f factory) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	if err := f.client.clients.kinds.Refresh(f.ctx, 0); err != nil {
		return nil, err
	}
	return f.client.clients.kinds.Discovery(f.ctx)
}

func (f factory) KubernetesClientSet() (*kubernetes.Clientset, error) {
	return kubernetes.NewForConfig(f.Config)
}

// Validator returns a schema that accepts everything. The validator of Helm does nothing else if
// the API server validates fields (every version since Kubernetes 1.27), but reads the OpenAPI
// documents of all groups involved to find that out.
func (f factory) Validator(string) (validation.Schema, error) { return validation.NullSchema{}, nil }
