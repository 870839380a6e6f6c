package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/receiver"
)

// withReceiver adds the webhooks of sources to the handler of the repository. objects must not be subject to
// the leader fence: a replica that is not the leader receives webhooks too.
func withReceiver(mgr ctrl.Manager, o *options, objects client.Client, repository http.Handler) http.Handler {
	if !o.receiveHooks {
		return repository
	}
	hooks := receiver.New(mgr.GetClient(), mgr.GetAPIReader(), func(ctx context.Context, source types.NamespacedName) error {
		return requestSync(ctx, objects, source, time.Now())
	}, mgr.GetLogger().WithName("receiver"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, receiver.PathPrefix) {
			hooks.ServeHTTP(w, r)
			return
		}
		repository.ServeHTTP(w, r)
	})
}

// requestSync requests the synchronization of a source, as a user does. The request is an annotation, so that it
// reaches the leader from every replica, and survives a restart.
func requestSync(ctx context.Context, objects client.Client, source types.NamespacedName, now time.Time) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		v1alpha1.ReconcileRequestAnnotation: now.UTC().Format(time.RFC3339Nano),
	}}})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	target := &v1alpha1.MarketSource{}
	target.Namespace, target.Name = source.Namespace, source.Name
	if err := objects.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("patch source: %w", err)
	}
	return nil
}
