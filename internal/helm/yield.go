package helm

import (
	"time"

	"helm.sh/helm/v3/pkg/kube"

	"github.com/appmarket/operator/internal/release"
)

// yielding is a cluster that releases the slot of its operation while Helm waits for hooks, or for
// objects to be deleted.
type yielding struct{ *cluster }

// WatchUntilReady waits for hooks.
func (y yielding) WatchUntilReady(resources kube.ResourceList, timeout time.Duration) error {
	defer release.Yield(y.ctx)()
	return y.cluster.WatchUntilReady(resources, timeout)
}

// WaitForDelete waits until objects are deleted.
func (y yielding) WaitForDelete(resources kube.ResourceList, timeout time.Duration) error {
	defer release.Yield(y.ctx)()
	return y.cluster.WaitForDelete(resources, timeout)
}
