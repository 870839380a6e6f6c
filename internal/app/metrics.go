package app

import (
	"net/http"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/appmarket/operator/internal/scrape"
)

// metricsOptions returns the options of the metrics server. With authentication, metrics are
// served over HTTPS with a self-signed certificate to accounts that can get /metrics. cfg
// must not be subject to the leader fence: a replica that is not the leader serves metrics
// too.
func metricsOptions(o *options, cfg *rest.Config) metricsserver.Options {
	serving := metricsserver.Options{BindAddress: o.metricsAddress}
	if o.metricsAuthentication {
		serving.SecureServing = true
		serving.FilterProvider = func(*rest.Config, *http.Client) (metricsserver.Filter, error) {
			filter, err := scrape.New(cfg)
			if err != nil {
				return nil, err
			}
			return func(log logr.Logger, next http.Handler) (http.Handler, error) {
				return filter.Wrap(log, next), nil
			}, nil
		}
	}
	return serving
}
