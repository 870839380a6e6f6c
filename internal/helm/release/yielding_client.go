package release

import (
	"time"

	"helm.sh/helm/v3/pkg/kube"

	"github.com/appmarket/operator/internal/release"
)

// yieldingClient is a cluster that releases the slot of its operation while Helm waits for hooks, or for
// objects to be deleted.
type yieldingClient struct{ *kubeClient }

// WatchUntilReady waits for hooks.
func (y yieldingClient) WatchUntilReady(resources kube.ResourceList, timeout time.Duration) error {
	defer release.Yield(y.ctx)()
	return y.kubeClient.WatchUntilReady(resources, timeout)
}

// WaitForDelete waits until objects are deleted.
func (y yieldingClient) WaitForDelete(resources kube.ResourceList, timeout time.Duration) error {
	defer release.Yield(y.ctx)()
	return y.kubeClient.WaitForDelete(resources, timeout)
}
