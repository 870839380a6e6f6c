package appinfo

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

var stepSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "appmarket_hydration_step_duration_seconds",
	Help:    "Duration of the steps of hydration by step and outcome.",
	Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 60},
}, []string{"step", "outcome"})

func init() { metrics.Registry.MustRegister(stepSeconds) }

// Metrics measures the duration of the steps of the pipeline.
type Metrics struct{}

// StepDone records the duration and the outcome of a step.
func (Metrics) StepDone(_ *hydrate.Draft, step hydrate.Name, took time.Duration, err error) {
	result := "succeeded"
	switch {
	case outcome.IsStalled(err):
		result = "stalled"
	case err != nil:
		result = "failed"
	}
	stepSeconds.WithLabelValues(string(step), result).Observe(took.Seconds())
}
