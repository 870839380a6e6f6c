package app

import (
	"net/http"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/appmarket/operator/internal/scrape"
)

// metricsOptions returns how metrics are served. With authentication they are served by
// HTTPS, with a certificate of its own making, to those who may get /metrics. The API
// server is asked by cfg, which must not be behind the fence: a replica that does not lead
// has metrics too.
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
