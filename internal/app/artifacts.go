package app

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/appmarket/operator/internal/artifactwatch"
)

// addArtifactWatcher adds the watcher that notifies sources of type Artifact of new artifacts.
func (p *components) addArtifactWatcher(mgr ctrl.Manager, notify func(source types.NamespacedName)) error {
	objects, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("create client of artifacts: %w", err)
	}
	return mgr.Add(&artifactwatch.Watcher{Cache: mgr.GetCache(), Kinds: mgr.GetRESTMapper(), Objects: objects, Notify: notify})
}
